"""What servers answer in the field, played through the gateway: nothing is lost, nothing is said twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import field
from tests.support.field import Json, Outcome
from tests.support.grammar import check

BOTH = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def cases(*names: str) -> pytest.MarkDecorator:
    found = [pytest.param(case, id=name) for each in names for name, case in field.load(each)]
    return pytest.mark.parametrize("case", found)


def play(case: Json, **options: Any) -> Outcome:
    """The outcome of the only turn of a case."""
    (outcome,) = field.run(case, **options)
    if outcome.events and case["face"] == "responses":
        check(outcome.events)
    return outcome


@BOTH
@cases("stream-call-in-second-choice")
def test_a_call_in_a_second_choice_is_part_of_the_answer(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert outcome.answer["status"] == "completed"
    assert [item["type"] for item in outcome.items] == ["message", "function_call"]
    assert (outcome.text, outcome.calls) == ("Let me look. ", [("exec_command", {"cmd": "ls"})])
    assert outcome.items[1]["call_id"] == "call_x"


@BOTH
@cases("stream-citations-beside-choices")
def test_sources_beside_the_choices_are_annotations(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    (annotation,) = outcome.items[0]["content"][0]["annotations"]
    assert (annotation["type"], annotation["url"]) == ("url_citation", "https://a.example/")
    assert outcome.text[annotation["start_index"] : annotation["end_index"]] == "[1]"


@BOTH
@cases("stream-dsml-call-as-text", "stream-more-call-markup-as-text", "stream-tool-call-tag-as-text")
def test_a_call_in_the_text_is_a_call(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    ((name, arguments),) = outcome.calls
    assert name == "exec_command"
    assert arguments in ({"cmd": "ls"}, {"cmd": "ls -l"})
    assert (outcome.text, outcome.answer["status"]) == ("", "completed")
    assert stream or "stood in the text as markup" in outcome.headers["x-wireloom-loss"]


@BOTH
@cases("stream-finish-tool-calls-without-call")
def test_an_end_that_names_a_call_without_one_fails(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert "named a call" in outcome.error["message"]
    if outcome.events:
        assert (outcome.answer["status"], outcome.error["code"]) == ("failed", "server_error")
    else:
        assert (outcome.status, outcome.error["code"]) == (502, "upstream_empty")


@BOTH
@cases("stream-message-or-text-for-delta")
def test_an_answer_in_another_member_is_read(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert (outcome.text, outcome.answer["status"]) == ("Hello", "completed")
    assert outcome.answer["usage"]["total_tokens"] == 15


@BOTH
@cases("stream-picture-in-delta")
def test_a_picture_is_an_item(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert outcome.text == "Here."
    (picture,) = [item for item in outcome.items if item["type"] == "image_generation_call"]
    assert (picture["result"], picture["status"]) == ("iVBORw0KGgo=", "completed")


@cases("stream-thought-without-opening-tag")
def test_an_answer_inside_a_thought_is_learnt(case: Json) -> None:
    turns = {**case, "more_turns": [{"request": case["request"], "upstream": case["upstream"]}]}
    first, second = field.run(turns)
    assert (first.text, first.thoughts) == ("The user greets. I answer.\nHi there", "")
    assert (second.text, second.thoughts.strip()) == ("Hi there", "The user greets. I answer.")


@cases("stream-thought-without-opening-tag")
def test_an_answer_inside_a_thought_is_read_by_a_profile(case: Json, tmp_path: Any) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'name = "mine"\ntitle = "Mine"\ndocs = "https://a.example/"\nanswers_in_thought = true\n'
    )
    outcome = play({**case, "profile": None}, profile=profile)
    assert (outcome.text, outcome.thoughts.strip()) == ("Hi there", "The user greets. I answer.")


# -- other members of the same kinds -------------------------------------------------------------------------------

LS = {
    "type": "function",
    "name": "exec_command",
    "parameters": {
        "type": "object",
        "properties": {"cmd": {"type": "string"}, "wait": {"type": "integer"}},
        "required": ["cmd"],
        "additionalProperties": False,
    },
}
RESPONSES: Json = {
    "face": "responses",
    "profile": "generic",
    "request": {"model": "m1", "input": "x", "tools": [LS]},
}
CHAT: Json = {
    "face": "chat",
    "profile": "generic",
    "request": {"model": "m1", "messages": [{"role": "user", "content": "x"}]},
}


def chunks(*deltas: Json, finish: str | None = "stop", **more: Any) -> Json:
    """An upstream that streams deltas and an end."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m1"}
    parts = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **more}
    return {"status": 200, "chunks": [*parts, end, "[DONE]"]}


def events(*items: Json, status: str = "completed", **more: Any) -> Json:
    """A Responses upstream that streams whole items."""
    done = [
        {"type": "response.output_item.done", "output_index": at, "item": item}
        for at, item in enumerate(items)
    ]
    response = {"id": "r", "object": "response", "status": status, "output": [*items], **more}
    return {"status": 200, "events": [*done, {"type": f"response.{status}", "response": response}]}


def message(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def answered(upstream: Json, base: Json = RESPONSES, **options: Any) -> Outcome:
    """The outcome of a request; what differs from `base` stands in `options`."""
    request = {**base["request"], **options.pop("request", {})}
    return play({**base, "request": request, "upstream": upstream}, **options)


MARKUP = {
    "hermes": '<tool_call>\n{"name": "exec_command", "arguments": {"cmd": "ls"}}\n</tool_call>',
    "glm": "<tool_call>exec_command\n<arg_key>cmd</arg_key>\n<arg_value>ls</arg_value>\n</tool_call>",
    "kimi k2": "<|tool_calls_section_begin|><|tool_call_begin|>functions.exec_command:0"
    '<|tool_call_argument_begin|>{"cmd": "ls"}<|tool_call_end|><|tool_calls_section_end|>',
    "mistral": '[TOOL_CALLS]exec_command{"cmd": "ls"}',
    "llama": '<|python_tag|>{"name": "exec_command", "parameters": {"cmd": "ls"}}',
    "harmony": '<|channel|>commentary to=functions.exec_command <|constrain|>json<|message|>{"cmd":"ls"}<|call|>',
}


@BOTH
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("name", MARKUP)
def test_markup_of_other_families_is_a_call(name: str, wire: str, stream: bool) -> None:
    upstream = {
        **chunks({"content": "Let me see.\n" + MARKUP[name]}),
        **events(message("Let me see.\n" + MARKUP[name])),
    }
    outcome = answered(upstream, stream=stream, wire=wire)
    assert outcome.calls == [("exec_command", {"cmd": "ls"})]
    assert outcome.text == "Let me see.\n"
    if not stream:
        assert "stood in the text as markup" in outcome.headers["x-wireloom-loss"]


def test_the_types_of_values_are_those_of_the_tool() -> None:
    text = "<tool_call>\n<function=exec_command>\n<parameter=cmd>\n123\n</parameter>\n<parameter=wait>\n5\n</parameter>\n"
    outcome = answered(chunks({"content": f"{text}</function>\n</tool_call>"}))
    assert outcome.calls == [("exec_command", {"cmd": "123", "wait": 5})]


NO_CALLS = {
    "a tool that is not offered": '<tool_call>{"name": "rm", "arguments": {"path": "/"}}</tool_call>',
    "arguments that do not fit": '<tool_call>{"name": "exec_command", "arguments": {"cmd": 5}}</tool_call>',
    "arguments that are missing": '<tool_call>{"name": "exec_command", "arguments": {}}</tool_call>',
    "a web page in a fence": f"```\n{MARKUP['hermes']}\n```",
    "a web page in a sentence": f"The page says: {MARKUP['hermes']}",
    "text behind it": f"{MARKUP['hermes']}\nThat is what the page says.",
    "a quotation": f"> {MARKUP['hermes']}",
}


@BOTH
@pytest.mark.parametrize("name", NO_CALLS)
def test_text_about_calls_is_never_one(name: str, stream: bool) -> None:
    outcome = answered(chunks({"content": NO_CALLS[name]}), stream=stream)
    assert (outcome.calls, outcome.text) == ([], NO_CALLS[name])


def test_markup_beside_a_native_call_is_no_call() -> None:
    native = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "exec_command", "arguments": '{"cmd":"pwd"}'},
    }
    same = answered(chunks({"content": MARKUP["hermes"]}, {"tool_calls": [native]}, finish="tool_calls"))
    assert (same.calls, same.text) == ([("exec_command", {"cmd": "pwd"})], "")
    other = {**native, "function": {"name": "other", "arguments": "{}"}}
    told = answered(chunks({"content": MARKUP["hermes"]}, {"tool_calls": [other]}, finish="tool_calls"))
    assert (told.calls, told.text) == ([("other", {})], MARKUP["hermes"])


def test_a_profile_turns_recovery_off(tmp_path: Any) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "mine"\ntitle = "Mine"\ndocs = "https://a.example/"\nrecover_calls = false\n')
    outcome = answered(chunks({"content": MARKUP["hermes"]}), {**RESPONSES, "profile": None}, profile=profile)
    assert (outcome.calls, outcome.text) == ([], MARKUP["hermes"])


LONG = "The answer is long enough."


@pytest.mark.parametrize(
    ("deltas", "text", "thought"),
    [
        ([{"content": "The answer is "}, {"content": "long enough."}, {"content": LONG}], LONG, ""),
        ([{"content": "The answer"}, {"content": "The answer is"}, {"content": LONG}], LONG, ""),
        ([{"reasoning_content": LONG}, {"reasoning": LONG}, {"content": "Hi"}], "Hi", LONG),
        ([{"reasoning_content": LONG}, {"content": f"<think>{LONG}</think>Hi"}], "Hi", LONG),
        ([{"reasoning_content": "Hm."}, {"reasoning": "Ho."}, {"content": "Hi"}], "Hi", "Hm.Ho."),
        ([{"content": "na "}, {"content": "na "}, {"content": "na "}], "na na na ", ""),
    ],
)
def test_what_comes_twice_is_said_once(deltas: list[Json], text: str, thought: str) -> None:
    outcome = answered(chunks(*deltas), stream=True)
    assert (outcome.text, outcome.thoughts) == (text, thought)


@BOTH
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("text", ["", " \n", "<|im_end|>", "<|eot_id|><|eot_id|>"])
def test_nothing_said_is_no_success(text: str, wire: str, stream: bool) -> None:
    upstream = {**chunks({"content": text}), **events(message(text))}
    outcome = answered(upstream, stream=stream, wire=wire)
    assert (outcome.status, outcome.error["code"]) == (502, "upstream_empty")


def test_an_empty_answer_is_asked_for_again_where_the_profile_says_so(tmp_path: Any) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "mine"\ntitle = "Mine"\ndocs = "https://a.example/"\nretry_empty = true\n')
    outcome = answered(chunks({"content": ""}), {**RESPONSES, "profile": None}, profile=profile, stream=False)
    assert (outcome.status, outcome.error["code"], len(outcome.sent)) == (502, "upstream_empty", 2)


def test_a_picture_alone_says_something() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    outcome = answered(chunks({"images": [picture]}), stream=False)
    assert [item["type"] for item in outcome.items] == ["image_generation_call"]


@pytest.mark.parametrize(
    ("member", "value", "urls"),
    [
        (
            "citations",
            ["https://a.example/", "https://b.example/"],
            ["https://a.example/", "https://b.example/"],
        ),
        ("search_results", [{"title": "A", "url": "https://a.example/"}], ["https://a.example/"]),
        ("web_search", [{"link": "https://a.example/", "title": "A"}], ["https://a.example/"]),
        ("search_info", {"search_results": [{"url": "https://a.example/"}]}, ["https://a.example/"]),
        ("references", [{"url": "https://a.example/", "title": "A"}], ["https://a.example/"]),
    ],
)
def test_sources_in_every_member_are_annotations(member: str, value: Any, urls: list[str]) -> None:
    outcome = answered(chunks({"content": "See [1]."}, **{member: value}), stream=False)
    assert [each["url"] for each in outcome.items[0]["content"][0]["annotations"]] == urls


def test_an_unknown_member_is_a_loss() -> None:
    outcome = answered(chunks({"content": "Hi", "hologram": {"data": "x"}}), stream=False)
    assert outcome.text == "Hi"
    assert "the member 'hologram' of a delta" in outcome.headers["x-wireloom-loss"]
    quiet = answered(chunks({"content": "Hi", "hologram": None}, provider="P"), stream=False)
    assert "x-wireloom-loss" not in quiet.headers


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, 7),
        ({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}}, 7),
        ({"timings": {"prompt_n": 3, "predicted_n": 4}}, 7),
        ({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}}, 7),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5}}, 7),
    ],
)
def test_usage_is_read_in_every_form(given: Json, tokens: int) -> None:
    outcome = answered(chunks({"content": "Hi"}, **given), stream=True)
    assert outcome.answer["usage"]["total_tokens"] == tokens


@BOTH
@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_an_answer_as_long_as_was_allowed_is_cut(wire: str, stream: bool) -> None:
    counted = {"prompt_tokens": 1, "completion_tokens": 16, "total_tokens": 17}
    same = {"input_tokens": 1, "output_tokens": 16, "total_tokens": 17}
    upstream = {**chunks({"content": "Hi"}, usage=counted), **events(message("Hi"), usage=same)}
    outcome = answered(upstream, request={"max_output_tokens": 16}, stream=stream, wire=wire)
    assert (outcome.answer["status"], outcome.answer["incomplete_details"]["reason"]) == (
        "incomplete",
        "max_output_tokens",
    )
    longer = answered(upstream, request={"max_output_tokens": 17}, stream=stream, wire=wire)
    assert longer.answer["status"] == "completed"


@BOTH
@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_a_fence_around_json_comes_off(wire: str, stream: bool) -> None:
    asked = {"text": {"format": {"type": "json_object"}}}
    fenced = '```json\n{"a": 1}\n```'
    upstream = {**chunks({"content": fenced}), **events(message(fenced))}
    assert answered(upstream, request=asked, stream=stream, wire=wire).text == '{"a": 1}'
    assert answered(upstream, stream=stream, wire=wire).text == fenced


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"tool_choice": "required"}, "ignored tool_choice"),
        ({"tool_choice": {"type": "function", "name": "exec_command"}}, "exec_command was not called"),
        ({"text": {"format": {"type": "json_object"}}}, "it is no JSON"),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, "ignored logprobs"),
    ],
)
def test_what_a_server_ignores_is_reported(asked: Json, words: str) -> None:
    outcome = answered(chunks({"content": "Hi"}), request=asked, stream=False)
    assert words in outcome.headers["x-wireloom-loss"]


def test_a_schema_that_is_not_kept_is_reported() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    asked = {"text": {"format": form}}
    kept = answered(chunks({"content": '{"a": 1}'}), request=asked, stream=False)
    assert "x-wireloom-loss" not in kept.headers
    broken = answered(chunks({"content": '{"a": "x"}'}), request=asked, stream=False)
    assert "it does not fit" in broken.headers["x-wireloom-loss"]


# -- the Chat relay ------------------------------------------------------------------------------------------------


@BOTH
@cases("stream-message-or-text-for-delta", "stream-call-in-second-choice")
def test_a_chat_client_reads_the_same(case: Json, stream: bool) -> None:
    tools = [{"type": "function", "function": {key: LS[key] for key in ("name", "parameters")}}]
    request = {**CHAT["request"], **({"tools": tools} if case["request"].get("tools") else {})}
    outcome = play({**case, **CHAT, "request": request, "caller": None}, stream=stream)
    if case["request"].get("tools"):
        assert (outcome.text, outcome.calls) == ("Let me look. ", [("exec_command", {"cmd": "ls"})])
        assert outcome.answer["choices"][0]["finish_reason"] == "tool_calls"
    else:
        assert outcome.text == "Hello"


@BOTH
def test_a_chat_client_gets_no_empty_success(stream: bool) -> None:
    outcome = answered(chunks({"content": ""}), CHAT, stream=stream)
    assert outcome.error["code"] == "upstream_empty"


def test_usage_goes_to_the_chat_client_that_asked_for_it_alone() -> None:
    counted = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    upstream = chunks({"content": "Hi"})
    last = {**upstream["chunks"][0], "choices": [], "usage": counted}
    upstream["chunks"].insert(-1, last)
    silent = answered(upstream, CHAT, stream=True)
    assert silent.sent[0]["stream_options"] == {"include_usage": True}
    assert not [event for event in silent.events if event.get("usage")]
    told = answered(upstream, CHAT, stream=True, request={"stream_options": {"include_usage": True}})
    assert told.events[-1]["usage"] == counted


def test_a_raw_relay_changes_nothing() -> None:
    upstream = chunks({"role": "assistant", "content": ""}, finish="eos")
    outcome = answered(upstream, CHAT, stream=True, relay="raw")
    assert outcome.events == upstream["chunks"][:-1]
    assert outcome.sent == [{**CHAT["request"], "stream": True}]


# -- JSON that is asked for once more ------------------------------------------------------------------------------


@BOTH
def test_an_answer_that_is_no_json_is_asked_for_once_more(stream: bool) -> None:
    asked: Json = {"text": {"format": {"type": "json_object"}}}
    right = {"request": {"model": "m1", "input": "x", **asked}, "upstream": chunks({"content": '{"a": 1}'})}
    case: Json = {
        **RESPONSES,
        "request": {**RESPONSES["request"], **asked},
        "upstream": chunks({"content": "Sure: a"}),
    }

    def wrong_then_right(sent: list[Json]) -> Json:
        return right["upstream"] if len(sent) > 1 else case["upstream"]

    (outcome,) = field.run({**case, "upstream": {"by": wrong_then_right}}, stream=stream, repair_json=True)
    assert outcome.text == '{"a": 1}'
    assert [message["role"] for message in outcome.sent[1]["messages"][-2:]] == ["assistant", "user"]
    assert "not valid JSON" in outcome.sent[1]["messages"][-1]["content"]
    (same,) = field.run({**case, "upstream": {"by": wrong_then_right}}, stream=stream)
    assert (same.text, len(same.sent)) == ("Sure: a", 1)
    (twice,) = field.run(case, stream=stream, repair_json=True)
    assert (twice.text, len(twice.sent)) == ("Sure: a", 2)


def test_json_that_is_right_is_asked_for_once() -> None:
    asked: Json = {"text": {"format": {"type": "json_object"}}}
    outcome = answered(chunks({"content": '{"a"'}, {"content": ": 1}"}), request=asked, repair_json=True)
    assert (outcome.text, len(outcome.sent)) == ('{"a": 1}', 1)
