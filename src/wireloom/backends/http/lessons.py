"""What an upstream's answers have shown of its models, so that the next answer is read right."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

LASTING_SECONDS = 7 * 24 * 3600.0
MOST_MODELS = 1000


class Lessons:
    """The lessons of one upstream, in memory.

    Args:
        now: returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._inside: OrderedDict[str, float] = OrderedDict()

    def begins_inside(self, model: str) -> bool:
        """Whether answers of a model begin inside a thought.

        Args:
            model: its name upstream.
        """
        until = self._inside.get(model)
        return until is not None and until > self._now()

    def note(self, model: str, starts_inside: bool | None) -> bool:
        """Take what an answer has shown.

        Args:
            model: its name upstream.
            starts_inside: whether the answer began inside a thought; None where it did not show either.

        Returns:
            Whether that is news.
        """
        if starts_inside is None or starts_inside == self.begins_inside(model):
            return False
        self._inside.pop(model, None)
        if starts_inside:
            self._inside[model] = self._now() + LASTING_SECONDS
            if len(self._inside) > MOST_MODELS:
                self._inside.popitem(last=False)
        return True
