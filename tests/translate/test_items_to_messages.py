"""Items become messages that keep every text, in order, in the form each upstream takes."""

import itertools
import re
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from tests.support import chat_rules, contract
from tests.support import texts as texts_of
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.items_to_messages import (
    CONTINUE,
    ITEMS,
    LATER_INSTRUCTIONS,
    NO_OUTPUT,
    OUTPUTS,
    PARTS,
    messages,
)
from wireloom.translate.loss import Losses, Severity
from wireloom.translate.tools import Target, Tools, wrap

Json: TypeAlias = dict[str, Any]
GENERIC, OPENAI = load("generic"), load("openai")
_ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[m.InputItem])
PICTURE = "data:image/png;base64,AA"


def said(role: str, *content: Any) -> Json:
    """A message item; texts stand for parts that are text."""
    kind = "output_text" if role == "assistant" else "input_text"
    parts = [{"type": kind, "text": part} if isinstance(part, str) else part for part in content]
    return {"type": "message", "role": role, "content": parts}


def call(call_id: str, name: str = "add", arguments: str = "{}", **more: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **more}


def output(call_id: str, value: Any = "ok") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def thought(content: list[str] | None = None, *, summary: tuple[str, ...] = (), **more: Any) -> Json:
    item: Json = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in summary],
        **more,
    }
    if content is not None:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in content]
    return item


def picture(**more: Any) -> Json:
    return {"type": "input_image", "image_url": PICTURE, **more}


def asked(*calls: tuple[str, str, str], content: str | None = None, **more: Any) -> Json:
    """An assistant message with calls, each an id, a name and arguments."""
    made = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": made, **more}


def answered(call_id: str, content: str = "ok") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def translated(
    *items: Json, profile: Profile = GENERIC, instructions: str | None = None, tools: Tools | None = None
) -> tuple[list[Json], list[tuple[str, str, Severity]]]:
    """The messages and what was lost."""
    losses = Losses()
    made = messages(instructions, _ITEMS.validate_python(items), tools or Tools(), profile, losses)
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def like(profile: Profile, **differences: Any) -> Profile:
    return profile.model_copy(update=differences)


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
        ([said("user", "a", "b")], [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])]),
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
            [asked(("1", "add", "{}")), answered("1"), {"role": "assistant", "content": "a"}],
        ),
        ([call("1", arguments="{oops"), output("1")], [asked(("1", "add", "{oops")), answered("1")]),
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
    assert translated(*HEADS, profile=profile, instructions="a") == (expected, [])


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
    assert losses == []


def test_an_id_used_again_each_turn_finds_the_output_of_its_turn() -> None:
    items = [call("f:0"), output("f:0", "one"), said("assistant", "a"), call("f:0"), output("f:0", "two")]
    made, _ = translated(*items)
    assert [message["content"] for message in made if message["role"] == "tool"] == ["one", "two"]


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([output("1")], "input[0].call_id"),
        ([said("user", "a"), call("1"), output("1"), output("1")], "input[3].call_id"),
        ([call("1"), {"type": "custom_tool_call_output", "call_id": "2", "output": ""}], "input[1].call_id"),
        ([{"type": "custom_tool_call_output", "call_id": "", "output": ""}], "input[0].call_id"),
    ],
)
def test_an_output_without_a_call_is_refused(items: list[Json], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items)
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
    image = {"type": "image_url", "image_url": {"url": PICTURE}}
    note = "[see the next user message]"
    assert [message for message in made if message.get("content") != CONTINUE] == [
        asked(("1", "add", "{}"), ("2", "add", "{}")),
        answered("1", f"see\nsee\n{note}"),
        answered("2", note),
        user([image, image]),
    ]
    assert len(made) == (4 if profile.user_after_tool else 5)
    assert losses == [
        ("input[2].output", "changed", Severity.IMMATERIAL),
        ("input[3].output", "changed", Severity.IMMATERIAL),
    ]


def test_an_output_of_text_parts_is_their_text() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert translated(call("1"), output("1", parts))[0][1] == answered("1", "a\nb")
    assert translated(call("1"), output("1", []))[0][1] == answered("1", "")


# -- parts ---------------------------------------------------------------------------------------------------------

URL = "https://example.com/a.png"
SOUND = {"data": "AA", "format": "wav"}
LOST = [("input[0].content[0].detail", "dropped", Severity.DEGRADING)]


@pytest.mark.parametrize(
    ("part", "profile", "expected", "lost"),
    [
        (picture(), GENERIC, {"type": "image_url", "image_url": {"url": PICTURE}}, []),
        (picture(detail="auto"), GENERIC, {"type": "image_url", "image_url": {"url": PICTURE}}, []),
        (picture(detail="high"), GENERIC, {"type": "image_url", "image_url": {"url": PICTURE}}, LOST),
        (
            picture(detail="high"),
            OPENAI,
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "high"}},
            [],
        ),
        (
            picture(detail="auto"),
            OPENAI,
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "auto"}},
            [],
        ),
        (picture(detail="original"), OPENAI, {"type": "image_url", "image_url": {"url": PICTURE}}, LOST),
        (picture(image_url=URL), GENERIC, {"type": "image_url", "image_url": {"url": URL}}, []),
        (
            picture(),
            like(GENERIC, image_urls=False),
            {"type": "image_url", "image_url": {"url": PICTURE}},
            [],
        ),
        (
            {"type": "input_file", "file_data": "data:x", "filename": "a.pdf"},
            OPENAI,
            {"type": "file", "file": {"file_data": "data:x", "filename": "a.pdf"}},
            [],
        ),
        (
            {"type": "input_file", "file_data": "data:x"},
            OPENAI,
            {"type": "file", "file": {"file_data": "data:x"}},
            [],
        ),
        (
            {"type": "input_audio", "input_audio": SOUND},
            OPENAI,
            {"type": "input_audio", "input_audio": SOUND},
            [],
        ),
    ],
)
def test_parts(part: Json, profile: Profile, expected: Json, lost: list[tuple[str, str, Severity]]) -> None:
    assert translated(said("user", part), profile=profile) == ([user([expected])], lost)


@pytest.mark.parametrize(
    ("part", "profile", "where"),
    [
        (picture(), like(GENERIC, images=False), ""),
        (picture(image_url=URL), like(GENERIC, image_urls=False), ".image_url"),
        ({"type": "input_image", "file_id": "file_1"}, OPENAI, ".file_id"),
        ({"type": "input_file", "file_data": "data:x"}, GENERIC, ""),
        ({"type": "input_file", "file_id": "file_1"}, OPENAI, ""),
        ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, OPENAI, ""),
        ({"type": "input_audio", "input_audio": SOUND}, GENERIC, ""),
    ],
)
def test_parts_that_cannot_be_read_are_refused(part: Json, profile: Profile, where: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(said("user", "a"), said("user", "b", part), profile=profile)
    assert (caught.value.code, caught.value.param) == ("unsupported_content", f"input[1].content[1]{where}")


def test_parts_of_an_output_are_refused_by_their_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(call("1"), output("1", [picture()]), profile=like(GENERIC, images=False))
    assert caught.value.param == "input[1].output[0]"


@pytest.mark.parametrize("role", ["assistant", "system", "developer"])
def test_only_the_user_shows_pictures(role: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(said(role, "a", picture()))
    assert caught.value.param == "input[0].content[1]"


# -- reasoning -----------------------------------------------------------------------------------------------------

TURN = [thought(["think ", "hard"]), call("1"), output("1"), thought(["more"]), said("assistant", "done")]
TEXT = "think \n\nhard"


@pytest.mark.parametrize(
    ("replay", "first", "second"),
    [("never", {}, {}), ("tool_calls", {"r": TEXT}, {}), ("always", {"r": TEXT}, {"r": "more"})],
)
def test_reasoning_goes_back_where_the_upstream_wants_it(replay: str, first: Json, second: Json) -> None:
    profile = like(GENERIC, reasoning_replay=replay, reasoning_replay_field="r")
    made, losses = translated(*TURN, profile=profile)
    assert made == [
        asked(("1", "add", "{}"), **first),
        answered("1"),
        {"role": "assistant", "content": "done", **second},
    ]
    dropped = [(f"input[{index}]", "dropped", Severity.IMMATERIAL) for index in (0, 3)]
    assert losses == (dropped if replay == "never" else [])


@pytest.mark.parametrize(
    ("items", "placeholder", "expected"),
    [
        ([call("1")], None, [{}]),
        ([call("1")], "", [{"r": ""}]),
        ([call("1"), output("1"), said("assistant", "a")], "-", [{"r": "-"}, {}]),
        ([thought(summary=("short", "er")), call("1")], "-", [{"r": "short\n\ner"}]),
        ([thought(["long"], summary=("short",)), call("1")], None, [{"r": "long"}]),
        ([thought(encrypted_content="xyz"), call("1")], "-", [{"r": "-"}]),
        ([said("assistant", "a"), thought(["b"]), call("1")], None, [{}, {"r": "b"}]),
        ([thought(["a"]), said("user", "stop"), thought(["b"]), call("1")], None, [{"r": "b"}]),
        ([thought(["a"]), said("developer", "stop"), call("1")], "-", [{"r": "-"}]),
        ([call("1"), thought(["b"]), output("1"), call("2")], None, [{}, {"r": "b"}]),
        ([thought(["a"])], None, []),
    ],
)
def test_reasoning_belongs_to_the_message_behind_it(
    items: list[Json], placeholder: str | None, expected: list[Json]
) -> None:
    profile = like(
        GENERIC, reasoning_replay="always", reasoning_replay_field="r", reasoning_placeholder=placeholder
    )
    made, _ = translated(said("user", "go"), *items, profile=profile)
    found = [
        {"r": message["r"]} if "r" in message else {} for message in made if message["role"] == "assistant"
    ]
    assert found == expected


def test_reasoning_of_another_server_is_left_out() -> None:
    made, losses = translated(thought(encrypted_content="xyz"), said("assistant", "a"))
    assert made == [{"role": "assistant", "content": "a"}]
    assert losses == [("input[0]", "dropped", Severity.IMMATERIAL)]


# -- items that are not translated ---------------------------------------------------------------------------------

HOSTED: dict[str, Json] = {
    "web_search_call": {"id": "x", "status": "completed", "action": {"type": "search", "query": "q"}},
    "file_search_call": {"id": "x", "status": "completed", "queries": ["q"]},
    "code_interpreter_call": {
        "id": "x",
        "status": "completed",
        "container_id": "c",
        "code": "1",
        "outputs": [],
    },
    "image_generation_call": {"id": "x", "status": "completed", "result": "AA"},
    "mcp_list_tools": {"id": "x", "server_label": "s", "tools": []},
    "mcp_call": {"id": "x", "server_label": "s", "name": "n", "arguments": "{}"},
    "mcp_approval_request": {"id": "x", "server_label": "s", "name": "n", "arguments": "{}"},
    "mcp_approval_response": {"approval_request_id": "x", "approve": True},
}
REFUSED: dict[str, Json] = {
    "additional_tools": {"role": "developer", "tools": []},
    "tool_search_call": {"arguments": {}},
    "tool_search_output": {"tools": []},
    "local_shell_call": {
        "id": "x",
        "call_id": "1",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    "local_shell_call_output": {"id": "1", "output": "a"},
    "shell_call": {"call_id": "1", "action": {"commands": ["ls"]}},
    "shell_call_output": {"call_id": "1", "output": []},
    "apply_patch_call": {
        "call_id": "1",
        "status": "completed",
        "operation": {"type": "delete_file", "path": "a"},
    },
    "apply_patch_call_output": {"call_id": "1", "status": "completed"},
    "computer_call": {"id": "x", "call_id": "1", "status": "completed", "pending_safety_checks": []},
    "computer_call_output": {"call_id": "1", "output": {"type": "computer_screenshot"}},
    "compaction": {"encrypted_content": "xyz"},
    "compaction_trigger": {},
    "program": {"id": "x", "call_id": "1", "code": "1", "fingerprint": "f"},
    "program_output": {"id": "x", "call_id": "1", "result": "1", "status": "completed"},
}
TRANSLATED = {
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
}


@pytest.mark.parametrize("kind", HOSTED)
def test_what_happened_inside_another_provider_is_left_out(kind: str) -> None:
    made, losses = translated(said("user", "a"), {"type": kind, **HOSTED[kind]}, said("user", "b"))
    assert made == [user("a"), user("b")]
    assert losses == [("input[1]", "dropped", Severity.DEGRADING)]


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
    "items", [[], [{"type": "web_search_call", **HOSTED["web_search_call"]}], [thought(["a"])]]
)
def test_an_input_with_nothing_to_say_is_refused(items: list[Json]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items)
    assert caught.value.param == "input"
    assert translated(*items, instructions="Be brief.")[0] == [system("Be brief.")]


# -- any conversation ----------------------------------------------------------------------------------------------

NOTES = (LATER_INSTRUCTIONS, CONTINUE, NO_OUTPUT, "\n\n")
texts = st.text("abc \n", min_size=1, max_size=6).map(lambda text: f"<{text}>")
talk = st.builds(said, st.sampled_from(["user", "assistant", "system", "developer"]), texts)
thoughts = st.builds(thought, st.lists(texts, max_size=2))
rounds = st.lists(st.tuples(st.booleans(), texts, texts | st.none()), min_size=1, max_size=3)
conversations = st.lists(
    talk.map(lambda item: [item]) | thoughts.map(lambda item: [item]) | rounds, max_size=8
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
            items.append({"type": kind, "call_id": call_id, "name": "tool", name: given_input})
            if returned is not None:
                outputs.append({"type": f"{kind}_output", "call_id": call_id, "output": returned})
        items += outputs
    return items


@settings(max_examples=150, deadline=None)
@given(conversations, profiles)
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


def test_every_type_of_item_has_a_rule_and_a_test() -> None:
    known = contract.tags(m.InputItem)
    assert sorted(known - ITEMS.keys()) == []
    assert sorted(ITEMS.keys() - known) == []
    assert sorted(known - TRANSLATED - HOSTED.keys() - REFUSED.keys() - {"item_reference"}) == []
    assert known >= OUTPUTS


def test_every_type_of_part_has_a_rule() -> None:
    known = contract.tags(m.MessageContentParam)
    assert sorted(known - PARTS.keys()) == []
    assert sorted(PARTS.keys() - known) == []
    assert sorted(contract.tags(m.FunctionAndCustomToolCallOutput) - PARTS.keys()) == []
    assert sorted(contract.tags(m.FunctionCallOutputItemParamOutput1) - PARTS.keys()) == []
