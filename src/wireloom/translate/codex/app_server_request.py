"""A Responses request as a thread of the Codex app-server: how it starts, what it remembers, and its one turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.providers.profile import Profile
from wireloom.providers.responses_wire import ResponsesWire
from wireloom.translate.codex.fields import COMMON, SUMMARIES, carried, instructed_json, report_settings
from wireloom.translate.codex.items import thread_items
from wireloom.translate.codex.schemas import Schema, unsaid
from wireloom.translate.conversation.effort import updated
from wireloom.translate.options import Options
from wireloom.translate.responses_upstream.tools import offer
from wireloom.translate.rules.loss import How, Losses, Rule, Severity
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json

# Names that Codex keeps for tools of its own: a dynamic tool of such a name never reaches the model, and nobody is
# told (measured with 0.169.0 and 0.171.0). Names that begin like those of its MCP tools are refused.
OWN_TOOLS = ("exec_command", "write_stdin")

PROFILE = Profile(
    name="codex",
    title="Codex",
    docs="https://developers.openai.com/codex",
    tool_choice=("auto",),
    tool_strict=True,
    tool_name_pattern=rf"^(?!mcp__)(?!(?:{'|'.join(OWN_TOOLS)})$)[a-zA-Z0-9_-]+$",
    image_urls=False,
    image_detail=True,
    responses=ResponsesWire(tools=(), reasoning="encrypted", output_parts=True, instructions_anywhere=True),
)
"""What Codex takes, in the terms in which upstreams are described (measured with CLI 0.169.0)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request comes to.

    Args:
        start: params of `thread/start`, as far as the request decides them.
        items: what is injected before the turn: all that has been said, as Responses items.
        turn: params of `turn/start`, as far as the request decides them.
        tools: the names under which tools are offered.
        schemas: flat name of a tool -> the schema its arguments have to fit.
    """

    start: Json
    items: list[Json]
    turn: Json
    tools: Tools
    schemas: Mapping[str, Schema]


@dataclass(slots=True)
class _Build:
    """A plan being made."""

    body: m.CreateResponse
    losses: Losses
    start: Json = field(default_factory=dict)
    turn: Json = field(default_factory=dict)
    config: Json = field(default_factory=dict)
    instructions: list[str] = field(default_factory=list)


def plan(body: m.CreateResponse, options: Options, losses: Losses) -> Plan:
    """Translate a request.

    Args:
        body: the validated request, its context before its input.
        options: the gateway's settings.
        losses: where what is not carried is noted.

    Raises:
        InvalidRequest: something that cannot be carried and must not be left out.
    """
    body = updated(body)
    sent = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    build = _Build(body, losses)
    for name in sorted(body.model_fields_set | sent.keys()):
        value = sent.get(name)
        if name not in FIELDS:
            losses.add(name, "dropped", "no such field in the contract")
        elif value is not None:
            FIELDS[name].apply(build, name, value)
    offered = offer(body, sent, PROFILE, options, losses)
    schemas = {tool["name"]: Schema(tool["parameters"]) for tool in offered.tools}
    if offered.tools:
        build.start["dynamicTools"] = [_tool(tool, schemas[tool["name"]]) for tool in offered.tools]
    if any(tool["strict"] for tool in offered.tools):
        losses.add("tools", "emulated", "Codex enforces no schema of a tool: arguments are checked here")
    build.start["model"] = options.model
    build.start["baseInstructions"] = "\n\n".join(build.instructions)
    if build.config:
        build.start["config"] = build.config
    items = thread_items(body, sent, offered.flat, PROFILE, losses, options)
    return Plan(build.start, items, build.turn, offered.flat, schemas)


def _tool(tool: Json, schema: Schema) -> Json:
    """A function as a dynamic tool; what of its schema Codex would leave out is put in words."""
    described = tool["description"] or ""
    words = unsaid(schema.value)
    if words:
        described = f"{described}\n\n{words}".lstrip()
    return {
        "type": "function",
        "name": tool["name"],
        "description": described,
        "inputSchema": schema.value,
    }


# -- rules of single fields ----------------------------------------------------------------------------------------

Apply: TypeAlias = Callable[[_Build, str, Any], None]


def _instructions(build: _Build, _: str, value: str) -> None:
    build.instructions.append(value)  # first: fields come in the order of their names


def _reasoning(build: _Build, path: str, value: Json) -> None:
    if value.get("effort") is not None:
        build.turn["effort"] = value["effort"]
    summary = value.get("summary") or value.get("generate_summary")
    if summary in SUMMARIES:
        build.turn["summary"] = summary
    report_settings(build.losses, path, value)


def _text(build: _Build, path: str, value: Json) -> None:
    if value.get("verbosity") is not None:
        build.config["model_verbosity"] = value["verbosity"]
    form = value.get("format")
    if form:
        FORMATS[form["type"]].apply(build, f"{path}.format", form)


def _schema(build: _Build, path: str, form: Json) -> None:
    build.turn["outputSchema"] = form["schema"]
    if form.get("strict") is False:
        build.losses.add(f"{path}.strict", "changed", "Codex enforces every schema", Severity.IMMATERIAL)
    if form.get("description"):
        build.instructions.append(form["description"])


FORMATS: Mapping[str, Rule[Apply]] = {
    "text": Rule(How.NATIVE, carried, "the same as no format"),
    "json_schema": Rule(How.NATIVE, _schema, "always enforced"),
    "json_object": Rule(How.EMULATED, instructed_json, "asked for in words"),
}
"""Every format of an answer."""


def _parallel_tool_calls(build: _Build, path: str, value: bool) -> None:
    if not value and build.body.tools:
        build.losses.add(path, "dropped", "Codex asks for calls in parallel")


def _service_tier(build: _Build, _: str, value: str) -> None:
    if value not in ("auto", "default"):
        build.turn["serviceTier"] = value


FIELDS: Mapping[str, Rule[Apply]] = {
    **COMMON,
    "input": Rule(How.NATIVE, carried, "item by item, injected before the turn"),
    "instructions": Rule(How.NATIVE, _instructions, "the first message, of role developer"),
    "tools": Rule(How.EMULATED, carried, "as dynamic tools; a call ends the response and suspends the turn"),
    "tool_choice": Rule(How.EMULATED, carried, "auto, none and allowed tools; Codex cannot be made to call"),
    "parallel_tool_calls": Rule(How.IGNORED, _parallel_tool_calls, "Codex asks for calls in parallel"),
    "text": Rule(How.NATIVE, _text, "a schema is always enforced; json_object is asked for in words"),
    "reasoning": Rule(How.NATIVE, _reasoning, "effort and summary"),
    "service_tier": Rule(How.NATIVE, _service_tier, "where the model has the tier"),
}


def outputs(items: list[Json]) -> dict[str, Json]:
    """Call id -> the answer to a dynamic tool, of items that are outputs of functions.

    Args:
        items: as `Plan.items` has them.
    """
    return {item["call_id"]: {"contentItems": _content(item["output"]), "success": True} for item in items}


def _content(output: Any) -> list[Json]:
    if isinstance(output, str):
        return [{"type": "inputText", "text": output}]
    return [
        {"type": "inputImage", "imageUrl": part["image_url"]}
        if part["type"] == "input_image"
        else {"type": "inputText", "text": part["text"]}
        for part in output
    ]
