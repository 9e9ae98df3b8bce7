"""Request bodies: what is read, what is refused, and how it is named."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest
import zstandard
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.api import bodies
from wireloom.errors import LONGEST, GatewayError, InvalidRequest, TooLarge, TooSlow

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


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_body_may_be_as_large_as_the_limit_and_no_larger(encoding: str) -> None:
    limit = 2 * 2**20
    largest = random.Random(1).randbytes(1000) + bytes(limit - 1000)
    packed = PACKERS[encoding](largest)
    assert await bodies.read(parts(packed), encoding, limit) == largest
    with pytest.raises(TooLarge) as refused:
        await bodies.read(parts(PACKERS[encoding](largest + b"x")), encoding, limit)
    assert refused.value.message == "The body is larger than 2 MiB, the most that is read here."


async def test_a_body_of_the_largest_size_that_is_cut_short_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        await bodies.read(parts(gzip.compress(b"x" * 100, mtime=0)[:-8]), "gzip", 100)


async def test_the_limit_counts_for_the_packed_form_too() -> None:
    data = random.Random(1).randbytes(100)
    assert await bodies.read(parts(data[:50], data[50:]), "", 100) == data
    packed = gzip.compress(data, mtime=0)
    with pytest.raises(TooLarge):
        await bodies.read(parts(packed), "gzip", len(packed) - 1)


@pytest.mark.parametrize(
    ("encoding", "data", "message", "status"),
    [
        ("br", b"x", "This content-encoding is not known; use identity, gzip, x-gzip, deflate, zstd.", 415),
        (
            "gzip, br",
            b"x",
            "This content-encoding is not known; use identity, gzip, x-gzip, deflate, zstd.",
            415,
        ),
        ("gzip", b"x", "The body is not gzip.", 400),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-1], "The body is not gzip.", 400),
        ("deflate", b"", "The body is not deflate.", 400),
        ("zstd", b"x", "The body is not zstd.", 400),
    ],
)
async def test_a_body_that_cannot_be_unpacked_is_named(
    encoding: str, data: bytes, message: str, status: int
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await bodies.read(parts(data), encoding, LIMIT)
    found = refused.value
    assert (found.message, found.param, found.status) == (message, "content-encoding", status)


async def trickle(*pauses: float) -> AsyncIterator[bytes]:
    """A byte at once, and one more after each pause in seconds."""
    yield b"x"
    for pause in pauses:
        await asyncio.sleep(pause)
        yield b"x"


async def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    with pytest.raises(TooSlow) as refused:
        await bodies.read(trickle(60), "", LIMIT, 0.05)
    assert refused.value.message == "The body did not arrive within 0 s."
    assert await bodies.read(trickle(0.01), "", LIMIT, 60) == b"xx"
    assert await bodies.read(trickle(0.01), "", LIMIT, 0) == b"xx"


async def test_a_long_body_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SLOWEST_PACE", 0.02)  # 50 seconds more for each byte
    assert await bodies.read(trickle(0.1, 0.1), "", LIMIT, 0.05) == b"xxx"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'"\xff"', "The body is not UTF-8."),
        (b"[" * 100_000, "The body is nested too deeply."),
        (b"{", "The body is no JSON: Input data was truncated."),
    ],
)
def test_why_a_body_is_no_json(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bodies.parse(data)
    assert (refused.value.message, refused.value.code) == (message, "invalid_json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
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
        (ask(max_output_tokens="many"), "max_output_tokens", "invalid_type"),
        (ask(stream="maybe"), "stream", "invalid_type"),
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
    ("value", "message"),
    [
        ([], "The body: Input should be a valid dictionary or instance of CreateResponse."),
        ({}, "model is missing."),
        (ask(temperature="hot"), "temperature: Input should be a valid number."),
        (ask(input=[{"type": "nonsense"}]), "input[0].type: there is no such kind here."),
        (ask(tool_choice={"type": "unheard_of", "tools": [5]}), "tool_choice.type: there is no such kind here."),
        (ask(input=[{"role": "user"}]), "input[0].content is missing."),
    ],
)  # fmt: skip
def test_the_message_of_a_refusal_is_a_sentence(value: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bodies.validate(ADAPTER, value)
    assert refused.value.message == message


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


UNKNOWN = {"type": "from_the_future", "x": 1}
APART = {"type": "unknown", "member": UNKNOWN}


@pytest.mark.parametrize(
    ("value", "prepared"),
    [
        ([UNKNOWN], [UNKNOWN]),
        ({"tools": UNKNOWN}, {"tools": UNKNOWN}),
        ({"tools": [UNKNOWN, "a", {"type": 5}]}, {"tools": [APART, "a", {"type": 5}]}),
        ({"tools": [{"type": "custom"}], "messages": []}, {"tools": [{"type": "custom"}], "messages": []}),
        (
            {"tools": [{"type": "web_search"}, {"type": "function"}], "messages": []},
            {
                "tools": [{"type": "unknown", "member": {"type": "web_search"}}, {"type": "function"}],
                "messages": [],
            },
        ),
        *(
            ({"messages": [{"role": role, name: [UNKNOWN]}]}, {"messages": [{"role": role, name: [APART]}]})
            for role, name in (("user", "content"), ("assistant", "tool_calls"))
        ),
        *(
            ({"messages": messages}, {"messages": messages})
            for messages in (
                [{"role": "user", "tool_calls": [UNKNOWN]}],
                [{"role": "assistant", "content": [UNKNOWN]}],
                [{"role": ["user"], "content": [UNKNOWN]}, "a"],
                [{"role": "user", "content": "a"}],
                "a",
            )
        ),
        *(
            ({"input": [{"type": kind, "tools": [UNKNOWN]}]}, {"input": [{"type": kind, "tools": [APART]}]})
            for kind in ("additional_tools", "tool_search_output")
        ),
        *(
            ({"input": items}, {"input": items})
            for items in (
                [{"type": "message", "tools": [UNKNOWN]}],
                [{"type": "additional_tools", "tools": UNKNOWN}],
                [{"type": 5, "tools": [UNKNOWN]}],
                [{"other": 1}],
                [{"type": None, "id": "x"}],
                [{"type": "function_call_output", "call_id": "c", "name": "n", "output": "a"}],
            )
        ),
    ],
)
def test_unknown_members_of_unions_are_wrapped(value: Any, prepared: Any) -> None:
    given = copy.deepcopy(value)
    bodies.prepare(given)
    assert given == prepared


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
