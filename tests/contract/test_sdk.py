"""What the types of the `openai` package have besides the contract: read, compared, and written as an overlay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen import overlay, sdk_overlay
from codegen.contract_view import Contract
from codegen.sdk import Comparison, Form, Package, component

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "codegen" / "sdk_types.py"
FILE = ROOT / "openapi" / "overlays" / sdk_overlay.FILE
Json = dict[str, Any]

# -- the types of a package ------------------------------------------------------------------------------------------

PACKAGE = {
    "__init__.py": '__version__ = "1.2.3"\n',
    "types/__init__.py": "",
    "types/params.py": """
from __future__ import annotations
from typing import Dict, Iterable, List, Optional, Union
from typing_extensions import Annotated, Literal, Required, TypeAlias, TypedDict
from .answer import Answer, Note

__all__ = ["Params"]

class Alias:
    def __init__(self, alias): self.alias = alias

Word: TypeAlias = Literal["a", "b"]
_Reserved = TypedDict("_Reserved", {"async": bool}, total=False)

class Params(_Reserved, total=False):
    word: Required[Word]
    words: Optional[Iterable[Word]]
    number: Union[int, float]
    table: Dict[str, List[str]]
    anything: Dict[str, object]
    other: Annotated[str, Alias("Other-Name")]
    nested: Params
    note: Note
    file: bytes
""",
    "types/answer.py": """
from typing import List, Optional, Union
from typing_extensions import Literal
import pydantic

class Note(pydantic.BaseModel):
    text: str
    schema_: Optional[dict] = pydantic.Field(alias="schema", default=None)

class Answer(pydantic.BaseModel):
    id: str
    notes: Optional[List[Note]] = None
    flag: Literal[True]
    inner: Optional["Answer"] = None
""",
}


def read(python_path: Path | None, *roots: str) -> Json:
    """What the script prints for a package; None is the installed one."""
    environment = os.environ if python_path is None else {**os.environ, "PYTHONPATH": str(python_path)}
    command = [sys.executable, "-P", str(SCRIPT), *roots]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    facts: Json = json.loads(printed)
    return facts


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    for name, text in PACKAGE.items():
        path = folder / "openai" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_types_of_a_package(package: Path) -> None:
    roots = ["params:Params", "answer:Answer", "answer:Gone", "gone:Gone"]
    facts = read(package, *roots)
    assert facts["version"] == "1.2.3"
    references = [{"$ref": "#/types/params.Params"}, {"$ref": "#/types/answer.Answer"}, None, None]
    assert facts["roots"] == dict(zip(roots, references, strict=True))
    word = {"type": "string", "enum": ["a", "b"]}
    optional_words = {"anyOf": [{"type": "array", "items": word}, {"type": "null"}]}
    table = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
    assert facts["types"]["params.Params"] == {
        "type": "object",
        "properties": {
            "async": {"type": "boolean"},
            "word": word,
            "words": optional_words,
            "number": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
            "table": table,
            "anything": {"type": "object", "additionalProperties": True},
            "Other-Name": {"type": "string"},
            "nested": {"$ref": "#/types/params.Params"},
            "note": {"$ref": "#/types/answer.Note"},
            "file": {},
        },
        "required": ["word"],
    }
    assert facts["types"]["answer.Note"] == {
        "type": "object",
        "properties": {"text": {"type": "string"}, "schema": {"anyOf": [{}, {"type": "null"}]}},
        "required": ["text"],
    }
    answer = facts["types"]["answer.Answer"]
    assert answer["required"] == ["id", "flag"]
    assert answer["properties"]["flag"] == {"type": "boolean", "enum": [True]}
    assert answer["properties"]["inner"] == {"anyOf": [{"$ref": "#/types/answer.Answer"}, {"type": "null"}]}


def test_the_installed_package() -> None:
    """All that the roots reach is read: requests with their aliases, events with their tags."""
    table = sdk_table()
    roots = [root for names in table["types"].values() for root in names]
    facts = read(None, *roots)
    assert [root for root in roots if facts["roots"][root] is None] == []
    request = facts["types"]["responses.response_create_params.ResponseCreateParamsBase"]["properties"]
    assert {"input", "tools", "stream_options", "reasoning"} <= request.keys()
    tags = [
        Package(facts).tag(form)
        for form in Package(facts).forms(facts["roots"]["responses:ResponseStreamEvent"])
    ]
    assert ("type", frozenset({"response.completed"})) in tags
    assert None not in tags
    assert not any("description" in text or "title" in text for text in _keys(facts["types"].values()))


def _keys(nodes: Any) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, dict):
            found |= {key for key in node if key != "properties"} - {"properties"}
            found |= _keys([*node.get("properties", {}).values(), *node.get("anyOf", []), node.get("items")])
    return found


def sdk_table() -> Json:
    from tomllib import loads  # noqa: PLC0415

    return loads((ROOT / "openapi" / "openai_sdk.toml").read_text())


# -- compared with a contract ----------------------------------------------------------------------------------------

STRING = {"type": "string"}
REF = "#/components/schemas/"


def obj(*required: str, **fields: Any) -> Json:
    listed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": fields, **listed}


def words(*listed: str) -> Json:
    return {"type": "string", "enum": list(listed)}


def kind(tag: str, **fields: Any) -> Json:
    return obj("type", type=words(tag), **fields)


def compared(
    types: Json, contract: Json, published: Json | None = None, left_out: dict[str, str] | None = None
) -> tuple[Json, list[str]]:
    """The overlay and the sentences for a package whose type `m.Root` stands for the schema Root."""
    facts = {"version": "9.9", "roots": {"m:Root": {"$ref": "#/types/m.Root"}}, "types": types}
    table = {"types": {"Root": ["m:Root"]}, "left_out": left_out or {}}
    made, to_change = sdk_overlay.overlay(facts, published or contract, contract, table)
    for action in made["actions"]:
        assert "the types of openai 9.9" in action["description"]
    applied = overlay.apply({"components": {"schemas": contract}}, made)["components"]["schemas"]
    again, _ = sdk_overlay.overlay(facts, published or contract, applied, table)
    assert again["actions"] == []  # what was added is no longer lacking
    return {
        action["target"].removeprefix("$.components.schemas"): action["update"] for action in made["actions"]
    }, to_change


def test_a_field() -> None:
    types = {"m.Root": obj("a", "b", a=STRING, b=STRING)}
    assert compared(types, {"Root": obj(a=STRING)}) == ({".Root.properties": {"b": STRING}}, [])


def test_a_field_of_an_object_in_parts() -> None:
    parts = {"Root": {"allOf": [{"$ref": REF + "Base"}, obj(b=STRING)]}, "Base": obj(a=STRING)}
    types = {"m.Root": obj(a=STRING, b=STRING, c=STRING)}
    assert compared(types, parts) == ({".Root.allOf[1].properties": {"c": STRING}}, [])


def test_a_field_of_an_item_of_a_list_or_null() -> None:
    contract = {"Root": obj(a={"anyOf": [{"type": "array", "items": obj(b=STRING)}, {"type": "null"}]})}
    types = {
        "m.Root": obj(a={"type": "array", "items": {"$ref": "#/types/m.Item"}}),
        "m.Item": obj(b=STRING, c=STRING),
    }
    target = ".Root.properties.a.anyOf[0].items.properties"
    assert compared(types, contract) == ({target: {"c": STRING}}, [])


def test_a_word() -> None:
    types = {"m.Root": obj(a=words("x", "y", "z"))}
    contract = {"Root": obj(a={"$ref": REF + "Word"}), "Word": words("x")}
    assert compared(types, contract) == ({".Word.enum": ["y", "z"]}, [])


def test_a_word_where_any_is_allowed() -> None:
    types = {"m.Root": obj(a=words("x"), b=words("x"))}
    contract = {"Root": obj(a=STRING, b={"anyOf": [words("y"), STRING]})}
    assert compared(types, contract) == ({}, [])


def test_a_kind_with_the_types_that_it_needs() -> None:
    union = {"oneOf": [{"$ref": REF + "A"}, {"$ref": REF + "B"}]}
    contract = {"Root": obj(a=union), "A": kind("a"), "B": kind("b")}
    types = {
        "m.Root": obj(a={"anyOf": [{"$ref": "#/types/x.Old"}, {"$ref": "#/types/m.New"}]}),
        "x.Old": kind("a"),
        "m.New": kind(
            "new",
            old={"$ref": "#/types/x.Old"},
            part={"anyOf": [{"$ref": "#/types/m.Part"}, {"type": "null"}]},
        ),
        "m.Part": obj("n", n={"type": "integer"}, again={"$ref": "#/types/m.Part"}),
    }
    actions, to_change = compared(types, contract)
    assert to_change == []
    assert actions[".Root.properties.a.oneOf"] == [{"$ref": REF + "MNew"}]
    part = {"anyOf": [{"$ref": REF + "MPart"}, {"type": "null"}]}
    assert actions[""] == {
        "MNew": kind("new", old={"$ref": REF + "A"}, part=part),
        "MPart": obj("n", n={"type": "integer"}, again={"$ref": REF + "MPart"}),
    }


def test_a_kind_goes_into_the_union_that_has_the_others() -> None:
    contract = {
        "Root": obj(a={"anyOf": [STRING, {"type": "array", "items": {"$ref": REF + "Items"}}]}),
        "Items": {"anyOf": [{"$ref": REF + "Known"}, {"type": "null"}]},
        "Known": {"oneOf": [{"$ref": REF + "A"}, {"$ref": REF + "B"}]},
        "A": kind("a"),
        "B": kind("b"),
    }
    listed = {"anyOf": [{"$ref": "#/types/m.A"}, {"$ref": "#/types/m.C"}]}
    types = {"m.Root": obj(a={"type": "array", "items": listed}), "m.A": kind("a"), "m.C": kind("c")}
    actions, _ = compared(types, contract)
    assert actions[".Known.oneOf"] == [{"$ref": REF + "MC"}]


def test_two_types_of_one_kind_are_one() -> None:
    contract = {"Root": {"oneOf": [{"$ref": REF + "A"}, {"$ref": REF + "B"}]}, "A": kind("a"), "B": kind("b")}
    types = {
        "m.Root": {"anyOf": [{"$ref": "#/types/m.C"}, {"$ref": "#/types/m.SocketC"}]},
        "m.C": kind("c"),
        "m.SocketC": kind("c", lane=STRING),
    }
    actions, _ = compared(types, contract)
    assert actions[".Root.oneOf"] == [{"$ref": REF + "MC"}]
    assert actions[""] == {"MC": kind("c")}
    assert actions[".MC.properties"] == {"lane": STRING}


def test_what_no_action_can_add_is_a_sentence() -> None:
    types = {"m.Root": obj(a={"anyOf": [{"$ref": "#/types/m.New"}, STRING]}), "m.New": kind("new")}
    actions, to_change = compared(types, {"Root": obj(a=kind("old"))})
    assert actions == {}
    assert [sentence.partition(";")[0] for sentence in to_change] == [
        "Root.a: openai 9.9 allows MNew here besides",
        "Root.a: openai 9.9 allows string here besides",
    ]
    assert compared(types, {"Root": obj(a=kind("old"))}, left_out={"Root.a *": "no"}) == ({}, [])


def test_what_is_left_out() -> None:
    types = {
        "m.Root": obj(a=STRING, b=words("x", "y"), c={"$ref": "#/types/m.C"}),
        "m.C": obj("lane", lane=STRING, d=STRING),
    }
    contract = {"Root": obj(b=words("x"))}
    left_out = {"*.lane": "no", "Root.a": "no", "Root.b = y": "no"}
    actions, to_change = compared(types, contract, left_out=left_out)
    assert actions == {"": {"MC": obj(d=STRING)}, ".Root.properties": {"c": {"$ref": REF + "MC"}}}
    assert to_change == []
    _, to_change = compared(types, contract, left_out={**left_out, "Root.gone": "no"})
    (sentence,) = to_change
    assert "[left_out]: 'Root.gone' matches nothing of openai 9.9" in sentence


def test_what_a_correction_took_away_stays_away() -> None:
    types = {"m.Root": obj(a=words("x", "y", "z"))}
    published = {"Root": obj(a=words("x", "y"))}
    assert compared(types, {"Root": obj(a=words("x"))}, published) == ({".Root.properties.a.enum": ["z"]}, [])


def test_a_type_or_a_schema_that_is_gone_is_a_sentence() -> None:
    facts: Json = {
        "version": "9.9",
        "roots": {"m:Root": None, "m:Other": {"$ref": "#/types/m.Other"}},
        "types": {"m.Other": obj()},
    }
    table = {"types": {"Root": ["m:Root"], "Gone": ["m:Other"]}, "left_out": {}}
    _, to_change = sdk_overlay.overlay(facts, {"Root": obj()}, {"Root": obj()}, table)
    assert to_change == [
        "openapi/openai_sdk.toml [types] Root: openai 9.9 has no 'm:Root'; find its new name in openai.types",
        "openapi/openai_sdk.toml [types]: the contract has no schema 'Gone'; rename or remove the entry",
    ]


def test_a_name_that_is_taken_is_refused() -> None:
    types = {"m.Root": obj(a={"$ref": "#/types/m.A"}), "m.A": obj(b=STRING)}
    with pytest.raises(sdk_overlay.NameTaken, match=r"m\.A cannot be called MA"):
        compared(types, {"Root": obj(x=STRING), "MA": STRING})


@pytest.mark.parametrize(
    ("type_name", "schema"),
    [
        ("responses.response_steer_input.ResponseSteerInput", "ResponseSteerInput"),
        ("responses.response_steer_input.ResponseSteerInputItem", "ResponseSteerInputItem"),
        ("responses.response.Image", "ResponseImage"),
        ("responses.item_param_param.Text", "ItemParamText"),
    ],
)
def test_names_of_schemas(type_name: str, schema: str) -> None:
    assert component(Form({}, type_name)) == schema


def test_the_walk_ends_where_types_hold_themselves() -> None:
    types = {"m.Root": obj(a={"$ref": "#/types/m.Root"}, b=STRING)}
    contract = {"Root": obj(a={"$ref": REF + "Root"})}
    comparison = Comparison(Contract(contract), Package({"types": types}), {})
    comparison.walk([({"$ref": "#/types/m.Root"}, ("Root",))])
    assert comparison.lacking.fields == {("Root", "properties"): {"b": STRING}}


# -- the overlay that is committed -----------------------------------------------------------------------------------


def test_the_committed_overlay_is_as_it_was_written() -> None:
    text = FILE.read_text()
    assert sdk_overlay.dump(yaml.safe_load(text)) == text


def test_every_action_names_its_origin() -> None:
    sources = (ROOT / "openapi" / "sources.toml").read_text()
    for action in overlay.load(FILE)["actions"]:
        _, _, version = action["description"].partition("the types of openai ")
        assert f'version = "{version.split(",")[0].split()[0]}"' in sources


def test_the_overlay_has_structure_only() -> None:
    actions = overlay.load(FILE)["actions"]
    assert not {"description", "title", "example", "examples"} & _keys(
        [action["update"] for action in actions]
    )
