"""Input items for Responses upstreams of different abilities: the form that is sent, and the losses."""

from typing import Any

import pytest

from tests.support.upstream_requests import GENERIC, PICTURE, USER, asked, items, with_wire
from wireloom.errors import InvalidRequest
from wireloom.translate.conversation.notes import LOST_SUMMARY, NO_OUTPUT, NO_PICTURE, STRAY_OUTPUT

Json = dict[str, Any]
BLIND = GENERIC.model_copy(update={"images": False})
COMPLETE: Json = {"complete": True}


def message_from(role: str, content: Any, **members: Any) -> Json:
    """A message."""
    return {"type": "message", "role": role, "content": content, **members}


def text(value: str) -> Json:
    """A part of a user's message."""
    return {"type": "input_text", "text": value}


def image(**members: Any) -> Json:
    """A picture in a user's message."""
    return {"type": "input_image", "image_url": PICTURE, **members}


def called(name: str, arguments: str = "{}", call_id: str = "c") -> Json:
    """A call of a function, as every upstream reads it."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def returned(output: Any, call_id: str = "c") -> Json:
    """The output of a function, as every upstream reads it."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


CALL = called("f")
IN_SPACE: Json = {**CALL, "namespace": "ns"}
UPDATE: Json = {"type": "configuration_update", "reasoning": {"effort": "low"}}
AGENT: Json = {"type": "agent_message", "author": "a", "recipient": "b", "content": [text("hey")]}
SUMMARY = "[summary of the conversation before this point]\n"
LATER = "[instructions]\n"
FOLLOWS = "[see the next user message]"
SEEN = [text("a"), text("b"), image()]
LISTED: Json = {"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": []}
MADE: Json = {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "AAAA"}
SEARCHED: Json = {
    "type": "web_search_call",
    "id": "w",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
ELSEWHERE = "[carried out by another provider; what came of it is in what follows]"
SHELL: list[Json] = [
    {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
    {
        "type": "shell_call_output",
        "call_id": "c",
        "output": [{"stdout": "o", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
    },
]
LOCAL: list[Json] = [
    {
        "type": "local_shell_call",
        "id": "l",
        "call_id": "c",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    {"type": "local_shell_call_output", "id": "c", "output": "o"},
]
PATCHED: list[Json] = [
    {
        "type": "apply_patch_call",
        "call_id": "c",
        "status": "completed",
        "operation": {"type": "delete_file", "path": "a"},
    },
    {"type": "apply_patch_call_output", "call_id": "c", "status": "completed", "output": "o"},
]
CUSTOM: list[Json] = [
    {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "i"},
    {"type": "custom_tool_call_output", "call_id": "c", "output": "o"},
]
SENT: dict[str, tuple[list[Json], Json, list[Json]]] = {
    "a user's text": ([message_from("user", "a")], {}, [message_from("user", "a")]),
    "a user's parts": ([message_from("user", SEEN)], {}, [message_from("user", SEEN)]),
    "later instructions": (
        [USER, message_from("system", "a"), message_from("developer", [text("b"), text("c")])],
        {},
        [USER, message_from("user", [text(f"{LATER}a")]), message_from("user", [text(f"{LATER}bc")])],
    ),
    "instructions anywhere": (
        [message_from("system", "a"), USER, message_from("developer", [text("b")])],
        {"instructions_anywhere": True},
        [message_from("system", "a"), USER, message_from("developer", [text("b")])],
    ),
    "a complete upstream's messages": (
        [message_from("developer", "a"), message_from("assistant", "b"), AGENT, UPDATE],
        COMPLETE,
        [message_from("developer", "a"), message_from("assistant", "b"), AGENT, UPDATE],
    ),
    "a message of an agent": ([AGENT], {}, [message_from("user", [text("hey")])]),
    "an effort": ([USER, UPDATE], {}, [USER]),
    "the assistant's own members": (
        [message_from("assistant", "a", id="msg_1", status="incomplete")],
        {},
        [
            message_from(
                "assistant",
                [{"type": "output_text", "text": "a", "annotations": []}],
                id="msg_1",
                status="incomplete",
            )
        ],
    ),
    "a summary made here": (
        [{"type": "compaction", "encrypted_content": "compaction:summary=s"}],
        {},
        [message_from("user", [text(f"{SUMMARY}s")])],
    ),
    "a summary of the upstream's": (
        [{"type": "compaction", "id": "cmp_1", "encrypted_content": "reasoning:encrypted=s"}],
        {"compaction": True},
        [{"type": "compaction", "id": "cmp_1", "encrypted_content": "s"}],
    ),
    "a trigger": ([USER, {"type": "compaction_trigger"}], {}, [USER]),
    "a complete upstream without namespaces": (
        [IN_SPACE, returned("o")],
        COMPLETE,
        [called("ns-f"), returned("o")],
    ),
    "a complete upstream with namespaces": (
        [IN_SPACE, returned("o")],
        {"complete": True, "tools": ("function", "namespace")},
        [IN_SPACE, returned("o")],
    ),
    "namespaces alone": (
        [IN_SPACE, returned("o")],
        {"tools": ("function", "namespace")},
        [called("ns-f"), returned("o")],
    ),
    "an output": (
        [CALL, {**returned("o"), "id": "fco_1"}],
        {},
        [CALL, returned("o")],
    ),
    "a complete upstream's output": (
        [CALL, {**returned("o"), "id": "fco_1"}],
        COMPLETE,
        [CALL, {**returned("o"), "id": "fco_1"}],
    ),
    "parts of an output": ([CALL, returned(SEEN)], {"output_parts": True}, [CALL, returned(SEEN)]),
    "texts of an output": ([CALL, returned(SEEN[:2]), USER], {}, [CALL, returned("a\nb"), USER]),
    "a custom tool": (CUSTOM, COMPLETE, [called("p", '{"input":"i"}'), returned("o")]),
    "a known custom tool": (CUSTOM, {"tools": ("custom",)}, CUSTOM),
    "a shell": (SHELL, {}, [called("shell", '{"commands":["ls"]}'), returned("o\n[exit code 0]")]),
    "a known shell": (SHELL, {"tools": ("shell",)}, SHELL),
    "a local shell": (
        LOCAL,
        {},
        [called("local_shell", '{"type":"exec","command":["ls"],"env":{}}'), returned("o")],
    ),
    "a known local shell": (LOCAL, {"tools": ("local_shell",)}, LOCAL),
    "a patch": (
        PATCHED,
        {},
        [
            called("apply_patch", '{"operation":{"type":"delete_file","path":"a"}}'),
            returned("completed: o"),
        ],
    ),
    "a known patch": (PATCHED, {"tools": ("apply_patch",)}, PATCHED),
    "a list of tools": ([LISTED, USER], {}, [USER]),
    "a known list of tools": ([LISTED, USER], {"tools": ("mcp",)}, [LISTED, USER]),
    "a known search": ([SEARCHED], {"tools": ("web_search",)}, [SEARCHED]),
    "a known picture": ([MADE], {"tools": ("image_generation",)}, [MADE]),
}
"""Name -> items, abilities of the upstream, and the items that are sent without any loss."""


@pytest.mark.parametrize("name", SENT)
def test_items_are_sent_in_the_forms_that_the_upstream_reads(name: str) -> None:
    given, flags, result = SENT[name]
    request, losses = asked({"input": given}, with_wire(**flags))
    assert request.body["input"] == result
    assert losses.items == []


LOST: dict[str, tuple[list[Json], bool, list[Json], list[tuple[str, str, str]]]] = {
    "pictures of an output": (
        [CALL, returned(SEEN), USER],
        True,
        [CALL, returned(f"a\nb\n{FOLLOWS}"), message_from("user", [image()]), USER],
        [("input[1].output", "changed", "immaterial")],
    ),
    "pictures of the last output": (
        [CALL, returned(SEEN[2:])],
        True,
        [CALL, returned(FOLLOWS), message_from("user", [image()])],
        [("input[1].output", "changed", "immaterial")],
    ),
    "a search elsewhere": (
        [SEARCHED],
        True,
        [called("web_search", '{"type":"search","query":"q"}', "w"), returned(ELSEWHERE, "w")],
        [("input[0]", "emulated", "immaterial")],
    ),
    "a picture made elsewhere": (
        [MADE],
        True,
        [
            called("image_generation", call_id="ig"),
            returned("completed", "ig"),
            message_from("user", [image(detail="auto")]),
        ],
        [("input[0]", "emulated", "immaterial")],
    ),
    "a picture made elsewhere that nobody can see": (
        [MADE],
        False,
        [called("image_generation", call_id="ig"), returned("completed", "ig")],
        [("input[0]", "emulated", "immaterial"), ("input[0]", "dropped", "degrading")],
    ),
}
"""Name -> items, whether the upstream takes images, the items that are sent, and the losses."""


@pytest.mark.parametrize("name", LOST)
def test_content_without_a_form_upstream_is_a_loss(name: str) -> None:
    given, sees, result, lost = LOST[name]
    request, losses = asked({"input": given}, GENERIC if sees else BLIND)
    assert request.body["input"] == result
    assert [(loss.path, loss.action, loss.severity.value) for loss in losses.items] == lost


WORDS = [{"type": "reasoning_text", "text": "a"}, {"type": "reasoning_text", "text": "b"}]
HERE = "sealed elsewhere"
NEVER = "The generic profile takes no reasoning back"


@pytest.mark.parametrize(
    ("form", "item", "result", "reason"),
    [
        ("text", {"content": WORDS}, {"content": [{"type": "reasoning_text", "text": "a\n\nb"}]}, None),
        ("text", {}, None, HERE),
        ("encrypted", {"content": WORDS}, None, HERE),
        ("encrypted", {"encrypted_content": "reasoning:text=a"}, None, HERE),
        ("encrypted", {"content": [], "encrypted_content": "reasoning:encrypted=a"}, {"encrypted_content": "a"}, None),
        ("text", {"encrypted_content": "reasoning:encrypted=a"}, None, HERE),
        ("never", {"encrypted_content": "reasoning:text=a"}, None, NEVER),
    ],
)  # fmt: skip
def test_reasoning_is_sent_or_reported(
    form: str, item: Json, result: Json | None, reason: str | None
) -> None:
    given = {"type": "reasoning", "summary": [], **item}
    request, losses = asked({"input": [given, USER]}, with_wire(reasoning=form))
    *found, last = request.body["input"]
    assert last == USER
    assert [(loss.path, loss.action, loss.reason, loss.severity.value) for loss in losses.items] == (
        [] if reason is None else [("input[0]", "dropped", reason, "immaterial")]
    )
    if result is None:
        assert found == []
    else:
        item_id = found[0].pop("id")
        assert found == [{"type": "reasoning", "summary": [], **result}]
        assert item_id.startswith("rs_")
        assert len(item_id) == len("rs_") + 24


def test_an_item_without_an_id_has_the_same_one_in_each_request() -> None:
    first, second = items(message_from("assistant", "a"), message_from("assistant", "a"))
    assert first["id"] != second["id"]
    assert first["id"].startswith("msg_")
    assert len(first["id"]) == len("msg_") + 24
    assert items(message_from("assistant", "other"))[0]["id"] == first["id"]


def test_instructions_before_the_conversation_are_those_of_the_request() -> None:
    body = {
        "instructions": "i",
        "input": [message_from("system", "s"), message_from("developer", [text("d")]), USER],
    }
    request, _ = asked(body)
    assert (request.body["instructions"], request.body["input"]) == ("i\n\ns\n\nd", [USER])
    request, _ = asked({"input": [USER]})
    assert "instructions" not in request.body


@pytest.mark.parametrize(
    ("token", "flags"),
    [
        ("foreign", {"compaction": True}),
        ("compaction:other=s", {"compaction": True}),
        ("reasoning:other=s", {"compaction": True}),
        ("reasoning:encrypted=s", {}),
    ],
)
def test_a_summary_that_cannot_be_opened_is_a_gap(token: str, flags: Json) -> None:
    given = [USER, {"type": "compaction", "encrypted_content": token}]
    request, losses = asked({"input": given}, with_wire(**flags))
    assert request.body["input"] == [USER, message_from("user", [text(LOST_SUMMARY)])]
    found = [(loss.path, loss.action, loss.severity.value) for loss in losses.items]
    assert found == [("input[1].encrypted_content", "dropped", "degrading")]


MENDED: dict[str, tuple[list[Json], list[Json], list[tuple[str, str, str]]]] = {
    "no output": (
        [USER, CALL, USER],
        [USER, CALL, returned(NO_OUTPUT), USER],
        [("input[1]", "changed", "immaterial")],
    ),
    "no output of the last of two calls": (
        [CALL, called("g", call_id="d"), returned("o")],
        [CALL, called("g", call_id="d"), returned(NO_OUTPUT, "d"), returned("o")],
        [("input[1]", "changed", "immaterial")],
    ),
    "two outputs": (
        [CALL, returned("a"), returned("b"), USER],
        [CALL, returned("b"), USER],
        [("input[1]", "dropped", "degrading")],
    ),
    "no call": (
        [USER, returned("o")],
        [USER, message_from("user", [text(f"{STRAY_OUTPUT}o")])],
        [("input[1].call_id", "changed", "degrading")],
    ),
    "an id that recurs": (
        [CALL, returned("a"), USER, CALL, returned("b"), USER, CALL, returned("c")],
        [
            *(CALL, returned("a"), USER, called("f", call_id="c_2"), returned("b", "c_2"), USER),
            *(called("f", call_id="c_3"), returned("c", "c_3")),
        ],
        [("input[3].call_id", "changed", "immaterial"), ("input[6].call_id", "changed", "immaterial")],
    ),
    "an id that recurs beside one that looks like its successor": (
        [called("f", call_id="c_2"), returned("a", "c_2"), CALL, returned("b"), CALL, returned("c")],
        [
            *(called("f", call_id="c_2"), returned("a", "c_2"), CALL, returned("b")),
            *(called("f", call_id="c_3"), returned("c", "c_3")),
        ],
        [("input[4].call_id", "changed", "immaterial")],
    ),
    "broken arguments": (
        [called("f", "{oops"), returned("o")],
        [called("f", '{"input":"{oops"}'), returned("o")],
        [("input[0].arguments", "changed", "degrading")],
    ),
    "arguments that say nothing": (
        [called("f", "null"), returned("o")],
        [CALL, returned("o")],
        [("input[0].arguments", "changed", "immaterial")],
    ),
    "blank messages": (
        [message_from("user", " "), USER, message_from("assistant", [{"type": "output_text", "text": ""}])],
        [USER],
        [("input[0]", "dropped", "immaterial"), ("input[2]", "dropped", "immaterial")],
    ),
}
"""Name -> items, the items that are sent, and the losses."""


@pytest.mark.parametrize("name", MENDED)
@pytest.mark.parametrize("flags", [{}, COMPLETE], ids=["generic", "complete"])
def test_a_history_that_breaks_the_rules_is_mended(name: str, flags: Json) -> None:
    given, result, lost = MENDED[name]
    request, losses = asked({"input": given}, with_wire(**flags))
    assert request.body["input"] == result
    assert [(loss.path, loss.action, loss.severity.value) for loss in losses.items] == lost
    again, more = asked({"input": result}, with_wire(**flags))
    assert (again.body["input"], more.items) == (result, [])


@pytest.mark.parametrize(
    ("item", "flags", "param", "code", "message"),
    [
        *(
            (
                message_from(role, [text("a"), image()]),
                {},
                "input[1].content[1]",
                "unsupported_parameter",
                f"cannot be served here: a message of role {role} holds text only.",
            )
            for role in ("system", "developer", "assistant")
        ),
        (
            {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
            {},
            "input[1].type",
            "unsupported_item",
            "items of type mcp_approval_response belong to a tool that The generic profile does not run.",
        ),
        (
            {"type": "custom_tool_call_output", "call_id": "", "output": "o"},
            {},
            "input[1].call_id",
            "invalid_value",
            "input[1].call_id is missing.",
        ),
        (
            {"type": "item_reference", "id": "x"},
            COMPLETE,
            "input[1].id",
            "item_not_found",
            "no item 'x' is stored here.",
        ),
    ],
)
def test_an_item_that_cannot_be_sent_is_refused_by_its_place(
    item: Json, flags: Json, param: str, code: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked({"input": [USER, item]}, with_wire(**flags))
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize(
    ("given", "path", "sent"),
    [
        (
            [message_from("user", [text("a"), image()])],
            "input[0].content[1]",
            [message_from("user", [text("a"), text(NO_PICTURE)])],
        ),
        ([CALL, returned(SEEN)], "input[1].output[2]", [CALL, returned(f"a\nb\n{NO_PICTURE}")]),
    ],
)
def test_a_picture_that_the_upstream_cannot_see_is_a_gap(
    given: list[Json], path: str, sent: list[Json]
) -> None:
    request, losses = asked({"input": given}, BLIND)
    assert request.body["input"] == sent
    assert [(loss.path, loss.severity.value) for loss in losses.items] == [(path, "degrading")]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ([USER, {"type": "item_reference", "id": "x"}], "input[0].id"),
        ([{"type": "item_reference", "id": "x"}, USER], "history.id"),
    ],
)
def test_an_item_is_named_by_its_place_in_the_request(given: list[Json], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked({"input": given}, recalled=1)
    assert caught.value.param == param
