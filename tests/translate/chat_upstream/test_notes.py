"""What a Chat answer says beside its text: probabilities of tokens, sources; streamed, and in one piece."""

import json
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import contract, cuts
from tests.support.chat_answers import STOP, Session, call, chunk
from tests.support.grammar import Told
from tests.support.streams import new_stream, unseal
from wireloom.translate.chat_upstream.chunk import completion

Json: TypeAlias = dict[str, Any]
A = '{"a":1}'


def token(text: str, **more: Any) -> Json:
    rival: Json = {"token": "?", "logprob": -2.5, "bytes": [63]}
    return {
        "token": text,
        "logprob": -0.25,
        "bytes": list(text.encode()),
        "top_logprobs": [rival],
        **more,
    }


def probable(delta: Json, *tokens: Any, finish: str | None = None, **more: Any) -> bytes:
    """A chunk whose choice has log probabilities."""
    choice = {
        "index": 0,
        "delta": delta,
        "finish_reason": finish,
        "logprobs": {"content": list(tokens), **more},
    }
    return json.dumps({"choices": [choice]}).encode()


def whole(message: Json, finish: str = "stop", **more: Any) -> bytes:
    """An answer in one piece; `more` stands in its choice."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **more}
    return completion(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def read(*payloads: bytes, **options: Any) -> Told:
    session = Session(**options)
    told = session.read(payloads)
    assert session.failure is None
    assert [(event, wrong) for event in session.events if (wrong := contract.complaints(event))] == []
    return told


# -- probabilities -------------------------------------------------------------------------------------------------


def test_probabilities_of_tokens_reach_the_part() -> None:
    told = read(
        probable({"role": "assistant", "content": ""}),
        probable({"content": "He"}, token("He")),
        probable({"content": ""}, token("\ufffd", bytes=[226])),
        probable({"content": "\u20ac!"}, token("\ufffd", bytes=[130, 172]), token("!")),
        STOP,
    )
    assert told.text == "He\u20ac!"
    assert [one["token"] for one in told.logprobs] == ["He", "\ufffd", "\ufffd", "!"]
    assert told.logprobs[0] == token("He")


def test_probabilities_of_an_answer_in_one_piece() -> None:
    logprobs = {"content": [token("Hi"), token("!")]}
    told = read(whole({"content": "Hi!"}, logprobs=logprobs))
    assert (told.text, told.logprobs) == ("Hi!", [token("Hi"), token("!")])


def test_probabilities_beside_all_else_keep_the_order() -> None:
    message = {
        "reasoning_content": "Hm.",
        "content": "Hi",
        "refusal": "no",
        "annotations": [cited("a")],
        "tool_calls": call(0, "x", "f", A)["tool_calls"],
    }
    told = read(whole(message, "tool_calls", logprobs={"content": [token("Hi")]}))
    assert told.items == [("reasoning", "Hm."), ("message", "Hino"), ("function_call", A)]
    assert told.logprobs == [token("Hi")]


texts = st.text(min_size=1, max_size=10) | st.sampled_from(
    ["<think>", "\n<think>a</think>\nb", "<", "</think>"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4).map("".join).flatmap(cuts.anywhere))
def test_probabilities_change_nothing_of_what_is_said(pieces: list[str]) -> None:
    last = chunk({"content": "</think>\n."}), STOP
    plain = read(*(chunk({"content": piece}) for piece in pieces), *last)
    told = read(*(probable({"content": piece}, *map(token, piece)) for piece in pieces), *last)
    assert (told.text, told.reasoning) == (plain.text, plain.reasoning)
    if not told.reasoning and "think>" not in "".join(pieces):
        assert told.logprobs == [token(character) for piece in pieces for character in piece]


def test_tokens_of_a_thought_in_tags_are_not_those_of_the_text() -> None:
    pieces = ["<thi", "nk>", "Hm", ".</think>", "\n", "Hi", "!"]
    told = read(*(probable({"content": piece}, token(piece)) for piece in pieces), STOP)
    assert (told.reasoning, told.text) == ("Hm.", "Hi!")
    assert told.logprobs == [token("Hi"), token("!")]


@pytest.mark.parametrize("last", [chunk(call(0, "x", "f", A)), STOP])
def test_tokens_of_text_that_might_have_been_a_tag_are_kept(last: bytes) -> None:
    told = read(probable({"content": " "}, token(" ")), probable({"content": "<"}, token("<")), last, STOP)
    assert (told.text, told.logprobs) == (" <", [token(" "), token("<")])


@pytest.mark.parametrize(
    ("odd", "known"),
    [
        ({"token": "Hi"}, {"logprob": 0.0, "bytes": [], "top_logprobs": []}),
        (
            {"token": "Hi", "logprob": None, "bytes": None, "top_logprobs": None},
            {"logprob": 0.0, "bytes": [], "top_logprobs": []},
        ),
        (
            {"token": "Hi", "logprob": "low", "bytes": "x", "top_logprobs": 5},
            {"logprob": 0.0, "bytes": [], "top_logprobs": []},
        ),
        (
            {"token": "Hi", "logprob": -9999, "top_logprobs": [7, {"token": None, "logprob": {}}]},
            {
                "logprob": -9999.0,
                "bytes": [],
                "top_logprobs": [{"token": "None", "logprob": 0.0, "bytes": []}],
            },
        ),
    ],
)
def test_tokens_of_an_odd_form(odd: Json, known: Json) -> None:
    told = read(probable({"content": "Hi"}, odd), STOP)
    assert told.logprobs == [{"token": "Hi", **known}]


@pytest.mark.parametrize(
    "odd", [None, {}, {"content": None}, {"content": 5}, {"content": {"a": 1}}, [], "x", 7]
)
def test_probabilities_that_are_none(odd: Any) -> None:
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": odd}
    told = read(json.dumps({"choices": [choice]}).encode(), STOP)
    assert (told.text, told.logprobs) == ("Hi", [])


def test_a_chunk_with_probabilities_may_finish() -> None:
    told = read(probable({"content": "Hi"}, token("Hi"), finish="length"))
    assert (told.text, told.response["incomplete_details"]) == ("Hi", {"reason": "max_output_tokens"})


# -- sources -------------------------------------------------------------------------------------------------------


def cited(name: str, **more: Any) -> Json:
    return {
        "type": "url_citation",
        "url_citation": {"url": f"https://{name}/", "title": name, "start_index": 1, "end_index": 3, **more},
    }


def source(name: str, **more: Any) -> Json:
    return {
        "type": "url_citation",
        "url": f"https://{name}/",
        "title": name,
        "start_index": 1,
        "end_index": 3,
        **more,
    }


def test_sources_reach_the_text_they_belong_to() -> None:
    told = read(
        chunk({"content": "It rains."}),
        chunk({"content": "", "annotations": [cited("a")]}),
        chunk({"content": " A lot.", "annotations": [cited("b"), cited("c")]}),
        STOP,
    )
    assert (told.text, told.annotations) == ("It rains. A lot.", [source("a"), source("b"), source("c")])


@pytest.mark.parametrize("calls", [{}, call(0, "x", "f", A)])
def test_sources_of_an_answer_in_one_piece(calls: Json) -> None:
    told = read(whole({"content": "It rains.", "annotations": [cited("a")], **calls}))
    assert (told.text, told.annotations) == ("It rains.", [source("a")])


def test_a_source_that_comes_after_its_text_is_reported() -> None:
    session = Session()
    told = session.read(
        [
            chunk({"content": "It rains."}),
            chunk(call(0, "x", "f", A)),
            chunk({"annotations": [cited("a")]}),
            STOP,
        ]
    )
    assert (told.annotations, session.failure) == ([], None)
    assert session.reader.lost == ["a source came after its text"]


@pytest.mark.parametrize(
    ("odd", "known"),
    [
        (
            {"title": None, "start_index": None, "end_index": None},
            {"title": "", "start_index": 0, "end_index": 0},
        ),
        ({"start_index": "x", "end_index": [1]}, {"start_index": 0, "end_index": 0}),
        ({"start_index": 1.0, "content": "long"}, {"start_index": 1}),
    ],
)
def test_sources_of_an_odd_form(odd: Json, known: Json) -> None:
    told = read(chunk({"content": "Hi"}), chunk({"annotations": [cited("a", **odd)]}), STOP)
    assert told.annotations == [source("a", **known)]


@pytest.mark.parametrize(
    "odd",
    [7, "x", {"a": 1}, [7], [None], [{"type": "url_citation"}], [{"url_citation": "x"}], [{"type": "file"}]],
)
def test_sources_that_are_none(odd: Any) -> None:
    told = read(chunk({"content": "Hi", "annotations": odd}), STOP)
    assert (told.text, told.annotations) == ("Hi", [])


# -- answers in one piece --------------------------------------------------------------------------------------------


def test_state_of_an_answer_in_one_piece_is_sealed() -> None:
    message = {
        "content": "Hi",
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "sig"}],
        "extra_content": {"x": 1},
        **call(None, "x", "f", A, extra_content={"y": 2}),
    }
    told = read(whole(message, "tool_calls"))
    assert told.items == [("reasoning", "Hm."), ("message", "Hi"), ("function_call", A), ("reasoning", "")]
    assert [unseal(sealed) for sealed in told.sealed] == [
        {
            "calls": {"x": {"y": 2}},
            "message": {"x": 1},
            "details": [{"type": "reasoning.text", "text": "Hm.", "signature": "sig"}],
        }
    ]


@pytest.mark.parametrize("summarise", [True, False])
def test_reasoning_is_sealed_where_that_is_asked(summarise: bool) -> None:
    for asked in (True, False):
        stream = new_stream(summarise=summarise, seal_reasoning=asked)
        told = read(
            chunk({"reasoning_content": "Hm."}),
            chunk({"content": "Hi", "extra_content": {"x": 1}}),
            STOP,
            stream=stream,
        )
        assert [unseal(sealed) for sealed in told.sealed] == (
            [{"text": "Hm."}, {"message": {"x": 1}}] if asked else [{"message": {"x": 1}}]
        )


@pytest.mark.parametrize("codex", [True, False])
@pytest.mark.parametrize("in_one_piece", [True, False])
def test_a_refusal(codex: bool, in_one_piece: bool) -> None:
    payloads = (
        [whole({"content": None, "refusal": "I cannot."})]
        if in_one_piece
        else [
            chunk({"role": "assistant", "content": "", "refusal": None}),
            chunk({"refusal": "I can"}),
            chunk({"refusal": "not."}),
            STOP,
        ]
    )
    told = read(*payloads, codex=codex)
    (item,) = told.response["output"]
    part = item["content"][0]
    assert (part["type"], part.get("text", part.get("refusal"))) == (
        "output_text" if codex else "refusal",
        "I cannot.",
    )
    assert told.response["status"] == "completed"
