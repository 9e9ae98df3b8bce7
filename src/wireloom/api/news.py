"""What a newer Codex CLI sends that the contract does not know: left out with a loss, so that no turn ends for a word."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import TypeAdapter

from wireloom.api import bodies
from wireloom.errors import InvalidRequest
from wireloom.translate.rules.loss import Loss

T = TypeVar("T")

# Words of one request that are left out at most; a request with more of them is no request of the CLI.
MOST = 100
TAGS = frozenset({"type", "role"})
"""Members that say what an object is, so that the whole object goes with an unknown word in them."""
NEEDED = frozenset({"model", "input", "messages"})
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def without_news(adapter: TypeAdapter[T], value: Any, losses: list[Loss]) -> T:
    """Validate a body, without what of it the contract does not know.

    Args:
        adapter: the body's type.
        value: decoded JSON; what is not known is taken out of it.
        losses: receives what was left out.

    Raises:
        InvalidRequest: something is wrong that a request cannot do without.
    """
    for _ in range(MOST):
        try:
            return bodies.validate(adapter, value)
        except InvalidRequest as error:
            left_out = None if error.param is None else _leave_out(value, error)
            if left_out is None:
                raise
            losses.append(Loss(left_out, "dropped", "the contract does not know it"))
    return bodies.validate(adapter, value)


def _leave_out(value: Any, error: InvalidRequest) -> str | None:
    """Take out what an error names; its path, or None where the request cannot do without it."""
    path = [name or int(index) for name, index in _STEP.findall(error.param or "")]
    if path and (path[-1] in TAGS or error.code == "missing_required_parameter"):
        path.pop()
    if not path or (len(path) == 1 and path[0] in NEEDED):
        return None
    holder = value
    for step in path[:-1]:
        holder = _at(holder, step)
    if _at(holder, path[-1]) is None:
        return None
    del holder[path[-1]]
    return bodies.joined(path)


def _at(holder: Any, step: str | int) -> Any:
    """A member or an element, or None where there is none."""
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
        return holder[step]
    return None
