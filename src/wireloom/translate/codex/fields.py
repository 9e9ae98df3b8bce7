"""What becomes of the fields of a request that the local Codex CLI treats alike, whichever engine asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from wireloom.translate.hub.include import ENCRYPTED_REASONING, LOGPROBS
from wireloom.translate.rules.loss import How, Losses, Refuse, Rule, Severity, refused

JSON_ONLY = "Answer with one JSON object and nothing else."
SUMMARIES = frozenset({"auto", "concise", "detailed"})


class Build(Protocol):
    """A request being made."""

    losses: Losses


Apply: TypeAlias = Callable[[Any, str, Any], None]


def carried(*_: Any) -> None:
    """Carried elsewhere in the module, or answered by the gateway itself."""


def instructed_json(build: Any, path: str, _: Any) -> None:
    """Ask for a JSON object in the instructions.

    Args:
        build: the request being made; its `instructions` get one more.
        path: where the format stood.
    """
    build.instructions.append(JSON_ONLY)
    build.losses.add(path, "emulated", "Codex has no json_object: it is asked for in words")


def report_settings(losses: Losses, path: str, reasoning: Mapping[str, Any]) -> None:
    """Note what Codex does not know of how a model is to reason."""
    for name in ("mode", "context"):
        if reasoning.get(name) not in (None, "auto", "standard"):
            losses.add(f"{path}.{name}", "dropped", "Codex has no such setting")


def _top_logprobs(_: Build, path: str, value: int) -> None:
    if value:
        raise refused(path, "Codex tells no log probabilities")


def _include(build: Build, path: str, value: list[str]) -> None:
    for index, name in enumerate(value):
        INCLUDE[name].apply(build, f"{path}[{index}]", name)


def ignored(reason: str, severity: Severity = Severity.DEGRADING, *, harmless: object = None) -> Rule[Apply]:
    """A rule that leaves a field out and says so."""

    def rule(build: Build, path: str, value: Any) -> None:
        if value != harmless:
            build.losses.add(path, "dropped", reason, severity)

    return Rule(How.IGNORED, rule, reason)


def _refuse(reason: str, harmless: object = None) -> Rule[Apply]:
    return Rule(How.REFUSED, Refuse(reason, harmless), reason)


_IMMATERIAL = Severity.IMMATERIAL
_HISTORY = "by the gateway's history"
_UNSET = ignored("Codex has no such setting")
_UNHEARD = ignored("Codex hears nothing of it", _IMMATERIAL)

_ABSENT = ignored("nothing of the kind to include", _IMMATERIAL)

INCLUDE: Mapping[str, Rule[Apply]] = {
    LOGPROBS: _refuse("Codex sends no log probabilities"),
    ENCRYPTED_REASONING: Rule(How.EMULATED, carried, "sealed by the gateway"),
    "file_search_call.results": _ABSENT,
    "web_search_call.results": _ABSENT,
    "web_search_call.action.sources": _ABSENT,
    "message.input_image.image_url": _ABSENT,
    "computer_call_output.output.image_url": _ABSENT,
    "code_interpreter_call.outputs": _ABSENT,
}
"""Every part of an answer that `include` asks for."""

COMMON: Mapping[str, Rule[Apply]] = {
    "model": Rule(How.NATIVE, carried, "under the name that the model map gives"),
    "stream": Rule(How.NATIVE, carried),
    "stream_options": ignored("obfuscation is never added", _IMMATERIAL),
    "include": Rule(How.NATIVE, _include, "sealed reasoning; log probabilities are refused"),
    "top_logprobs": Rule(How.REFUSED, _top_logprobs, "Codex tells no log probabilities"),
    "max_output_tokens": _UNSET,
    "temperature": _UNSET,
    "top_p": _UNSET,
    "presence_penalty": _UNSET,
    "frequency_penalty": _UNSET,
    "moderation": _UNSET,
    "access_programs": _UNSET,
    "image": _UNSET,
    "truncation": ignored("nothing is cut; a request that is too long fails", harmless="disabled"),
    "max_tool_calls": ignored("it bounds tools that run inside the provider", _IMMATERIAL),
    "metadata": ignored("only `cwd` is read, by the gateway", _IMMATERIAL),
    "user": _UNHEARD,
    "safety_identifier": _UNHEARD,
    "prompt_cache_key": _UNHEARD,
    "prompt_cache_retention": _UNHEARD,
    "prompt_cache_options": _UNHEARD,
    "client_metadata": _UNHEARD,
    "store": Rule(How.EMULATED, carried, _HISTORY),
    "previous_response_id": Rule(How.EMULATED, carried, _HISTORY),
    "conversation": Rule(How.EMULATED, carried, _HISTORY),
    "background": _refuse("responses are not made in the background", harmless=False),
    "background_options": _refuse("responses are not made in the background"),
    "prompt": _refuse("stored prompts live at the provider that stores them"),
    "context_management": _refuse("the context is not managed by the server"),
}
"""The fields that neither engine treats in its own way."""
