"""The machinery between the contracts and the generated package: overlays that act, facts that stay, files that are fresh."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen import fields, generate, overlay, select, stubs, target

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
SECONDS = 300.0
BASE: Any = {
    "a": {"b": 1},
    "list": [{"name": "x"}, {"name": "y"}],
    "paths": {"/one": {"get": {"tags": ["t"]}}},
}


def acted(*actions: dict[str, Any]) -> Any:
    return overlay.apply(BASE, {"info": {"title": "test"}, "actions": list(actions)})


# -- overlays --------------------------------------------------------------------------------------------------------


TITLED: Any = {"info": {"title": "test"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not YAML"),
        ("- a", "no list of `actions`"),
        ("info: {title: a}", "no list of `actions`"),
        ("actions: []", "no `info.title`"),
        ("info: {title: a}\nactions: [{update: 1, description: Why.}]", "action 1 has no `target`"),
    ],
)
def test_a_file_that_is_no_overlay_is_a_sentence(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "test.overlay.yaml"
    path.write_text(content)
    with pytest.raises(overlay.OverlayError, match=f"test.overlay.yaml.*{message}"):
        overlay.load(path)


def test_a_target_that_is_no_path_is_a_sentence() -> None:
    with pytest.raises(overlay.OverlayError, match=r"test: action 1: \$\.\[ is no JSONPath"):
        acted({"target": "$.[", "update": {"b": 2}})


@pytest.mark.parametrize("reason", [{}, {"description": ""}, {"description": "  \n"}])
def test_an_action_gives_a_reason(reason: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "test.overlay.yaml"
    path.write_text(yaml.safe_dump({**TITLED, "actions": [{"target": "$.a", "update": {"b": 2}, **reason}]}))
    with pytest.raises(overlay.OverlayError, match=r"action 1 \(\$\.a\) gives no reason"):
        overlay.load(path)


@pytest.mark.parametrize(
    "action",
    [
        {"target": "$.gone", "update": {"b": 2}},
        {"target": "$.a.gone", "remove": True},
        {"target": "$.list[2]", "remove": True},
        {"target": "$.list[?(@.name == 'z')]", "update": {"more": 1}},
        {"target": "$.a", "update": {"b": 1}},
        {"target": "$.a", "update": {}},
        {"target": "$.list", "update": []},
    ],
)
def test_an_action_changes_something(action: dict[str, Any]) -> None:
    with pytest.raises(overlay.OverlayError, match="test: action 2 changes nothing"):
        acted({"target": "$.a", "update": {"c": 3}}, action)


def test_what_actions_do() -> None:
    before = yaml.safe_dump(BASE)
    done = acted(
        {"target": "$.a", "update": {"b": 2, "c": {"d": 3}}},
        {"target": "$.list", "update": [{"name": "z"}]},
        {"target": "$.list[0]", "remove": True},
        {"target": "$.list[?(@.name == 'z')]", "update": {"last": True}},
        {"target": "$.paths.*.*", "update": {"tags": ["u"]}},
    )
    assert done == {
        "a": {"b": 2, "c": {"d": 3}},
        "list": [{"name": "y"}, {"name": "z", "last": True}],
        "paths": {"/one": {"get": {"tags": ["t", "u"]}}},
    }
    assert yaml.safe_dump(BASE) == before


GROWING: Any = {
    "components": {
        "schemas": {
            "Cat": {"type": "object"},
            "Dog": {
                "type": "object",
                "properties": {"type": {"enum": ["dog", "hound"]}},
                "required": ["type"],
            },
            "Pet": {"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]},
            "Animal": {"oneOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "null"}], "default": None},
            "Home": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/Cat"}]}},
            "Words": {"anyOf": [{"type": "string"}, {"type": "string", "enum": ["a"]}]},
        }
    }
}


def grown(*actions: dict[str, Any]) -> Any:
    """Schemas of `GROWING` that actions change."""
    done = overlay.apply(GROWING, {"info": {"title": "test"}, "actions": list(actions)})
    schemas = done["components"]["schemas"]
    return {
        name: schema
        for name, schema in schemas.items()
        if schema != GROWING["components"]["schemas"].get(name)
    }


CAT, DOG, PET = ({"$ref": f"#/components/schemas/{name}"} for name in ("Cat", "Dog", "Pet"))


@pytest.mark.parametrize(
    ("target", "verb", "value", "changed"),
    [
        (
            "Animal.oneOf",
            "x-inline",
            ["Pet"],
            {"Animal": {"oneOf": [CAT, DOG, {"type": "null"}], "default": None}},
        ),
        ("Animal.oneOf", "x-remove", ["null"], {"Animal": {"oneOf": [PET], "default": None}}),
        ("Pet.oneOf", "x-remove", ["Cat", "Dog"], {"Pet": {}}),
        (
            "Dog.required",
            "x-remove",
            ["type"],
            {"Dog": {"type": "object", "properties": {"type": {"enum": ["dog", "hound"]}}}},
        ),
        (
            "Dog.properties.type.enum",
            "x-remove",
            ["dog"],
            {"Dog": {"type": "object", "properties": {"type": {"enum": ["hound"]}}, "required": ["type"]}},
        ),
        (
            "Home.items",
            "x-name",
            "Resident",
            {
                "Resident": {"oneOf": [CAT]},
                "Home": {"type": "array", "items": {"$ref": "#/components/schemas/Resident"}},
            },
        ),
    ],
)
def test_actions_on_lists_name_their_members(target: str, verb: str, value: Any, changed: Any) -> None:
    assert grown({"target": f"$.components.schemas.{target}", verb: value}) == changed


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            {"target": "$.components.schemas.Pet.oneOf", "remove": True},
            "whole list `oneOf`.*x-remove: .Cat, Dog.",
        ),
        ({"target": "$.components.schemas.Dog.required", "remove": True}, "whole list `required`"),
        ({"target": "$..enum", "remove": True}, "whole list `enum`"),
        ({"target": "$.components.schemas.Pet.oneOf[0]", "remove": True}, "by its position.*x-remove: .Cat."),
        ({"target": "$.components.schemas.Pet.oneOf[?(@['$ref'])]", "remove": True}, "by its position"),
        ({"target": "$.components.schemas.Home.items", "remove": True}, "inline schema `items`.*x-name"),
        (
            {"target": "$.components.schemas.Pet.oneOf", "x-remove": ["Bird"]},
            "0 members are called `Bird`; there are Cat, Dog",
        ),
        (
            {"target": "$.components.schemas.Words.anyOf", "x-remove": ["string"]},
            "2 members are called `string`",
        ),
        ({"target": "$.components.schemas.Dog", "x-remove": ["type"]}, "the target is none of"),
        ({"target": "$.components.schemas.Pet.oneOf", "x-inline": ["Cat"]}, "Cat is no union"),
        ({"target": "$.components.schemas.Home.items", "x-name": "Cat"}, "there is a schema Cat already"),
        ({"target": "$.components.schemas['Pet','Home']", "x-name": "All"}, "the targets differ"),
        (
            {"target": "$.components.schemas.Dog", "update": {"required": ["name", "type"]}},
            "it adds `type` to `required`, where it is already",
        ),
        (
            {"target": "$.components.schemas.Pet.oneOf", "update": [DOG]},
            "it adds `Dog` to `oneOf`, where it is already",
        ),
        (
            {"target": "$.components.schemas['Pet','Fish','Bird'].oneOf", "update": [{"type": "null"}]},
            "matches nothing at Fish, Bird",
        ),
    ],
)
def test_no_action_removes_what_it_does_not_name(action: dict[str, Any], message: str) -> None:
    with pytest.raises(overlay.OverlayError, match=f"test: action 1.*{message}"):
        grown(action)


@pytest.mark.parametrize("verbs", [{}, {"update": {"b": 2}, "remove": True}, {"replace": {}}])
def test_an_action_has_one_verb(verbs: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "test.overlay.yaml"
    action = {"target": "$.a", "description": "Why.", **verbs}
    path.write_text(yaml.safe_dump({**TITLED, "actions": [action]}))
    with pytest.raises(overlay.OverlayError, match="an action has one of update, remove, x-remove"):
        overlay.load(path)


def test_a_failure_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.overlay.yaml"
    idle = {"target": "$.gone", "description": "Why.", "update": {"b": 2}}
    path.write_text(yaml.safe_dump({"info": {"title": "my words"}, "actions": [idle]}))
    with pytest.raises(
        overlay.OverlayError, match=r"mine\.overlay\.yaml: action 1 changes nothing: \$\.gone"
    ):
        overlay.apply(BASE, overlay.load(path))


@pytest.mark.parametrize("path", sorted((ROOT / "openapi/overlays").iterdir()), ids=lambda path: path.name)
def test_each_overlay_can_be_read(path: Path) -> None:
    assert overlay.load(path)["actions"]


# -- what is kept of a foreign document ------------------------------------------------------------------------------


def test_prose_goes_and_properties_of_such_names_stay() -> None:
    document = {
        "title": "prose",
        "description": "prose",
        "x-vendor": {"a": 1},
        "properties": {
            "title": {"type": "string", "description": "prose"},
            "description": {"type": "string", "example": "prose"},
            "x-vendor": {"type": "string", "enum": ["description", "title"]},
        },
        "required": ["title", "description"],
        "default": {"title": "a value", "description": "a value"},
    }
    assert select.facts(document) == {
        "properties": {
            "title": {"type": "string"},
            "description": {"type": "string"},
            "x-vendor": {"type": "string", "enum": ["description", "title"]},
        },
        "required": ["title", "description"],
        "default": {"title": "a value", "description": "a value"},
    }


def test_an_operation_that_is_gone_is_told() -> None:
    document: Any = {
        "paths": {"/a": {"get": {"operationId": "a"}}, "/b?beta=true": {"get": {"operationId": "b"}}}
    }
    assert select.surface(document, ["a"])["paths"] == {"/a": {"get": {"operationId": "a"}}}
    with pytest.raises(KeyError, match="b, c"):
        select.surface(document, ["a", "b", "c"])


# -- route stubs -----------------------------------------------------------------------------------------------------

PATH: Any = {"name": "a_id", "in": "path", "required": True, "schema": {"type": "string"}}


def query(name: str, required: bool = False, **schema: Any) -> Any:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def document(**parameters: list[Any]) -> Any:
    """A contract with one operation for each list of parameters."""
    reply = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Reply"}}}}}
    operations = {
        name: {"get": {"operationId": name, "tags": ["T"], "parameters": listed, "responses": reply}}
        for name, listed in parameters.items()
    }
    return {"security": [{"key": []}], "paths": operations}


@pytest.mark.parametrize(
    ("parameter", "type", "checked", "default"),
    [
        (PATH, "str", "str", None),
        (query("a", type="string"), "str | None", "str | None", None),
        (query("a", required=True, type="string"), "str", "str", None),
        (query("a", type="boolean"), "bool | None", "bool | None", None),
        (query("a", type="integer", default=0), "int", "int", 0),
        (
            query("a", type="integer", default=20, minimum=1, maximum=100),
            "int",
            "Annotated[int, Field(ge=1, le=100)]",
            20,
        ),
        (query("a", type="number", minimum=0), "float | None", "Annotated[float | None, Field(ge=0)]", None),
        (
            query("a", type="string", enum=["x", "y"], default="y"),
            "Literal['x', 'y']",
            "Literal['x', 'y']",
            "y",
        ),
        (
            query("a", type="array", items={"$ref": "#/components/schemas/Word"}),
            "list[responses.Word]",
            "list[responses.Word]",
            None,
        ),
    ],
)
def test_types_of_parameters(parameter: Any, type: str, checked: str, default: Any) -> None:
    (operation,) = stubs.operations(document(one=[parameter]), document(one=[parameter]))
    (found,) = operation.parameters
    assert (found.name, found.place) == (parameter["name"], parameter["in"])
    assert (found.type, found.checked, found.default) == (type, checked, default)
    assert found.many is (parameter["schema"]["type"] == "array")


def test_parameters_that_are_understood_and_not_served_are_refused() -> None:
    served = document(one=[PATH, query("a", type="string")])
    surface = document(
        one=[PATH, query("c", type="string"), query("a", type="string"), query("b", type="string")]
    )
    (operation,) = stubs.operations(served, surface)
    assert operation.refused == ("b", "c")
    assert "edge.refuse(request, ('b', 'c'))" in stubs.served(served, surface, {})["routes"]


def test_parameters_of_one_name_are_of_one_type() -> None:
    same = document(one=[query("a", type="string")], two=[query("a", type="string")])
    assert [parameter.name for parameter in stubs.queries(stubs.operations(same, same))] == ["a"]
    other = document(one=[query("a", type="string")], two=[query("a", type="boolean")])
    with pytest.raises(ValueError, match="two: a is not the same elsewhere"):
        stubs.queries(stubs.operations(other, other))


@pytest.mark.parametrize("path", sorted(stubs.TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_a_template_defines_nothing_by_hand(path: Path) -> None:
    """Code that no contract fills in belongs in `wireloom_runtime`, where it is read, typed and tested."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    assert [line for line in lines if re.match(r"(async def|def|class) ", line) and "{{" not in line] == []


# -- the generated package -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", ["1", "2"])
def test_it_is_what_the_contracts_compile_to(seed: str) -> None:
    """Byte for byte, whatever order sets have in the process."""
    done = subprocess.run(
        [sys.executable, "-m", "codegen.generate", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:3000] + done.stderr


def test_a_change_by_hand_is_noticed(tmp_path: Path) -> None:
    fresh, edited = tmp_path / "fresh", tmp_path / "edited"
    for folder in (fresh, edited):
        shutil.copytree(generate.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    assert list(target.differences(edited, fresh)) == []
    routes = edited / "_routes.py"
    routes.write_text(routes.read_text().replace("secured=True", "secured=False", 1))
    (edited / "rpc.py").unlink()
    changes = list(target.differences(edited, fresh))
    assert any("secured=True" in line and line.startswith("+") for line in changes)
    assert "--- committed/rpc.py" in changes


def test_lists_and_maps_of_models_stop_at_a_first_error() -> None:
    base = "from wireloom_runtime.models import Deferred"
    models = f"{base}\nA = list[dict[str, int]] | list[dict[str, Any]]\n"
    assert fields.written(models) == (
        f"{base}, Integer, Many, Map\nA = Many[Map[str, Integer]] | Many[dict[str, Any]]\n"
    )
    structs = "from wireloom_runtime.structs import Untracked\nA = list[dict[str, int]]\n"
    assert fields.written(structs) == structs


MARKED = 'json_schema_extra={"x-null-is-absent": True}'


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("a: str", "a: str"),
        ("a: str | None", "a: str | None"),
        ("a: str | MISSING = MISSING", "a: Omittable[str] = None"),
        ("a: str | None | MISSING = MISSING", "a: str | None = None"),
        ("a: str | None | None | MISSING = (\n        MISSING\n    )", "a: str | None = None"),
        ("a: (\n        str\n        | MISSING\n    ) = MISSING", "a: Omittable[str] = None"),
        ("a: Nullable | MISSING = MISSING", "a: Nullable | None = None"),
        ("a: Plain | MISSING = MISSING", "a: Omittable[Plain] = None"),
        ("a: Later | MISSING = MISSING", "a: Later | None = None"),
        ("a: bool | MISSING = MISSING", "a: Omittable[Boolean] = None"),
        ("a: list[float] | int | MISSING = MISSING", "a: Omittable[Many[Number] | Integer] = None"),
        ("a: Literal['int'] | MISSING = MISSING", "a: Omittable[Literal['int']] = None"),
        (
            'a_: Annotated[str | MISSING, Field(alias="a", max_length=5)] = MISSING',
            "a_: Annotated[Omittable[str], Field(alias='a', max_length=5)] = None",
        ),
        (
            'a_: Annotated[str | None | MISSING, Field(alias="a")] = MISSING',
            "a_: Annotated[str | None, Field(alias='a')] = None",
        ),
        (f"a: Annotated[str | None | MISSING, Field({MARKED})] = MISSING", "a: NullIsAbsent[str] = None"),
        (f"a: Annotated[bool | None, Field({MARKED})] = True", "a: NullIsAbsent[Boolean] = True"),
        (f"a: Annotated[str | None, Field({MARKED})]", "a: str | None"),
        (
            f'a_: Annotated[str | None | MISSING, Field(alias="a", {MARKED})] = MISSING',
            "a_: Annotated[NullIsAbsent[str], Field(alias='a')] = None",
        ),
        (
            f"a: Annotated[Annotated[str, Field({MARKED}, max_length=5)] | None | MISSING, Field({MARKED})] = MISSING",
            "a: Annotated[NullIsAbsent[str], Field(max_length=5)] = None",
        ),
    ],
)
def test_what_may_be_left_out_is_null_only_where_the_contract_says_so(field: str, written: str) -> None:
    head = "from wireloom_runtime.models import Deferred\n"
    aliases = 'Plain = TypeAliasType("Plain", str)\nNullable = TypeAliasType("Nullable", Union[str, None])\n'
    aliases += 'Later = TypeAliasType("Later", "Nullable")\n'
    source = f"{head}{aliases}class A(Deferred):\n    {field}\nA.model_rebuild()\n"
    made = fields.written(source)
    assert made.splitlines()[4:] == ["class A(Deferred):", f"    {written}"]


def test_the_mark_of_a_nullable_member_is_in_no_type() -> None:
    head = "from wireloom_runtime.models import Deferred\n"
    made = fields.written(f'{head}A = TypeAliasType("A", Annotated[str, Field({MARKED}, max_length=5)])\n')
    assert made == f"{head}A = TypeAliasType('A', Annotated[str, Field(max_length=5)])\n"
