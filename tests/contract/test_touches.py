"""Which overlays change the subject of a fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from codegen import overlay
from codegen.facts import Fact
from codegen.touches import Touches

pytestmark = pytest.mark.contract

Json = Any
DOCUMENT: Json = {
    "paths": {
        "/pets": {
            "post": {
                "operationId": "addPet",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "order", "in": "query", "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {"200": {"content": {}}, "404": {"content": {}}},
            }
        }
    },
    "components": {
        "schemas": {
            "Page": {
                "allOf": [
                    {
                        "type": "object",
                        "properties": {"pets": {"type": "array", "items": {"type": "object"}}},
                    },
                    {"properties": {"mood": {"enum": ["calm", "wild"]}}, "required": ["pets", "mood"]},
                ]
            },
            "Pet": {"properties": {"name": {"type": "string"}, "properties": {"type": "object"}}},
        }
    },
}
PAGE = "$.components.schemas.Page"
PETS, MOOD, NAME = Fact("field", "Page", "pets"), Fact("field", "Page", "mood"), Fact("field", "Pet", "name")
INNER = Fact("field", "Page.pets[]", "owner")
LIMIT, ORDER = Fact("parameter", "addPet", "limit"), Fact("parameter", "addPet", "order")
REQUEST, FOUND = Fact("content", "addPet", "request application/json"), Fact("content", "addPet", "200")
EVERY = (PETS, MOOD, NAME, INNER, LIMIT, ORDER, REQUEST, FOUND)
POST = "$.paths['/pets'].post"


@pytest.mark.parametrize(
    ("action", "touched"),
    [
        ({"target": f"{PAGE}.allOf[0].properties.pets", "update": {"minItems": 1}}, [PETS]),
        ({"target": f"{PAGE}.allOf[0]", "update": {"properties": {"pets": {"minItems": 1}}}}, [PETS]),
        (
            {"target": f"{PAGE}..items", "update": {"properties": {"owner": {"type": "string"}}}},
            [PETS, INNER],
        ),
        ({"target": f"{PAGE}.allOf[1].required", "x-remove": ["mood"]}, [MOOD]),
        ({"target": f"{PAGE}.allOf[0]", "update": {"required": ["pets"]}}, [PETS]),
        ({"target": f"{PAGE}..enum", "update": ["sad"]}, [MOOD]),
        ({"target": f"{PAGE}.allOf[1].properties.mood", "remove": True}, [MOOD]),
        ({"target": PAGE, "update": {"description": "A page."}}, []),
        ({"target": "$.components.schemas.Pet.properties.properties", "update": {"minProperties": 1}}, []),
        (
            {"target": "$.components.schemas", "update": {"Pet": {"properties": {"name": {"minLength": 1}}}}},
            [NAME],
        ),
        ({"target": f"{POST}.parameters[?(@.name == 'order')]", "update": {"description": "x"}}, [ORDER]),
        ({"target": f"{POST}.parameters[?(@.name == 'limit')]", "remove": True}, [LIMIT]),
        ({"target": POST, "update": {"parameters": [{"name": "limit", "in": "header"}]}}, [LIMIT]),
        ({"target": f"{POST}.requestBody", "update": {"required": True}}, [REQUEST]),
        ({"target": POST, "update": {"responses": {"200": {"description": "A pet."}}}}, [FOUND]),
        ({"target": POST, "update": {"responses": {"4XX": {"description": "None."}}}}, []),
        ({"target": "$.info", "update": {"title": "pets"}}, []),
    ],
)
def test_what_an_action_touches(action: Json, touched: Sequence[Fact]) -> None:
    document = {"info": {}, **DOCUMENT}
    assert facts_of(document, action) == list(touched)


def facts_of(document: Json, action: Json) -> list[Fact]:
    touches = Touches(document)
    given = overlay.apply(document)  # a copy
    touches.note("one.yaml", overlay.applied(given, {"info": {"title": "one"}, "actions": [action]}))
    assert {path for fact in EVERY for path in touches.of(fact)} <= {"one.yaml"}
    return [fact for fact in EVERY if touches.of(fact)]


def test_a_schema_is_touched_by_all_that_changes_it() -> None:
    touches = Touches(DOCUMENT)
    for path, target in (("b.yaml", "Page.allOf[1].properties.mood"), ("a.yaml", "Page"), ("c.yaml", "Pet")):
        action = {"target": f"$.components.schemas.{target}", "update": {"description": "Why."}}
        touches.note(
            path, overlay.applied(overlay.apply(DOCUMENT), {"info": {"title": path}, "actions": [action]})
        )
    assert touches.of(Fact("schema", "Page")) == ["a.yaml", "b.yaml"]
    # A member or a word that an overlay names and that is not there is an error of the overlay.
    assert touches.of(Fact("word", "Page", "calm")) == []
