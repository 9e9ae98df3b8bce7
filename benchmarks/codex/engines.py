"""The contestants: gateways before `codex app-server`, each with a user's home whose provider is the scripted one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.processes import DidNotRun, environment, free_port, running, wait_ready

TOKEN = "benchmark"
MODEL = "gpt-5.5"
KEY_VARIABLE = "BENCHMARK_KEY"
READY_SECONDS = 30.0
_BIN = Path(sys.executable).parent

Command = Callable[[Path, int, str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Engine:
    """A gateway that can be measured.

    Args:
        name: of its package.
        command: makes its command line of a folder, a port, the Codex CLI and the provider's port.
        model: what it is asked for.
        ready: path that answers 200 once it serves.
    """

    name: str
    command: Command
    model: str
    ready: str


def _wireloom(_: Path, port: int, codex: str, __: int) -> list[str]:
    flags = ["--backend", "app-server", "--codex-bin", codex, "--no-auth", "--history", "memory"]
    return [str(_BIN / "wireloom"), "serve", "--port", str(port), *flags]


def _codex_gateway(folder: Path, port: int, _: str, __: int) -> list[str]:
    where = ["--config", str(folder / "config.json"), "--cwd", str(folder)]
    return [str(_BIN / "codex-gateway"), "--port", str(port), "--token", TOKEN, *where]


def _codex_api_proxy(folder: Path, port: int, codex: str, provider: int) -> list[str]:
    # It keeps the user's configuration out of its own home, the provider too.
    inside = ", ".join(f"{name} = {json.dumps(value)}" for name, value in _provider(provider).items())
    told = ['model_provider="scripted"', f"model_providers.scripted={{{inside}}}"]
    flags = ["--engine", "app-server", "--codex-bin", codex, "--api-key", TOKEN, "--model", MODEL]
    files = [f"--{name}-file={folder / name}" for name in ("pid", "log", "state")]
    flags += [f"--codex-config={each}" for each in told]
    return [str(_BIN / "codex-api-proxy"), "start", "--foreground", "--port", str(port), *flags, *files]


def _wireloom_with_roots(folder: Path, port: int, codex: str, provider: int) -> list[str]:
    # Any setting of a provider's on the command line leaves it open whether that one is asked over TLS.
    return [
        *_wireloom(folder, port, codex, provider),
        "--codex-config",
        "model_providers.scripted.name=scripted",
    ]


ENGINES = (
    Engine("wireloom", _wireloom, MODEL, "/ready"),
    Engine("wireloom, certificates read", _wireloom_with_roots, MODEL, "/ready"),
    Engine("codex-gateway", _codex_gateway, MODEL, "/v1/models"),
    Engine("codex-api-proxy", _codex_api_proxy, "codex-local", "/health"),
)


def described(engine: Engine) -> str:
    """Return name and version of a contestant."""
    try:
        return f"{engine.name} {version(engine.name.partition(',')[0])}"
    except PackageNotFoundError:
        return f"{engine.name} (not installed)"


def _provider(port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}/v1"
    return {"name": "scripted", "base_url": url, "wire_api": "responses", "env_key": KEY_VARIABLE}


def home(folder: Path, provider: int) -> dict[str, str]:
    """Make a user's home of the CLI before a provider; return the variables that go with it.

    folder: gets the home. provider: port of the scripted provider.
    """
    place = folder / ".codex"
    place.mkdir()
    lines = [f'model = "{MODEL}"', 'model_provider = "scripted"', "[model_providers.scripted]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in _provider(provider).items()]
    (place / "config.toml").write_text("\n".join(lines) + "\n")
    return {"CODEX_HOME": str(place), KEY_VARIABLE: "key"}


def path_with(codex: str, folder: Path) -> str:
    """Return a PATH on which `codex` is the given program.

    codex: path of the CLI. folder: gets a link to it.
    """
    link = folder / "bin"
    link.mkdir()
    (link / "codex").symlink_to(codex)
    return f"{link}{os.pathsep}{os.environ['PATH']}"


@contextmanager
def serving(engine: Engine, folder: Path, provider: int, codex: str) -> Iterator[tuple[int, int]]:
    """Run a contestant for the length of a `with` block; yields its port and its process id.

    Raises DidNotRun when it cannot be started.
    """
    port, log = free_port(), folder / "gateway.log"
    variables: Mapping[str, str] = {
        **environment(folder),
        **home(folder, provider),
        "PATH": path_with(codex, folder),
    }
    with running(engine.command(folder, port, codex, provider), log, variables) as process:
        wait_ready(process, port, engine.ready, log, READY_SECONDS, {"authorization": f"Bearer {TOKEN}"})
        yield port, process.pid
        if process.poll() is not None:
            raise DidNotRun(f"{engine.name} ended with code {process.returncode}")
