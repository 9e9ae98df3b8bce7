"""A whole chat completion: its identity, its choices, why it ended, its usage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wireloom.cli.diagnose.check.rules import usage
from wireloom.cli.diagnose.check.rules.response import cut
from wireloom.wire.json import Json

LIMITS = ("max_completion_tokens", "max_tokens")
LENGTH = "length"
CALLED = ("tool_calls", "function_call")


def findings(made: Json, sent: Json, lost: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the faults of a whole completion.

    made: the object; sent: the request; lost: paths of the request that the deployment declares lost.
    """
    yield from identity(made, "chat.completion")
    choices = [choice for choice in made.get("choices") or () if isinstance(choice, dict)]
    yield from indexes(choices)
    for choice in choices:
        message = _message(choice)
        if message.get("role") != "assistant":
            yield f"the role of the message is {message.get('role')!r}, not 'assistant'"
        yield from ending(
            choice.get("finish_reason"), content=answers(message), calls=message.get("tool_calls")
        )
    wrote = any(answers(_message(choice)) for choice in choices)
    yield from usage.findings(made.get("usage"), usage.CHAT, wrote=wrote)
    yield from length(choices, made.get("usage"), sent, lost)


def _message(choice: Json) -> Json:
    found = choice.get("message")
    return found if isinstance(found, dict) else {}


def answers(message: Json) -> bool:
    """Whether a message holds a text, a refusal or a call."""
    names = ("content", "refusal", "tool_calls", "function_call", "audio")
    return any(message.get(name) for name in names)


def identity(made: Json, kind: str) -> Iterator[str]:
    """Yield the faults of a completion's or a chunk's kind, id, time and model."""
    if made.get("object") != kind:
        yield f"object is {made.get('object')!r}, not {kind!r}"
    for name in ("id", "model"):
        if not isinstance(made.get(name), str) or not made[name]:
            yield f"{name} is {made.get(name)!r}"
    if type(made.get("created")) is not int or made["created"] <= 0:
        yield f"created is {made.get('created')!r}, no time"


def indexes(choices: list[Json]) -> Iterator[str]:
    """Yield where the choices of a completion are not numbered from 0. The check never asks for a second one."""
    found = [choice.get("index") for choice in choices]
    if found != [0]:
        yield f"choices have the indexes {found}, not [0]"


def ending(reason: Any, *, content: bool, calls: Any) -> Iterator[str]:
    """Yield where a finish reason does not fit the answer.

    content: whether there is a text, a refusal or a call; calls: the calls, if any.
    """
    if reason is None:
        yield "finish_reason is null in a finished answer"
    elif reason in CALLED and not calls:
        yield f"finish_reason is {reason!r}, although the answer has no call"
    elif reason == "stop" and calls:
        yield "finish_reason is 'stop', although the answer has a call"
    elif reason == "stop" and not content:
        yield "finish_reason is 'stop', although the answer has no content, no refusal and no call"


def length(choices: list[Json], used: Any, sent: Json, lost: frozenset[str]) -> Iterator[str]:
    """Yield where a completion's finish reason and its tokens disagree on whether it was cut."""
    if lost & set(LIMITS):
        return
    limit = next((sent[name] for name in LIMITS if name in sent), None)
    written = usage.spent(used, usage.CHAT)
    for choice in choices:
        reason = choice.get("finish_reason")
        yield from cut(limit, written, is_cut=reason == LENGTH, shown=f"finish_reason is {reason!r}")


def differences(whole: Json, streamed: Json) -> Iterator[str]:
    """Yield how a whole completion differs from a streamed one, apart from the model's words.

    streamed: the chunks of a stream added up, see `chat_stream.Reading`.
    """
    if whole.get("model") != streamed.get("model"):
        yield f"the whole answer is of model {whole.get('model')!r}, the streamed one of {streamed.get('model')!r}"
    if whole.get("id") == streamed.get("id"):
        yield f"two answers have the id {whole.get('id')!r}"
    ours, theirs = whole.get("usage"), streamed.get("usage")
    if isinstance(ours, Mapping) != isinstance(theirs, Mapping):
        yield "only one of the whole and the streamed answer has a usage"
