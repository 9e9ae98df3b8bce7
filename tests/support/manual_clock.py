"""A clock that stands still until a test turns it, with the timers of an event loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class ManualTimer:
    """A call that is due at a time."""

    when: float
    callback: Callable[[], object]
    timers: list[ManualTimer]

    def cancel(self) -> None:
        """Drop the call, and all that it holds."""
        if self in self.timers:
            self.timers.remove(self)


class ManualClock:
    """Tells the time that it was turned to.

    `timers` are the calls that are due later, `armed` counts every one that was ever asked for.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.armed = 0
        self.timers: list[ManualTimer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> ManualTimer:
        timer = ManualTimer(when, callback, self.timers)
        self.timers.append(timer)
        self.armed += 1
        return timer

    def advance(self, seconds: float) -> None:
        """Turn the clock; each timer that falls due in between is called at its time."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.when <= end]:
            first = min(due, key=lambda timer: timer.when)
            first.cancel()
            self.now = max(self.now, first.when)
            first.callback()
        self.now = end
