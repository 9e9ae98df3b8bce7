"""Requests for a Chat upstream, made of a greeting and some fields."""

from typing import Any, TypeAlias

from tests.support.captures import validated
from wireloom.providers import Profile, load, names
from wireloom.translate.chat_upstream.request import ChatRequest, request
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses, Severity

Json: TypeAlias = dict[str, Any]
Lost: TypeAlias = list[tuple[str, str, Severity]]
PROFILES = {name: load(name) for name in names()}
GENERIC, OPENAI = PROFILES["generic"], PROFILES["openai"]
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD: Json = {"type": "function", "name": "add", "parameters": SCHEMA}
SUB: Json = {"type": "function", "name": "sub", "parameters": SCHEMA}
PLAIN: Json = {"model": "upstream-model", "messages": [{"role": "user", "content": "hello"}]}


def like(profile: Profile, **differences: Any) -> Profile:
    """Return a profile with differences."""
    return profile.model_copy(update=differences)


def ask(
    profile: Profile = GENERIC,
    *,
    strict: bool = False,
    options: Options | None = None,
    streamed: bool = False,
    **fields: Any,
) -> tuple[ChatRequest, Lost]:
    """Return the Chat request for a greeting with some fields, and what was lost."""
    losses = Losses(strict=strict)
    body = validated({"model": "client-model", "input": "hello", **fields})
    made = request(body, profile, options or Options("upstream-model"), losses, stream=streamed)
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def offered(made: ChatRequest) -> list[str]:
    """Return the names of the functions in a request."""
    return [tool["function"]["name"] for tool in made.body.get("tools", [])]


def dropped(path: str, severity: Severity = Severity.DEGRADING) -> Lost:
    """Return what is lost where one thing is dropped."""
    return [(path, "dropped", severity)]
