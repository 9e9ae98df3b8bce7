"""A Responses request for a Responses upstream: every member kept, save those that are the gateway's or not taken there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.providers.bounds import bounded
from wireloom.providers.profile import Profile
from wireloom.translate.conversation.effort import updated
from wireloom.translate.hub.include import ENCRYPTED_REASONING
from wireloom.translate.options import Options
from wireloom.translate.responses_upstream.items import Items
from wireloom.translate.responses_upstream.tools import offer
from wireloom.translate.rules.loss import How, Losses, Rule, Severity, refused
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.dialect import fit_format
from wireloom.wire.json import Json


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request and what is needed to read its answer.

    Args:
        body: the JSON of the request.
        tools: the names under which tools are offered that the upstream does not have itself.
    """

    body: Json
    tools: Tools


@dataclass(slots=True)
class _Build:
    """A request being made."""

    profile: Profile
    losses: Losses
    body: Json = field(default_factory=dict)


def request(body: m.CreateResponse, profile: Profile, options: Options, losses: Losses) -> UpstreamRequest:
    """Make the request that is sent.

    Args:
        body: the validated request, its context before its input.
        profile: what the upstream takes.
        options: the gateway's settings.
        losses: where what is not carried is noted.

    Raises:
        InvalidRequest: something that cannot be carried and must not be left out.
    """
    if not profile.responses.complete:
        body = updated(body)
    sent = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    build = _Build(profile, losses, {name: value for name, value in sent.items() if value is not None})
    for name, value in sorted(build.body.items()):
        if name in profile.responses.dropped:
            _leave_out(build, name, value)
        elif name in FIELDS:
            FIELDS[name].apply(build, name, value)
    _within_bounds(build)
    offered = offer(body, sent, profile, options, losses)
    _put(build.body, "tools", offered.tools or None)
    _put(build.body, "tool_choice", offered.choice)
    if not offered.tools:
        build.body.pop("parallel_tool_calls", None)
    if isinstance(body.input, list):
        items = Items(offered.flat, profile, losses, options.unseal)
        items.translate(body.input, sent["input"], options.recalled)
        build.body["input"] = items.mended()
        told = filter(None, (body.instructions, *items.instructions))
        _put(build.body, "instructions", "\n\n".join(told) or None)
    _include(build)
    build.body |= {"model": options.model, "store": False, "stream": True} | dict(options.extra_params)
    for name in options.drop_params:
        build.body.pop(name, None)
    return UpstreamRequest(build.body, offered.flat)


def _within_bounds(build: _Build) -> None:
    """Move values to the bounds that the upstream sets."""
    wire = build.profile.responses
    for name in sorted({*wire.minimums, *wire.maximums} & build.body.keys()):
        asked = build.body[name]
        taken = bounded(name, asked, wire.minimums, wire.maximums)
        if taken != asked:
            build.body[name] = taken
            build.losses.add(name, "changed", f"sent as {taken}")


def _put(body: Json, name: str, value: Any) -> None:
    """Set a member, or leave it out."""
    if value is None:
        body.pop(name, None)
    else:
        body[name] = value


# -- kinds of rules ------------------------------------------------------------------------------------------------

Apply: TypeAlias = Callable[[_Build, str, Any], None]

# What a request says anyway where it says nothing.
HARMLESS: Json = {
    "background": False,
    "metadata": {},
    "service_tier": "auto",
    "top_logprobs": 0,
    "truncation": "disabled",
}
# What an answer is the same without.
IMMATERIAL = frozenset(
    {
        "client_metadata",
        "max_tool_calls",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "stream_options",
        "user",
    }
)


def _leave_out(build: _Build, name: str, value: Any) -> None:
    """Do without a parameter that the profile rules out."""
    del build.body[name]
    if value != HARMLESS.get(name):
        severity = Severity.IMMATERIAL if name in IMMATERIAL else Severity.DEGRADING
        build.losses.add(name, "dropped", f"{build.profile.title} does not take it", severity)


def _as_it_is(_: _Build, __: str, ___: Any) -> None:
    """Nothing has to be done to it here."""


def _own(build: _Build, name: str, _: Any) -> None:
    """The gateway's own affair, of which the upstream hears nothing."""
    del build.body[name]


_FOREGROUND = "responses are not made in the background"


def _background(build: _Build, name: str, value: Any) -> None:
    del build.body[name]
    if value:
        raise refused(name, _FOREGROUND)


def _background_options(_: _Build, name: str, __: Any) -> None:
    raise refused(name, _FOREGROUND)


def _prompt(build: _Build, name: str, _: Any) -> None:
    if not build.profile.responses.complete:
        raise refused(name, "stored prompts live at the provider that stores them")


def _context_management(build: _Build, name: str, _: Any) -> None:
    if not build.profile.responses.compaction:
        raise refused(name, f"{build.profile.title} does not manage the context")


def _reasoning(build: _Build, name: str, value: Json) -> None:
    """The effort in the upstream's own words."""
    effort, profile = value.get("effort"), build.profile
    if effort is None or profile.responses.complete:
        return
    told = {key: each for key, each in value.items() if key != "effort"}
    word = profile.effort_levels.get(effort)
    if not profile.responses.effort or word is None:
        build.losses.add(f"{name}.effort", "dropped", f"{profile.title} has no such effort")
    elif word in EFFORTS and word != effort:
        told["effort"] = word
        build.losses.add(f"{name}.effort", "changed", f"sent as {word}")
    else:
        told["effort"] = effort
    _put(build.body, name, told or None)


# Other words are a provider's own in Chat Completions.
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


def _text(build: _Build, name: str, value: Json) -> None:
    given = value.get("format") or {}
    form = given.get("type", "text")
    fitting = fit_format(given, build.profile, f"{name}.format", build.losses)
    if fitting is not given:
        build.body[name] = {**value, "format": fitting}
    if form != "text" and not build.profile.responses.text_format:
        reason = f"{build.profile.title} answers in text only"
        raise refused(f"{name}.format", reason, "unsupported_format")


def _include(build: _Build) -> None:
    """Ask for what the next request has to give back where the upstream has it; elsewhere the gateway seals it."""
    asked = build.body.get("include", [])
    own = [ENCRYPTED_REASONING] if build.profile.responses.reasoning == "encrypted" else []
    _put(build.body, "include", [*(name for name in asked if name != ENCRYPTED_REASONING), *own] or None)


FieldRule: TypeAlias = Rule[Apply]

_NATIVE: FieldRule = Rule(How.NATIVE, _as_it_is, "as it is, unless the profile drops it")
_STATE: FieldRule = Rule(How.EMULATED, _own, "by the gateway's history; the upstream stores nothing")

FIELDS: Mapping[str, FieldRule] = {
    "model": Rule(How.NATIVE, _as_it_is, "under the name that the model map gives"),
    "input": Rule(How.NATIVE, _as_it_is, "item by item"),
    "instructions": Rule(How.NATIVE, _as_it_is, "with those of the first items where the profile says so"),
    "tools": Rule(How.NATIVE, _as_it_is, "tool by tool"),
    "tool_choice": Rule(How.NATIVE, _as_it_is, "in the names and forms that are known"),
    "parallel_tool_calls": Rule(How.NATIVE, _as_it_is, "where a tool is offered"),
    "stream": Rule(How.NATIVE, _as_it_is, "always"),
    "include": Rule(
        How.NATIVE, _as_it_is, "with encrypted reasoning where the upstream has it, else without"
    ),
    "reasoning": Rule(How.NATIVE, _reasoning, "the effort in the upstream's own words"),
    "text": Rule(How.NATIVE, _text, "refused where the upstream reads no format"),
    "store": _STATE,
    "previous_response_id": _STATE,
    "conversation": _STATE,
    "background": Rule(How.REFUSED, _background, _FOREGROUND),
    "background_options": Rule(How.REFUSED, _background_options, _FOREGROUND),
    "prompt": Rule(How.NATIVE, _prompt, "refused where the upstream is not complete"),
    "context_management": Rule(How.NATIVE, _context_management, "refused where there is no compaction"),
    **dict.fromkeys(
        (
            "access_programs",
            "client_metadata",
            "frequency_penalty",
            "image",
            "max_output_tokens",
            "max_tool_calls",
            "metadata",
            "moderation",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "stream_options",
            "temperature",
            "top_logprobs",
            "top_p",
            "truncation",
            "user",
        ),
        _NATIVE,
    ),
}
"""Every field of the contract. A member that the contract does not have goes as it is."""
