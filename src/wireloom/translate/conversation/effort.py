"""The settings that an item of a conversation may change: how much the model thinks, and the form of its text."""

from __future__ import annotations

from typing import Any

from wireloom_protocol import responses as m

UPDATE = "configuration_update"


def updated(body: m.CreateResponse) -> m.CreateResponse:
    """The request with the effort and the text format that hold at its end.

    Clients leave the request's own settings as they were, so that the beginning of the prompt stays cached.
    """
    items: Any = body.input if isinstance(body.input, list) else ()
    updates = [item for item in items if item.type == UPDATE]
    efforts = [item.reasoning.effort for item in updates if item.reasoning is not None]
    formats = [item.text.format for item in updates if item.text is not None]
    changes: dict[str, Any] = {}
    if efforts:
        reasoning = body.reasoning or m.Reasoning()
        changes["reasoning"] = reasoning.model_copy(update={"effort": efforts[-1]})
    if formats:
        text = body.text or m.ResponseTextParam()
        changes["text"] = text.model_copy(update={"format": formats[-1]})
    return body.model_copy(update=changes) if changes else body
