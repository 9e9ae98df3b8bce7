"""Items become messages that keep every text, in order, in the form each upstream takes."""

import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wireloom_protocol import responses as m

from tests.support import chat_rules, contract
from tests.support import texts as texts_of
from tests.support.items import (
    GENERIC,
    PICTURE,
    Json,
    answered,
    asked,
    call,
    like,
    output,
    picture,
    said,
    shown,
    thought,
    translated,
    user,
)
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.chat_upstream import items as items_to_messages
from wireloom.translate.chat_upstream.items import ITEMS, messages
from wireloom.translate.conversation.hosted_calls import HOSTED
from wireloom.translate.conversation.notes import CONTINUE, GO_ON, LATER_INSTRUCTIONS, NO_OUTPUT
from wireloom.translate.rules.loss import How, Losses, Severity
from wireloom.translate.tools.base import Target, Tools
from wireloom.translate.tools.free_input import wrap
from wireloom.translate.tools.table import OUTPUTS

OPENAI = load("openai")

# -- the plain forms -----------------------------------------------------------------------------------------------


def test_a_text_is_a_message_of_the_user() -> None:
    losses = Losses()
    assert messages("Be brief.", "hello", Tools(), GENERIC, losses) == [
        {"role": "system", "content": "Be brief."},
        user("hello"),
    ]
    assert messages(None, "hello", Tools(), GENERIC, losses) == [user("hello")]
    assert losses.items == []


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([said("user", "a")], [user("a")]),
        ([{"type": "message", "role": "user", "content": "a"}], [user("a")]),
        ([said("user", "a"), said("user", "b")], [user("a"), user("b")]),
        ([said("assistant", "a", "b")], [{"role": "assistant", "content": "ab"}]),
        ([said("assistant", "a"), said("assistant", "b")], [{"role": "assistant", "content": "ab"}]),
        ([said("assistant", {"type": "refusal", "refusal": "no"})], [{"role": "assistant", "content": "no"}]),
        (
            [said("user", "a"), said("assistant", "b"), said("user", "c")],
            [user("a"), {"role": "assistant", "content": "b"}, user("c")],
        ),
        ([call("1", arguments='{"a":1}'), output("1")], [asked(("1", "add", '{"a":1}')), answered("1")]),
        (
            [said("assistant", "a"), call("1"), output("1")],
            [asked(("1", "add", "{}"), content="a"), answered("1")],
        ),
        (
            [call("1"), said("assistant", "a"), output("1")],
            [asked(("1", "add", "{}"), content="a"), answered("1")],
        ),
        (
            [
                {"type": "custom_tool_call", "call_id": "1", "name": "patch", "input": "***"},
                {"type": "custom_tool_call_output", "call_id": "1", "output": "done"},
            ],
            [asked(("1", "patch", wrap("***"))), answered("1", "done")],
        ),
    ],
)
def test_items(items: list[Json], expected: list[Json]) -> None:
    assert translated(*items) == (expected, [])


# -- system messages -----------------------------------------------------------------------------------------------


def system(content: str, role: str = "system") -> Json:
    return {"role": role, "content": content}


HEADS = [said("developer", "b"), said("system", "c"), said("user", "d"), said("developer", "e")]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (GENERIC, [system("a\n\nb\n\nc"), user("d"), user(f"{LATER_INSTRUCTIONS}e")]),
        (
            like(GENERIC, developer_role=True),
            [system("a"), system("b", "developer"), system("c"), user("d"), user(f"{LATER_INSTRUCTIONS}e")],
        ),
        (
            like(GENERIC, system_anywhere=True),
            [system("a"), system("b"), system("c"), user("d"), system("e")],
        ),
        (OPENAI, [system("a"), system("b", "developer"), system("c"), user("d"), system("e", "developer")]),
    ],
    ids=["plain", "developer", "anywhere", "both"],
)
def test_instructions(profile: Profile, expected: list[Json]) -> None:
    made, losses = translated(*HEADS, profile=profile, instructions="a")
    assert made == expected
    assert {(action, severity) for _, action, severity in losses} <= {("changed", Severity.IMMATERIAL)}


def test_instructions_that_are_empty_are_none() -> None:
    assert translated(said("user", "a"), instructions="") == ([user("a")], [])


# -- calls and their outputs ---------------------------------------------------------------------------------------


def test_calls_made_at_once_are_one_message_and_their_outputs_follow_in_their_order() -> None:
    made, _ = translated(call("1"), call("2"), output("2", "two"), output("1", "one"))
    assert made == [asked(("1", "add", "{}"), ("2", "add", "{}")), answered("1", "one"), answered("2", "two")]


def test_a_call_made_after_an_output_is_another_message() -> None:
    made, _ = translated(call("1"), output("1", "one"), call("2"), output("2", "two"))
    assert made == [
        asked(("1", "add", "{}")),
        answered("1", "one"),
        asked(("2", "add", "{}")),
        answered("2", "two"),
    ]


@pytest.mark.parametrize(
    "items",
    [
        [output("1", "one"), call("1")],
        [call("1"), said("user", "hold on"), output("1", "one")],
    ],
)
def test_an_output_follows_its_call_wherever_it_stood(items: list[Json]) -> None:
    made, _ = translated(*items)
    assert made[:2] == [asked(("1", "add", "{}")), answered("1", "one")]
    assert made[2:] == [user("hold on") for item in items if item["type"] == "message"]


def test_a_call_without_an_output_is_told_to_have_none() -> None:
    made, losses = translated(call("1"), call("2"), output("2", "two"), said("user", "go on"))
    assert made == [
        asked(("1", "add", "{}"), ("2", "add", "{}")),
        answered("1", NO_OUTPUT),
        answered("2", "two"),
        user("go on"),
    ]
    assert losses == [("input[0]", "changed", Severity.IMMATERIAL)]


def test_a_custom_tool_may_say_something_more_than_once() -> None:
    """As a script of the CLI's code mode does; later calls may have the same id."""

    def said_by_tool(text: str) -> Json:
        return {"type": "custom_tool_call_output", "call_id": "1", "output": text}

    made_by = {"type": "custom_tool_call", "call_id": "1", "name": "exec", "input": "x"}
    items = [made_by, said_by_tool("done"), said_by_tool("note"), made_by, said_by_tool("again")]
    made, _ = translated(*items)
    assert [message["content"] for message in made if message["role"] == "tool"] == ["done\nnote", "again"]


def test_an_id_used_again_each_turn_finds_the_output_of_its_turn() -> None:
    items = [call("f:0"), output("f:0", "one"), said("assistant", "a"), call("f:0"), output("f:0", "two")]
    made, _ = translated(*items)
    assert [message["content"] for message in made if message["role"] == "tool"] == ["one", "two"]


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([output("1")], "input[0].call_id"),
        ([said("user", "a"), call("1"), output("1"), output("1")], "input[2]"),
        ([call("1"), {"type": "custom_tool_call_output", "call_id": "2", "output": ""}], "input[1].call_id"),
        ([{"type": "custom_tool_call_output", "call_id": "", "output": ""}], "input[0].call_id"),
    ],
)
def test_an_output_without_a_call_is_refused_under_strict(items: list[Json], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items, strict=True)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_calls_are_told_under_the_names_their_tools_are_offered_by() -> None:
    offered = Tools([], {"maths-add_1234": Target("add", "maths")}, {("add", "maths"): "maths-add_1234"})
    made, _ = translated(
        call("1", "add", namespace="maths"),
        call("2", "gone"),
        call("3", "gone", namespace="old.ns"),
        tools=offered,
    )
    names = [one["function"]["name"] for one in made[0]["tool_calls"]]
    assert names[:2] == ["maths-add_1234", "gone"]
    assert re.fullmatch(r"old_ns-gone_[0-9a-f]{8}", names[2])


def test_ids_of_calls_are_those_the_upstream_takes() -> None:
    mistral = load("mistral")
    made, _ = translated(call("call_1"), call("aB3dE6gH9"), output("call_1"), profile=mistral)
    first, second = (one["id"] for one in made[0]["tool_calls"])
    assert mistral.call_id_pattern is not None
    assert re.fullmatch(mistral.call_id_pattern, first)
    assert second == "aB3dE6gH9"
    assert [message["tool_call_id"] for message in made[1:]] == [first, second]
    again, _ = translated(call("call_1"), profile=mistral)
    assert again[0]["tool_calls"][0]["id"] == first


def test_something_stands_between_a_tool_and_the_user_where_it_must() -> None:
    items = [call("1"), output("1"), said("user", "a"), said("developer", "b")]
    between = {"role": "assistant", "content": CONTINUE}
    calls = [asked(("1", "add", "{}")), answered("1")]
    later = user(f"{LATER_INSTRUCTIONS}b")
    assert translated(*items)[0] == [*calls, user("a"), later]
    assert translated(*items, profile=like(GENERIC, user_after_tool=False))[0] == [
        *calls,
        between,
        user("a"),
        later,
    ]


@pytest.mark.parametrize("profile", [GENERIC, like(GENERIC, user_after_tool=False)], ids=["plain", "between"])
def test_pictures_from_tools_follow_all_outputs_as_one_message_of_the_user(profile: Profile) -> None:
    text = {"type": "input_text", "text": "see"}
    made, losses = translated(
        call("1"), call("2"), output("1", [text, picture(), text]), output("2", [picture()]), profile=profile
    )
    note = "[see the next user message]"
    assert [message for message in made if message.get("content") != CONTINUE] == [
        asked(("1", "add", "{}"), ("2", "add", "{}")),
        answered("1", f"see\nsee\n{note}"),
        answered("2", note),
        shown(PICTURE, PICTURE),
    ]
    assert len(made) == (4 if profile.user_after_tool else 5)
    between = [] if profile.user_after_tool else [("input", "changed", Severity.IMMATERIAL)]
    assert losses == [
        ("input[2].output", "changed", Severity.IMMATERIAL),
        ("input[3].output", "changed", Severity.IMMATERIAL),
        *between,
    ]


def test_a_tool_with_free_form_input_returns_pictures_too() -> None:
    items: list[Json] = [
        {"type": "custom_tool_call", "call_id": "1", "name": "exec", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "1", "output": [picture(detail="high")]},
        said("assistant", "a cat"),
    ]
    made, losses = translated(*items, profile=OPENAI)
    assert made[2:] == [
        user([{"type": "image_url", "image_url": {"url": PICTURE, "detail": "high"}}]),
        {"role": "assistant", "content": "a cat"},
    ]
    assert losses == [("input[1].output", "changed", Severity.IMMATERIAL)]


def test_an_output_of_text_parts_is_their_text() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert translated(call("1"), output("1", parts))[0][1] == answered("1", "a\nb")
    assert translated(call("1"), output("1", []))[0][1] == answered("1", "")


def test_a_script_that_says_something_more_than_once_is_heard_out() -> None:
    def scripted(value: Any, kind: str = "custom_tool_call_output") -> Json:
        return {"type": kind, "call_id": "1", "output": value}

    script = {"type": "custom_tool_call", "call_id": "1", "name": "exec", "input": "x"}
    made, _ = translated(
        script, scripted("one"), scripted([picture()]), scripted("three"), script, scripted("b")
    )
    exec_call = asked(("1", "exec", wrap("x")))
    assert made == [
        exec_call,
        answered("1", "one\n[see the next user message]\nthree"),
        shown(),
        exec_call,
        answered("1", "b"),
    ]


# -- items that are not translated ---------------------------------------------------------------------------------

REFUSED: dict[str, Json] = {
    "mcp_approval_response": {"approval_request_id": "x", "approve": True},
    "computer_call": {"id": "x", "call_id": "1", "status": "completed", "pending_safety_checks": []},
    "computer_call_output": {"call_id": "1", "output": {"type": "computer_screenshot"}},
    "program": {"id": "x", "call_id": "1", "code": "1", "fingerprint": "f"},
    "program_output": {"id": "x", "call_id": "1", "result": "1", "status": "completed"},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_items_whose_loss_would_change_the_conversation_are_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=kind) as caught:
        translated(said("user", "a"), {"type": kind, **REFUSED[kind]})
    assert (caught.value.code, caught.value.param) == ("unsupported_item", "input[1].type")


def test_a_reference_to_an_item_that_is_not_stored_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="item_7") as caught:
        translated({"type": "item_reference", "id": "item_7"})
    assert (caught.value.code, caught.value.param) == ("item_not_found", "input[0].id")


@pytest.mark.parametrize(
    "items",
    [
        [],
        [thought(["a"])],
        [{"type": "additional_tools", "role": "developer", "tools": []}],
        [{"type": "mcp_list_tools", "id": "x", "server_label": "s", "tools": []}],
        [{"type": "compaction_trigger"}],
    ],
)
def test_an_input_with_nothing_to_say_is_refused(items: list[Json]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items)
    assert (caught.value.code, caught.value.param) == ("unsupported_item", "input")
    assert translated(*items, instructions="Be brief.")[0] == [system("Be brief.")]


# -- items that come from history ----------------------------------------------------------------------------------


def test_losses_name_the_place_in_the_request_or_the_history() -> None:
    high = said("user", picture(detail="high"))
    _, losses = translated(high, high, said("user", "a"), high, recalled=2)
    assert [path for path, _, _ in losses] == [
        "history.content[0].detail",
        "history.content[0].detail",
        "input[1].content[0].detail",
    ]


@pytest.mark.parametrize(
    ("items", "recalled", "param"),
    [
        ([said("user", "a"), output("1")], 1, "input[0].call_id"),
        ([output("1"), said("user", "a")], 1, "history.call_id"),
        ([said("user", {"type": "input_image", "file_id": "f"})], 1, "history.content[0].file_id"),
        (
            [said("user", "a"), {"type": "compaction", "encrypted_content": "x"}],
            1,
            "input[0].encrypted_content",
        ),
        (
            [{"type": "compaction", "encrypted_content": "x"}, said("user", "a")],
            1,
            "history.encrypted_content",
        ),
        ([{"type": "program", **REFUSED["program"]}], 1, "history.type"),
    ],
)
def test_errors_name_the_place_in_the_request_or_the_history(
    items: list[Json], recalled: int, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items, recalled=recalled, strict=True)
    assert caught.value.param == param


def test_an_output_finds_its_call_in_the_history() -> None:
    made, losses = translated(said("user", "go"), call("1"), output("1"), recalled=2)
    assert (made, losses) == ([user("go"), asked(("1", "add", "{}")), answered("1")], [])


# -- any conversation ----------------------------------------------------------------------------------------------

NOTES = (LATER_INSTRUCTIONS, CONTINUE, NO_OUTPUT, GO_ON, "\n\n")


def has_output(round_of_calls: Any) -> bool:
    """Whether a call of a round has an output."""
    return any(returned is not None for _, _, returned in round_of_calls)


texts = st.text("abc \n", min_size=1, max_size=6).map(lambda text: f"<{text}>")
talk = st.builds(said, st.sampled_from(["user", "assistant", "system", "developer"]), texts)
thoughts = st.builds(thought, st.lists(texts, max_size=2))
rounds = st.lists(st.tuples(st.booleans(), texts, texts | st.none()), min_size=1, max_size=3)
conversations = st.lists(
    talk.map(lambda item: [item]) | thoughts.map(lambda item: [item]) | rounds, max_size=8
)
# A sentence after a call that has no output belongs to the message with the call, where it stands before the call.
in_order = conversations.filter(
    lambda parts: all(isinstance(part[0], dict) or has_output(part) for part in parts)
)
profiles = st.sampled_from([*map(load, names()), like(GENERIC, user_after_tool=False, developer_role=True)])


def spoken(conversation: list[Any]) -> list[Json]:
    """The items of a conversation: of a round of calls, first the calls and then the outputs there are."""
    items: list[Json] = []
    numbers = itertools.count()
    for part in conversation:
        if isinstance(part[0], dict):
            items += part
            continue
        outputs = []
        for custom, given_input, returned in part:
            call_id = f"call_{next(numbers)}"
            kind, name = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
            given = given_input if custom else json.dumps({"a": given_input})
            items.append({"type": kind, "call_id": call_id, "name": "tool", name: given})
            if returned is not None:
                outputs.append({"type": f"{kind}_output", "call_id": call_id, "output": returned})
        items += outputs
    return items


@settings(max_examples=150, deadline=None)
@given(in_order, profiles)
def test_every_text_of_any_conversation_is_told_in_its_order(
    conversation: list[Any], profile: Profile
) -> None:
    items = [said("user", "<first>"), *spoken(conversation)]
    made, losses = translated(*items, profile=profile)
    assert texts_of.added(items, made, NOTES) == ""
    assert {severity for _, _, severity in losses} <= {Severity.IMMATERIAL}
    rules = chat_rules.Rules(developer=profile.developer_role)
    assert list(chat_rules.problems({"model": "m", "messages": made}, rules)) == []


@settings(max_examples=100, deadline=None)
@given(conversations, st.randoms(use_true_random=False))
def test_outputs_find_their_calls_from_anywhere(conversation: list[Any], chance: Any) -> None:
    items = [said("user", "<first>"), *spoken(conversation)]
    chance.shuffle(items)
    made, _ = translated(*items)
    assert list(chat_rules.problems({"model": "m", "messages": made}, chat_rules.Rules())) == []
    whole = "".join(texts_of.of_messages(made))
    for text in texts_of.of_items(items):
        assert text in whole


# -- the contract --------------------------------------------------------------------------------------------------


# Types that tests above, and those named after the kind of item, are about.
TESTED = {
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "item_reference",
    # test_reasoning_items
    "reasoning",
    # test_client_items
    "agent_message",
    "additional_tools",
    "tool_search_call",
    "tool_search_output",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "compaction",
    "compaction_trigger",
    # test_responses_to_chat
    "configuration_update",
    # test_hosted_items, with the keys of HOSTED
    "mcp_list_tools",
}


def test_every_type_of_item_has_a_rule_and_a_test() -> None:
    known = contract.tags(m.InputItem)
    assert sorted(known - ITEMS.keys()) == []
    assert sorted(ITEMS.keys() - known) == []
    assert sorted(known ^ (TESTED | HOSTED.keys() | REFUSED.keys())) == []
    assert sorted(items_to_messages.REFUSED) == sorted(REFUSED)


def test_every_output_that_is_translated_is_placed_behind_its_call() -> None:
    answers = {kind for kind in ITEMS if kind.endswith("_output")}
    assert sorted(OUTPUTS) == sorted(answers - REFUSED.keys())


def test_every_call_of_a_provider_is_told_with_its_output() -> None:
    assert sorted(HOSTED) == sorted(kind for kind, rule in ITEMS.items() if rule is ITEMS["web_search_call"])


@pytest.mark.parametrize("kind", sorted(ITEMS))
def test_a_rule_that_is_not_the_same_over_there_says_what_it_is(kind: str) -> None:
    rule = ITEMS[kind]
    assert rule.note or rule.how is How.NATIVE
    assert (rule.how is How.REFUSED) == (kind in REFUSED)
