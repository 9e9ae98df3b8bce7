"""CPU time that `wireloom_protocol` costs a process: `python -m benchmarks.imports`, with `--write` for docs/protocol.md.

Each module is imported in processes of its own, and then used for the first time. The figure is the best of five: other
work on the machine only ever makes a process slower.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import iter_modules
from typing import TypedDict

import wireloom_protocol

PACKAGE = "wireloom_protocol"
RESULTS = Path(__file__).parent.parent / "docs" / "imports.json"
RUNS = 5
SECONDS = 60.0
CHILD = """
import time
begin = time.process_time()
import {package}.{module} as module
imported = time.process_time()
{use}
print(imported - begin, time.process_time() - imported)
"""
# Module -> its first use, where the import loads only a part of it. The rest is loaded as a whole.
USES: Mapping[str, str] = {
    "app_server": 'module.TurnStartParams.model_validate({"threadId": "t", "input": []})',
    "chat": 'module.CreateChatCompletionRequest.model_validate({"model": "m", "messages": '
    '[{"role": "user", "content": "Hello"}]})',
    "responses": 'module.CreateResponse.model_validate({"model": "m", "input": "Hello"})',
    "routes": "module.models_router",
    "rpc": 'module.TURN_START.read_params({"threadId": "t", "input": []})',
}


class Cost(TypedDict):
    """CPU milliseconds of one module: of its import, and of its first use where that loads more."""

    import_ms: float
    use_ms: float | None


def modules() -> list[str]:
    """The public modules of the package."""
    names = (module.name for module in iter_modules(wireloom_protocol.__path__))
    return sorted(name for name in names if not name.startswith("_"))


def cost(module: str, runs: int = RUNS) -> Cost:
    """Measure one module.

    Args:
        module: its name in the package.
        runs: processes; of each part the fastest counts.

    Raises:
        subprocess.CalledProcessError: the module cannot be imported or used.
    """
    use = USES.get(module)
    code = CHILD.format(package=PACKAGE, module=module, use=use or "")
    taken = [_taken(code) for _ in range(runs)]
    imported, used = (1000 * min(each) for each in zip(*taken, strict=True))
    return {"import_ms": round(imported, 1), "use_ms": None if use is None else round(used, 1)}


def _taken(code: str) -> tuple[float, float]:
    """CPU seconds of the two parts in a fresh process."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    imported, used = map(float, done.stdout.split())
    return imported, used


def main(arguments: Sequence[str]) -> int:
    """Print the figures, or write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write docs/{RESULTS.name} as well")
    write = parser.parse_args(arguments).write
    found = {module: cost(module) for module in modules()}
    for module, each in found.items():
        used = "" if each["use_ms"] is None else f"{each['use_ms']:8.1f} ms at the first use"
        print(f"{module:15}{each['import_ms']:8.1f} ms{used}")
    if write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
