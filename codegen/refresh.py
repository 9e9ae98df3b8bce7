"""`nox -s refresh -- SOURCE`: take over a newer OpenAPI document or Codex CLI, and tell what is new in it.

SOURCE is an OpenAPI document (`.json`, `.yaml`), `codex@VERSION` (fetched from npm), or the path of a `codex` program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from codegen import app_server, select, stubs
from codegen.generate import OPENAPI

Json = Any

SOURCES = OPENAPI / "sources.toml"
DOCUMENTS = (".json", ".yaml", ".yml")


def main(argv: list[str] | None = None) -> int:
    """Write the base file that comes from SOURCE, and print what changed."""
    parser = argparse.ArgumentParser(prog="nox -s refresh --")
    parser.add_argument("source", help="an OpenAPI document, codex@VERSION, or a codex program")
    parser.add_argument("--commit", help="commit of the repository that the document comes from")
    parser.add_argument(
        "--published-sha256", help="digest of the published document, where SOURCE is derived from it"
    )
    given = parser.parse_args(argv)
    source = Path(given.source)
    if source.suffix in DOCUMENTS:
        name, new, about = "openai", *from_document(source, given.commit, given.published_sha256)
    else:
        name, new, about = "app_server", *from_codex(given.source)
    target = OPENAPI / f"{name}.json"
    old = json.loads(target.read_text()) if target.exists() else {}
    target.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n")
    record(name, about)
    for line in news(old, new):
        print(line)
    return 0


def from_document(path: Path, commit: str | None, published: str | None) -> tuple[Json, dict[str, str]]:
    """The structural facts of our surface in an OpenAPI document, and where they come from."""
    data = path.read_bytes()
    document = json.loads(data) if path.suffix == ".json" else yaml.safe_load(data)
    operations = tomllib.loads((OPENAPI / "operations.toml").read_text())
    about = {"version": document["info"]["version"], "sha256": hashlib.sha256(data).hexdigest()}
    about |= {key: value for key, value in (("commit", commit), ("published_sha256", published)) if value}
    return select.surface(select.facts(document), select.wanted(document, operations)), about


def from_codex(source: str) -> tuple[Json, dict[str, str]]:
    """The app-server contract of a Codex CLI, pruned to our methods, and where it comes from."""
    with tempfile.TemporaryDirectory() as folder:
        program = fetched(source, folder) if source.startswith("codex@") else source
        version = output(program, "--version").strip().split()[-1]
        bundles = Path(folder) / "bundles"
        output(program, "app-server", "generate-json-schema", "--experimental", "--out", str(bundles))
        files = {name: (bundles / name).read_bytes() for name in app_server.BUNDLES}
    methods = app_server.read_methods(OPENAPI / "app_server_methods.toml")
    about = {"version": version}
    about |= {"sha256": hashlib.sha256(b"".join(files.values())).hexdigest()}
    return app_server.base({name: json.loads(data) for name, data in files.items()}, methods), about


def fetched(source: str, folder: str) -> str:
    """Install a version of the Codex CLI from npm; return the program's path."""
    package = f"@openai/{source}"
    output("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, package)
    return str(Path(folder) / "node_modules" / ".bin" / "codex")


def output(*command: str) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it failed; with what it printed as errors.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def record(name: str, about: dict[str, str]) -> None:
    """Note in sources.toml where a base file comes from; what stays true (origin, licence) is kept."""
    sources = tomllib.loads(SOURCES.read_text())
    kept = {
        key: value for key, value in sources[name].items() if key in ("file", "origin", "licence", "command")
    }
    sources[name] = kept | about
    SOURCES.write_text(stubs.render("sources.toml.jinja", sources=sources))


# -- what is new -----------------------------------------------------------------------------------------------------


def news(old: Json, new: Json) -> Iterator[str]:
    """Lines that name what came and what went: operations, methods, schemas, fields, values, members of unions."""
    before, after = set(names(old)), set(names(new))
    for sign, found in (("+", after - before), ("-", before - after)):
        yield from (f"{sign} {line}" for line in sorted(found))
    if before == after:
        yield "nothing new"


def names(document: Json) -> Iterator[str]:
    """Everything in a base file that has a name, one line each."""
    for path, method, operation in select.operations(document) if "paths" in document else ():
        yield f"operation {operation['operationId']} ({method.upper()} {path})"
    for row in app_server.methods(document) if "definitions" in document else ():
        yield f"method {row.name}"
    schemas = document.get("components", {}).get("schemas", document.get("definitions", {}))
    for name, schema in schemas.items():
        yield f"schema {name}"
        yield from _within(name, schema)


def _within(path: str, schema: Json) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for name, field in schema.get("properties", {}).items():
        yield f"field {path}.{name}"
        yield from _within(f"{path}.{name}", field)
    for value in schema.get("enum", []):
        yield f"value {path} = {value}"
    for key in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(key, []):
            if "$ref" in branch:
                yield f"member {path}: {branch['$ref'].rsplit('/', 1)[-1]}"
            else:
                yield from _within(path, branch)
    if "items" in schema:
        yield from _within(f"{path}[]", schema["items"])


if __name__ == "__main__":
    sys.exit(main())
