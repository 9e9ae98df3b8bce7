"""The review of a small contract: a sentence for each thing that nobody has decided on, none where all is decided."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codegen import facts, places, review
from codegen.facts import Fact
from codegen.review import Contract, Members, Rules

pytestmark = pytest.mark.contract

Json = Any
REF = "#/components/schemas/"
CAT, DOG, BIRD = ({"$ref": f"{REF}{name}"} for name in ("Cat", "Dog", "Bird"))


def pet(kind: str, **fields: Json) -> Json:
    properties = {"type": {"type": "string", "enum": [kind]}, **fields}
    return {"type": "object", "properties": properties, "required": ["type"]}


PUBLISHED: Json = {
    "openapi": "3.1.0",
    "info": {"title": "pets", "version": "1"},
    "paths": {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": f"{REF}Page"}}}}},
            }
        }
    },
    "components": {
        "schemas": {
            "Page": {
                "type": "object",
                "properties": {
                    "data": {"type": "array", "items": {"$ref": f"{REF}Pet"}},
                    "mood": {"anyOf": [{"type": "string", "enum": ["calm", "wild"]}, {"type": "null"}]},
                },
                "required": ["data"],
            },
            "Pet": {"oneOf": [CAT, DOG, BIRD]},
            "Cat": pet("cat", lives={"type": "integer"}),
            "Dog": pet("dog"),
            "Bird": pet("bird"),
        }
    },
}
SERVED: Json = {
    "info": {"title": "served"},
    "actions": [{"target": "$.components.schemas.Pet.oneOf", "description": "No dogs.", "x-remove": ["Dog"]}],
}
TABLES = (
    Rules("Pet", "pets.py", "PETS", frozenset({"cat", "dog", "bird"}), refused=frozenset({"dog"})),
    Rules("Page", "pages.py", "FIELDS", frozenset({"data", "mood"}), of_fields=True),
    Rules("Page.mood", "moods.py", "MOODS", frozenset({"calm", "wild"})),
)
MEMBERS = (
    Members(
        "Pet",
        "members.py",
        "CARRIED or LEFT_OUT",
        {"cat": frozenset({"lives"}), "dog": frozenset(), "bird": frozenset()},
        frozenset({"type"}),
    ),
)
CONTRACT = Contract(
    published=PUBLISHED,
    own={"paths": {}, "components": {"schemas": {}}},
    overlays={},
    served=SERVED,
    operations={"surface": ["listPets"], "served": ["listPets"], "unserved": {}, "left_out": {}},
    reviewed=facts.facts(PUBLISHED),
)


def reviewed(contract: Contract, tables: tuple[Rules, ...] = TABLES) -> list[str]:
    return review.review(contract, tables, MEMBERS)


def changed(change: Callable[[Json], None]) -> Contract:
    """The contract with another published document, which has been looked at."""
    published = copy.deepcopy(PUBLISHED)
    change(published)
    return replace(CONTRACT, published=published, reviewed=facts.facts(published))


def overlaid(*actions: Json) -> Contract:
    described = [{"description": "Why.", **action} for action in actions]
    return replace(CONTRACT, overlays={"one.overlay.yaml": {"info": {"title": "one"}, "actions": described}})


def test_nothing_is_reported_where_all_is_decided() -> None:
    assert reviewed(CONTRACT) == []


# -- tables --------------------------------------------------------------------------------------------------------


def test_a_table_lacks_a_name() -> None:
    lacking = replace(TABLES[2], names=frozenset({"calm"}))
    assert reviewed(CONTRACT, (lacking, replace(lacking, file="others.py"))) == [
        "`Page.mood` has a new member `wild`: give it a rule in `MOODS` of moods.py, in `MOODS` of others.py."
    ]
    assert reviewed(CONTRACT, (replace(lacking, partial=True),)) == []


def test_a_table_has_a_name_too_many() -> None:
    stale = replace(TABLES[2], names=frozenset({"calm", "wild", "sad"}))
    assert reviewed(CONTRACT, (stale,)) == [
        "`MOODS` of moods.py has a rule for `sad`, which `Page.mood` no longer has: remove it."
    ]
    assert reviewed(CONTRACT, (replace(stale, more=True),)) == []


@pytest.mark.parametrize("place", ["Horse", "Page.tempo", "Page.data[].tempo"])
def test_a_table_is_about_nothing(place: str) -> None:
    lost = replace(TABLES[2], place=place)
    assert reviewed(CONTRACT, (lost,)) == [
        f"`MOODS` of moods.py has rules for `{place}`, which is no longer in the contract: remove the table."
    ]


def test_the_served_document_has_what_is_refused_or_lacks_what_is_taken() -> None:
    other = replace(TABLES[0], refused=frozenset({"cat"}), names=frozenset({"cat", "dog", "bird"}))
    assert reviewed(CONTRACT, (other,)) == [
        "`PETS` of pets.py refuses `cat`, which the served `Pet` has: name its schema in `x-remove` of"
        " openapi/overlays/served.overlay.yaml.",
        "`PETS` of pets.py takes `dog`, which the served `Pet` lacks: drop it from `x-remove` of"
        " openapi/overlays/served.overlay.yaml.",
    ]


def test_a_field_of_a_member_is_neither_carried_nor_left_out() -> None:
    def change(document: Json) -> None:
        schemas = document["components"]["schemas"]
        schemas["Cat"]["properties"]["tail"] = schemas["Cat"]["properties"].pop("lives")

    assert reviewed(changed(change)) == [
        "`Cat` (`cat`) has a new field `tail`: add it to `CARRIED` or `LEFT_OUT` of members.py.",
        "`CARRIED` or `LEFT_OUT` of members.py lists `lives`, which `Cat` (`cat`) no longer has: remove it.",
    ]


# -- overlays ------------------------------------------------------------------------------------------------------

TAMED: Json = {
    "target": "$.components.schemas",
    "update": {"TameCat": pet("cat")},
    "x-stands-for": {"TameCat": ["Cat"]},
}
NO_CAT: Json = {"target": "$.components.schemas.Pet.oneOf", "x-remove": ["Cat"]}
TAME: Json = {"target": "$.components.schemas.Page.properties", "update": {"cat": {"$ref": f"{REF}TameCat"}}}


def test_a_stand_in_lacks_a_field() -> None:
    text = "\n".join(reviewed(overlaid(TAMED, TAME, NO_CAT)))
    assert (
        "`Cat` has a new field `lives`, and `TameCat`, which stands for it, lacks it: add it in one.overlay.yaml."
        in text
    )


def test_a_stand_in_is_not_compiled() -> None:
    text = "`TameCat` of `x-stands-for` is in nothing that is compiled: remove it from one.overlay.yaml."
    assert text in reviewed(overlaid(TAMED))


def test_a_stand_in_has_nothing_to_stand_for() -> None:
    action = {**TAMED, "x-stands-for": {"TameCat": ["Lion"]}}
    assert (
        "`TameCat` stands for `Lion`, which is no longer published: remove it from one.overlay.yaml."
        in reviewed(overlaid(action, TAME))
    )


def test_a_schema_is_compiled_out_by_another_reference() -> None:
    swap: Json = {"target": "$.components.schemas.Page.properties.data.items", "update": DOG}
    served = {**SERVED, "actions": []}
    text = "\n".join(reviewed(replace(overlaid(swap), served=served), ()))
    assert "The published schema `Cat` is compiled out: name it in `x-stands-for` of the overlay" in text
    assert "`Dog`" not in text
    named = {**swap, "x-stands-for": {"Dog": ["Pet"]}}
    assert "compiled out" not in "\n".join(reviewed(replace(overlaid(named), served=served), ()))


def test_an_overlay_does_not_fit() -> None:
    lost: Json = {"target": "$.components.schemas.Pet.oneOf", "x-remove": ["Lion"]}
    assert reviewed(overlaid(lost)) == [
        "The overlay one.overlay.yaml does not fit the published document, so change it: one: action 1"
        " ($.components.schemas.Pet.oneOf): 0 members are called `Lion`; there are Cat, Dog, Bird."
    ]


# -- operations ----------------------------------------------------------------------------------------------------


def test_an_operation_is_in_no_list() -> None:
    listed = {**CONTRACT.operations, "surface": []}
    assert reviewed(replace(CONTRACT, operations=listed)) == [
        "The operation `listPets` (GET /pets) is new: add it to `surface` or to `left_out` in openapi/operations.toml."
    ]


def test_an_operation_is_neither_served_nor_unserved() -> None:
    def change(document: Json) -> None:
        document["paths"]["/pets"]["delete"] = {"operationId": "freePets", "responses": {}}

    contract = changed(change)
    listed = {**CONTRACT.operations, "surface": ["listPets", "freePets"]}
    assert reviewed(replace(contract, operations=listed)) == [
        "The operation `freePets` is neither in `served` nor in `unserved` of openapi/operations.toml: decide which."
    ]
    assert reviewed(replace(contract, operations={**listed, "unserved": {"freePets": "never"}})) == []


def test_an_operation_is_gone() -> None:
    listed = {**CONTRACT.operations, "surface": ["listPets", "freePets"]}
    assert reviewed(replace(CONTRACT, operations=listed)) == [
        "The operation `freePets` is no longer published: remove it from openapi/operations.toml."
    ]


# -- what was last looked at ---------------------------------------------------------------------------------------


def looked_at(**changes: str | None) -> Contract:
    """The contract after a look at a document in which a field was otherwise: `Cat_lives="string"`."""
    reviewed = dict(CONTRACT.reviewed)
    for name, value in changes.items():
        place, _, field = name.partition("_")
        fact = Fact("field", place, field)
        if value is None:
            del reviewed[fact]
        else:
            reviewed[fact] = value
    return replace(CONTRACT, reviewed=reviewed)


NOTE = "note it with `python -m codegen.review --write`."


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (
            {"Cat_lives": "string"},
            f"The field `lives` of `Cat` was string and is now integer: read `CARRIED` or `LEFT_OUT` of members.py; then {NOTE}",
        ),
        (
            {"Cat_lives": "integer, required"},
            "The field `lives` of `Cat` was integer, required and is now integer: read `CARRIED` or `LEFT_OUT` of"
            f" members.py; then {NOTE}",
        ),
        (
            {"Cat_lives": None},
            f"The field `lives` of `Cat` is new (integer): read `CARRIED` or `LEFT_OUT` of members.py; then {NOTE}",
        ),
        (
            {"Cat_tail": "string"},
            f"The field `tail` of `Cat` is gone (string): read `CARRIED` or `LEFT_OUT` of members.py; then {NOTE}",
        ),
        (
            {"Page_mood": '"calm" | "sad" | "wild" | null'},
            f'The field `mood` of `Page` has lost "sad": read `MOODS` of moods.py; then {NOTE}',
        ),
        (
            {"Page_data": "array of Dog, required"},
            "The field `data` of `Page` was array of Dog, required and is now array of Pet, required: read `FIELDS` of"
            f" pages.py; then {NOTE}",
        ),
    ],
)
def test_a_definition_is_another_than_when_somebody_looked(
    before: dict[str, str | None], sentence: str
) -> None:
    assert reviewed(looked_at(**before)) == [sentence]


BOUNDED: Json = {"target": "$.components.schemas.Cat.properties.lives", "update": {"minimum": 1}}


def test_a_definition_that_an_overlay_changes_names_the_overlay() -> None:
    contract = replace(overlaid(BOUNDED), reviewed=looked_at(Cat_lives="string").reviewed)
    assert reviewed(contract) == [
        "The field `lives` of `Cat` was string and is now integer: read `CARRIED` or `LEFT_OUT` of members.py, and"
        f" one.overlay.yaml, which changes it; then {NOTE}"
    ]
    # The same where a rule is missing as well, of which there is a sentence already.
    lacking = replace(TABLES[1], names=frozenset({"data"}))
    described: Json = {
        "target": "$.components.schemas.Page.properties.mood",
        "update": {"description": "Mood."},
    }
    contract = replace(overlaid(described), reviewed=looked_at(Page_mood=None).reviewed)
    assert reviewed(contract, (lacking,)) == [
        "`Page` has a new field `mood`: give it a rule in `FIELDS` of pages.py.",
        'The field `mood` of `Page` is new ("calm" | "wild" | null): read `FIELDS` of pages.py, and one.overlay.yaml,'
        f" which changes it; then {NOTE}",
    ]


def test_a_definition_that_the_served_document_narrows_names_its_overlay() -> None:
    served = {**SERVED, "actions": [*SERVED["actions"], {**BOUNDED, "description": "No dead cats."}]}
    (sentence,) = reviewed(replace(looked_at(Cat_lives="string"), served=served))
    assert "and openapi/overlays/served.overlay.yaml, which changes it; then" in sentence


def test_a_new_name_without_a_rule_is_reported_once() -> None:
    lacking = replace(TABLES[1], names=frozenset({"data"}))
    assert reviewed(looked_at(Page_mood=None), (lacking,)) == [
        "`Page` has a new field `mood`: give it a rule in `FIELDS` of pages.py."
    ]


def test_facts_are_read_as_they_were_written() -> None:
    text = facts.written(CONTRACT.reviewed)
    assert facts.read(text) == CONTRACT.reviewed
    assert "field Cat lives: integer\n" in text
    assert "member Pet Cat\n" in text
    assert 'field Page mood: "calm" | "wild" | null\n' in text
    with pytest.raises(ValueError, match="this line is no fact: 'lives'"):
        facts.read("lives")


def test_notes_are_compared_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = tmp_path / "reviewed.txt"
    old = review.REVIEWED.read_text()
    noted.write_text(
        old.replace("field Error message: string, required", "field Error message: integer, required")
    )
    monkeypatch.setattr(review, "REVIEWED", noted)
    assert review.main([]) == 1
    assert capsys.readouterr().out == (
        "The field `message` of `Error` was integer, required and is now string, required.\n"
    )
    assert review.main(["--write"]) == 0
    assert noted.read_text() == old
    assert review.main([]) == 0


# -- places --------------------------------------------------------------------------------------------------------


def test_places() -> None:
    assert places.tags(PUBLISHED, "Pet") == {"cat": "Cat", "dog": "Dog", "bird": "Bird"}
    assert places.tags(PUBLISHED, "Page.data[]") == places.tags(PUBLISHED, "Pet")
    assert places.tags(PUBLISHED, "Page.mood") == {"calm": "", "wild": ""}
    assert places.fields(PUBLISHED, "Page") == {"data", "mood"}
    assert places.reached(PUBLISHED, ["Page"]) == {"Page": 0, "Pet": 1, "Cat": 2, "Dog": 2, "Bird": 2}
    with pytest.raises(KeyError, match="there is no tempo"):
        places.fields(PUBLISHED, "Page.tempo")
