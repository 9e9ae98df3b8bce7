"""`nox -s publish -- DIR`: what a release has of its contract: both documents, a JSON Schema per event and item, changes.

None of it is committed: all of it follows from `generated/`, and the schemas repeat what they share in each file.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codegen import contract_diff, select, walk

Json = Any

GENERATED = contract_diff.ROOT / "generated" / "wireloom_protocol"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/components/schemas/"
# Published file -> compiled file.
DOCUMENTS = {"openapi.json": "contract.json", "openapi-3.1.json": "contract-3.1.json"}
# Folder -> the union of which each member has a schema of its own, named by its tag.
UNIONS = {
    "events": "ResponseStreamEvent",
    "input-items": "InputItem",
    "output-items": "OutputItem",
    "stored-items": "ItemResource",
}
# File -> a schema that stands alone.
ALONE = {"events/chat.completion.chunk": "CreateChatCompletionStreamResponse"}
# The same bytes for the same contract: zip files hold the time at which each file was written.
EPOCH = (1980, 1, 1, 0, 0, 0)


def main(argv: list[str] | None = None) -> int:
    """Write the published files into a folder."""
    parser = argparse.ArgumentParser(prog="nox -s publish --")
    parser.add_argument("folder", type=Path, help="where the files go; it is created")
    parser.add_argument("--since", help="the release before, for the list of changes: a tag or a contract")
    given = parser.parse_args(argv)
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    for published, compiled in DOCUMENTS.items():
        (folder / published).write_bytes((GENERATED / compiled).read_bytes())
    contract = json.loads((GENERATED / "contract.json").read_text())
    write_schemas(folder / "schemas.zip", contract)
    if given.since:
        changes = contract_diff.changelog(contract_diff.load(given.since), contract)
        (folder / "contract-changes.md").write_text(changes + "\n")
    return 0


def write_schemas(target: Path, contract: Json) -> None:
    """Write every schema into one archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, schema in schemas(contract):
            text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
            archive.writestr(zipfile.ZipInfo(f"schemas/{name}.json", EPOCH), text, zipfile.ZIP_DEFLATED)


def schemas(contract: Json) -> Iterator[tuple[str, Json]]:
    """Yield the file and the schema of each event and item.

    Args:
        contract: the served document; not changed.
    """
    components = contract["components"]["schemas"]
    for folder, union in UNIONS.items():
        for tag, ref in components[union]["discriminator"]["mapping"].items():
            yield f"{folder}/{tag}", schema(contract, ref.removeprefix(REF), f"{folder}:{tag}")
    for path, name in ALONE.items():
        yield path, schema(contract, name, path.replace("/", ":"))


def schema(contract: Json, name: str, identity: str) -> Json:
    """A component as a JSON Schema that holds all that it refers to.

    Args:
        contract: the served document; not changed.
        name: the component.
        identity: the last part of the schema's id, a URN with the release in it.
    """
    reached = select.closed({**contract, "paths": {}}, [name])["components"]["schemas"]
    plain = {key: _plain(component) for key, component in reached.items()}
    version = contract["info"]["version"]
    head = {"$schema": DIALECT, "$id": f"urn:wireloom:{version}:{identity}", "title": name}
    return {**head, **plain[name], "$defs": {key: plain[key] for key in sorted(plain)}}


def _plain(component: Json) -> Json:
    """A schema without the keywords of OpenAPI, whose references lead to `$defs`."""
    copied = json.loads(json.dumps(component))
    for _, node in walk.within((), copied):
        for key in [key for key in node if key == "discriminator" or key.startswith("x-")]:
            del node[key]
        if "$ref" in node:
            node["$ref"] = node["$ref"].replace(REF, "#/$defs/")
    return copied


if __name__ == "__main__":
    sys.exit(main())
