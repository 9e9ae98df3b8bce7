"""How much a model thinks: what a request says, until one of its items says otherwise."""

from __future__ import annotations

from typing import Any

from wireloom_protocol import responses as m

UPDATE = "configuration_update"


def updated(body: m.CreateResponse) -> m.CreateResponse:
    """The request with the effort that holds at its end.

    Clients leave the request's own effort as it was, so that the beginning of the prompt stays cached.
    """
    items: Any = body.input if isinstance(body.input, list) else ()
    said = [item.reasoning.effort for item in items if item.type == UPDATE]
    if not said:
        return body
    asked = body.reasoning or m.Reasoning()
    return body.model_copy(update={"reasoning": asked.model_copy(update={"effort": said[-1]})})
