"""Settings that both engines of the local Codex CLI treat alike: taken, reported or refused."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from wireloom_protocol import responses as m

from wireloom.api.bodies import prepare
from wireloom.errors import InvalidRequest
from wireloom.translate.codex.app_server_request import plan
from wireloom.translate.codex.exec_request import run
from wireloom.translate.codex.fields import JSON_ONLY
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses, Severity

Json = dict[str, Any]
Made = tuple[Json, Losses]
ASKED = "Codex has no json_object: it is asked for in words"
ABSENT = ("dropped", "nothing of the kind to include", Severity.IMMATERIAL)
UNSET = ("dropped", "Codex has no such setting", Severity.DEGRADING)
UNHEARD = ("dropped", "Codex hears nothing of it", Severity.IMMATERIAL)


def read(body: Json) -> m.CreateResponse:
    """A request as the gateway reads it."""
    whole = copy.deepcopy({"model": "given", "input": "hi", **body})
    prepare(whole)
    return m.CreateResponse.model_validate(whole)


def app_server(body: Json) -> Made:
    """Return the params for the app-server, besides the conversation."""
    losses = Losses()
    made = plan(read(body), Options("sent"), losses)
    return {**made.start, **made.turn}, losses


def executed(body: Json) -> Made:
    """Return the options of a run of `codex exec`, besides the conversation."""
    losses = Losses()
    made = run(read(body), Options("sent"), losses)
    return {"baseInstructions": made.instructions, "schema": made.schema, **made.options}, losses


ENGINES = pytest.mark.parametrize("made", [app_server, executed])

LOST: list[tuple[Json, str, tuple[str, str, Severity]]] = [
    ({"stream_options": {"include_obfuscation": True}}, "stream_options", ("dropped", "obfuscation is never added", Severity.IMMATERIAL)),
    ({"max_output_tokens": 99}, "max_output_tokens", UNSET),
    ({"temperature": 0.5}, "temperature", UNSET),
    ({"top_p": 0.5}, "top_p", UNSET),
    ({"presence_penalty": 1}, "presence_penalty", UNSET),
    ({"frequency_penalty": 1}, "frequency_penalty", UNSET),
    ({"moderation": {"model": "m"}}, "moderation", UNSET),
    ({"reasoning": {"mode": "pro"}}, "reasoning.mode", UNSET),
    ({"reasoning": {"context": "all_turns"}}, "reasoning.context", UNSET),
    ({"truncation": "auto"}, "truncation", ("dropped", "nothing is cut; a request that is too long fails", Severity.DEGRADING)),
    ({"max_tool_calls": 1}, "max_tool_calls", ("dropped", "it bounds tools that run inside the provider", Severity.IMMATERIAL)),
    ({"metadata": {"a": "b"}}, "metadata", ("dropped", "only `cwd` is read, by the gateway", Severity.IMMATERIAL)),
    ({"user": "u"}, "user", UNHEARD),
    ({"safety_identifier": "s"}, "safety_identifier", UNHEARD),
    ({"prompt_cache_key": "k"}, "prompt_cache_key", UNHEARD),
    ({"prompt_cache_retention": "24h"}, "prompt_cache_retention", UNHEARD),
    ({"prompt_cache_options": {"mode": "implicit"}}, "prompt_cache_options", UNHEARD),
    ({"client_metadata": {"a": "b"}}, "client_metadata", UNHEARD),
    ({"include": ["reasoning.encrypted_content", "file_search_call.results"]}, "include[1]", ABSENT),
    ({"include": ["web_search_call.results"]}, "include[0]", ABSENT),
    ({"include": ["web_search_call.action.sources"]}, "include[0]", ABSENT),
    ({"include": ["message.input_image.image_url"]}, "include[0]", ABSENT),
    ({"include": ["computer_call_output.output.image_url"]}, "include[0]", ABSENT),
    ({"include": ["code_interpreter_call.outputs"]}, "include[0]", ABSENT),
    ({"vendor": 1}, "vendor", ("dropped", "no such field in the contract", Severity.DEGRADING)),
    ({"text": {"format": {"type": "json_object"}}}, "text.format", ("emulated", ASKED, Severity.DEGRADING)),
]  # fmt: skip


@ENGINES
@pytest.mark.parametrize(("body", "path", "loss"), LOST, ids=lambda value: str(value)[:60])
def test_a_setting_that_codex_does_not_have_is_reported(
    made: Callable[[Json], Made], body: Json, path: str, loss: tuple[str, str, Severity]
) -> None:
    sent, losses = made(body)
    assert [(one.path, (one.action, one.reason, one.severity)) for one in losses.items] == [(path, loss)]
    bare, _ = made({})
    if path == "text.format":
        bare["baseInstructions"] = JSON_ONLY
    assert sent == bare


@ENGINES
@pytest.mark.parametrize(
    "body",
    [
        {"stream": True, "store": True, "previous_response_id": "resp_1"},
        {"include": ["reasoning.encrypted_content"]},
        {"conversation": "conv_1"},
        {"top_logprobs": 0, "truncation": "disabled", "background": False},
        {"reasoning": {"mode": "standard", "context": "auto"}},
        {"service_tier": "auto"},
        {"service_tier": "default"},
        {"text": {"format": {"type": "text"}}},
        {"tool_choice": "auto", "tools": []},
        {"tool_choice": "none", "parallel_tool_calls": False},
    ],
    ids=str,
)
def test_a_setting_that_changes_nothing_is_not_reported(made: Callable[[Json], Made], body: Json) -> None:
    sent, losses = made(body)
    assert losses.items == []
    assert sent == made({})[0]


@ENGINES
@pytest.mark.parametrize(
    ("body", "param", "reason"),
    [
        ({"top_logprobs": 1}, "top_logprobs", "Codex tells no log probabilities"),
        (
            {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
            "include[1]",
            "Codex sends no log probabilities",
        ),
        ({"background": True}, "background", "responses are not made in the background"),
        (
            {"background_options": {"completion_window": "2h"}},
            "background_options",
            "responses are not made in the background",
        ),
        ({"prompt": {"id": "p"}}, "prompt", "stored prompts live at the provider that stores them"),
        (
            {"context_management": [{"type": "compaction"}]},
            "context_management",
            "the context is not managed by the server",
        ),
    ],
)
def test_a_setting_that_must_not_be_left_out_is_refused(
    made: Callable[[Json], Made], body: Json, param: str, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        made(body)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_parameter")
    assert caught.value.message == f"{param} cannot be served here: {reason}."


SCHEMA: Json = {"type": "object", "properties": {}, "additionalProperties": False}
WHOLE: Json = {
    "instructions": "I",
    "reasoning": {"effort": "low", "generate_summary": "concise"},
    "text": {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "description": "D", "strict": False},
    },
    "service_tier": "flex",
}


def test_settings_of_codex_go_to_the_app_server() -> None:
    made, losses = app_server(WHOLE)
    assert made == {
        "model": "sent",
        "baseInstructions": "I\n\nD",
        "config": {"model_verbosity": "low"},
        "effort": "low",
        "summary": "concise",
        "outputSchema": SCHEMA,
        "serviceTier": "flex",
    }
    found = [(one.path, one.action, one.reason, one.severity) for one in losses.items]
    assert found == [("text.format.strict", "changed", "Codex enforces every schema", Severity.IMMATERIAL)]


def test_settings_of_codex_go_to_a_run() -> None:
    made, losses = executed(WHOLE)
    assert made == {
        "baseInstructions": "I\n\nD",
        "schema": SCHEMA,
        "model_reasoning_effort": "low",
        "model_reasoning_summary": "concise",
        "model_verbosity": "low",
        "service_tier": "flex",
    }
    assert losses.items == []


@ENGINES
@pytest.mark.parametrize("summary", ["auto", "concise", "detailed"])
def test_a_summary_is_asked_for_in_the_words_of_codex(made: Callable[[Json], Made], summary: str) -> None:
    sent, losses = made({"reasoning": {"summary": summary}})
    assert (summary in sent.values(), losses.items) == (True, [])
    assert made({"reasoning": {"summary": None}})[0] == made({})[0]


def test_calls_in_parallel_cannot_be_switched_off_where_there_are_tools() -> None:
    body = {"tools": [{"type": "function", "name": "f"}], "parallel_tool_calls": False}
    _, losses = app_server(body)
    assert [(one.path, one.action, one.severity) for one in losses.items] == [
        ("parallel_tool_calls", "dropped", Severity.DEGRADING)
    ]
