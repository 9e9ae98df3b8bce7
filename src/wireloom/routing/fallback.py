"""A request that is tried at one place after the other, as long as nothing of an answer has been told."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from wireloom.backends.base import Relayed, Turn
from wireloom.errors import GatewayError, InvalidRequest, Limited, UpstreamLimited
from wireloom.exchange import Exchange
from wireloom.routing.routing import Place
from wireloom.translate.hub.sequence import Event

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion, ChatFrame

log = logging.getLogger("wireloom.routing.routing")

T = TypeVar("T", Turn, Relayed)

# Of ten requests one may be tried again, and a few more after a time without failures: a failure of everything
# is not made worse by asking everything twice.
SHARE = 0.1
RESERVE = 10.0


class Budget:
    """How many further tries there may be.

    Args:
        share: tries that each request adds.
        reserve: tries there are at most.
    """

    def __init__(self, share: float = SHARE, reserve: float = RESERVE) -> None:
        self._share = share
        self._reserve = reserve
        self._left = reserve

    def request(self) -> None:
        """A request has come."""
        self._left = min(self._left + self._share, self._reserve)

    def take(self) -> bool:
        """Whether there may be one more try, which is then used up."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


def worth_another(error: GatewayError) -> bool:
    """Whether another place might answer: a limit, a time-out, a failure of the server; never a fault of the request."""
    return isinstance(error, UpstreamLimited | Limited) or error.status >= 500


@dataclass(frozen=True, slots=True)
class Attempts(Generic[T]):
    """The places of a request.

    Args:
        places: where to try, in this order.
        begin: understands the request for a place, and does nothing yet.
        told: whether anything of an answer has been told.
        budget: how many further tries there may be.
        now: tells the time by which places rest.
        exchange: where it is noted which place answered.
    """

    places: Sequence[Place]
    begin: Callable[[Place], T]
    told: Callable[[], bool]
    budget: Budget
    now: Callable[[], float]
    exchange: Exchange

    def next(self, failed: int, error: GatewayError) -> T:
        """The request at the next place that takes it.

        Args:
            failed: number of the place that did not answer.
            error: why.

        Raises:
            GatewayError: there is none, or it is too late.
        """
        if not worth_another(error):
            raise error
        place = self.places[failed]
        if not isinstance(error, Limited):
            place.at.health.ill(self.now(), error.retry_after)
        if self.told() or failed + 1 == len(self.places) or not self.budget.take():
            raise error
        then = self.places[failed + 1]
        try:
            begun = self.begin(then)
        except InvalidRequest:  # what this place cannot do is no answer to why the other did not
            raise error from None
        log.warning(
            "%s: %s did not answer (%s), %s is asked",
            self.exchange.request_id,
            place.at.name,
            error.cause or error.code,
            then.at.name,
        )
        self.exchange.passed_over.append(place.at.name)
        self.exchange.ask(then.at.name, then.model, others=failed + 2 < len(self.places))
        return begun


class FallbackTurn:
    """A turn at the first place that answers.

    Args:
        attempts: where to try.
        first: the turn at the first place.
    """

    def __init__(self, attempts: Attempts[Turn], first: Turn) -> None:
        self._attempts = attempts
        self._turn = first

    @property
    def queued(self) -> bool:
        """See `Turn.queued`."""
        return self._turn.queued

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`."""
        for number, place in enumerate(self._attempts.places):
            try:
                async with aclosing(self._turn.events()) as batches:
                    async for batch in batches:
                        yield batch
            except GatewayError as error:
                self._turn = self._attempts.next(number, error)
            else:
                place.at.health.well()
                return


class FallbackRelay:
    """A relay at the first place that answers.

    Args:
        places: where to try.
        begin: see `Attempts`.
        budget: see `Attempts`.
        now: see `Attempts`.
        exchange: see `Attempts`.
    """

    def __init__(
        self,
        places: Sequence[Place],
        begin: Callable[[Place], Relayed],
        budget: Budget,
        now: Callable[[], float],
        exchange: Exchange,
    ) -> None:
        self._told = False
        self._attempts = Attempts(places, begin, lambda: self._told, budget, now, exchange)
        self._relayed = begin(places[0])

    @property
    def queued(self) -> bool:
        """See `Relayed.queued`."""
        return self._relayed.queued

    def left(self) -> list[ChatFrame]:
        """See `Relayed.left`."""
        return self._relayed.left()

    async def events(self) -> AsyncGenerator[list[ChatFrame], None]:
        """See `Relayed.events`."""
        for number, place in enumerate(self._attempts.places):
            try:
                async with aclosing(self._relayed.events()) as batches:
                    async for batch in batches:
                        self._told = self._told or bool(batch)
                        yield batch
            except GatewayError as error:
                self._relayed = self._attempts.next(number, error)
            else:
                place.at.health.well()
                return

    async def whole(self) -> ChatCompletion:
        """See `Relayed.whole`."""
        for number, place in enumerate(self._attempts.places):
            try:
                made = await self._relayed.whole()
            except GatewayError as error:
                self._relayed = self._attempts.next(number, error)
            else:
                place.at.health.well()
                return made
        raise AssertionError("the last place either answers or fails")
