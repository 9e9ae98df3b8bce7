"""A Responses request as a Chat Completions request: one rule for every field, no field without a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate import tools as t
from wireloom.translate.items_to_messages import messages
from wireloom.translate.loss import Losses, Severity, refused

Json: TypeAlias = dict[str, Any]
Rule: TypeAlias = "Callable[[_Build, str, Any], None]"


@dataclass(frozen=True, slots=True)
class Options:
    """What the gateway's settings say of every request.

    Args:
        model: the model's name upstream.
        lenient: whether tools of an unknown kind are left out (the Codex CLI adds kinds with each release).
        denied_tools: names of tools that are never offered.
        extra_params: members that go into every request and win over the client's.
        drop_params: members that never go upstream.
    """

    model: str
    lenient: bool = False
    denied_tools: frozenset[str] = frozenset()
    extra_params: Mapping[str, Any] = field(default_factory=dict)
    drop_params: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A Chat request and what is needed to read its answer.

    Args:
        body: the JSON of the request.
        tools: the names under which tools are offered.
    """

    body: Json
    tools: t.Tools


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
    tools = t.flatten(body.tools or [], profile, losses, denied=options.denied_tools, lenient=options.lenient)
    build = _Build(body, profile, losses, tools)
    build.body |= {"model": options.model, "messages": []}
    for name in sorted(body.model_fields_set):
        value = getattr(body, name)
        if name not in FIELDS:
            losses.add(name, "dropped", "no such field in the contract")
        elif value is not None:
            FIELDS[name](build, name, value)
    build.body["messages"] = messages(body.instructions, body.input, tools, profile, losses)
    if tools.functions:
        build.body["tools"] = tools.functions
    else:
        build.body.pop("parallel_tool_calls", None)
    if stream:
        build.body["stream"] = True
        if profile.stream_usage:
            build.body["stream_options"] = {"include_usage": True}
    build.body |= dict(profile.extra_body) | dict(options.extra_params)
    for name in options.drop_params:
        build.body.pop(name, None)
    return ChatRequest(build.body, tools)


@dataclass(slots=True)
class _Build:
    """A Chat request being made."""

    request: m.CreateResponse
    profile: Profile
    losses: Losses
    tools: t.Tools
    body: Json = field(default_factory=dict)

    def set(self, path: str, name: str, value: Any, severity: Severity = Severity.DEGRADING) -> None:
        """Set a Chat parameter as far as the upstream takes it."""
        profile = self.profile
        if name in profile.dropped:
            self.losses.add(path, "dropped", f"{profile.title} does not take it", severity)
        elif name in profile.pinned and profile.pinned[name] != value:
            self.losses.add(path, "dropped", f"{profile.title} takes only {profile.pinned[name]}", severity)
        else:
            self.body[name] = taken = self._bounded(name, value)
            if taken != value:
                self.losses.add(path, "changed", f"sent as {taken}", severity)

    def _bounded(self, name: str, value: Any) -> Any:
        """The nearest value that the upstream takes."""
        if not isinstance(value, int | float):
            return value
        least, most = self.profile.minimums.get(name, value), self.profile.maximums.get(name, value)
        return least if value < least else most if value > most else value


# -- kinds of rules ------------------------------------------------------------------------------------------------


def _done(*_: Any) -> None:
    """Carried elsewhere in this module, or answered by the gateway itself."""


def _same(severity: Severity = Severity.DEGRADING, name: str | None = None) -> Rule:
    def rule(build: _Build, path: str, value: Any) -> None:
        build.set(path, name or path, value, severity)

    return rule


def _left_out(reason: str, severity: Severity = Severity.DEGRADING) -> Rule:
    def rule(build: _Build, path: str, _: Any) -> None:
        build.losses.add(path, "dropped", reason, severity)

    return rule


@dataclass(frozen=True, slots=True)
class Refuse:
    """A rule that refuses every value but one, which says what happens anyway."""

    reason: str
    harmless: object = None

    def __call__(self, _: object, path: str, value: Any) -> None:
        """Refuse a value; None never comes here."""
        if value != self.harmless:
            raise refused(path, self.reason)


def _unless(harmless: object, rule: Rule) -> Rule:
    """A rule for every value but one, which says what happens anyway."""

    def guarded(build: _Build, path: str, value: Any) -> None:
        if value != harmless:
            rule(build, path, value)

    return guarded


# -- rules of single fields ----------------------------------------------------------------------------------------


def _max_output_tokens(build: _Build, path: str, value: int) -> None:
    build.set(path, build.profile.max_tokens_field, value)


def _reasoning(build: _Build, path: str, value: m.Reasoning) -> None:
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


def _text(build: _Build, path: str, value: m.ResponseTextParam) -> None:
    if value.verbosity is not None:
        build.set(f"{path}.verbosity", "verbosity", value.verbosity)
    form = value.format
    if isinstance(form, m.TextResponseFormatJsonSchema):
        if not build.profile.json_schema:
            raise refused(f"{path}.format", f"{build.profile.title} has no json_schema", "unsupported_format")
        schema = form.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"type"})
        build.body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif isinstance(form, m.ResponseFormatJsonObject):
        if not build.profile.json_object:
            raise refused(f"{path}.format", f"{build.profile.title} has no json_object", "unsupported_format")
        build.body["response_format"] = {"type": "json_object"}


def _tool_choice(build: _Build, path: str, value: Any) -> None:
    if isinstance(value, str):
        _choose(build, path, value, value)
    elif value.type in ("function", "custom"):
        flat = build.tools.flat_name(value.name, getattr(value, "namespace", None))
        if flat is None:
            raise InvalidRequest(
                f"{path}.name: the tool {value.name!r} is not offered.", param=f"{path}.name"
            )
        _choose(build, path, "function", {"type": "function", "function": {"name": flat}})
    elif value.type == "allowed_tools":
        _allow(build, path, value)
    else:
        raise refused(path, f"a tool of type {value.type} cannot be forced", "unsupported_tool")


def _choose(build: _Build, path: str, form: str, value: Any) -> None:
    if form == "auto":
        return  # what an absent field means everywhere
    if form == "none" and not build.tools.functions:
        return
    if form not in build.profile.tool_choice:
        if form == "none":
            build.tools.functions.clear()  # a model that is offered nothing calls nothing
            return
        raise refused(path, f"{build.profile.title} cannot be made to call a tool")
    if not build.tools.functions:
        raise refused(path, "no tool is left that could be called")
    if form in ("required", "function") and build.profile.thinking_blocks_forced_tools:
        _stop_thinking(build, path)
    build.body["tool_choice"] = value


def _stop_thinking(build: _Build, path: str) -> None:
    """Ask for no reasoning in this turn: what is forced weighs more than how the model gets there."""
    title = build.profile.title
    silent = build.profile.effort("none")
    if silent is None:
        raise refused(path, f"{title} cannot be made to call a tool while it thinks")
    effort = build.request.reasoning.effort if build.request.reasoning else None
    for name in build.profile.effort(effort) or () if effort else ():
        build.body.pop(name, None)
    build.body |= silent
    build.losses.add("reasoning", "dropped", f"{title} does not think where a tool is forced")


def _allow(build: _Build, path: str, value: m.ToolChoiceAllowed) -> None:
    """Offer the allowed tools alone: the only form in which every upstream keeps to them."""
    allowed = set()
    for index, tool in enumerate(value.tools):
        flat = build.tools.flat_name(str(tool.get("name")), tool.get("namespace"))
        if flat is None:
            at = f"{path}.tools[{index}]"
            raise InvalidRequest(f"{at}: the tool {tool.get('name')!r} is not offered.", param=at)
        allowed.add(flat)
    kept = [tool for tool in build.tools.functions if tool["function"]["name"] in allowed]
    build.tools.functions[:] = kept
    build.losses.add(path, "emulated", "tools that are not allowed are not offered", Severity.IMMATERIAL)
    _choose(build, path, value.mode, value.mode)


def _parallel_tool_calls(build: _Build, path: str, value: bool) -> None:
    if build.profile.parallel_tool_calls:
        build.body["parallel_tool_calls"] = value
    elif not value:
        build.losses.add(path, "dropped", f"{build.profile.title} does not take it")


def _top_logprobs(build: _Build, path: str, value: int) -> None:
    if value:
        raise refused(path, "log probabilities are not carried")


def _include(build: _Build, path: str, value: list[str]) -> None:
    for index, name in enumerate(value):
        if name == "message.output_text.logprobs":
            raise refused(f"{path}[{index}]", "log probabilities are not carried")
        build.losses.add(f"{path}[{index}]", "dropped", "nothing of the kind to include", Severity.IMMATERIAL)


def _service_tier(build: _Build, path: str, value: str) -> None:
    if value not in ("auto", "default"):
        build.set(path, path, value)


def _previous_response(_: _Build, path: str, value: str) -> None:
    raise InvalidRequest(
        f"No response {value!r} is stored here; send the whole conversation as input.",
        code="previous_response_not_found",
        param=path,
    )


_IMMATERIAL = Severity.IMMATERIAL

FIELDS: Mapping[str, Rule] = {
    "model": _done,
    "input": _done,
    "instructions": _done,
    "tools": _done,
    "stream": _done,
    "stream_options": _left_out("obfuscation is never added", _IMMATERIAL),
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel_tool_calls,
    "text": _text,
    "reasoning": _reasoning,
    "max_output_tokens": _max_output_tokens,
    "temperature": _same(),
    "top_p": _same(),
    "presence_penalty": _same(),
    "frequency_penalty": _same(),
    "top_logprobs": _top_logprobs,
    "service_tier": _service_tier,
    "include": _include,
    "user": _same(_IMMATERIAL),
    "metadata": _same(_IMMATERIAL),
    "safety_identifier": _same(_IMMATERIAL),
    "prompt_cache_key": _same(_IMMATERIAL),
    "prompt_cache_retention": _same(_IMMATERIAL),
    "prompt_cache_options": _left_out("no such setting upstream", _IMMATERIAL),
    "client_metadata": _left_out("the client's own bookkeeping", _IMMATERIAL),
    "store": _left_out("nothing is stored", _IMMATERIAL),
    "truncation": _unless("disabled", _left_out("nothing is cut; a request that is too long fails")),
    "max_tool_calls": _left_out("it bounds tools that run inside the provider", _IMMATERIAL),
    "moderation": _left_out("no moderation upstream"),
    "background": Refuse("responses are not made in the background", harmless=False),
    "prompt": Refuse("stored prompts live at the provider that stores them"),
    "conversation": Refuse("conversations are not stored"),
    "context_management": Refuse("the context is not managed by the server"),
    "previous_response_id": _previous_response,
}
