"""A request's tools as functions: its own, those that its items bring, and those that a search has found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wireloom_protocol import responses as m

from wireloom.providers.profile import Profile
from wireloom.translate.rules.loss import Losses
from wireloom.translate.tools.base import Offering, Tools
from wireloom.translate.tools.table import BRINGERS, TOOLS

RECALLED = "history"
"""Where items stand that are not in the request."""


def flatten(
    body: m.CreateResponse,
    profile: Profile,
    losses: Losses,
    *,
    model: str,
    denied: frozenset[str] = frozenset(),
    lenient: bool = False,
    recalled: int = 0,
    known: Collection[str] = (),
) -> Tools:
    """Turn a request's tools into functions.

    Args:
        body: the request.
        profile: the names that the upstream takes, whether it takes `strict`, how it searches.
        losses: receives each tool or setting that is dropped.
        model: the model's name upstream.
        denied: flat, qualified (`namespace.name`) or bare names that are never offered.
        lenient: drop a kind of tool that the contract does not know, instead of rejecting the request.
        recalled: how many of the input's items come from history.
        known: kinds of tools, and types of items that bring tools, which the upstream has itself.

    Raises:
        InvalidRequest: a tool that cannot be served and must not be dropped.
    """
    offering = Offering(profile, losses, model, denied, lenient)
    for index, tool in enumerate(body.tools or ()):
        if tool.type not in known:
            TOOLS[tool.type].apply(offering, f"tools[{index}]", tool)
    offering.repeats = True
    items: Any = body.input if isinstance(body.input, list) else ()
    for index, item in enumerate(items):
        if item.type in BRINGERS and item.type not in known:
            for position, tool in enumerate(item.tools):
                TOOLS[tool.type].apply(offering, f"{place(index, recalled)}.tools[{position}]", tool)
    return offering.tools


def place(index: int, recalled: int) -> str:
    """Where an item stands for the client: in its request, or in the history before it.

    Args:
        index: of the item, history included.
        recalled: how many items of history come first.
    """
    return f"input[{index - recalled}]" if index >= recalled else RECALLED
