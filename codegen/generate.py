"""`nox -s generate`: the contracts compiled into `generated/wireloom_protocol`, byte for byte the same each time."""

from __future__ import annotations

import argparse
import difflib
import filecmp
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from codegen import app_server, normalise, overlay, select, stubs

Json = Any

ROOT = Path(__file__).parent.parent
OPENAPI = ROOT / "openapi"
PACKAGE = ROOT / "generated" / "wireloom_protocol"
API_PREFIX = "/v1"
# The Codex CLI adds tool kinds with each release; one that is new is left out of a turn, not the turn refused.
# A Chat upstream may have kinds of its own of what the others hold, and is given them as they are.
OPEN_UNIONS = (
    "Tool",
    "ChatCompletionRequestTool",
    "ChatCompletionRequestToolCall",
    "ChatCompletionRequestUserMessageContentPart",
)
TOOLS = ("datamodel-code-generator", "jinja2", "jsonpath-ng", "ruff")

DCG = (
    "--input-file-type=openapi",
    "--target-python-version=3.11",
    "--naming-strategy=full-path",
    "--enum-field-as-literal=all",
    "--use-annotated",
    "--use-union-operator",
    "--use-standard-collections",
    "--field-constraints",
    "--use-schema-description",
    "--type-mappings",
    "uri=string",
    "date=string",
    "unixtime=number",
    "--disable-timestamp",
    "--formatters",
    "ruff-format",
    "ruff-check",
)
PYDANTIC = (
    "--output-model-type=pydantic_v2.BaseModel",
    "--reuse-model",
    "--collapse-reuse-models",
    "--extra-fields=allow",
    "--use-type-alias",
    "--base-class=wireloom_protocol.bases.Deferred",
)
MSGSPEC = (
    "--output-model-type=msgspec.Struct",
    "--use-msgspec-tagged-unions",
    "--base-class=wireloom_protocol.bases.Untracked",
)


def main(argv: list[str] | None = None) -> int:
    """Write the generated package, or with `--check` show how it differs from what is committed."""
    parser = argparse.ArgumentParser(prog="nox -s generate --")
    parser.add_argument(
        "--check", action="store_true", help="compare instead of writing; exit 1 on a difference"
    )
    check = parser.parse_args(argv).check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        emit(fresh)
        if not check:
            replace(PACKAGE, fresh)
            return 0
        changes = list(differences(PACKAGE, fresh))
    for line in changes:
        print(line)
    if changes:
        print("\ngenerated/ is not what the contracts compile to. To mend it: nox -s generate, then commit.")
    return 1 if changes else 0


def corrected() -> Json:
    """The whole surface with every numbered overlay applied: the contract before anything is chosen."""
    document = json.loads((OPENAPI / "openai.json").read_text())
    own = yaml.safe_load((OPENAPI / "gateway.yaml").read_text())
    document["paths"] = {API_PREFIX + path: item for path, item in document["paths"].items()} | own["paths"]
    document["components"]["schemas"] |= own["components"]["schemas"]
    for path in sorted((OPENAPI / "overlays").glob("[0-9]*.overlay.yaml")):
        document = overlay.apply(document, overlay.load(path))
    return document


def promised(surface: Json, operations: Json) -> Json:
    """The served document: the operations that are answered, and of their requests what is not always refused."""
    narrowed = overlay.apply(surface, overlay.load(OPENAPI / "overlays" / "served.overlay.yaml"))
    return select.surface(normalise.contract(narrowed), operations["served"])


def emit(target: Path) -> None:
    """Write every generated file into an empty folder."""
    operations = tomllib.loads((OPENAPI / "operations.toml").read_text())
    surface = corrected()
    document, served = normalise.contract(surface), promised(surface, operations)
    (target / "contract.json").write_text(json.dumps(served, indent=1, ensure_ascii=False) + "\n")
    parts = divided(document, operations)
    hot = operations["hot"]
    parts["hot"] = (normalise.hot(document, **hot), (*DCG, *MSGSPEC))
    base = json.loads((OPENAPI / "app_server.json").read_text())
    base = overlay.apply(base, overlay.load(OPENAPI / "overlays" / "app-server.overlay.yaml"))
    parts["app_server"] = (app_server.document(base), app_server.DCG_OPTIONS)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: model(target / f"{part[0]}.py", *part[1]), parts.items()))
    (target / "routes.py").write_text(
        stubs.routes(served, document, open_types(document), placed(operations))
    )
    (target / "rpc.py").write_text(stubs.rpc(app_server.methods(base)))
    (target / "__init__.py").write_text(stubs.render("package.py.jinja"))
    (target / "bases.py").write_text(stubs.render("bases.py.jinja"))
    (target / "py.typed").touch()
    ruff("format", target)
    ruff("check", target)
    (target / "manifest.json").write_text(json.dumps(manifest(), indent=1) + "\n")


def divided(document: Json, operations: Json) -> dict[str, tuple[Json, tuple[str, ...]]]:
    """Module name -> (the part of the contract it holds, generator options)."""
    elsewhere = placed(operations)
    modules: dict[str, list[str]] = {"responses": []}
    for _, _, operation in select.operations(document):
        modules.setdefault(elsewhere.get(operation["operationId"], "responses"), []).append(
            operation["operationId"]
        )
    return {
        name: (normalise.models(select.surface(document, members), OPEN_UNIONS), (*DCG, *PYDANTIC))
        for name, members in modules.items()
    }


def placed(operations: Json) -> dict[str, str]:
    """Operation -> the module of its types, for those that are not in `responses`."""
    return {operation: name for name, members in operations["modules"].items() for operation in members}


def model(target: Path, document: Json, options: tuple[str, ...]) -> None:
    """Run the model generator on one document."""
    header = "# Generated by `nox -s generate` from openapi/; do not edit.\n# ruff: noqa\n"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as source:
        json.dump(document, source)
        source.flush()
        command = [sys.executable, "-m", "datamodel_code_generator", "--input", source.name]
        command += ["--output", str(target), "--custom-file-header", header, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{target.name}: {done.stderr}")
    target.write_text(bounded(target.read_text()))


def bounded(source: str) -> str:
    """Let the lists and maps of pydantic models stop at a first error; structs do anyway."""
    base = "from wireloom_protocol.bases import Deferred"
    if base not in source:
        return source
    source = re.sub(r"\blist\[", "Many[", source)
    source = re.sub(r"\bdict\[(?!str, Any\])", "Map[", source)
    used = [name for name in ("Many", "Map") if f"{name}[" in source]
    return source.replace(base, ", ".join([base, *used]), 1)


def ruff(command: str, target: Path) -> None:
    """Format, or sort and tidy the imports of, the files rendered from templates."""
    options = ["--select=I,F401", "--fix"] if command == "check" else []
    files = [str(target / name) for name in ("routes.py", "rpc.py", "bases.py", "__init__.py")]
    config = ["--config", str(ROOT / "pyproject.toml")]
    run = [sys.executable, "-m", "ruff", command, "--quiet", *config, *options, *files]
    subprocess.run(run, check=True)


def manifest() -> Json:
    """Where the generated package comes from: the digest of every input and the version of every tool."""
    inputs = sorted(
        path
        for folder in (OPENAPI, ROOT / "codegen")
        for path in folder.rglob("*")
        if path.suffix in {".json", ".yaml", ".toml", ".py", ".jinja"}
    )
    digests = {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs}
    return {"command": "nox -s generate", "tools": {tool: version(tool) for tool in TOOLS}, "inputs": digests}


def replace(target: Path, fresh: Path) -> None:
    """Make `target` hold exactly the files of `fresh`."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.is_file():
            path.unlink()
    for path in fresh.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def differences(old: Path, new: Path) -> Iterable[str]:
    """Lines of a unified diff from the committed files to the fresh ones."""
    names = sorted({path.name for folder in (old, new) for path in folder.iterdir() if path.is_file()})
    _, changed, odd = filecmp.cmpfiles(old, new, names, shallow=False)
    for name in sorted([*changed, *odd]):
        before, after = (_lines(folder / name) for folder in (old, new))
        yield from difflib.unified_diff(before, after, f"committed/{name}", f"fresh/{name}", lineterm="", n=1)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def open_types(document: Json) -> dict[str, list[str]]:
    """Tags of each open union, for the reader of request bodies."""
    schemas = document["components"]["schemas"]
    return {name: sorted(normalise.tags(schemas[name])) for name in OPEN_UNIONS}


if __name__ == "__main__":
    sys.exit(main())
