"""What a thread of the app-server is made of, for every request that a client may send."""

import base64
import copy
from typing import Any, TypeAlias

import pytest
from wireloom_protocol import responses as m
from wireloom_protocol import rpc

from wireloom.api.bodies import prepare
from wireloom.errors import InvalidRequest
from wireloom.translate.codex.app_server_request import FIELDS, Plan, outputs, plan
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import How, Losses, Severity

Json: TypeAlias = dict[str, Any]

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nrest of it").decode()
ADD: Json = {
    "type": "function",
    "name": "add",
    "description": "adds",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}


def unseal(purpose: str, token: str) -> Any:
    """Open what these tests call sealed: `purpose:member=value`."""
    kind, _, rest = token.partition(":")
    name, _, value = rest.partition("=")
    return {name: value} if kind == purpose else None


def planned(*, strict: bool = False, options: Json | None = None, **body: Any) -> tuple[Plan, Losses]:
    whole = copy.deepcopy({"model": "given", "input": "hi", **body})
    prepare(whole)
    losses = Losses(strict=strict)
    made = plan(
        m.CreateResponse.model_validate(whole),
        Options("sent", unseal=unseal, **(options or {})),
        losses,
    )
    # What is sent fits the contract, which forbids what it does not know.
    rpc.THREAD_START.read_params(made.start)
    rpc.TURN_START.read_params({**made.turn, "threadId": "t", "input": []})
    rpc.THREAD_INJECT_ITEMS.read_params({"threadId": "t", "items": made.items})
    return made, losses


def lost(losses: Losses) -> list[tuple[str, str]]:
    return [(loss.path, loss.action) for loss in losses.items if loss.severity is Severity.DEGRADING]


def user(*parts: Json) -> Json:
    return {"type": "message", "role": "user", "content": list(parts)}


def text(words: str) -> Json:
    return {"type": "input_text", "text": words}


def call(call_id: str = "c1", name: str = "add", arguments: str = "{}") -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def output(call_id: str = "c1", value: Any = "3") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


# -- fields --------------------------------------------------------------------------------------------------------


def test_every_field_of_the_contract_has_a_rule() -> None:
    assert set(FIELDS) == set(m.CreateResponse.model_fields)
    assert all(rule.note for rule in FIELDS.values() if rule.how is not How.NATIVE)


def test_a_greeting() -> None:
    made, losses = planned()
    assert made.start == {"model": "sent", "baseInstructions": ""}
    assert made.items == [user(text("hi"))]
    assert made.turn == {}
    assert losses.items == []


def test_settings_that_codex_has() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    made, losses = planned(
        instructions="Be brief.",
        reasoning={"effort": "low", "summary": "detailed"},
        text={
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "n", "schema": schema, "description": "D"},
        },
        service_tier="flex",
        include=["reasoning.encrypted_content"],
    )
    assert made.start == {
        "model": "sent",
        "baseInstructions": "Be brief.\n\nD",
        "config": {"model_verbosity": "low"},
    }
    assert made.turn == {
        "effort": "low",
        "summary": "detailed",
        "outputSchema": schema,
        "serviceTier": "flex",
    }
    assert losses.items == []


@pytest.mark.parametrize(
    "field",
    [
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"max_output_tokens": 99},
        {"presence_penalty": 1.0},
        {"frequency_penalty": 1.0},
        {"truncation": "auto"},
        {"unheard_of": 1},
    ],
)
def test_settings_that_codex_has_not(field: Json) -> None:
    (name,) = field
    assert lost(planned(**field)[1]) == [(name, "dropped")]
    with pytest.raises(InvalidRequest) as caught:
        planned(strict=True, **field)
    assert caught.value.param == name


def test_what_says_nothing_loses_nothing() -> None:
    neutral: Json = {
        "metadata": {"a": "b"},
        "user": "u",
        "prompt_cache_key": "k",
        "truncation": "disabled",
        "top_logprobs": 0,
        "service_tier": "auto",
        "background": False,
        "parallel_tool_calls": True,
        "stream_options": {"include_obfuscation": True},
        "client_metadata": {"x": "y"},
    }
    made, losses = planned(**neutral)
    assert made.turn == {}
    assert lost(losses) == []


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"background": True}, "background"),
        ({"background_options": {"completion_window": "2h"}}, "background_options"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"tools": [ADD], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "function", "name": "add"}}, "tool_choice"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0]"),
        ({"tools": [ADD, ADD]}, "tools[1]"),
    ],
)
def test_what_cannot_be_left_out_is_refused(field: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        planned(**field)
    assert caught.value.param == param
    assert caught.value.status == 400


def test_a_json_object_is_asked_for_in_words() -> None:
    made, losses = planned(text={"format": {"type": "json_object"}})
    assert "JSON object" in made.start["baseInstructions"]
    assert lost(losses) == [("text.format", "emulated")]


def test_the_last_word_on_effort_counts() -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    made, _ = planned(input=[user(text("a")), update], reasoning={"effort": "low"})
    assert made.turn == {"effort": "high"}
    assert made.items == [user(text("a"))]


# -- tools ---------------------------------------------------------------------------------------------------------


def test_functions_become_dynamic_tools() -> None:
    made, losses = planned(tools=[ADD])
    assert made.start["dynamicTools"] == [
        {"type": "function", "name": "add", "description": "adds", "inputSchema": ADD["parameters"]}
    ]
    assert made.schemas["add"].value == ADD["parameters"]
    assert losses.items == []


def test_what_codex_leaves_out_of_a_schema_is_described() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
    made, losses = planned(tools=[{**ADD, "parameters": schema, "strict": True}])
    (tool,) = made.start["dynamicTools"]
    assert tool["description"].startswith("adds\n\nThe arguments have to fit this JSON schema: {")
    assert '"format":"date"' in tool["description"]
    assert tool["inputSchema"] == schema
    assert lost(losses) == [("tools", "emulated")]


@pytest.mark.parametrize("name", ["mcp__files__read", "a.b", "x" * 90, "ünï"])
def test_a_name_that_is_not_taken_is_changed_and_found_again(name: str) -> None:
    made, _ = planned(tools=[{**ADD, "name": name}], input=[call(name=name), output()])
    (tool,) = made.start["dynamicTools"]
    assert not tool["name"].startswith("mcp__")
    assert len(tool["name"]) <= 64
    assert made.tools.restore(tool["name"]).name == name
    assert made.items[0]["name"] == tool["name"]


def test_tools_of_other_kinds_are_functions() -> None:
    custom = {"type": "custom", "name": "patch", "description": "patches"}
    space = {"type": "namespace", "name": "math", "description": "sums", "tools": [ADD]}
    made, _ = planned(
        tools=[custom, space, {"type": "local_shell"}],
        input=[
            {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** text"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
        ],
    )
    assert [tool["name"] for tool in made.start["dynamicTools"]] == ["patch", "math-add", "local_shell"]
    assert made.items[0]["arguments"] == '{"input":"*** text"}'


@pytest.mark.parametrize(
    "choice",
    ["none", {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "sub"}]}],
)
def test_a_choice_that_leaves_tools_out(choice: Any) -> None:
    made, losses = planned(tools=[ADD, {**ADD, "name": "sub"}], tool_choice=choice)
    named = [tool["name"] for tool in made.start.get("dynamicTools", [])]
    assert named == ([] if choice == "none" else ["sub"])
    assert lost(losses) == []


def test_one_call_at_a_time_cannot_be_asked_for() -> None:
    assert lost(planned(tools=[ADD], parallel_tool_calls=False)[1]) == [("parallel_tool_calls", "dropped")]
    assert lost(planned(parallel_tool_calls=False)[1]) == []


def test_denied_tools_are_not_offered() -> None:
    made, _ = planned(tools=[ADD], options={"denied_tools": frozenset({"add"})})
    assert "dynamicTools" not in made.start


# -- items ---------------------------------------------------------------------------------------------------------


def test_messages_keep_their_place_and_system_becomes_developer() -> None:
    made, losses = planned(
        input=[
            {"role": "system", "content": "S"},
            {"role": "user", "content": "U"},
            {"role": "assistant", "content": "A"},
            {"role": "developer", "content": [text("D")]},
        ]
    )
    assert [(item["role"], item["content"][0]["text"]) for item in made.items] == [
        ("developer", "S"),
        ("user", "U"),
        ("assistant", "A"),
        ("developer", "D"),
    ]
    assert all(isinstance(item["content"], list) for item in made.items)
    assert losses.items == []


def test_calls_and_outputs_with_pictures() -> None:
    picture = {"type": "input_image", "image_url": PNG, "detail": "high"}
    made, _ = planned(input=[call(), output(value=[text("see"), picture])], tools=[ADD])
    assert made.items == [call(), output(value=[text("see"), picture])]
    assert outputs(made.items[1:]) == {
        "c1": {
            "contentItems": [
                {"type": "inputText", "text": "see"},
                {"type": "inputImage", "imageUrl": PNG},
            ],
            "success": True,
        }
    }
    assert outputs([output()])["c1"]["contentItems"] == [{"type": "inputText", "text": "3"}]


def test_pictures_of_low_detail_would_vanish() -> None:
    made, losses = planned(
        input=[user(text("see"), {"type": "input_image", "image_url": PNG, "detail": "low"})]
    )
    assert made.items[0]["content"][1]["detail"] == "auto"
    assert lost(losses) == [("input[0].content[1].detail", "changed")]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,%%%",
        "data:image/png,raw",
        "data:text/plain;base64,aGVsbG8=",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("place", ["content", "output"])
def test_what_codex_cannot_see_is_refused(url: str, place: str) -> None:
    picture = {"type": "input_image", "image_url": url, "detail": "auto"}
    given = [user(text("see"), picture)] if place == "content" else [call(), output(value=[picture])]
    with pytest.raises(InvalidRequest) as caught:
        planned(input=given, tools=[ADD])
    at = "input[0].content[1]" if place == "content" else "input[1].output[0]"
    assert caught.value.param == f"{at}.image_url"
    assert "passwd" not in caught.value.message


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_file", "file_data": "data:text/plain;base64,aGk="}, "input[0].content[0]"),
        ({"type": "input_image", "file_id": "file_1", "detail": "auto"}, "input[0].content[0].file_id"),
        ({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}, "input[0].content[0]"),
    ],
)
def test_parts_that_codex_does_not_take(part: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        planned(input=[user(part)])
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ([call()], "input[0].call_id"),
        ([user(text("a")), output()], "input[1].call_id"),
        ([call(), output(), call("c2")], "input[2].call_id"),
    ],
)
def test_half_a_call_would_be_dropped_or_made_up(given: list[Json], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        planned(input=given, tools=[ADD])
    assert (caught.value.param, caught.value.code) == (param, "unpaired_call")


def test_reasoning_goes_back_where_it_was_sealed_here() -> None:
    def thought(token: str) -> Json:
        return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": token}

    made, losses = planned(
        input=[thought("reasoning:encrypted=ENC"), thought("foreign"), user(text("go on"))]
    )
    assert [item["type"] for item in made.items] == ["reasoning", "message"]
    assert made.items[0]["encrypted_content"] == "ENC"
    assert lost(losses) == []


def test_no_input_at_all() -> None:
    assert planned(input=[])[0].items == []
