"""Where a model's requests go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wireloom.backends.base import ModelInfo
from wireloom.backends.http.catalogue import Catalogue
from wireloom.backends.slots import Slots
from wireloom.errors import (
    GatewayError,
    InvalidRequest,
    Limited,
    NotFound,
    Unavailable,
    UpstreamError,
    UpstreamLimited,
    UpstreamRefused,
)
from wireloom.routing.fallback import Budget, worth_another
from wireloom.routing.quotas import Quota
from wireloom.routing.routing import Health, Named, Place, Route, Routing


class Listed:
    """A backend that lists models."""

    def __init__(self, *models: str, failure: GatewayError | None = None, headers: Any = None) -> None:
        self._models = models
        self._failure = failure
        self.asked = 0
        if headers is not None:
            self.limits = lambda: headers

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        self.asked += 1
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        return [ModelInfo(name, context_window=7) for name in self._models]

    async def ready(self) -> None:
        if self._failure is not None:
            raise self._failure


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def named(name: str, backend: Listed, **more: Any) -> Named:
    return Named(name, backend, **more)  # type: ignore[arg-type]


def told(places: list[Place]) -> list[str]:
    return [f"{place.at.name}: {place.model}" for place in places]


A, B = Listed("x", "both"), Listed("y", "both", "with/slash")


@pytest.fixture
def routing() -> Routing:
    backends = [
        named("a", A),
        named("b", B, model_map={"alias": "y"}, known=frozenset({"alias", "ours"})),
    ]
    routes = {"fast": Route(("b/y", "a/x")), "any": Route(("a/x", "b/alias"), spread=True)}
    return Routing(backends, "a", routes, Clock())


@pytest.mark.parametrize(
    ("model", "places"),
    [
        ("x", ["a: x"]),
        ("y", ["b: y"]),
        ("with/slash", ["b: with/slash"]),
        ("both", ["a: both"]),
        ("nonesuch", ["a: nonesuch"]),
        ("alias", ["b: y"]),
        ("ours", ["b: ours"]),
        ("b/x", ["b: x"]),
        ("b/alias", ["b: y"]),
        ("b/", ["a: b/"]),
        ("fast", ["b: y", "a: x"]),
    ],
)
async def test_a_name_goes_where_it_says(routing: Routing, model: str, places: list[str]) -> None:
    assert told(await routing.places(model)) == places


async def test_a_backend_that_there_is_not(routing: Routing) -> None:
    with pytest.raises(NotFound, match=r"^No backend c; there are a, b\.$"):
        await routing.places("c/x")


async def test_a_single_backend_gets_every_name() -> None:
    routing = Routing([named("default", A, model_map={"m": "x"})], routes={"r": Route(("default/m",))})
    assert told(await routing.places("m")) == ["default: x"]
    assert told(await routing.places("default/m")) == ["default: default/m"]
    assert told(await routing.places("r")) == ["default: x"]
    assert [info.id for info in await routing.models()] == ["x", "both", "r"]


async def test_a_list_is_asked_for_once_in_a_while() -> None:
    clock, backend = Clock(), Listed("x")
    silent = Listed(failure=UpstreamError("no"))
    routing = Routing([named("a", backend), named("b", silent)], "b", now=clock)
    for _ in range(3):
        assert told(await routing.places("x")) == ["a: x"]
    assert (backend.asked, silent.asked) == (1, 1)
    clock.time = 31
    await routing.places("x")
    assert (backend.asked, silent.asked) == (1, 2)
    clock.time = 301
    await routing.places("x")
    assert (backend.asked, silent.asked) == (2, 3)


async def test_requests_at_the_same_time_ask_once() -> None:
    backend, other = Listed("x"), Listed("y")
    routing = Routing([named("a", backend), named("b", other)], "b", now=Clock())
    found = await asyncio.gather(*(routing.places("x") for _ in range(20)))
    assert [told(places) for places in found] == [["a: x"]] * 20
    assert (backend.asked, other.asked) == (1, 1)


async def test_one_that_failed_comes_last_until_it_has_rested(routing: Routing) -> None:
    clock = routing.now
    assert isinstance(clock, Clock)
    first, second = await routing.places("fast")
    first.at.health.ill(0.0, None)
    assert await routing.places("fast") == [second, first]
    second.at.health.ill(0.0, 5.0)
    assert await routing.places("fast") == [first, second]
    clock.time = 6
    assert await routing.places("fast") == [first, second]


def test_rest_grows_and_ends() -> None:
    health = Health()
    for rest in (1, 2, 4, 8, 16, 32, 60, 60):
        health.ill(0.0, None)
        assert health.rests_until == rest
    health.ill(0.0, 100.0)
    assert health.rests_until == 100
    health.well()
    assert health == Health()


async def test_equals_share_conversations_and_keep_each(routing: Routing) -> None:
    firsts = []
    for conversation in map(str, range(200)):
        places = told(await routing.places("any", conversation))
        assert places == told(await routing.places("any", conversation))
        firsts.append(places[0])
    assert 60 < firsts.count("a: x") < 140


async def test_all_models_are_listed(routing: Routing) -> None:
    listed = {info.id: info.context_window for info in await routing.models()}
    assert listed == {
        **dict.fromkeys(["a/x", "a/both", "b/y", "b/both", "b/with/slash", "fast", "any"], 7),
    }


async def test_one_that_does_not_tell_is_left_out_and_all_are_an_error() -> None:
    down = named("b", Listed(failure=UpstreamError("no", code="upstream_unreachable")))
    routing = Routing([named("a", A), down], routes={"r": Route(("b/y",))})
    assert [info.id for info in await routing.models()] == ["a/x", "a/both", "r"]
    assert await routing.ready() == {"a": "ready", "b": "upstream_unreachable"}
    with pytest.raises(UpstreamError):
        await Routing([down, named("c", Listed(failure=UpstreamError("no")))]).models()
    with pytest.raises(Unavailable, match=r"No backend is ready. b: no. c: no."):
        await Routing([down, named("c", Listed(failure=UpstreamError("no")))]).ready()
    with pytest.raises(UpstreamError):
        await Routing([down]).ready()


def test_the_account_of_the_one_that_has_limits() -> None:
    assert Routing([named("a", A)]).limits() == {}
    assert Routing([named("a", A), named("b", Listed(headers={"h": "1"}))]).limits() == {"h": "1"}


def test_a_catalogue_names_models_of_its_own_backend() -> None:
    assert Named("a", A, catalogue=Catalogue()).place("x").model == "x"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "worth"),
    [
        (UpstreamLimited("no"), True),
        (UpstreamError("no"), True),
        (UpstreamError("no", status=504), True),
        (Limited("no"), True),
        (Unavailable("no"), True),
        (InvalidRequest("no"), False),
        (UpstreamRefused("no", status=401), False),
        (UpstreamRefused("no", status=400), False),
    ],
)
def test_what_another_place_might_answer(error: GatewayError, worth: bool) -> None:
    assert worth_another(error) is worth


def test_a_budget_for_further_tries() -> None:
    budget = Budget(share=0.5, reserve=2)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    budget.request()
    assert not budget.take()
    budget.request()
    assert budget.take()
    for _ in range(100):
        budget.request()
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_a_minute_of_requests() -> None:
    clock = Clock()
    quota = Quota(per_minute=2, now=clock)
    quota.spend()
    quota.spend()
    with pytest.raises(Limited) as caught:
        quota.spend()
    assert caught.value.retry_after == pytest.approx(30)
    clock.time = 30
    quota.spend()
    with pytest.raises(Limited):
        quota.spend()
    clock.time = 1000
    quota.spend()
    quota.spend()
    with pytest.raises(Limited):
        quota.spend()
    Quota().spend()


def test_what_a_key_opens() -> None:
    at = named("a", A)
    place = Place(at, "x")
    assert Quota().permits("m", place)
    assert Quota(frozenset({"a"})).permits("m", place)
    assert not Quota(frozenset({"b"})).permits("m", place)
    for pattern in ("m", "a/*", "a/x", "?"):
        assert Quota(models=frozenset({pattern})).permits("m", place)
    assert not Quota(models=frozenset({"b/*", "M"})).permits("m", place)
    assert Quota(slots=Slots(1, 0, 1)).slots is not None
