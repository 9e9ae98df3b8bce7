"""Who may go where: the places that a key opens, its limits, and the note of who is asked."""

from __future__ import annotations

from collections.abc import Mapping

from wireloom.backends.base import Caller
from wireloom.backends.slots import Slots
from wireloom.errors import LONGEST_NAME, Forbidden, NotFound
from wireloom.routing.fallback import Budget
from wireloom.routing.quotas import Quota
from wireloom.routing.routing import Place, Routing


class Admission:
    """Lets requests in.

    Args:
        quotas: name of an inbound key -> what it opens; all for those that are not there.
    """

    def __init__(self, quotas: Mapping[str, Quota]) -> None:
        self._quotas = dict(quotas)
        self.budget = Budget()
        """How many further tries there may be, over all requests."""

    async def places(self, routing: Routing, model: str, affinity: str | None, caller: Caller) -> list[Place]:
        """Where a request may go, the best place first.

        Args:
            routing: the backends there are.
            model: as the client names it.
            affinity: see `Routing.places`.
            caller: who asks.

        Raises:
            Forbidden: the key does not open this model.
            NotFound: see `Routing.places`.
        """
        quota = self.quota(caller)
        try:
            places = await routing.places(model, affinity, caller.upstream_key)
        except NotFound as error:
            if quota is None or not quota.narrow:
                raise
            # Which backends there are is no affair of a key that opens only some.
            raise _forbidden(caller.principal, model, quota) from error
        if quota is None:
            return places
        permitted = [place for place in places if quota.permits(model, place)]
        if not permitted:
            raise _forbidden(caller.principal, model, quota)
        return permitted

    def admit(self, place: Place, caller: Caller, *, others: bool = False) -> None:
        """Count a request, and note where it goes.

        Args:
            place: where it goes first.
            caller: who asks.
            others: whether it may go elsewhere after that.

        Raises:
            Limited: the key has had its requests.
        """
        quota = self.quota(caller)
        if quota is not None:
            try:
                quota.spend()
            finally:
                caller.exchange.limits = quota.limits()
        caller.exchange.ask(place.at.name, place.model, others=others)
        caller.exchange.aside = place.aside
        self.budget.request()

    def quota(self, caller: Caller) -> Quota | None:
        """What the caller's key opens, or None for everything."""
        return self._quotas.get(caller.principal)

    def slots(self, caller: Caller) -> Slots | None:
        """The places of the caller's key among requests at the same time, or None for any number."""
        quota = self.quota(caller)
        return None if quota is None else quota.slots


def _forbidden(principal: str, model: str, quota: Quota) -> Forbidden:
    message = f"Key {principal} may not use {model[:LONGEST_NAME]}; it may use: {quota.opens()}."
    return Forbidden(message, code="model_not_allowed", param="model")
