"""What a release has of its contract: documents, schemas that stand alone, changes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from codegen import publish, walk
from tests.contract.test_examples import EVENTS, OPERATIONS, events, streams_of

pytestmark = pytest.mark.contract

CONTRACT: Any = json.loads((publish.GENERATED / "contract.json").read_text())
SCHEMAS = dict(publish.schemas(CONTRACT))


def test_each_event_and_item_has_a_schema() -> None:
    components = CONTRACT["components"]["schemas"]
    for folder, union in publish.UNIONS.items():
        tags = components[union]["discriminator"]["mapping"]
        assert {name.split("/", 1)[1] for name in SCHEMAS if name.startswith(f"{folder}/")} >= set(tags)
    identities = [schema["$id"] for schema in SCHEMAS.values()]
    assert len(set(identities)) == len(identities) > 100


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_stands_alone(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(
        {**schema, "$defs": {}}
    )  # those of the components are checked elsewhere
    places = [place for root in (schema, *schema["$defs"].values()) for _, place in walk.within((), root)]
    references = {node["$ref"] for node in places if "$ref" in node}
    assert references <= {f"#/$defs/{key}" for key in schema["$defs"]}
    assert not any("discriminator" in node for node in places)


@pytest.mark.parametrize("name", ["createResponse", "createChatCompletion"])
def test_events_keep_to_their_schemas_and_to_no_other(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    for _, data in events(streams_of(operation)["stream"])[:-1]:
        tag = data.get("type", "chat.completion.chunk")
        valid = [key for key in SCHEMAS if key.startswith("events/") and _valid(SCHEMAS[key], data)]
        assert valid == [f"events/{tag}"]
    assert EVENTS in operation["responses"]["200"]["content"]


def _valid(schema: Any, value: Any) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def test_the_files_of_a_release(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(json.dumps({**CONTRACT, "info": {**CONTRACT["info"], "version": "0.0.9"}}))
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        assert publish.main([str(folder), "--since", str(old)]) == 0
    names = {"openapi.json", "openapi-3.1.json", "schemas.zip", "contract-changes.md"}
    assert {path.name for path in first.iterdir()} == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert (first / "contract-changes.md").read_text() == (
        f"# The contract, from 0.0.9 to {CONTRACT['info']['version']}\n\nNothing changes.\n"
    )
    with zipfile.ZipFile(first / "schemas.zip") as archive:
        assert sorted(archive.namelist()) == sorted(f"schemas/{name}.json" for name in SCHEMAS)
        assert (
            json.loads(archive.read("schemas/events/response.created.json"))["title"]
            == "ResponseCreatedEvent"
        )
