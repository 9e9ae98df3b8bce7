"""`nox -s generate`: the contracts compiled into `generated/wireloom_protocol`, byte for byte the same each time."""

from __future__ import annotations

import argparse
import copy
import difflib
import filecmp
import hashlib
import json
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

from codegen import (
    app_server,
    app_server_read,
    fields,
    flatten,
    normalise,
    nulls,
    overlay,
    sane,
    select,
    stubs,
    titles,
    typed_dicts,
)
from codegen.failure import sentence

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
TOOLS = ("datamodel-code-generator", "jinja2", "jsonpath-ng", "jsonschema", "ruff")

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
MODEL_BASE = "wireloom_runtime.models.Deferred"
PYDANTIC = (
    "--output-model-type=pydantic_v2.BaseModel",
    "--reuse-model",
    "--collapse-reuse-models",
    "--extra-fields=allow",
    "--use-type-alias",
    "--use-missing-sentinel",  # rewritten by `fields`
    "--strict-nullable",  # a member with a default is not nullable for that
    f"--field-extra-keys={nulls.MARK}",  # rewritten by `fields`
    f"--base-class={MODEL_BASE}",
)
MSGSPEC = (
    "--output-model-type=msgspec.Struct",
    "--use-msgspec-tagged-unions",
    "--base-class=wireloom_runtime.structs.Untracked",
)
TYPED_DICTS = ("--output-model-type=typing.TypedDict",)
# Module that is slow to import -> the description of the module that shows its names and is not.
LAZY = {
    "responses": "Pydantic models of the Responses, Conversations, Models and Operations contracts.",
    "chat": "Pydantic models of the Chat Completions contract.",
    "app_server": "Pydantic models of the Codex app-server protocol.",
    "routes": "FastAPI routers of the served operations, one for each tag.",
}


def main(argv: list[str] | None = None) -> int:
    """Write the generated package, or with `--check` show how it differs from what is committed."""
    parser = argparse.ArgumentParser(prog="nox -s generate --")
    parser.add_argument(
        "--check", action="store_true", help="compare instead of writing; exit 1 on a difference"
    )
    check = parser.parse_args(argv).check
    if found := faults():
        print(*found, sep="\n")
        print(f"\nNothing is generated: {len(found)} faults in openapi/.")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        try:
            emit(fresh)
        except Exception as error:  # noqa: BLE001 - a newer contract may break any assumption of the compiler
            print(f"Nothing was generated: {sentence(error)}")
            return 1
        if not check:
            replace(PACKAGE, fresh)
            return 0
        changes = list(differences(PACKAGE, fresh))
    for line in changes:
        print(line)
    if changes:
        print("\ngenerated/ is not what the contracts compile to. To mend it: nox -s generate, then commit.")
    return 1 if changes else 0


def faults() -> list[str]:
    """All that the contracts cannot mean, a sentence each; empty where they can be compiled."""
    sources = sorted((OPENAPI / "overlays").glob("*.overlay.yaml"))
    try:
        found = [fault for path in sources for fault in sane.overlay(path.name, overlay.load(path))]
        found += sane.prose("gateway.yaml", yaml.safe_load((OPENAPI / "gateway.yaml").read_text()))
        if found:  # what YAML misreads leads to faults in the documents, which would hide the cause
            return [str(fault) for fault in found]
        surface = corrected()
        operations = tomllib.loads((OPENAPI / "operations.toml").read_text())
        found += sane.document(normalise.contract(surface))
        found += sane.document(promised(surface, operations))
        found += sane.document(app_server.document(app_server_base()), sane.APP_SERVER_RULES)
    except overlay.OverlayError as error:
        return [str(error)]
    return list(dict.fromkeys(map(str, found)))


def app_server_base() -> Json:
    """The base file of the app-server contract with its overlay applied."""
    base = json.loads((OPENAPI / "app_server.json").read_text())
    return overlay.apply(base, overlay.load(OPENAPI / "overlays" / "app-server.overlay.yaml"))


def corrected(until: str | None = None) -> Json:
    """The whole surface with every numbered overlay applied: the contract before anything is chosen.

    Args:
        until: file name of an overlay; neither this one nor a later one is applied.
    """
    paths = [path for path in numbered() if until is None or path.name < until]
    return overlay.apply(base(), *map(overlay.load, paths))


def base() -> Json:
    """The published document and the gateway's own endpoints, uncorrected."""
    published = json.loads((OPENAPI / "openai.json").read_text())
    published["info"]["version"] = release()
    return combined(published, yaml.safe_load((OPENAPI / "gateway.yaml").read_text()))


def combined(published: Json, own: Json) -> Json:
    """The published document with the gateway's own endpoints beside it, uncorrected.

    Args:
        published: `openai.json`; not changed.
        own: `gateway.yaml`; not changed.
    """
    paths = {API_PREFIX + path: item for path, item in published["paths"].items()} | own["paths"]
    schemas = published["components"]["schemas"] | own["components"]["schemas"]
    return {**published, "paths": paths, "components": {**published["components"], "schemas": schemas}}


def numbered() -> list[Path]:
    """The overlays of the whole surface, in the order in which they are applied."""
    return sorted((OPENAPI / "overlays").glob("[0-9]*.overlay.yaml"))


def promised(surface: Json, operations: Json) -> Json:
    """The served document: the operations that are answered, and of their requests what is not always refused."""
    narrowing = overlay.load(OPENAPI / "overlays" / "served.overlay.yaml")
    return nulls.of_requests(narrowed(surface, narrowing, operations))


def narrowed(surface: Json, narrowing: Json, operations: Json) -> Json:
    """The served document, by an overlay that narrows the surface.

    Args:
        surface: what `corrected` returned; not changed.
        narrowing: the overlay.
        operations: `operations.toml`.
    """
    document = normalise.contract(overlay.apply(surface, narrowing))
    return select.surface(document, operations["served"])


def documents(served: Json) -> dict[str, Json]:
    """File -> a form of the served document, each with titles of its own.

    Args:
        served: what `promised` returned; not changed.
    """
    flat = flatten.document(served)
    return {
        "contract.json": titles.titled(copy.deepcopy(served)),
        "contract-3.1.json": titles.titled(flat),
    }


def emit(target: Path) -> None:
    """Write every generated file into an empty folder."""
    operations = tomllib.loads((OPENAPI / "operations.toml").read_text())
    surface = corrected()
    document = nulls.everywhere(normalise.contract(surface))
    served = promised(surface, operations)
    for name, published in documents(served).items():
        (target / name).write_text(json.dumps(published, indent=1, ensure_ascii=False) + "\n")
    parts = divided(document, operations)
    hot = operations["hot"]
    parts["hot"] = (normalise.hot(document, **hot), (*DCG, *MSGSPEC))
    base = app_server_base()
    parts["app_server"] = (app_server.document(base), app_server.DCG_OPTIONS)
    reading = app_server_read.load(OPENAPI / "app_server_read.toml")
    parts["app_server_hot"] = (app_server_read.document(base, reading), app_server_read.DCG_OPTIONS)
    origins = stubs.Origins(placed(operations), sources(served), frozenset(hot["write"]))
    parts |= typed_dicts_of(served, stubs.operations(served, document, origins))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: model(target / file_of(part[0]), *part[1]), parts.items()))
    read = target / file_of("app_server_hot")
    read.write_text(app_server_read.optional(read.read_text()))
    modules = stubs.served(served, document, open_types(document), origins)
    modules["rpc"] = stubs.rpc(app_server.methods(base))
    rendered = {file_of(name): text for name, text in modules.items()}
    rendered["__init__.py"] = stubs.render("package.py.jinja", version=release(), codex=codex_version())
    for name, description in LAZY.items():
        rendered[f"{name}.py"] = stubs.render("lazy.py.jinja", name=name, description=description)
    for name, text in rendered.items():
        (target / name).write_text(text)
    (target / "py.typed").touch()
    files = [target / name for name in rendered]
    ruff("format", files)
    ruff("check", files)
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


def file_of(module: str) -> str:
    """The file that a module is compiled into; one that is slow to import stands behind a lazy module of its name."""
    return f"_{module}.py" if module in LAZY else f"{module}.py"


def typed_dicts_of(
    served: Json, operations: list[stubs.Operation]
) -> dict[str, tuple[Json, tuple[str, ...]]]:
    """Module name -> (the schemas that it holds, generator options) of the JSON that clients send and receive."""
    roots = {
        "requests": {operation.body for operation in operations},
        "replies": {name for operation in operations for name in (operation.reply, operation.event)},
    }
    return {
        name: (typed_dicts.document(served, sorted(filter(None, names))), (*DCG, *TYPED_DICTS))
        for name, names in roots.items()
    }


def sources(served: Json) -> dict[str, str]:
    """Operation id -> the base contract that declares it, with its version."""
    recorded = tomllib.loads((OPENAPI / "sources.toml").read_text())["openai"]
    own = yaml.safe_load((OPENAPI / "gateway.yaml").read_text())
    published = f"openapi/{recorded['file']} {recorded['version']}"
    gateway = {
        node["operationId"]: f"openapi/gateway.yaml {release()}" for _, _, node in select.operations(own)
    }
    return {node["operationId"]: published for _, _, node in select.operations(served)} | gateway


def release() -> str:
    """The release that the contracts belong to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version: str = project["version"]
    return version


def codex_version() -> str:
    """The release of the Codex CLI that the app-server contract comes from."""
    version: str = tomllib.loads((OPENAPI / "sources.toml").read_text())["app_server"]["version"]
    return version


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
    made = target.read_text()
    written = fields.written(made)
    target.write_text(written)
    if written is not made:
        ruff("format", [target])


def ruff(command: str, files: list[Path]) -> None:
    """Format, or sort and tidy the imports of, the files rendered from templates."""
    options = ["--select=I,F401", "--fix"] if command == "check" else []
    config = ["--config", str(ROOT / "pyproject.toml")]
    run = [sys.executable, "-m", "ruff", command, "--quiet", *config, *options, *map(str, files)]
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
