"""A whole response as a chat completion: every member of it."""

from typing import Any, cast

import pytest
from wireloom_protocol import replies

from tests.support.responses_turns import call, custom_call, message, reasoning, refusal, response, search
from wireloom.errors import GatewayError
from wireloom.translate.chat_face.completion import completion, known, opened, usage

Json = dict[str, Any]
TOKEN: Json = {"token": "hé", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -1.0}]}
KNOWN: Json = {
    "token": "hé",
    "logprob": -0.5,
    "bytes": [104, 195, 169],
    "top_logprobs": [{"token": "a", "logprob": -1.0, "bytes": [97]}],
}
SOURCE: Json = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}
CITED: Json = {
    "type": "url_citation",
    "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 2},
}
FILE: Json = {"type": "file_citation", "file_id": "f", "index": 0, "filename": "f"}


def made(*output: Json, legacy: bool = False, **members: Any) -> Json:
    """The completion of a response."""
    whole = cast(replies.Response, response(output, **members))
    return dict(completion(whole, "chatcmpl-1", "mine", legacy=legacy))


def choice(*output: Json, legacy: bool = False, **members: Any) -> Json:
    """Its one choice."""
    choices: list[Json] = made(*output, legacy=legacy, **members)["choices"]
    (one,) = choices
    return one


def test_a_response_is_a_completion_with_every_member() -> None:
    text = message("hé", annotations=[SOURCE, FILE])
    text["content"][0]["logprobs"] = [TOKEN]
    output = [
        reasoning("so", summary=["hm"]),
        text,
        search("q"),
        call("add", '{"a":1}'),
        custom_call("free", "x"),
    ]
    assert made(*output) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_001,
        "model": "mine",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "hé",
                    "refusal": None,
                    "reasoning_content": "hm\n\nso",
                    "annotations": [CITED],
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "add", "arguments": '{"a":1}'},
                        },
                        {"id": "call_1", "type": "custom", "custom": {"name": "free", "input": "x"}},
                    ],
                },
                "logprobs": {"content": [KNOWN], "refusal": None},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }  # fmt: skip


def test_a_response_without_usage_has_none() -> None:
    assert "usage" not in made(message("a"), usage=None)


def test_usage_may_lack_its_details() -> None:
    counted = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "output_tokens_details": None}
    assert usage(counted) == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def two_parts(first: str, second: str, kind: str, member: str) -> Json:
    """A message of two parts."""
    part: Json = {"type": kind, "annotations": [], "logprobs": []}
    return message("") | {"content": [{**part, member: first}, {**part, member: second}]}


def assistant(content: str | None, refusal: str | None = None, **more: Any) -> Json:
    """A message of the assistant."""
    return {"role": "assistant", "content": content, "refusal": refusal, **more}


FUNCTION: Json = {"name": "add", "arguments": "{}"}
CALLED: Json = {"id": "call_1", "type": "function", "function": FUNCTION}
FREE: Json = {"id": "call_1", "type": "custom", "custom": {"name": "free", "input": "x"}}


@pytest.mark.parametrize(
    ("output", "legacy", "result", "finish"),
    [
        ([], False, assistant(""), "stop"),
        ([message("")], False, assistant(""), "stop"),
        ([message("a"), search("q"), message("b")], False, assistant("a\n\nb"), "stop"),
        ([two_parts("a", "b", "output_text", "text")], False, assistant("ab"), "stop"),
        ([two_parts("a", "b", "refusal", "refusal")], False, assistant(None, "ab"), "stop"),
        ([refusal("no"), refusal("never")], False, assistant(None, "no\n\nnever"), "stop"),
        ([message("a"), refusal("no")], False, assistant("a", "no"), "stop"),
        ([reasoning("hm")], False, assistant("", reasoning_content="hm"), "stop"),
        ([call("add", "{}")], False, assistant(None, tool_calls=[CALLED]), "tool_calls"),
        ([call("add", "{}")], True, assistant(None, function_call=FUNCTION), "function_call"),
        ([custom_call("free", "x")], True, assistant(None, tool_calls=[FREE]), "function_call"),
        ([message("a", annotations=[FILE])], False, assistant("a"), "stop"),
    ],
)
def test_the_message_holds_the_content_of_all_items(
    output: list[Json], legacy: bool, result: Json, finish: str
) -> None:
    assert choice(*output, legacy=legacy) == {
        "index": 0,
        "message": result,
        "logprobs": None,
        "finish_reason": finish,
    }


@pytest.mark.parametrize(
    ("details", "finish"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "max_messages"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "steered"}, "stop"),
        ({"reason": "a_new_one"}, "length"),
        ({}, "length"),
        (None, "length"),
    ],
)
def test_an_incomplete_response_has_a_finish_reason(details: Json | None, finish: str) -> None:
    result = choice(call("add", "{}"), status="incomplete", incomplete_details=details)
    assert result["finish_reason"] == finish


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failed_response_is_an_error(status: str) -> None:
    with pytest.raises(GatewayError) as caught:
        made(status=status, error={"code": "server_error", "message": "no"})
    assert (caught.value.code, caught.value.message) == ("server_error", "no")


def test_an_open_call_has_its_arguments_so_far() -> None:
    assert opened(call("add", ""), '{"a') == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a'},
    }
    assert opened(custom_call("free", ""), "x") == FREE


def test_a_token_has_its_own_bytes_where_none_are_given() -> None:
    assert known([TOKEN]) == [KNOWN]
    given = {"token": "\ud83d", "logprob": -1.0, "bytes": [240, 159], "top_logprobs": []}
    assert known([given, {**given, "bytes": []}]) == [given, {**given, "bytes": [237, 160, 189]}]
