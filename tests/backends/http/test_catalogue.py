"""The facts of each model: from the user, from the upstream's list, from the profile."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import pytest

from wireloom.backends.base import Backend, ModelInfo
from wireloom.backends.http.catalogue import Catalogue, distinct, of_profile
from wireloom.backends.http.chat import ChatBackend
from wireloom.backends.http.client import Upstream
from wireloom.backends.slots import Slots
from wireloom.errors import UpstreamError, UpstreamRefused
from wireloom.providers import Profile, load

Json = dict[str, Any]
GENERIC = load("generic")


class Listing:
    """An upstream that answers each GET with one value."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.asked: list[tuple[str, Any]] = []

    async def get(self, path: str, seconds: float | None = None) -> Any:
        self.asked.append((path, seconds))
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def failures(self, method: str, path: str) -> AbstractContextManager[None]:
        assert (method, path) == ("GET", "models")
        return nullcontext()

    async def aclose(self) -> None:
        self.asked.append(("closed", None))

    def with_key(self, key: str) -> "Listing":
        self.asked.append(("key", key))
        return self


def backend(value: Any, profile: Profile = GENERIC, **options: Any) -> tuple[ChatBackend, Listing]:
    upstream = Listing(value)
    return ChatBackend(cast(Upstream, upstream), profile, Slots(1, 1, 1), **options), upstream


PLAIN = of_profile(GENERIC, "m")


@pytest.mark.parametrize(
    ("entry", "result"),
    [
        ({"id": "m"}, {}),
        ({"name": "m", "created": 7.5, "owned_by": "me"}, {"created": 7, "owned_by": "me"}),
        ({"id": "m", "name": "n", "created": "7", "owned_by": ""}, {}),
        ({"id": "m", "owned_by": 5}, {}),
        ({"id": "m", "context_length": 9}, {"context_window": 9}),
        ({"id": "m", "context_length": 2**53 - 1}, {"context_window": 2**53 - 1}),
        *(({"id": "m", "context_length": size}, {}) for size in (0, -1, 2**53, True, 9.0, "9")),
        (
            {"id": "m", "architecture": {"input_modalities": ["image", "smell"]}},
            {"modalities": ("text", "image")},
        ),
        ({"id": "m", "architecture": {"input_modalities": ["text"]}}, {"modalities": ("text",)}),
        ({"id": "m", "architecture": {"input_modalities": "text"}}, {}),
        ({"id": "m", "architecture": "none"}, {}),
    ],
)
async def test_a_listed_model_has_the_facts_of_the_list(entry: Json, result: Json) -> None:
    assert await backend({"data": [entry]})[0].models() == [replace(PLAIN, **result)]


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        ({"data": [{"id": "a"}, "b", {"id": 5}, {}, {"name": "c"}]}, ["a", "c"]),
        ({"models": [{"name": "a"}]}, ["a"]),
        ([{"id": "a"}], ["a"]),
        ({"data": []}, []),
    ],
)
async def test_a_list_is_read_in_each_of_its_forms(listed: Any, names: list[str]) -> None:
    assert [info.id for info in await backend(listed)[0].models()] == names


@pytest.mark.parametrize("listed", [{}, {"data": "a"}, "a", 5, None])
async def test_an_answer_that_is_no_list_is_an_upstream_error(listed: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        await backend(listed)[0].models()
    assert (caught.value.code, caught.value.status) == ("upstream_invalid", 502)


@pytest.mark.parametrize(("pass_key", "asked"), [(True, [("key", "k")]), (False, [])])
async def test_a_list_is_asked_for_with_the_clients_key_where_that_is_allowed(
    pass_key: bool, asked: list[Any]
) -> None:
    asking, upstream = backend({"data": []}, pass_key=pass_key)
    await asking.models("k")
    await asking.models()
    assert upstream.asked == [*asked, (GENERIC.models_path, None), (GENERIC.models_path, None)]


@pytest.mark.parametrize(
    ("status", "pass_key", "is_ready"),
    [(401, True, True), (403, True, True), (404, True, False), (401, False, False), (403, False, False)],
)
async def test_an_upstream_that_wants_the_clients_key_is_ready(
    status: int, pass_key: bool, is_ready: bool
) -> None:
    asking, upstream = backend(UpstreamRefused("no", status=status), pass_key=pass_key)
    if is_ready:
        await asking.ready()
    else:
        with pytest.raises(UpstreamRefused):
            await asking.ready()
    assert upstream.asked == [(GENERIC.models_path, 5.0)]


async def test_the_route_of_a_model_names_its_provider_and_the_end_closes_it() -> None:
    closing, upstream = backend([])
    assert closing.route("m") == "generic/m"
    await closing.aclose()
    assert upstream.asked == [("closed", None)]


# -- profiles ------------------------------------------------------------------------------------------------------


def test_of_an_unlisted_model_its_profile_is_known() -> None:
    changes = {"images": True, "effort_levels": {"low": "low", "high": "low"}, "dropped": ()}
    profile = GENERIC.model_copy(update=changes)
    assert of_profile(profile, "m") == ModelInfo(
        "m", owned_by="generic", modalities=("text", "image"), efforts=("low",), verbosity=True
    )
    blind = profile.model_copy(update={"images": False, "dropped": ("verbosity",), "effort_levels": {}})
    assert of_profile(blind, "m") == ModelInfo("m", owned_by="generic", modalities=("text",))


@pytest.mark.parametrize(
    ("levels", "kept"),
    [
        ({}, ()),
        ({"low": "low", "high": "high"}, ("low", "high")),
        ({"minimal": "low", "low": "low"}, ("low",)),
        ({"low": True, "medium": True, "high": True}, ("medium",)),
        ({"low": 1, "high": 1, "max": 2}, ("low", "max")),
    ],
)
def test_efforts_that_make_no_difference_are_one(levels: Json, kept: tuple[str, ...]) -> None:
    assert distinct(levels) == kept


# -- settings of the user ------------------------------------------------------------------------------------------


class Listed:
    """A backend that lists models."""

    def __init__(self, *infos: ModelInfo) -> None:
        self.infos = infos

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        if upstream_key == "wrong":
            raise UpstreamRefused("no", code="no_list")
        return list(self.infos)


async def test_the_user_has_the_last_word_on_a_model() -> None:
    listed = cast(Backend, Listed(ModelInfo("a", created=1), ModelInfo("b", created=2)))
    known: dict[str, Json] = {"b": {"context_window": 9}, "c": {"verbosity": True}, "alias": {"created": 5}}
    catalogue = Catalogue(known, {"alias": "b", "other": "d"}, lambda name: ModelInfo(name, owned_by="me"))
    assert await catalogue.of(listed) == [
        ModelInfo("a", created=1),
        ModelInfo("b", created=2, context_window=9),
        ModelInfo("c", owned_by="me", verbosity=True),
        ModelInfo("alias", created=5, context_window=9),
        ModelInfo("other", owned_by="me"),
    ]


async def test_without_a_list_the_users_models_are_all_there_are(caplog: pytest.LogCaptureFixture) -> None:
    listed = cast(Backend, Listed(ModelInfo("a")))
    assert [info.id for info in await Catalogue({"c": {}}).of(listed, "wrong")] == ["c"]
    assert "The upstream lists no models" in caplog.text
    with pytest.raises(UpstreamRefused):
        await Catalogue().of(listed, "wrong")
    with pytest.raises(UpstreamRefused):
        await Catalogue(model_map={"a": "b"}).of(listed, "wrong")
