"""`nox -s generate`: the contracts compiled into `generated/wireloom_protocol`, byte for byte the same each time."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from codegen import (
    additions,
    app_server,
    app_server_read,
    flatten,
    generator,
    normalise,
    nulls,
    overlay,
    sane,
    select,
    stubs,
    target,
    titles,
    typed_dicts,
)
from codegen.additions import NOTHING, Additions
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

# Module that is slow to import -> the description of the module that shows its names and is not.
LAZY = {
    "responses": "Pydantic models of the Responses, Conversations, Models and Operations contracts.",
    "chat": "Pydantic models of the Chat Completions contract.",
    "app_server": "Pydantic models of the Codex app-server protocol.",
    "routes": "FastAPI routers of the served operations, one for each tag.",
}


def main(argv: list[str] | None = None) -> int:
    """Write the generated package, or with `--check` show how it differs from what is committed."""
    given = _arguments(argv)
    out = given.out or PACKAGE
    if given.out is not None and (reason := target.refusal(out, PACKAGE)):
        print(f"Nothing was generated: {reason}")
        return 1
    try:
        more = additions.load(given.overlay)
    except (OSError, overlay.OverlayError) as error:
        print(f"Nothing was generated: {error}")
        return 1
    if found := faults(more):
        print(*found, sep="\n")
        print(
            f"\nNothing is generated: {len(found)} faults in openapi/{' or the overlays' * bool(given.overlay)}."
        )
        return 1
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        try:
            emit(fresh, more)
        except Exception as error:  # noqa: BLE001 - a newer contract may break any assumption of the compiler
            print(f"Nothing was generated: {sentence(error)}")
            return 1
        if not given.check:
            target.replace(out, fresh)
            return 0
        changes = list(target.differences(out, fresh))
    for line in changes:
        print(line)
    if changes:
        shown = "generated/" if given.out is None else out
        remedy = "nox -s generate, then commit" if given.out is None else "the same command without --check"
        print(f"\n{shown} is not what the contracts compile to. To mend it: {remedy}.")
    return 1 if changes else 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m codegen.generate")
    parser.add_argument(
        "--check", action="store_true", help="compare instead of writing; exit 1 on a difference"
    )
    parser.add_argument(
        "--overlay",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="an overlay of yours, applied after the project's own; may be repeated; needs --out",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write the package into this folder and leave generated/ alone",
    )
    given = parser.parse_args(argv)
    if given.overlay and given.out is None:
        parser.error("--overlay needs --out: generated/ holds the contracts of the project alone")
    return given


def faults(more: Additions = NOTHING) -> list[str]:
    """All that the contracts cannot mean, a sentence each; empty where they can be compiled.

    Args:
        more: overlays of a user.
    """
    sources = sorted((OPENAPI / "overlays").glob("*.overlay.yaml"))
    try:
        found = [fault for path in sources for fault in sane.overlay(path.name, overlay.load(path))]
        found += [
            fault
            for each in (*more.contract, *more.app_server)
            for fault in sane.overlay(each[overlay.FILE], each)
        ]
        found += sane.prose("gateway.yaml", yaml.safe_load((OPENAPI / "gateway.yaml").read_text()))
        if found:  # what YAML misreads leads to faults in the documents, which would hide the cause
            return [str(fault) for fault in found]
        surface = corrected(more=more)
        operations = tomllib.loads((OPENAPI / "operations.toml").read_text())
        found += sane.document(normalise.contract(surface))
        found += sane.document(promised(surface, operations))
        found += sane.document(app_server.document(app_server_base(more)), sane.APP_SERVER_RULES)
    except overlay.OverlayError as error:
        return [str(error)]
    return list(dict.fromkeys(map(str, found)))


def app_server_base(more: Additions = NOTHING) -> Json:
    """The base file of the app-server contract with its overlays applied."""
    base = json.loads((OPENAPI / "app_server.json").read_text())
    return overlay.apply(
        base, overlay.load(OPENAPI / "overlays" / "app-server.overlay.yaml"), *more.app_server
    )


def corrected(until: str | None = None, more: Additions = NOTHING) -> Json:
    """The whole surface with every numbered overlay applied: the contract before anything is chosen.

    Args:
        until: file name of an overlay; neither this one nor a later one is applied.
        more: overlays of a user, applied last.
    """
    paths = [path for path in numbered() if until is None or path.name < until]
    return overlay.apply(base(), *map(overlay.load, paths), *more.contract)


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


def emit(folder: Path, more: Additions = NOTHING) -> None:
    """Write every generated file into an empty folder.

    Args:
        folder: where they go.
        more: overlays of a user.
    """
    operations = tomllib.loads((OPENAPI / "operations.toml").read_text())
    surface = corrected(more=more)
    document = nulls.everywhere(normalise.contract(surface))
    served = promised(surface, operations)
    for name, published in documents(served).items():
        (folder / name).write_text(json.dumps(published, indent=1, ensure_ascii=False) + "\n")
    parts = divided(document, operations)
    hot = operations["hot"]
    parts["hot"] = (normalise.hot(document, **hot), (*generator.DCG, *generator.MSGSPEC))
    base = app_server_base(more)
    parts["app_server"] = (app_server.document(base), app_server.DCG_OPTIONS)
    reading = app_server_read.load(OPENAPI / "app_server_read.toml")
    parts["app_server_hot"] = (app_server_read.document(base, reading), app_server_read.DCG_OPTIONS)
    origins = stubs.Origins(placed(operations), sources(served), frozenset(hot["write"]))
    parts |= typed_dicts_of(served, stubs.operations(served, document, origins))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: generator.model(folder / file_of(part[0]), *part[1]), parts.items()))
    read = folder / file_of("app_server_hot")
    read.write_text(app_server_read.optional(read.read_text()))
    modules = stubs.served(served, document, open_types(document), origins)
    modules["rpc"] = stubs.rpc(app_server.methods(base))
    rendered = {file_of(name): text for name, text in modules.items()}
    rendered["__init__.py"] = stubs.render("package.py.jinja", version=release(), codex=codex_version())
    for name, description in LAZY.items():
        rendered[f"{name}.py"] = stubs.render("lazy.py.jinja", name=name, description=description)
    for name, text in rendered.items():
        (folder / name).write_text(text)
    (folder / "py.typed").touch()
    files = [folder / name for name in rendered]
    generator.ruff("format", files)
    generator.ruff("check", files)
    (folder / target.MARK).write_text(json.dumps(manifest(more), indent=1) + "\n")


def divided(document: Json, operations: Json) -> dict[str, tuple[Json, tuple[str, ...]]]:
    """Module name -> (the part of the contract it holds, generator options)."""
    elsewhere = placed(operations)
    modules: dict[str, list[str]] = {"responses": []}
    for _, _, operation in select.operations(document):
        modules.setdefault(elsewhere.get(operation["operationId"], "responses"), []).append(
            operation["operationId"]
        )
    return {
        name: (
            normalise.models(select.surface(document, members), OPEN_UNIONS),
            (*generator.DCG, *generator.PYDANTIC),
        )
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
        name: (
            typed_dicts.document(served, sorted(filter(None, names))),
            (*generator.DCG, *generator.TYPED_DICTS),
        )
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


def manifest(more: Additions = NOTHING) -> Json:
    """Where the generated package comes from: the digest of every input and the version of every tool."""
    inputs = sorted(
        path
        for folder in (OPENAPI, ROOT / "codegen")
        for path in folder.rglob("*")
        if path.suffix in {".json", ".yaml", ".toml", ".py", ".jinja"}
    )
    digests = {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs}
    made = {"command": "nox -s generate", "tools": {tool: version(tool) for tool in TOOLS}, "inputs": digests}
    return {**made, "overlays": dict(more.digests)} if more.digests else made


def open_types(document: Json) -> dict[str, list[str]]:
    """Tags of each open union, for the reader of request bodies."""
    schemas = document["components"]["schemas"]
    return {name: sorted(normalise.tags(schemas[name])) for name in OPEN_UNIONS}


if __name__ == "__main__":
    sys.exit(main())
