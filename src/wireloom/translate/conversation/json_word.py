"""The word JSON in the messages of a request for a JSON object, which some upstreams insist on."""

from __future__ import annotations

from wireloom.providers.profile import Profile
from wireloom.translate.conversation.content import as_parts, joined, text_of
from wireloom.translate.conversation.notes import JSON_WORD
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.wire.json import Json

WORD = "json"


def with_word(body: Json, profile: Profile, losses: Losses) -> list[Json]:
    """The messages of a Chat request, with a sentence in the leading system message where the word is missing.

    Args:
        body: the request; it is not changed.
        profile: what the upstream takes.
        losses: where the sentence is noted.
    """
    messages: list[Json] = body["messages"]
    form = body.get("response_format")
    asks = isinstance(form, dict) and form.get("type") == "json_object"
    if not (profile.json_word and asks) or any(WORD in _said(message).lower() for message in messages):
        return messages
    losses.add("messages", "changed", "a sentence with the word JSON was added", Severity.IMMATERIAL)
    leading = 0
    while leading < len(messages) and messages[leading].get("role") in ("system", "developer"):
        leading += 1
    if not leading:
        return [{"role": "system", "content": JSON_WORD}, *messages]
    last = messages[leading - 1]
    told = {**last, "content": joined(last.get("content"), JSON_WORD)}
    return [*messages[: leading - 1], told, *messages[leading:]]


def _said(message: Json) -> str:
    return text_of(as_parts(message.get("content")))
