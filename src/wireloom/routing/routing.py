"""Where a model's requests go: by its name to backends, in the order in which they are to be tried."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wireloom.backends.base import Backend, Metered, ModelInfo
from wireloom.backends.http.catalogue import Catalogue
from wireloom.errors import LONGEST_NAME, GatewayError, NotFound, NotReady, did_you_mean

log = logging.getLogger("wireloom.routing.routing")

# How long a list of models is believed, and how long one that could not be had is not asked for again.
LISTED_SECONDS = 300.0
UNLISTED_SECONDS = 30.0
LOOKUP_SECONDS = 5.0
# How long a backend rests after a failure: twice as long each time.
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0


@dataclass(slots=True)
class Health:
    """How a backend has fared lately.

    Args:
        rests_until: when it is worth another try, by the clock of the routing.
        failures: how often it has failed since it last did well.
    """

    rests_until: float = 0.0
    failures: int = 0

    def well(self) -> None:
        """Note that it has answered."""
        self.failures = 0
        self.rests_until = 0.0

    def ill(self, now: float, retry_after: float | None) -> None:
        """Note that it has failed.

        Args:
            now: by the clock of the routing.
            retry_after: how many seconds it asks to wait.
        """
        rest = min(FIRST_REST_SECONDS * 2**self.failures, LONGEST_REST_SECONDS)
        self.failures += 1
        self.rests_until = max(self.rests_until, now + (retry_after or rest))


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A backend under its name.

    Args:
        name: as the settings have it.
        backend: open.
        model_map: names clients use -> names upstream.
        catalogue: what is known of its models.
        known: names of models that the settings say it has.
        health: how it has fared.
    """

    name: str
    backend: Backend
    model_map: Mapping[str, str] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    known: frozenset[str] = frozenset()
    health: Health = field(default_factory=Health)

    def place(self, model: str) -> Place:
        """A model of it.

        Args:
            model: as clients name it here.
        """
        return Place(self, self.model_map.get(model, model))


@dataclass(frozen=True, slots=True)
class Place:
    """A model at a backend.

    Args:
        at: the backend.
        model: its name upstream.
        aside: what to tell besides if the backend does not know the model, or None.
    """

    at: Named
    model: str
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """What a name stands for.

    Args:
        to: models as `backend/model`.
        spread: whether they are equal.
    """

    to: tuple[str, ...]
    spread: bool = False


class Routing:
    """The backends, and which of them a request goes to.

    Args:
        backends: all there are; at least one.
        default: name of the one for models that name none.
        routes: name of a model -> what it stands for.
        now: tells the time in seconds.
    """

    def __init__(
        self,
        backends: Sequence[Named],
        default: str | None = None,
        routes: Mapping[str, Route] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._named = {each.name: each for each in backends}
        self._default = self._named[default or backends[0].name]
        self._routes = dict(routes or {})
        self.now = now
        self._listed: dict[str, tuple[float, frozenset[str]]] = {}
        self._asking: dict[str, asyncio.Task[frozenset[str]]] = {}

    @property
    def several(self) -> bool:
        """Whether there is more than one backend."""
        return len(self._named) > 1

    async def places(
        self, model: str, affinity: str | None = None, upstream_key: str | None = None
    ) -> list[Place]:
        """Where a model is, the best place first.

        Args:
            model: as the client names it.
            affinity: what the requests of one conversation share, so that they go to one place.
            upstream_key: see `Caller`.

        Raises:
            NotFound: it begins with the name of a backend that there is not.
        """
        route = self._routes.get(model)
        if route is None:
            return [await self._place(model, upstream_key) if self.several else self._default.place(model)]
        places = [self._prefixed(name) for name in route.to]
        found = [place for place in places if place is not None]
        if route.spread:
            found.sort(key=lambda place: _weight(place, affinity), reverse=True)
        now = self.now()
        return sorted(found, key=lambda place: max(place.at.health.rests_until - now, 0.0))

    async def _place(self, model: str, upstream_key: str | None) -> Place:
        """The place of a model that no route names: by its prefix, where it is unique, else the default."""
        prefixed = self._prefixed(model)
        if prefixed is not None:
            return prefixed
        having = [each for each in self._named.values() if model in each.known]
        if not having:
            known = await asyncio.gather(*(self._list(each, upstream_key) for each in self._named.values()))
            having = [each for each, names in zip(self._named.values(), known, strict=True) if model in names]
        if having:
            return (having[0] if len(having) == 1 else self._default).place(model)
        aside = self._aside(model)
        if aside is not None and self._slashless():
            end = "" if aside.endswith("?") else "."
            raise NotFound(f"N{aside[1:]}{end}", code="model_not_found", param="model")
        return replace(self._default.place(model), aside=aside)

    def _aside(self, model: str) -> str | None:
        """That a name begins with a backend that there is not, or None where it does not seem to name one."""
        name, slash, rest = model.partition("/")
        if not (slash and name and rest):
            return None
        near = did_you_mean(name, self._named)
        which = f"there are {', '.join(self._named)}" if near is None else f"did you mean {near}?"
        return f"no backend {name[:LONGEST_NAME]}; {which}"

    def _slashless(self) -> bool:
        """Whether the default backend is known to have no names with a slash, as those of other servers' models have."""
        _, names = self._listed.get(self._default.name, (0.0, frozenset()))
        return bool(names) and not any("/" in name for name in names)

    def _prefixed(self, model: str) -> Place | None:
        name, slash, rest = model.partition("/")
        return self._named[name].place(rest) if slash and rest and name in self._named else None

    async def listed(self, backend: str) -> frozenset[str]:
        """The models that a backend lists, as far as it tells in time; a list is kept for a while.

        Args:
            backend: its name.
        """
        return await self._list(self._named[backend], None)

    async def _list(self, named: Named, upstream_key: str | None) -> frozenset[str]:
        """The models that a backend lists, as far as it tells in time; requests at the same time ask once."""
        until, names = self._listed.get(named.name, (0.0, frozenset()))
        if until > self.now():
            return names
        asking = self._asking.get(named.name)
        if asking is None:
            asking = self._asking[named.name] = asyncio.create_task(self._ask(named, names, upstream_key))
            asking.add_done_callback(lambda _: self._asking.pop(named.name, None))
        return await asyncio.shield(asking)

    async def _ask(self, named: Named, names: frozenset[str], upstream_key: str | None) -> frozenset[str]:
        """Ask a backend for its models; what it listed before stands where it does not tell."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                names = frozenset(info.id for info in await named.backend.models(upstream_key))
            until = self.now() + LISTED_SECONDS
        except (GatewayError, TimeoutError):
            until = self.now() + UNLISTED_SECONDS
        self._listed[named.name] = (until, names)
        return names

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        """Every model, under the names clients may use: `backend/model` where there are several backends.

        Args:
            upstream_key: see `Caller`.

        Raises:
            GatewayError: no backend tells.
        """
        if not self.several:
            own = await self._default.catalogue.of(self._default.backend, upstream_key)
            return [*own, *self._routed({f"{self._default.name}/{info.id}": info for info in own})]
        all_of = (each.catalogue.of(each.backend, upstream_key) for each in self._named.values())
        found = await asyncio.gather(*all_of, return_exceptions=True)
        listed: list[ModelInfo] = []
        failures: list[GatewayError] = []
        for name, infos in zip(self._named, found, strict=True):
            if isinstance(infos, GatewayError):
                failures.append(infos)
                log.warning("The backend %s lists no models (%s).", name, infos.cause or infos.code)
            elif isinstance(infos, BaseException):
                raise infos
            else:
                listed += [replace(info, id=f"{name}/{info.id}") for info in infos]
        if failures and not listed:
            raise failures[0]
        return [*listed, *self._routed({info.id: info for info in listed})]

    def _routed(self, listed: Mapping[str, ModelInfo]) -> Iterable[ModelInfo]:
        """The names that stand for others; each as the first of them that is known."""
        for name, route in self._routes.items():
            first = next((listed[each] for each in route.to if each in listed), None)
            yield ModelInfo(name) if first is None else replace(first, id=name)

    async def readiness(self) -> dict[str, GatewayError | None]:
        """Name of each backend -> None if it is ready, or why it is not."""
        asked = (each.backend.ready() for each in self._named.values())
        found = await asyncio.gather(*asked, return_exceptions=True)
        states: dict[str, GatewayError | None] = {}
        for name, failure in zip(self._named, found, strict=True):
            if failure is not None and not isinstance(failure, GatewayError):
                raise failure
            states[name] = failure
        return states

    async def ready(self) -> dict[str, str]:
        """Name of each backend -> `ready`, or the code of why it is not.

        Raises:
            GatewayError: none of them is.
        """
        return states_of(await self.readiness())

    def limits(self) -> Mapping[str, str]:
        """Headers that tell how the account of a backend is, where one has limits."""
        for each in self._named.values():
            if isinstance(each.backend, Metered) and (told := each.backend.limits()):
                return told
        return {}


def states_of(readiness: Mapping[str, GatewayError | None]) -> dict[str, str]:
    """Name of each backend -> `ready`, or the code of why it is not.

    Args:
        readiness: see `Routing.readiness`.

    Raises:
        GatewayError: none of them is ready.
    """
    failures = {name: failure for name, failure in readiness.items() if failure is not None}
    if len(failures) == len(readiness):
        raise next(iter(failures.values())) if len(failures) == 1 else NotReady(failures)
    return {name: "ready" if failure is None else failure.code for name, failure in readiness.items()}


def _weight(place: Place, affinity: str | None) -> bytes:
    """A place's weight for a conversation: the same each time, and another for another conversation."""
    return hashlib.sha256(f"{affinity}\0{place.at.name}\0{place.model}".encode()).digest()
