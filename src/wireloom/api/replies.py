"""What the answers of both faces have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from wireloom.api import failures
from wireloom.translate.hub.fold import fold
from wireloom.translate.hub.sequence import Event
from wireloom.translate.rules.loss import LOSS_HEADER

if TYPE_CHECKING:
    from wireloom_protocol import replies


def loss_header(lost: str | None) -> dict[str, str]:
    """The header that tells what of a request was not carried, if anything was."""
    return {LOSS_HEADER: lost} if lost else {}


async def folded(batches: AsyncGenerator[list[Event], None]) -> replies.Response:
    """The response that a stream tells.

    Raises:
        GatewayError: the stream has no end.
    """
    response = None
    async with aclosing(batches):
        async for batch in batches:
            response = fold(batch, response)
    if response is None:
        raise failures.internal()
    return response
