"""Request bodies: what is read, what is refused, and how it is named."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import zstandard
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.api import bodies
from wireloom.errors import LONGEST, GatewayError, InvalidRequest, TooLarge

ADAPTER = TypeAdapter(m.CreateResponse)
LIMIT = 10_000


async def parts(*data: bytes) -> AsyncIterator[bytes]:
    for part in data:
        yield part


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", b"hello"),
        ("identity", b"hello"),
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("GZIP", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("zstd", zstandard.compress(b"hello")),
        ("zstd", zstandard.compress(b"hel") + zstandard.compress(b"lo")),
        ("gzip, zstd", zstandard.compress(gzip.compress(b"hello", mtime=0))),
    ],
)
async def test_packed_bodies(encoding: str, packed: bytes) -> None:
    assert await bodies.read(parts(packed[:3], packed[3:]), encoding, LIMIT) == b"hello"


@pytest.mark.parametrize(
    ("encoding", "data", "error"),
    [
        ("", b"x" * (LIMIT + 1), TooLarge),
        ("gzip", gzip.compress(b"x" * 10_000_000, mtime=0), TooLarge),
        ("zstd", zstandard.compress(b"x" * 10_000_000), TooLarge),
        ("br", b"x", InvalidRequest),
        ("gzip", b"no gzip", InvalidRequest),
        ("gzip", gzip.compress(b"hello" * 100, mtime=0)[:-20], InvalidRequest),
        ("zstd", b"no zstd", InvalidRequest),
        ("zstd", b"", InvalidRequest),
        ("zstd", zstandard.compress(b"hello" * 100)[:-3], InvalidRequest),
        ("zstd", zstandard.compress(b"hello") + zstandard.compress(b"hello")[:-3], InvalidRequest),
    ],
)
async def test_bodies_that_are_refused(encoding: str, data: bytes, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        await bodies.read(parts(data), encoding, LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"\\ud800"',
        b'"\xff"',
        b"[" * 5000 + b"]" * 5000,
        b"1e999",
        b'{"a": 1,}',
        b"{'a': 1}",
    ],
)
def test_no_json(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bodies.parse(data)
    assert refused.value.code == "invalid_json"


@pytest.mark.parametrize(
    "deep", [b'{"a":' * 199 + b"[]" + b"}" * 199, b"[" * 200 + b"]" * 200, b'"%s"' % (b"{[" * 500)]
)
def test_bodies_that_are_deep_enough(deep: bytes) -> None:
    assert bodies.parse(deep) == json.loads(deep)


@pytest.mark.parametrize(
    "deep", [b'{"a":' * 200 + b"[]" + b"}" * 200, b"[1," + b"[" * 200 + b"]" * 200 + b"]"]
)
def test_bodies_that_are_too_deep(deep: bytes) -> None:
    """They could be read, but not all that is made of them could be written again."""
    with pytest.raises(InvalidRequest, match="too deeply") as refused:
        bodies.parse(deep)
    assert refused.value.code == "invalid_json"


def test_the_deepest_bodies_can_be_written_again() -> None:
    deep: Any = {}
    for _ in range(bodies.DEEPEST - 4):
        deep = {"a": deep}
    text = json.dumps(ask(input=[{"type": "tool_search_call", "arguments": deep}])).encode()
    body = bodies.validate(ADAPTER, bodies.parse(text))
    assert body.model_dump(mode="json", exclude_unset=True)["input"][0]["arguments"] == deep


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": "hello", **fields}


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        ([], None, "invalid_type"),
        ({}, "model", "missing_required_parameter"),
        ({"model": "m"}, "input", "missing_required_parameter"),
        (ask(model=3), "model", "invalid_type"),
        (ask(input=3), "input", "invalid_type"),
        (ask(temperature="hot"), "temperature", "invalid_type"),
        (ask(temperature=3), "temperature", "invalid_value"),
        (ask(max_output_tokens=0), "max_output_tokens", "invalid_value"),
        (ask(input=[{"type": "nonsense"}]), "input[0].type", "invalid_value"),
        (ask(input=[{"type": {}}]), "input[0].type", "invalid_value"),
        (ask(input=[{"type": []}]), "input[0].type", "invalid_value"),
        (
            ask(input=[{"role": "user", "content": "a"}, {"role": "nobody", "content": "a"}]),
            "input[1].role",
            "invalid_value",
        ),
        (ask(input=[{"role": "user"}]), "input[0].content", "missing_required_parameter"),
        (
            ask(input=[{"role": "user", "content": [{"type": "input_text"}]}]),
            "input[0].content[0].text",
            "missing_required_parameter",
        ),
        (
            ask(input=[{"role": "user", "content": [{"type": "x"}]}]),
            "input[0].content[0].type",
            "invalid_value",
        ),
        (ask(tools=[{"type": "function"}]), "tools[0].name", "missing_required_parameter"),
        (
            ask(tools=[{"type": "function", "function": {"name": "f"}}]),
            "tools[0].name",
            "missing_required_parameter",
        ),
        (ask(tools=[{"name": "f"}]), "tools[0].type", "invalid_value"),
        (
            ask(text={"format": {"type": "json_schema", "name": "n"}}),
            "text.format.schema",
            "missing_required_parameter",
        ),
        (ask(tool_choice="sometimes"), "tool_choice", "invalid_value"),
        (ask(tool_choice={"type": "function"}), "tool_choice.name", "missing_required_parameter"),
        (ask(tool_choice={"type": "custom", "name": 5}), "tool_choice.name", "invalid_type"),
        (ask(tool_choice={"type": "unheard_of", "tools": [5]}), "tool_choice.type", "invalid_value"),
        (ask(input=[{"role": "user", "content": [5] * 100_000}]), "input[0].content[0]", "invalid_type"),
        (ask(metadata=dict.fromkeys(map(str, range(100_000)), 5)), "metadata", "invalid_value"),
    ],
)
def test_what_is_wrong_is_named(value: Any, param: str | None, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bodies.validate(ADAPTER, value)
    assert (refused.value.param, refused.value.code) == (param, code)


@pytest.mark.parametrize(
    "value",
    [
        ask(temperature="canary-4711"),
        ask(tool_choice={"type": "canary-4711"}),
        ask(input=[{"type": "canary-4711"}]),
        ask(input=[{"role": "user", "content": [{"type": "canary-4711"}]}]),
    ],
)
def test_an_error_does_not_repeat_the_value(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bodies.validate(ADAPTER, value)
    assert "4711" not in refused.value.message


def test_an_error_does_not_repeat_a_name_of_any_length() -> None:
    with pytest.raises(InvalidRequest) as refused:
        bodies.validate(ADAPTER, ask(metadata={"m" * 10_000: 5}))
    assert refused.value.param == f"metadata.{'m' * LONGEST}"[:LONGEST]
    assert len(refused.value.message) == LONGEST


@pytest.mark.parametrize("name", ["input", "items"])
def test_tags_that_may_be_left_out_are_filled_in(name: str) -> None:
    value: dict[str, Any] = {name: [{"role": "user", "content": "a"}, {"id": "msg_1"}, "no item"]}
    bodies.prepare(value)
    assert [item["type"] for item in value[name][:2]] == ["message", "item_reference"]


@pytest.mark.parametrize(
    ("notice", "content"),
    [
        ({"name": "goal", "namespace": "agent", "output": "weave"}, "[agent.goal]\nweave"),
        ({"name": "goal", "call_id": None, "output": "weave"}, "[goal]\nweave"),
        (
            {"name": "goal", "output": [{"type": "input_text", "text": "weave"}]},
            [{"type": "input_text", "text": "[goal]\n"}, {"type": "input_text", "text": "weave"}],
        ),
    ],
)
def test_an_output_that_answers_no_call_is_a_message(notice: dict[str, Any], content: Any) -> None:
    body = bodies.validate(ADAPTER, ask(input=[{"type": "function_call_output", "id": "fco_1", **notice}]))
    assert isinstance(body.input, list)
    (item,) = body.input
    told = {"id": "fco_1", "type": "message", "role": "user", "content": content}
    assert item.model_dump(mode="json", exclude_unset=True) == told


@pytest.mark.parametrize("rest", [{"output": "a"}, {"name": "goal"}, {"name": "goal", "output": 5}])
def test_an_output_without_a_call_and_without_a_name_is_refused(rest: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        bodies.validate(ADAPTER, ask(input=[{"type": "function_call_output", **rest}]))


def test_query_parameters_are_named_and_not_repeated() -> None:
    adapter = TypeAdapter(Literal["asc", "desc"])
    assert bodies.parameter(adapter, "order", "asc") == "asc"
    with pytest.raises(InvalidRequest, match="order: ") as refused:
        bodies.parameter(adapter, "order", "canary")
    assert refused.value.param == "order"
    assert "canary" not in refused.value.message


def test_unknown_tools_are_set_apart() -> None:
    value = ask(tools=[{"type": "from_the_future", "x": 1}, {"type": "function", "name": "f"}])
    body = bodies.validate(ADAPTER, value)
    assert body.tools is not None
    assert isinstance(body.tools[0], m.UnknownTool)
    assert body.tools[0].member == {"type": "from_the_future", "x": 1}
    assert isinstance(body.tools[1], m.FunctionTool)


def test_nothing_is_lost_between_json_and_model() -> None:
    value = json.loads(
        json.dumps(
            ask(
                extra={"a": [1, 2.5, None]},
                input=[{"role": "user", "content": "a", "more": 12345678901234567890}],
            )
        )
    )
    body = bodies.validate(ADAPTER, value)
    assert json.loads(body.model_dump_json(exclude_unset=True)) == value
