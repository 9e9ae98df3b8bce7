"""What a Responses upstream is asked: all that it takes as the client said it, the rest in words that it knows."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.upstream_requests import GENERIC, OPENAI, PICTURE, USER, asked, items, sent, with_wire
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.responses_upstream.items import ALWAYS, ITEMS, NEEDS
from wireloom.translate.responses_upstream.request import FIELDS
from wireloom.translate.rules.loss import How, Severity
from wireloom.translate.tools.base import EMPTY_PARAMETERS, Target
from wireloom.translate.tools.custom import CustomCall

Json: TypeAlias = dict[str, Any]


CAPTURES = [
    path
    for path in sorted((Path(__file__).parents[2] / "fixtures" / "codex_0_169_0").glob("*.json"))
    if "input" in (json.loads(path.read_bytes()).get("body") or ())
]
PLAIN = ("message", "reasoning", "function_call", "function_call_output")


# -- tables --------------------------------------------------------------------------------------------------------


def test_every_field_and_every_item_of_the_contract_has_a_rule() -> None:
    assert set(FIELDS) == set(m.CreateResponse.model_fields)
    assert set(ITEMS) == contract.tags(m.InputItem)
    assert set(NEEDS) | ALWAYS | {"additional_tools"} == set(ITEMS)
    assert all(rule.note for rule in ITEMS.values() if rule.how is not How.NATIVE)


@pytest.mark.parametrize("name", names())
def test_profiles_name_what_there_is(name: str) -> None:
    wire = load(name).responses
    assert set(wire.tools) <= contract.tags(m.Tool)
    assert set(wire.dropped) <= set(FIELDS)
    assert not wire.complete or not wire.dropped


# -- what is kept --------------------------------------------------------------------------------------------------


def test_a_complete_upstream_gets_every_member_and_unknown_ones() -> None:
    body: Json = {
        "input": [
            {**USER, "vendor": {"deep": [1]}},
            {"type": "custom_tool_call", "call_id": "c1", "name": "exec", "input": "ls", "x": 1},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "a.txt"},
        ],
        "instructions": "Be brief.",
        "vendor_extension": {"on": True},
        "temperature": 0.2,
        "prompt_cache_key": "k",
        "client_metadata": {"a": "b"},
        "stream_options": {"include_obfuscation": False},
        "reasoning": {"effort": "xhigh", "summary": "auto"},
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": False}
        },
        "tools": [
            {"type": "custom", "name": "exec", "format": {"type": "text"}},
            {
                "type": "namespace",
                "name": "n",
                "description": "d",
                "tools": [{"type": "function", "name": "f"}],
            },
            {"type": "function", "name": "g", "parameters": EMPTY_PARAMETERS, "defer_loading": True},
            {"type": "web_search", "external_web_access": False},
            {"type": "brand_new", "size": 3},
        ],
        "tool_choice": {"type": "custom", "name": "exec"},
        "parallel_tool_calls": False,
        "include": ["message.output_text.logprobs"],
    }
    request, losses = asked(body, OPENAI)
    assert request.body == {
        **body,
        "model": "sent",
        "store": False,
        "stream": True,
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
    }
    assert request.tools.by_flat_name == {}
    assert losses.items == []


def test_state_is_the_gateways() -> None:
    body = {"store": True, "previous_response_id": "resp_1", "conversation": None, "background": False}
    for profile in (OPENAI, GENERIC):
        told = sent(body, profile)
        assert told["store"] is False
        assert not {"previous_response_id", "conversation", "background"} & told.keys()


def test_what_cannot_be_had_is_refused_by_its_name() -> None:
    for body, param in (
        ({"background": True}, "background"),
        ({"background_options": {"completion_window": "2h"}}, "background_options"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0]"),
        ({"tools": [{"type": "brand_new"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].id"),
        ({"tool_choice": {"type": "function", "name": "absent"}}, "tool_choice"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            asked(body)
        assert caught.value.param == param


def test_settings_have_the_last_word() -> None:
    told = sent(
        {"temperature": 1}, extra_params={"temperature": 0.5, "seed": 7}, drop_params=frozenset({"store"})
    )
    assert (told["temperature"], told["seed"], "store" in told) == (0.5, 7, False)


BARE: Json = {"model": "sent", "input": "hi", "store": False, "stream": True}
DROPPED: dict[str, tuple[Any, Severity | None]] = {
    "background": (False, None),
    "metadata": ({}, None),
    "service_tier": ("auto", None),
    "top_logprobs": (0, None),
    "truncation": ("disabled", None),
    "client_metadata": ({"a": "b"}, Severity.IMMATERIAL),
    "max_tool_calls": (1, Severity.IMMATERIAL),
    "prompt_cache_key": ("k", Severity.IMMATERIAL),
    "prompt_cache_options": ({"mode": "implicit"}, Severity.IMMATERIAL),
    "prompt_cache_retention": ("24h", Severity.IMMATERIAL),
    "safety_identifier": ("s", Severity.IMMATERIAL),
    "stream_options": ({"include_obfuscation": False}, Severity.IMMATERIAL),
    "user": ("u", Severity.IMMATERIAL),
    "moderation": ({"model": "m"}, Severity.DEGRADING),
    "temperature": (1, Severity.DEGRADING),
}
"""Parameters that a profile drops -> a value, and the weight of its loss; None if it equals the default."""
DROPPED_OTHERWISE: dict[str, tuple[Any, Severity]] = {
    "metadata": ({"a": "b"}, Severity.IMMATERIAL),
    "service_tier": ("flex", Severity.DEGRADING),
    "top_logprobs": (1, Severity.DEGRADING),
    "truncation": ("auto", Severity.DEGRADING),
}


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        (name, value, severity)
        for rows in (DROPPED, DROPPED_OTHERWISE)
        for name, (value, severity) in rows.items()
    ],
)
def test_a_dropped_parameter_is_a_loss_unless_it_equals_the_default(
    name: str, value: Any, severity: Severity | None
) -> None:
    request, losses = asked({name: value}, with_wire(dropped=(name,)))
    assert request.body == BARE
    found = [(loss.path, loss.action, loss.reason, loss.severity) for loss in losses.items]
    expected = (name, "dropped", "The generic profile does not take it", severity)
    assert found == ([] if severity is None else [expected])


@pytest.mark.parametrize(
    ("reasoning", "flags", "told", "loss"),
    [
        ({"effort": "low"}, {}, {"effort": "low"}, None),
        ({"effort": "high", "summary": "auto"}, {}, {"effort": "high", "summary": "auto"}, None),
        ({"effort": "minimal"}, {}, {"effort": "low"}, ("changed", "sent as low")),
        (
            {"effort": "xhigh", "summary": "auto"},
            {},
            {"effort": "high", "summary": "auto"},
            ("changed", "sent as high"),
        ),
        ({"effort": "none"}, {}, None, ("dropped", "The generic profile has no such effort")),
        ({"effort": "low"}, {"effort": False}, None, ("dropped", "The generic profile has no such effort")),
        (
            {"effort": "low", "summary": "auto"},
            {"effort": False},
            {"summary": "auto"},
            ("dropped", "The generic profile has no such effort"),
        ),
        ({"summary": "auto"}, {"effort": False}, {"summary": "auto"}, None),
        ({"effort": "xhigh"}, {"complete": True}, {"effort": "xhigh"}, None),
    ],
)
def test_an_effort_in_the_upstreams_own_words(
    reasoning: Json, flags: Json, told: Json | None, loss: tuple[str, str] | None
) -> None:
    request, losses = asked({"reasoning": reasoning}, with_wire(**flags))
    assert request.body == BARE | ({} if told is None else {"reasoning": told})
    found = [(one.path, one.action, one.reason, one.severity) for one in losses.items]
    assert found == ([] if loss is None else [("reasoning.effort", *loss, Severity.DEGRADING)])


def test_an_effort_that_is_a_word_of_chat_goes_as_it_was_asked() -> None:
    profile = GENERIC.model_copy(update={"effort_levels": {"low": "think-a-little"}})
    request, losses = asked({"reasoning": {"effort": "low"}}, profile)
    assert (request.body["reasoning"], losses.items) == ({"effort": "low"}, [])


def test_a_complete_upstream_receives_prompts_and_context_management() -> None:
    body = {"prompt": {"id": "p"}, "context_management": [{"type": "compaction"}]}
    assert sent(body, OPENAI).items() >= body.items()


def test_encrypted_reasoning_is_asked_for_where_there_is_any() -> None:
    both = ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert sent({"include": both})["include"] == ["message.output_text.logprobs"]
    assert "include" not in sent({"include": both[:1]})
    assert sent({}, with_wire(reasoning="encrypted"))["include"] == both[:1]


def test_a_format_that_is_not_read_is_refused() -> None:
    body = {"text": {"format": {"type": "json_object"}}}
    assert sent(body)["text"] == body["text"]
    with pytest.raises(InvalidRequest, match="format"):
        asked(body, with_wire(text_format=False))


# -- tools ---------------------------------------------------------------------------------------------------------

TOOLS: list[Json] = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}, "cache_control": {"type": "x"}},
    {"type": "custom", "name": "patch"},
    {"type": "namespace", "name": "ns", "description": "d", "tools": [{"type": "function", "name": "f"}]},
    {"type": "apply_patch"},
]


def test_kinds_that_are_not_known_become_functions() -> None:
    request, _ = asked({"tools": TOOLS})
    assert [(tool["type"], tool["name"]) for tool in request.body["tools"]] == [
        ("function", "f"),
        ("function", "patch"),
        ("function", "ns-f"),
        ("function", "apply_patch"),
    ]
    assert request.body["tools"][0]["cache_control"] == {"type": "x"}
    assert all({"description", "parameters", "strict"} <= tool.keys() for tool in request.body["tools"])
    assert request.tools.restore("patch") == Target("patch", call=CustomCall)
    assert request.tools.restore("ns-f") == Target("f", "ns")


def test_kinds_that_are_known_stay() -> None:
    request, _ = asked({"tools": TOOLS}, with_wire(tools=("function", "custom")))
    assert [tool["type"] for tool in request.body["tools"]] == ["custom", "function", "function", "function"]
    assert "patch" not in request.tools.by_flat_name


@pytest.mark.parametrize("profile", [OPENAI, GENERIC], ids=lambda profile: profile.name)
def test_denied_tools_are_not_offered(profile: Profile) -> None:
    told = sent({"tools": TOOLS}, profile, denied_tools=frozenset({"patch", "ns.f"}))
    assert [tool.get("name", tool["type"]) for tool in told["tools"]] == ["f", "apply_patch"]


def test_tools_that_items_bring_are_offered() -> None:
    item = {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]}
    told = sent({"input": [item, USER]})
    assert ([tool["name"] for tool in told["tools"]], told["input"]) == (["late"], [USER])
    kept = sent({"input": [item, USER]}, OPENAI)
    assert (kept["input"], "tools" in kept) == ([item, USER], False)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", None),
        ("required", "required"),
        ("none", "none"),
        ({"type": "custom", "name": "patch"}, {"type": "function", "name": "patch"}),
        ({"type": "function", "name": "f", "namespace": "ns"}, {"type": "function", "name": "ns-f"}),
        ({"type": "apply_patch"}, {"type": "function", "name": "apply_patch"}),
    ],
)
def test_a_choice_in_the_names_that_are_offered(choice: Any, told: Any) -> None:
    assert sent({"tools": TOOLS, "tool_choice": choice}).get("tool_choice") == told


def test_allowed_tools_are_all_that_is_offered() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "patch"}]}
    request, _ = asked({"tools": TOOLS, "tool_choice": choice})
    assert [tool["name"] for tool in request.body["tools"]] == ["patch"]
    assert request.body["tool_choice"] == "required"
    assert request.tools.may_call("patch")
    assert not request.tools.may_call("f")


# -- items ---------------------------------------------------------------------------------------------------------


def test_instructions_stand_where_strict_templates_want_them() -> None:
    developer = {"type": "message", "role": "developer", "content": "No jokes."}
    told = sent({"instructions": "Be brief.", "input": [developer, USER, developer]})
    assert told["instructions"] == "Be brief.\n\nNo jokes."
    assert [item["role"] for item in told["input"]] == ["user", "user"]
    assert "No jokes." in told["input"][1]["content"][0]["text"]
    anywhere = with_wire(instructions_anywhere=True)
    assert items(developer, USER, developer, profile=anywhere) == [developer, USER, developer]


def test_what_the_assistant_said_has_all_that_strict_servers_ask_for() -> None:
    given = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "yes"}],
        "x": 1,
    }
    (told,) = items(given)
    assert told["content"] == [{"type": "output_text", "text": "yes", "annotations": []}]
    assert (told["status"], told["x"], told["id"][:4]) == ("completed", 1, "msg_")
    assert items(given) == [told]


def test_calls_and_outputs_of_other_kinds_are_those_of_functions() -> None:
    told = items(
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        {"type": "function_call", "call_id": "c2", "name": "f", "namespace": "ns", "arguments": ""},
        {"type": "function_call_output", "call_id": "c2", "output": "fine"},
        tools=TOOLS,
    )
    assert [(item["type"], item.get("name"), item.get("arguments", item.get("output"))) for item in told] == [
        ("function_call", "patch", '{"input":"x"}'),
        ("function_call_output", None, "ok"),
        ("function_call", "ns-f", "{}"),
        ("function_call_output", None, "fine"),
    ]


def test_pictures_follow_the_outputs_of_a_turn() -> None:
    parts = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": PICTURE}]
    calls = [{"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"} for n in (1, 2)]
    outputs = [{"type": "function_call_output", "call_id": f"c{n}", "output": parts} for n in (1, 2)]
    told = items(*calls, *outputs, USER)
    assert [item["type"] for item in told] == [
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "message",
        "message",
    ]
    assert told[2]["output"].startswith("see\n")
    assert [part["image_url"] for part in told[4]["content"]] == [PICTURE, PICTURE]
    kept = items(*calls, *outputs, profile=with_wire(output_parts=True))
    assert kept[2]["output"] == parts


def test_a_call_that_ran_elsewhere_is_told_with_its_output() -> None:
    search = {
        "type": "web_search_call",
        "id": "w",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    assert [item["type"] for item in items(search)] == ["function_call", "function_call_output"]
    assert items(search, profile=with_wire(tools=("web_search",))) == [search]


REASONING: Json = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    ("form", "item", "told"),
    [
        ("encrypted", {"encrypted_content": "reasoning:encrypted=abc"}, {"encrypted_content": "abc"}),
        ("encrypted", {"encrypted_content": "foreign"}, None),
        ("encrypted", {"content": [{"type": "reasoning_text", "text": "hm"}]}, None),
        (
            "text",
            {"encrypted_content": "reasoning:text=hm"},
            {"content": [{"type": "reasoning_text", "text": "hm"}]},
        ),
        (
            "text",
            {"summary": [{"type": "summary_text", "text": "hm"}]},
            {"content": [{"type": "reasoning_text", "text": "hm"}]},
        ),
        ("text", {"encrypted_content": "foreign"}, None),
        ("never", {"content": [{"type": "reasoning_text", "text": "hm"}]}, None),
    ],
)
def test_reasoning_goes_back_only_where_it_came_from(form: str, item: Json, told: Json | None) -> None:
    found = items({**REASONING, **item}, USER, profile=with_wire(reasoning=form))
    assert found == [*([] if told is None else [{**REASONING, **told}]), USER]


def test_summaries_of_the_conversation() -> None:
    own = {"type": "compaction", "encrypted_content": "compaction:summary=so far"}
    (told,) = items(own)
    assert told["role"] == "user"
    assert "so far" in told["content"][0]["text"]
    upstreams = {"type": "compaction", "encrypted_content": "reasoning:encrypted=abc"}
    (kept,) = items(upstreams, profile=OPENAI)
    assert kept == {"type": "compaction", "encrypted_content": "abc"}


def test_a_later_effort_counts() -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "low"}}
    told = sent({"input": [USER, update], "reasoning": {"effort": "high"}})
    assert (told["reasoning"]["effort"], told["input"]) == ("low", [USER])
    assert sent({"input": [USER, update]}, OPENAI)["input"] == [USER, update]


@pytest.mark.parametrize("profile", names())
@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_what_the_codex_cli_sends_can_be_asked_of_every_upstream(capture: Path, profile: str) -> None:
    body = json.loads(capture.read_bytes())["body"]
    if body["input"][-1]["type"] == "compaction_trigger":
        body["input"].pop()
    body["input"] = [item for item in body["input"] if item.get("type") != "compaction"]
    wire = load(profile).responses
    if not wire.text_format:
        body.pop("text", None)
    request, _ = asked(body, load(profile), lenient=True)
    assert {tool["type"] for tool in request.body.get("tools", ())} <= set(wire.tools)
    assert all(
        NEEDS.get(item["type"], item["type"]) in {*wire.tools, *PLAIN} or wire.complete
        for item in request.body["input"]
    )


# -- bounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "sent_as"),
    [
        ("max_output_tokens", 5, 16),
        ("max_output_tokens", 16, 16),
        ("max_output_tokens", 9000, 4096),
        ("temperature", 0.0, 0.01),
        ("temperature", 0.5, 0.5),
        ("top_p", 1.0, 0.99),
    ],
)
def test_values_are_moved_to_the_bounds_of_the_upstream(name: str, given: float, sent_as: float) -> None:
    wire = with_wire(
        minimums={"max_output_tokens": 16, "temperature": 0.01},
        maximums={"max_output_tokens": 4096, "top_p": 0.99},
    )
    request, losses = asked({"input": "x", name: given}, wire)
    assert request.body[name] == sent_as
    assert type(request.body[name]) is type(given)
    told = [(loss.path, loss.action, loss.severity) for loss in losses.items]
    assert told == ([] if given == sent_as else [(name, "changed", Severity.DEGRADING)])


def test_openai_takes_no_fewer_than_sixteen_tokens() -> None:
    request, losses = asked({"input": "x", "max_output_tokens": 1}, OPENAI)
    assert request.body["max_output_tokens"] == 16
    assert [loss.path for loss in losses.items] == ["max_output_tokens"]
