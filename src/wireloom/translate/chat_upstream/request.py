"""A Responses request as a Chat Completions request: one rule for every field, no field without a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.providers.profile import Profile
from wireloom.translate.chat_upstream.draft import Draft, schema_in_words
from wireloom.translate.chat_upstream.items import messages
from wireloom.translate.chat_upstream.tool_choice import choose_tools
from wireloom.translate.conversation.effort import updated
from wireloom.translate.conversation.json_word import with_word
from wireloom.translate.hub.include import ENCRYPTED_REASONING, LOGPROBS
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import How, Losses, Refuse, Rule, Severity, refused
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.dialect import fit_format
from wireloom.translate.tools.flatten import flatten
from wireloom.translate.tools.table import BRINGERS
from wireloom.wire.json import Json

Apply: TypeAlias = "Callable[[Draft, str, Any], None]"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A Chat request and what is needed to read its answer.

    Args:
        body: the JSON of the request.
        tools: the names under which tools are offered.
    """

    body: Json
    tools: Tools


def request(
    body: m.CreateResponse, profile: Profile, options: Options, losses: Losses, *, stream: bool = True
) -> ChatRequest:
    """Translate a request.

    Args:
        body: the validated request.
        profile: what the upstream takes.
        options: the gateway's settings.
        losses: where what is not carried is noted.
        stream: whether the upstream is asked to stream.

    Raises:
        InvalidRequest: something that cannot be carried and must not be left out.
    """
    body = updated(body)
    tools = flatten(
        body,
        profile,
        losses,
        model=options.model,
        denied=options.denied_tools,
        lenient=options.lenient,
        recalled=options.recalled,
    )
    build = Draft(body, profile, losses, tools)
    build.body |= {"model": options.model, "messages": []}
    for name in sorted(body.model_fields_set):
        value = getattr(body, name)
        if name not in FIELDS:
            losses.add(name, "dropped", "no such field in the contract")
        elif value is not None:
            FIELDS[name].apply(build, name, value)
    build.body["messages"] = messages(
        "\n\n".join(filter(None, (body.instructions, build.instruction))),
        body.input,
        tools,
        profile,
        losses,
        unseal=options.unseal,
        recalled=options.recalled,
    )
    build.body["messages"] = with_word(build.body, profile, losses)
    _offer(build)
    if stream:
        build.body["stream"] = True
        if profile.stream_usage:
            build.body["stream_options"] = {"include_usage": True}
    build.body |= dict(profile.extra_body) | dict(options.extra_params)
    for name in options.drop_params:
        build.body.pop(name, None)
    return ChatRequest(build.body, tools)


def _offer(build: Draft) -> None:
    """Write down which tools there are, once it is settled what may be called."""
    if build.tools.functions:
        build.body["tools"] = build.tools.functions
    else:
        build.body.pop("parallel_tool_calls", None)
    if build.tools.search:
        _add(build.body, build.profile.web_search)


def tool_names(body: m.CreateResponse) -> list[str]:
    """The names of a request's tools, for the log; a tool without one is named by its kind."""
    items: Any = body.input if isinstance(body.input, list) else ()
    brought = [tool for item in items if item.type in BRINGERS for tool in item.tools]
    return [str(getattr(tool, "name", tool.type)) for tool in [*(body.tools or ()), *brought]]


def _add(body: Json, members: Mapping[str, Any]) -> None:
    """Set members; what is a list is added to the one that is there."""
    for name, value in members.items():
        body[name] = [*body.get(name, ()), *value] if isinstance(value, list) else value


# -- kinds of rules ------------------------------------------------------------------------------------------------


def _done(*_: Any) -> None:
    """Carried elsewhere in this module, or answered by the gateway itself."""


def _same(severity: Severity = Severity.DEGRADING, name: str | None = None) -> Apply:
    def rule(build: Draft, path: str, value: Any) -> None:
        build.set(path, name or path, value, severity)

    return rule


# -- rules of single fields ----------------------------------------------------------------------------------------


def _max_output_tokens(build: Draft, path: str, value: int) -> None:
    build.set(path, build.profile.max_tokens_field, value)


def _reasoning(build: Draft, path: str, value: m.Reasoning) -> None:
    if value.effort is not None:
        asked = build.profile.effort(value.effort)
        if asked is None:
            build.losses.add(f"{path}.effort", "dropped", f"{build.profile.title} has no such effort")
        else:
            build.body |= asked
            sent = build.profile.effort_levels[value.effort]
            if sent != value.effort:
                build.losses.add(f"{path}.effort", "changed", f"sent as {sent}")
    for name in ("mode", "context"):
        if getattr(value, name) not in (None, "auto", "standard"):
            build.losses.add(f"{path}.{name}", "dropped", "no such setting upstream")


def _text(build: Draft, path: str, value: m.ResponseTextParam) -> None:
    if value.verbosity is not None:
        build.set(f"{path}.verbosity", "verbosity", value.verbosity)
    if value.format is not None:
        FORMATS[value.format.type].apply(build, f"{path}.format", value.format)


def _json_schema(build: Draft, path: str, form: m.TextResponseFormatJsonSchema) -> None:
    profile = build.profile
    schema = form.model_dump(by_alias=True, exclude_unset=True, exclude={"type"})
    if profile.json_schema:
        schema = fit_format(schema, profile, path, build.losses)
        build.body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return
    build.instruction = schema_in_words(schema["schema"], schema.get("description"))
    reason = f"{profile.title} has no json_schema: the schema is described and not enforced"
    build.losses.add(path, "emulated", reason)
    if profile.json_object:
        build.body["response_format"] = {"type": "json_object"}


def _json_object(build: Draft, path: str, _: m.ResponseFormatJsonObject) -> None:
    if not build.profile.json_object:
        raise refused(path, f"{build.profile.title} has no json_object", "unsupported_format")
    build.body["response_format"] = {"type": "json_object"}


FORMATS: Mapping[str, Rule[Apply]] = {
    "text": Rule(How.NATIVE, _done, "the same as no format"),
    "json_schema": Rule(How.NATIVE, _json_schema, "described where the upstream does not have it"),
    "json_object": Rule(How.NATIVE, _json_object, "refused where the upstream does not have it"),
}
"""Every format of an answer."""


def _parallel_tool_calls(build: Draft, path: str, value: bool) -> None:
    if build.profile.parallel_tool_calls:
        build.body["parallel_tool_calls"] = value
    elif not value:
        build.losses.add(path, "dropped", f"{build.profile.title} does not take it")


def _logprobs(build: Draft, path: str, _: Any = None) -> None:
    if "logprobs" in build.profile.dropped:
        raise refused(path, f"{build.profile.title} tells no log probabilities")
    build.body["logprobs"] = True


def _top_logprobs(build: Draft, path: str, value: int) -> None:
    if value:
        _logprobs(build, path)
        build.set(path, "top_logprobs", value, Severity.BREAKING)


def _include(build: Draft, path: str, value: list[str]) -> None:
    for index, name in enumerate(value):
        INCLUDE[name].apply(build, f"{path}[{index}]", name)


def _service_tier(build: Draft, path: str, value: str) -> None:
    if value not in ("auto", "default"):
        build.set(path, path, value)


_IMMATERIAL = Severity.IMMATERIAL
_HISTORY = "by the gateway's history"
_BY_PROFILE = "where the upstream takes it"


def _ignored(reason: str, severity: Severity = Severity.DEGRADING, harmless: object = None) -> Rule[Apply]:
    def rule(build: Draft, path: str, value: Any) -> None:
        if value != harmless:  # None never comes here
            build.losses.add(path, "dropped", reason, severity)

    return Rule(How.IGNORED, rule, reason)


def _refuse(reason: str, harmless: object = None) -> Rule[Apply]:
    return Rule(How.REFUSED, Refuse(reason, harmless), reason)


_ABSENT = _ignored("nothing of the kind to include", _IMMATERIAL)

INCLUDE: Mapping[str, Rule[Apply]] = {
    LOGPROBS: Rule(How.NATIVE, _logprobs, "refused where the upstream does not send them"),
    ENCRYPTED_REASONING: Rule(How.EMULATED, _done, "sealed by the gateway"),
    "file_search_call.results": _ABSENT,
    "web_search_call.results": _ABSENT,
    "web_search_call.action.sources": _ABSENT,
    "message.input_image.image_url": _ABSENT,
    "computer_call_output.output.image_url": _ABSENT,
    "code_interpreter_call.outputs": _ABSENT,
}
"""Every part of an answer that `include` asks for."""

FIELDS: Mapping[str, Rule[Apply]] = {
    "model": Rule(How.NATIVE, _done, "under the name that the model map gives"),
    "input": Rule(How.NATIVE, _done, "item by item"),
    "instructions": Rule(How.NATIVE, _done, "the first system message"),
    "tools": Rule(How.NATIVE, _done, "tool by tool"),
    "stream": Rule(How.NATIVE, _done),
    "stream_options": _ignored("obfuscation is never added", _IMMATERIAL),
    "tool_choice": Rule(
        How.NATIVE, choose_tools, "allowed_tools is enforced; tools that run at a provider cannot be forced"
    ),
    "parallel_tool_calls": Rule(How.NATIVE, _parallel_tool_calls, _BY_PROFILE),
    "text": Rule(How.NATIVE, _text, "json_schema is described to a model whose upstream does not have it"),
    "reasoning": Rule(How.NATIVE, _reasoning, "the effort in the upstream's own words"),
    "max_output_tokens": Rule(How.NATIVE, _max_output_tokens),
    "temperature": Rule(How.NATIVE, _same()),
    "top_p": Rule(How.NATIVE, _same()),
    "presence_penalty": Rule(How.NATIVE, _same()),
    "frequency_penalty": Rule(How.NATIVE, _same()),
    "top_logprobs": Rule(How.NATIVE, _top_logprobs, "refused where the upstream does not tell them"),
    "service_tier": Rule(How.NATIVE, _service_tier, _BY_PROFILE),
    "include": Rule(How.NATIVE, _include, "log probabilities and sealed reasoning; there is nothing else"),
    "user": Rule(How.NATIVE, _same(_IMMATERIAL), _BY_PROFILE),
    "metadata": Rule(How.NATIVE, _same(_IMMATERIAL), _BY_PROFILE),
    "safety_identifier": Rule(How.NATIVE, _same(_IMMATERIAL), _BY_PROFILE),
    "prompt_cache_key": Rule(How.NATIVE, _same(_IMMATERIAL), _BY_PROFILE),
    "prompt_cache_retention": Rule(How.NATIVE, _same(_IMMATERIAL), _BY_PROFILE),
    "prompt_cache_options": _ignored("no such setting upstream", _IMMATERIAL),
    "client_metadata": _ignored("the client's own bookkeeping", _IMMATERIAL),
    "store": Rule(How.EMULATED, _done, _HISTORY),
    "previous_response_id": Rule(How.EMULATED, _done, _HISTORY),
    "conversation": Rule(How.EMULATED, _done, _HISTORY),
    "truncation": _ignored("nothing is cut; a request that is too long fails", harmless="disabled"),
    "max_tool_calls": _ignored("it bounds tools that run inside the provider", _IMMATERIAL),
    "moderation": _ignored("no moderation upstream"),
    "access_programs": _ignored("no such setting upstream"),
    "image": _ignored("no such setting upstream"),
    "background": _refuse("responses are not made in the background", harmless=False),
    "background_options": _refuse("responses are not made in the background"),
    "prompt": _refuse("stored prompts live at the provider that stores them"),
    "context_management": _refuse("the context is not managed by the server"),
}
