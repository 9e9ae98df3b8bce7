"""A Chat request for a Chat upstream of another kind: messages and parameters as far as the upstream takes them.

What a profile knows holds for a request that a client writes in Chat itself as for one that is translated. Members that
no rule here is about go as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from wireloom.providers.profile import Effort, Profile
from wireloom.translate.chat_upstream.draft import put, schema_in_words
from wireloom.translate.conversation.chat_rules import keep_rules
from wireloom.translate.conversation.content import joined
from wireloom.translate.conversation.json_word import with_word
from wireloom.translate.rules.loss import Losses, Severity, refused
from wireloom.wire.json import Json

EFFORTS = frozenset(get_args(Effort))
LIMITS = ("max_completion_tokens", "max_tokens")
# What means nothing where no tool is offered, and is refused there.
WITH_TOOLS = ("tool_choice", "parallel_tool_calls")


@dataclass(slots=True)
class _Build:
    """A request being made; `body` is a copy of the client's at its top level."""

    profile: Profile
    losses: Losses
    body: Json


def fitted(body: Json, profile: Profile, losses: Losses) -> Json:
    """A request as the upstream takes it.

    Args:
        body: JSON of the request; neither it nor anything in it is changed.
        profile: what the upstream takes.
        losses: where each change is noted.

    Raises:
        InvalidRequest: what the upstream cannot do and must not be left out; under `strict` any loss of weight.
    """
    build = _Build(profile, losses, dict(body))
    _limit(build)
    for name, value in list(build.body.items()):
        if value is None:
            if name in profile.dropped:
                build.body.pop(name, None)
        elif name in RULES:
            RULES[name](build, name, value)
        elif name in profile.dropped or name in profile.pinned or name in _bounds(profile):
            _put(build, name, value)
    _tools(build)
    if isinstance(body.get("messages"), list):
        build.body["messages"] = keep_rules(build.body["messages"], profile, losses, _place)
        build.body["messages"] = with_word(build.body, profile, losses)
    return build.body | dict(profile.extra_body)


def _place(index: int) -> str:
    return f"messages[{index}]"


def _bounds(profile: Profile) -> set[str]:
    return {*profile.minimums, *profile.maximums}


# -- parameters ----------------------------------------------------------------------------------------------------

# What an answer is the same without.
IMMATERIAL = frozenset(
    {
        "audio",
        "metadata",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
        "user",
    }
)
# Name -> the value that asks for nothing else than what happens without it.
HARMLESS: Mapping[str, Any] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "modalities": ["text"],
    "n": 1,
    "presence_penalty": 0,
    "store": False,
    "top_logprobs": 0,
}
TIERS = ("auto", "default")
# What an answer has another form without.
BREAKING = frozenset({"logprobs", "n", "top_logprobs"})
# What asks for an answer that is spoken; whether an upstream can is for it to say, since a profile knows of text alone.
SPOKEN = frozenset({"audio", "modalities"})


def _put(build: _Build, name: str, value: Any) -> None:
    if name in SPOKEN and "audio" in (build.body.get("modalities") or ()):
        return
    del build.body[name]
    severity = Severity.DEGRADING
    if name in IMMATERIAL or (name in HARMLESS and HARMLESS[name] == value):
        severity = Severity.IMMATERIAL
    elif name in BREAKING:
        severity = Severity.BREAKING
    put(build.body, build.profile, build.losses, name, value, path=name, severity=severity)


def _tier(build: _Build, name: str, value: Any) -> None:
    if name in build.profile.dropped and value in TIERS:
        del build.body[name]
    else:
        _put(build, name, value)


def _limit(build: _Build) -> None:
    """The limit of the answer under the upstream's name for it."""
    wanted = build.profile.max_tokens_field
    for name in LIMITS:
        if name != wanted and name in build.body:
            value = build.body.pop(name)
            if build.body.get(wanted) is None and value is not None:
                build.body[wanted] = value


def _stream_options(build: _Build, name: str, _: Any) -> None:
    if not build.profile.stream_usage:
        del build.body[name]
        reason = f"{build.profile.title} does not take it"
        build.losses.add(name, "dropped", reason, Severity.IMMATERIAL)


def _effort(build: _Build, name: str, value: Any) -> None:
    """The effort in the upstream's own words; words that are no effort of the contract are a client's affair."""
    if value not in EFFORTS:
        return
    profile = build.profile
    del build.body[name]
    asked = profile.effort(value)
    if asked is None:
        build.losses.add(name, "dropped", f"{profile.title} has no such effort")
        return
    for member, given in asked.items():
        build.body.setdefault(member, given)
    sent = profile.effort_levels[value]
    if sent != value:
        build.losses.add(name, "changed", f"sent as {sent}")


def _response_format(build: _Build, name: str, value: Any) -> None:
    profile, kind = build.profile, value.get("type") if isinstance(value, dict) else None
    if kind == "json_object" and not profile.json_object:
        raise refused(name, f"{profile.title} has no json_object", "unsupported_format")
    if kind != "json_schema" or profile.json_schema:
        return
    del build.body[name]
    _describe(build, value.get("json_schema") or {})
    build.losses.add(
        name, "emulated", f"{profile.title} has no json_schema: the schema is described and not enforced"
    )
    if profile.json_object:
        build.body[name] = {"type": "json_object"}


def _describe(build: _Build, form: Json) -> None:
    told = schema_in_words(form.get("schema") or {}, form.get("description"))
    messages = build.body["messages"]
    if messages and messages[0].get("role") in ("system", "developer"):
        first = {**messages[0], "content": joined(messages[0].get("content"), told)}
        build.body["messages"] = [first, *messages[1:]]
    else:
        build.body["messages"] = [{"role": "system", "content": told}, *messages]


# -- tools ---------------------------------------------------------------------------------------------------------


def _tools(build: _Build) -> None:
    """Leave out what is not taken of tools, and what means nothing without them."""
    body, profile = build.body, build.profile
    tools = body.get("tools")
    if isinstance(tools, list) and not profile.tool_strict:
        body["tools"] = tools = [_without_strict(build, index, tool) for index, tool in enumerate(tools)]
    if tools == []:
        del body["tools"]
    if "tools" not in body:
        for name in WITH_TOOLS:
            body.pop(name, None)
        return
    if not profile.parallel_tool_calls:
        one_by_one = body.pop("parallel_tool_calls", None) is False
        if one_by_one:
            build.losses.add("parallel_tool_calls", "dropped", f"{profile.title} does not take it")
    if body.get("tool_choice") is not None and tools:
        _choose(build, body["tool_choice"])


def _without_strict(build: _Build, index: int, tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or "strict" not in function:
        return tool
    if function["strict"]:
        path = f"tools[{index}].function.strict"
        build.losses.add(path, "dropped", f"{build.profile.title} does not take it")
    kept = {name: value for name, value in function.items() if name != "strict"}
    return {**tool, "function": kept}


def _choose(build: _Build, value: Any) -> None:
    """Put a choice of tools in a form that the upstream knows, or see to it here."""
    body, profile = build.body, build.profile
    form = value if isinstance(value, str) else value.get("type") if isinstance(value, dict) else None
    if form == "allowed_tools" and form not in profile.tool_choice:
        form = value = _allow(build, value[form])
    if form in profile.tool_choice:
        body["tool_choice"] = value
        if form in ("required", "function") and profile.thinking_blocks_forced_tools:
            _stop_thinking(build)
    elif form == "auto":
        body.pop("tool_choice", None)
    elif form == "none":
        for name in ("tools", *WITH_TOOLS):
            body.pop(name, None)
    elif form in ("required", "function"):
        raise refused("tool_choice", f"{profile.title} cannot be made to call a tool")


def _allow(build: _Build, allowed: Json) -> str:
    """Offer the allowed tools alone; the mode is what is left of the choice."""
    names = [_name(tool) for tool in allowed.get("tools", ())]
    build.body["tools"] = [tool for tool in build.body["tools"] if _name(tool) in names]
    reason = "tools that are not allowed are not offered"
    build.losses.add("tool_choice", "emulated", reason, Severity.IMMATERIAL)
    return str(allowed.get("mode", "auto")) if build.body["tools"] else "none"


def _name(tool: Any) -> Any:
    inner = tool.get(tool.get("type")) if isinstance(tool, dict) else None
    return inner.get("name") if isinstance(inner, dict) else None


def _stop_thinking(build: _Build) -> None:
    """Ask for no reasoning in this turn: what is forced weighs more than how the model gets there."""
    profile = build.profile
    silent = profile.effort("none")
    if silent is None:
        raise refused("tool_choice", f"{profile.title} cannot be made to call a tool while it thinks")
    for level in profile.effort_levels:
        for name in profile.effort(level) or ():
            build.body.pop(name, None)
    build.body |= silent
    reason = f"{profile.title} does not think where a tool is forced"
    build.losses.add("reasoning_effort", "dropped", reason)


RULES: Mapping[str, Callable[[_Build, str, Any], None]] = {
    "stream_options": _stream_options,
    "reasoning_effort": _effort,
    "response_format": _response_format,
    "service_tier": _tier,
}
"""Parameters that are more than a value within bounds."""
