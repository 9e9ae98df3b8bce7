"""Inbound keys: the caller's name, refusals, and the key for the upstream."""

import pytest

from wireloom.api.auth import ANONYMOUS, Keys
from wireloom.errors import InvalidRequest, Unauthorized

KNOWN = {"mine": "k-1", "yours": "k-2", "odd": "ü"}


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"authorization": "Bearer k-1"}, "mine"),
        ({"authorization": "bearer  k-2 "}, "yours"),
        ({"x-api-key": "k-2"}, "yours"),
        ({"authorization": "Bearer k-1", "x-api-key": "k-1"}, "mine"),
        ({"authorization": "Basic k-2", "x-api-key": "k-1"}, "mine"),
        ({"authorization": "Bearer ", "x-api-key": "k-1"}, "mine"),
        ({"x-api-key": "ü"}, "odd"),
    ],
)
def test_a_key_has_a_name(headers: dict[str, str], name: str) -> None:
    assert Keys(KNOWN).principal(headers) == name


NO_KEY = ("No key. Send `Authorization: Bearer KEY` or `x-api-key: KEY`.", "missing_api_key")


@pytest.mark.parametrize(
    ("headers", "message", "code"),
    [
        ({}, *NO_KEY),
        ({"authorization": "Basic k-1"}, *NO_KEY),
        ({"authorization": "k-1"}, *NO_KEY),
        ({"authorization": "Bearer", "x-api-key": ""}, *NO_KEY),
        ({"x-upstream-api-key": "k-1"}, *NO_KEY),
        ({"x-api-key": "mine"}, "This key is not known here.", Unauthorized.code),
        ({"x-api-key": "K-1"}, "This key is not known here.", Unauthorized.code),
    ],
)
def test_a_request_without_one_known_key_is_refused(headers: dict[str, str], message: str, code: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        Keys(KNOWN, passing=True, bring=True).principal(headers)
    assert (refused.value.message, refused.value.code, refused.value.status) == (message, code, 401)


def test_an_open_gateway_keeps_clients_apart_by_the_keys_that_they_bring() -> None:
    assert Keys(None).principal({"x-api-key": "a"}) == ANONYMOUS == "anonymous"
    keys = Keys(None, passing=True, bring=True)
    assert keys.principal({}) == ANONYMOUS
    first, second = keys.principal({"x-api-key": "a"}), keys.principal({"authorization": "Bearer b"})
    assert first == "client-ca978112ca1bbdca"  # the beginning of SHA-256
    assert first != second
    assert keys.principal({"x-upstream-api-key": "a"}) == first


@pytest.mark.parametrize(
    ("headers", "passing", "bring", "known", "brought"),
    [
        ({"x-upstream-api-key": "u"}, False, True, False, None),
        ({"x-upstream-api-key": "u"}, True, False, True, "u"),
        ({"x-upstream-api-key": "u", "x-api-key": "a"}, True, True, False, "u"),
        ({"x-api-key": "a"}, True, True, False, "a"),
        ({"x-api-key": "a"}, True, False, False, None),
        ({"x-api-key": "a"}, True, True, True, None),
        ({"x-api-key": "a", "authorization": "Bearer b"}, True, True, False, None),
        ({}, True, True, False, None),
    ],
)
def test_the_key_for_the_upstream(
    headers: dict[str, str], passing: bool, bring: bool, known: bool, brought: str | None
) -> None:
    keys = Keys(KNOWN if known else None, passing=passing, bring=bring)
    assert keys.upstream_key(headers) == brought


@pytest.mark.parametrize("key", ["a b", "ü", "a\tb", "a\n"])
def test_a_key_that_cannot_travel_in_a_header_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Keys(None, passing=True).upstream_key({"x-upstream-api-key": key})
    found = refused.value
    assert (found.message, found.param) == ("x-upstream-api-key: this is no key.", "x-upstream-api-key")


@pytest.mark.parametrize("other", ["x-api-key", "api-key"])
def test_two_keys_that_differ_are_a_fault_of_the_request(other: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Keys({"a": "k-1"}).principal({"authorization": "Bearer k-1", other: "k-2"})
    assert (caught.value.status, caught.value.param) == (400, "authorization")
    assert Keys({"a": "k-1"}).principal({"authorization": "Bearer k-1", other: "k-1"}) == "a"
