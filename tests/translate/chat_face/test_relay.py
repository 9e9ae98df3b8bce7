"""A Chat upstream's answer passed on: untouched where it is whole, mended where it is not."""

import json
from typing import Any, TypeAlias

import pytest

from tests.support.chat_answers import payloads
from tests.support.chat_grammar import ToldCompletion, check, events
from tests.support.chat_turns import ToolCall, Turn, Usage, closing, completion, opening
from tests.support.transcripts import TRANSCRIPTS, Transcript
from wireloom.errors import EmptyAnswer, GatewayError
from wireloom.translate.answer.asked import NOTHING, Asked
from wireloom.translate.chat_face.relay import ChatRelay, folded
from wireloom.translate.chat_face.relay_calls import OfferedTools
from wireloom.translate.chat_face.relay_whole import WholeAnswer
from wireloom.translate.chat_upstream import chunk as chat_chunk
from wireloom.wire.sse import DONE_EVENT, EventReader

Json: TypeAlias = dict[str, Any]
CALLS = [ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "sub", '{"b": 2}')]
HEAD = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "theirs"}


def chunk(delta: Json, finish: str | None = None, index: Any = 0, **more: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
    return json.dumps({**HEAD, "choices": [choice], **more}).encode()


def fragment(arguments: str = "", **members: Any) -> Json:
    name = members.pop("name", None)
    function = {"arguments": arguments, **({"name": name} if name else {})}
    kind = {"type": "function"} if "id" in members else {}
    return {**kind, **members, "function": function}


TOOLS = OfferedTools({"tools": [{"type": "function", "function": {"name": name}} for name in ("f", "g")]})

THREE = Asked(n=3)


def relayed(
    *data: bytes,
    model: str | None = None,
    done: bool = True,
    tools: OfferedTools = TOOLS,
    asked: Asked = NOTHING,
    lost: list[str] | None = None,
) -> bytes:
    numbers = iter(range(100))
    relay = ChatRelay(model, lambda prefix: f"{prefix}_{next(numbers)}", tools, asked)
    for each in (*data, *([b"[DONE]"] if done else [])):
        relay.feed(each)
    relay.close()
    if lost is not None:
        lost += relay.lost
    return b"".join(relay.take()) + DONE_EVENT


def read(*data: bytes, **options: Any) -> ToldCompletion:
    return check(events(relayed(*data, **options).decode()))


# -- whole streams -------------------------------------------------------------------------------------------------


def test_a_whole_stream_leaves_as_it_came() -> None:
    turn = Turn(text="Hello there", reasoning="hm", tool_calls=CALLS, usage=Usage())
    sent = [*opening(turn, "m", 1, include_usage=True), *closing(turn, "m", 1, include_usage=True)]
    data = [json.dumps({**each, "x_extension": {"b": 1, "a": [None]}}).encode() for each in sent]
    assert relayed(*data) == b"".join(b"data: " + each + b"\n\n" for each in data) + DONE_EVENT


def test_data_of_several_lines_stays_data() -> None:
    odd = json.dumps(json.loads(chunk({"role": "assistant", "content": "a"}, "stop")), indent=1).encode()
    out = relayed(odd)
    assert EventReader().feed(out)[0] == odd


def test_only_the_name_of_a_mapped_model_is_changed() -> None:
    data = chunk({"role": "assistant", "content": "a"}, "stop", x=1)
    (told,) = events(relayed(data, model="mine").decode())
    assert told == {**json.loads(data), "model": "mine"}


def test_several_answers_are_all_passed_on() -> None:
    data = [chunk({"role": "assistant", "content": f"{n}"}, "stop", n) for n in (0, 1)]
    assert [each["choices"][0]["index"] for each in events(relayed(*data, asked=THREE).decode())] == [0, 1]


# -- calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param([[fragment("{}", id="a", name="f")], [fragment("{}", id="b", name="g")]], id="no index"),
        pytest.param(
            [
                [fragment("", id="a", name="f", index=0)],
                [fragment("{}", index=0)],
                [fragment("{}", id="b", name="g", index=0)],
            ],
            id="an index that is taken",
        ),
        pytest.param([[fragment("{}", id="a", name="f"), fragment("{}", id="b", name="g")]], id="all in one"),
        pytest.param(
            [
                [fragment("", id="a", name="f", index=0)],
                [fragment("{}", index=0)],
                [fragment("{}", name="g", index=0, id="b")],
            ],
            id="an index that is taken by a whole call",
        ),
        pytest.param(
            [[fragment("{}", id="a", name="f", index=1)], [fragment("{}", id="b", name="g", index=2)]],
            id="from one on",
        ),
        pytest.param(
            [
                [fragment("", id="a", name="f")],
                [fragment("{")],
                [fragment("}")],
                [fragment("{}", id="b", name="g")],
            ],
            id="pieces without anything",
        ),
    ],
)
def test_calls_that_cannot_be_told_apart(fragments: list[list[Json]]) -> None:
    data = [chunk({"tool_calls": some}) for some in fragments]
    told = read(chunk({"role": "assistant", "content": None}), *data, chunk({}, "tool_calls"))
    assert [(call["id"], call["type"], call["function"]) for call in told.calls] == [
        ("a", "function", {"name": "f", "arguments": "{}"}),
        ("b", "function", {"name": "g", "arguments": "{}"}),
    ]


def test_a_second_whole_call_on_an_index_is_another_call() -> None:
    told = read(
        chunk({"role": "assistant"}),
        chunk({"tool_calls": [fragment("{", name="f", index=0)]}),
        chunk({"tool_calls": [fragment("}", index=0)]}),
        chunk({"tool_calls": [fragment("{}", name="g", index=0)]}),
        chunk({}, "tool_calls"),
    )
    assert [(call["id"], call["function"]) for call in told.calls] == [
        ("call_0", {"name": "f", "arguments": "{}"}),
        ("call_1", {"name": "g", "arguments": "{}"}),
    ]


def test_an_id_that_comes_with_a_broken_index_stays() -> None:
    told = read(
        chunk({"role": "assistant"}),
        chunk({"tool_calls": [fragment("{}", id="mine", name="f")]}),
        chunk({}, "tool_calls"),
    )
    assert [call["id"] for call in told.calls] == ["mine"]


def test_calls_without_ids_get_some() -> None:
    told = read(
        chunk({"role": "assistant"}),
        chunk({"tool_calls": [fragment("{", name="f", index=0)]}),
        chunk({"tool_calls": [fragment("}", index=0)]}),
        chunk({"tool_calls": [fragment("{}", name="g", index=1)]}),
        chunk({}, "tool_calls"),
    )
    assert [(call["id"], call["function"]["arguments"]) for call in told.calls] == [
        ("call_0", "{}"),
        ("call_1", "{}"),
    ]


# -- ends ----------------------------------------------------------------------------------------------------------


def test_a_stream_without_its_mark_is_whole() -> None:
    assert read(chunk({"role": "assistant", "content": "a"}), chunk({}, "stop"), done=False).text == "a"


@pytest.mark.parametrize(
    ("delta", "finish"),
    [
        ({"content": "a"}, "stop"),
        ({"tool_calls": [fragment("{}", id="a", name="f", index=0, type="function")]}, "tool_calls"),
    ],
)
def test_a_stream_without_a_reason_gets_one(delta: Json, finish: str) -> None:
    told = read(chunk({"role": "assistant"}), chunk(delta), model="mine")
    assert (told.finish_reason, told.model) == (finish, "mine")


def test_every_answer_without_a_reason_gets_one_at_the_end() -> None:
    data = [
        chunk({"role": "assistant", "content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({"tool_calls": [fragment("{}", id="x", name="f", index=0)]}, index=2),
        chunk({}, "stop", index=1),
    ]
    told = events(relayed(*data, model="mine", asked=THREE).decode())
    assert told[:4] == [json.loads(each) | {"model": "mine"} for each in data]
    ends = [
        {"index": 0, "delta": {}, "finish_reason": "stop"},
        {"index": 2, "delta": {}, "finish_reason": "tool_calls"},
    ]
    assert told[4:] == [HEAD | {"model": "mine", "choices": [end]} for end in ends]


def test_an_end_has_the_members_of_the_chunks() -> None:
    data = b'{"choices": [{"delta": {"content": "a"}}]}'
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    assert events(relayed(data).decode()) == [
        json.loads(data),
        {"object": "chat.completion.chunk", "choices": [end]},
    ]
    assert events(relayed(data, model="mine").decode())[1] == {
        "model": "mine",
        "object": "chat.completion.chunk",
        "choices": [end],
    }


@pytest.mark.parametrize(
    ("data", "spoke"),
    [
        ([], False),
        ([chunk({"role": "assistant", "content": ""})], False),
        ([chunk({"content": "a"})], True),
        ([chunk({"refusal": "a"})], True),
        ([chunk({"reasoning": "a"})], True),
        ([chunk({"reasoning_content": "a"})], True),
        ([chunk({"tool_calls": [fragment("{}", id="x", name="f", index=0)]})], True),
        ([chunk({"content": "a"}), chunk({"role": "assistant"})], True),
    ],
)
def test_whether_anything_of_an_answer_was_passed_on(data: list[bytes], spoke: bool) -> None:
    relay = ChatRelay(None, str)
    for each in data:
        relay.feed(each)
    assert relay.has_output is spoke


COUNTED = {"prompt_tokens": 3, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("finish", "status"),
    [("stop", "completed"), ("tool_calls", "completed"), ("length", "incomplete"), (None, "completed")],
)
def test_status_and_usage_of_an_answer_are_kept_for_the_log(finish: str | None, status: str) -> None:
    relay = ChatRelay(None, str)
    assert relay.response == {"status": "in_progress", "usage": None}
    call = {"tool_calls": [fragment("{}", id="x", name="f", index=0)]}
    for data in (chunk(call), chunk({}, finish, usage=COUNTED), b"[DONE]"):
        relay.feed(data)
    relay.close()
    assert (relay.response["status"], relay.called, relay.lost) == (status, ["f"], [])
    assert relay.response["usage"]["input_tokens"] == 3
    one = ChatRelay(None, str)
    choice: Json = {"message": {}, "finish_reason": finish}
    one.count(json.dumps({"choices": [choice], "usage": COUNTED}).encode())
    assert one.response == relay.response
    assert one.has_output
    odd = ChatRelay(None, str)
    odd.count(b'{"choices": 5}')
    assert (odd.response, odd.has_output) == ({"status": "completed", "usage": None}, True)


def test_nothing_after_the_end_is_passed_on() -> None:
    relay = ChatRelay(None, str)
    done = []
    for data in (chunk({"content": "a"}, "stop"), b"[DONE]", chunk({"content": "b"})):
        relay.feed(data)
        done.append(relay.done)
    assert (done, len(relay.take()), relay.take()) == ([False, True, True], 1, [])


def test_a_stream_that_breaks_off() -> None:
    with pytest.raises(GatewayError) as caught:
        relayed(chunk({"role": "assistant", "content": "a"}), done=False)
    assert caught.value.code == "upstream_incomplete"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}', 429),
        (b'{"error": "boom"}', 502),
        (b'{"object": "error", "message": "bad", "code": 400}', 400),
        (b"<html>", 502),
        (b"[]", 502),
        (chunk({}, "error"), 502),
        (chunk({}, "insufficient_system_resource"), 503),
    ],
)
def test_failures_inside_an_answer(data: bytes, status: int) -> None:
    with pytest.raises(GatewayError) as caught:
        relayed(chunk({"role": "assistant", "content": "a"}), data)
    assert caught.value.status == status


def test_empty_events_and_missing_choices() -> None:
    usage = json.dumps({**HEAD, "choices": None, "usage": {"total_tokens": 1}}).encode()
    out = events(relayed(b"", chunk({"role": "assistant", "content": "a"}, "stop"), b" ", usage).decode())
    assert [each["choices"] for each in out][1:] == [[]]


@pytest.mark.parametrize(
    "transcript", [each for each in TRANSCRIPTS if each.streamed], ids=lambda each: each.name
)
def test_recorded_answers_are_passed_on_with_an_end(transcript: Transcript) -> None:
    relay = ChatRelay(None, lambda prefix: f"{prefix}_new")
    try:
        for data in payloads([transcript.body]):
            relay.feed(data)
        relay.close()
    except GatewayError:
        assert (
            transcript.expected.get("error")
            or transcript.expected.get("failure")
            or "error" in str(transcript.expected)
        )
        return
    frames = relay.take()
    chunks = [json.loads(frame.removeprefix(b"data: ").replace(b"\ndata: ", b"\n")) for frame in frames]
    ends = [choice.get("finish_reason") for each in chunks for choice in each["choices"]]
    assert any(ends)
    for each in chunks:
        for choice in each["choices"]:
            for call in (choice.get("delta") or {}).get("tool_calls") or ():
                assert isinstance(call["index"], int)


# -- one object ----------------------------------------------------------------------------------------------------


def test_one_object_leaves_as_it_came() -> None:
    data = json.dumps({**completion(Turn(text="a", tool_calls=CALLS), "m", 1), "x": 1}, indent=2).encode()
    assert WholeAnswer(None, str).passed_on(data) == data
    assert json.loads(WholeAnswer("mine", str).passed_on(data)) == {**json.loads(data), "model": "mine"}


def test_one_object_gets_the_members_that_the_contract_requires() -> None:
    data = b'{"choices": [{"message": {"tool_calls": [{"id": "a"}, "?"]}}, {"message": 5}, 6]}'
    assert json.loads(WholeAnswer(None, str, None, THREE).passed_on(data)) == {
        "choices": [
            {
                "message": {
                    "tool_calls": [{"id": "a"}, "?"],
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                },
                "finish_reason": "tool_calls",
                "logprobs": None,
            },
            {"message": 5, "logprobs": None},
            6,
        ]
    }


def test_one_object_is_mended() -> None:
    value = completion(Turn(tool_calls=CALLS), "m", 1)
    del value["choices"][0]["message"]["tool_calls"][1]["id"]
    made = json.loads(WholeAnswer(None, lambda prefix: f"{prefix}_new").passed_on(json.dumps(value).encode()))
    assert [call["id"] for call in made["choices"][0]["message"]["tool_calls"]] == ["c1", "call_new"]


@pytest.mark.parametrize(
    "data", [b"<html>", b"{}", b'{"error": {"message": "m"}}', b'{"choices": [{"finish_reason": "error"}]}']
)
def test_what_is_no_object(data: bytes) -> None:
    with pytest.raises(GatewayError):
        WholeAnswer(None, str).passed_on(data)


def test_one_object_where_a_stream_was_asked_for() -> None:
    data = json.dumps(completion(Turn(text="a", tool_calls=CALLS), "m", 1)).encode()
    told = json.loads(relayed(chat_chunk.completion(data)).split(b"\n\n")[0].removeprefix(b"data: "))
    assert told["object"] == "chat.completion.chunk"
    delta = told["choices"][0]["delta"]
    assert delta["content"] == "a"
    assert [call["index"] for call in delta["tool_calls"]] == [0, 1]


def test_a_stream_where_one_object_was_asked_for() -> None:
    turn = Turn(text="Hello there", reasoning="hm", tool_calls=CALLS, usage=Usage())
    sent = [*opening(turn, "m", 1, include_usage=True), *closing(turn, "m", 1, include_usage=True)]
    one = completion(turn, "m", 1)
    said = {**one["choices"][0]["message"]}
    assert json.loads(folded(framed(*map(encoded, sent)))) == {
        **one,
        "choices": [{**one["choices"][0], "message": said}],
    }


def encoded(value: Json) -> bytes:
    return json.dumps(value).encode()


def framed(*data: bytes) -> list[Any]:
    return [b"data: " + each.replace(b"\n", b"\ndata: ") + b"\n\n" for each in data]


def test_answers_of_a_stream_are_put_together_each_for_itself() -> None:
    data = [
        chunk({"role": "assistant", "content": "a", "audio": {"id": 1}}),
        chunk({"content": "b", "refusal": "no", "role": "assistant"}),
        chunk({"content": "c"}, index=1),
        chunk({"tool_calls": [fragment("{", index=1, id="y", name="g")], "audio": None}),
        chunk({"tool_calls": [fragment("}", index=1)], "refusal": "t"}, "tool_calls"),
        json.dumps(
            {**HEAD, "choices": [{"index": 1, "finish_reason": "stop"}], "usage": {"total_tokens": 3}},
            indent=1,
        ).encode(),
        json.dumps({**HEAD, "choices": [], "system_fingerprint": None, "service_tier": "flex"}).encode(),
    ]
    calls = [
        {"type": "function", "function": {"name": "", "arguments": ""}},
        {"type": "function", "id": "y", "function": {"name": "g", "arguments": "{}"}},
    ]
    said = {"role": "assistant", "content": "ab", "audio": {"id": 1}, "refusal": "not", "tool_calls": calls}
    other = {"role": "assistant", "content": "c", "refusal": None}
    assert json.loads(folded(framed(*data))) == {
        **HEAD,
        "object": "chat.completion",
        "service_tier": "flex",
        "usage": {"total_tokens": 3},
        "choices": [
            {"index": 0, "message": said, "finish_reason": "tool_calls", "logprobs": None},
            {"index": 1, "message": other, "finish_reason": "stop", "logprobs": None},
        ],
    }


# -- what is repaired ----------------------------------------------------------------------------------------------


def repaired(*data: bytes, **options: Any) -> ToldCompletion:
    return check(events(relayed(*data, **options).decode()), relayed=True)


def spoken(*pieces: str) -> list[bytes]:
    """Chunks with pieces of text."""
    return [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in pieces)]


LONG = "All of the answer, once more."


def test_several_choices_are_one_answer_where_one_was_asked_for() -> None:
    lost: list[str] = []
    told = repaired(
        chunk({"role": "assistant", "content": "Let me look. "}),
        chunk({"role": "assistant", "tool_calls": [fragment("{}", id="x", name="f", index=0)]}, index=1),
        chunk({"content": "More."}, index=2),
        chunk({}, "tool_calls"),
        chunk({}, "tool_calls", index=1),
        lost=lost,
    )
    assert (told.text, told.finish_reason) == ("Let me look. More.", "tool_calls")
    assert [call["function"]["name"] for call in told.calls] == ["f"]
    assert lost == ["several choices were passed on as one answer"]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["All of the answer,", " once more.", LONG], LONG),
        (["All of", "All of the answer", "All of the answer, once more"], "All of the answer, once more"),
        (["ab", "ab"], "abab"),
        ([LONG, LONG], LONG + LONG),
        (["a", "b", LONG, LONG], "ab" + LONG + LONG),
    ],
)
def test_text_that_comes_twice_is_passed_on_once(pieces: list[str], text: str) -> None:
    told = repaired(*spoken(*pieces), chunk({}, "stop"))
    assert told.text == text
    ended = [*spoken(*pieces[:-1]), chunk({"content": pieces[-1]}, "stop")]
    assert repaired(*ended).text == text


@pytest.mark.parametrize("given", ["eos", "end_turn", "STOP", "stop", "complete", "COMPLETE"])
def test_a_reason_is_one_of_the_contract(given: str) -> None:
    assert repaired(*spoken("a"), chunk({}, given)).finish_reason == "stop"
    called = chunk({"role": "assistant", "tool_calls": [fragment("{}", id="x", name="f", index=0)]})
    assert repaired(called, chunk({}, given)).finish_reason == "tool_calls"
    whole = {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": given}]}
    made = json.loads(WholeAnswer(None, str).passed_on(json.dumps(whole).encode()))
    assert made["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("given", ["max_tokens", "MAX_TOKENS", "length", "model_length"])
def test_a_cut_answer_says_so(given: str) -> None:
    assert repaired(*spoken("a"), chunk({}, given)).finish_reason == "length"


def test_an_answer_as_long_as_was_allowed_is_cut() -> None:
    counted = {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}
    usage = json.dumps({**HEAD, "choices": [], "usage": counted}).encode()
    data = (*spoken("a"), chunk({}, "stop"), usage)
    for limit, reason in ((5, "length"), (6, "stop")):
        told = events(relayed(*data, asked=Asked(limit=limit)).decode())
        assert [each["choices"][0]["finish_reason"] for each in told[:-1]] == [None, None, reason]
        assert told[-1] == json.loads(usage)


@pytest.mark.parametrize(
    "deltas", [[{}], [{"content": ""}], [{"content": " \n"}], [{"reasoning_content": "Hm."}]]
)
def test_an_answer_that_says_nothing_fails(deltas: list[Json]) -> None:
    with pytest.raises(EmptyAnswer):
        relayed(*map(chunk, deltas), chunk({}, "stop"))
    with pytest.raises(EmptyAnswer, match="named a call"):
        relayed(*map(chunk, deltas), chunk({}, "tool_calls"))
    whole = {"choices": [{"index": 0, "message": deltas[0], "finish_reason": "stop"}]}
    with pytest.raises(EmptyAnswer):
        WholeAnswer(None, str).passed_on(json.dumps(whole).encode())


@pytest.mark.parametrize("member", [{"message": {"role": "assistant", "content": "Hi"}}, {"text": "Hi"}])
def test_an_answer_in_another_member_is_read(member: Json) -> None:
    data = json.dumps({**HEAD, "choices": [{"index": 0, **member, "finish_reason": "stop"}]}).encode()
    assert repaired(data).text == "Hi"
    assert json.loads(WholeAnswer(None, str).passed_on(data))["choices"][0]["message"]["content"] == "Hi"


def test_a_role_is_said_once() -> None:
    told = events(
        relayed(*(chunk({"role": "assistant", "content": each}) for each in "ab"), chunk({}, "stop")).decode()
    )
    assert [each["choices"][0]["delta"].get("role") for each in told] == ["assistant", None, None]


def test_a_fence_around_json_comes_off() -> None:
    pieces = ["```js", "on\n{", '"a"', ": 1}", "\n``", "`\n"]
    data = [*spoken(*pieces), chunk({}, "stop")]
    assert repaired(*data, asked=Asked(json=True)).text == '{"a": 1}'
    assert repaired(*data).text == "".join(pieces)
