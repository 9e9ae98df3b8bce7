"""Every form of a list of models is read; what cannot be read is reported, and never an empty list in silence."""

from typing import Any

import pytest

from wireloom.backends.http.model_list import read
from wireloom.errors import UpstreamError

A, B = {"id": "a"}, {"id": "b"}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"object": "list", "data": [A, B]}, ["a", "b"]),
        ({"models": [A, B]}, ["a", "b"]),
        ({"result": [A, B], "success": True, "errors": []}, ["a", "b"]),
        ([A, B], ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        ({"data": {"models": [A, B]}}, ["a", "b"]),
        ({"result": {"data": ["a", None, "b"]}}, ["a", "b"]),
        ({"models": {"a": {"context_length": 9}, "b": None}}, ["a", "b"]),
        ({"a": {"mode": "chat"}, "b": {}}, ["a", "b"]),
        ({"data": [], "models": [A]}, ["a"]),
        ({"data": None, "models": [A]}, ["a"]),
        ({"data": A}, ["a"]),
        (
            {"data": [{"model": "a"}, {"name": "b"}, {"slug": "c"}, {"model_id": "d"}, {"modelId": "e"}]},
            [*"abcde"],
        ),
        ({"models": [{"name": "llama3:latest", "model": "llama3:8b"}]}, ["llama3:8b"]),
        ({"data": [{"model_name": "a", "litellm_params": {"model": "x"}}]}, ["a"]),
        ({"result": [{"id": "429b9e8b-d99e-44de-91ad-706cf8183658", "name": "@cf/a"}]}, ["@cf/a"]),
        ([{"id": "azureml://registries/x/models/y", "name": "gpt-x"}], ["gpt-x"]),
        (
            {"data": [{"id": "429b9e8b-d99e-44de-91ad-706cf8183658"}]},
            ["429b9e8b-d99e-44de-91ad-706cf8183658"],
        ),
        ({"data": [A, None, A, {"id": " a "}, B]}, ["a", "b"]),
        ({"data": []}, []),
        ({"data": None}, []),
        ({"models": {}}, []),
    ],
)
def test_every_form(value: Any, names: list[str]) -> None:
    assert list(read(value).entries) == names


def test_an_entry_keeps_what_the_list_says_of_it() -> None:
    assert read({"models": {"a": {"context_length": 9}}}).entries == {"a": {"context_length": 9, "id": "a"}}
    assert read(["a"]).entries == {"a": {}}


def test_what_cannot_be_read_is_counted_by_its_form() -> None:
    listed = read({"data": [A, 5, 6, None, {"title": "secret"}, {}, [], "b", True]})
    assert list(listed.entries) == ["a"]
    assert listed.lost == (
        "8 entries of the list of models cannot be read: 2 number, 1 null, 1 object with the members title, "
        "1 empty object, 1 list"
    )
    assert read({"data": [A]}).lost is None


@pytest.mark.parametrize("value", [{"data": [5, None]}, [{"title": "x"}], {"models": [[]]}])
def test_a_list_of_which_nothing_can_be_read_is_an_error(value: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        read(value)
    assert (caught.value.code, caught.value.status) == ("upstream_invalid", 502)
    assert "names no model" in caught.value.message


@pytest.mark.parametrize(
    "value", [{}, {"data": "a"}, {"data": 5}, "a", 5, None, {"a": 1}, {"data": {"count": 0}}]
)
def test_no_list(value: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        read(value)
    assert (caught.value.code, caught.value.status) == ("upstream_invalid", 502)


def test_a_failure_in_place_of_a_list() -> None:
    with pytest.raises(UpstreamError) as caught:
        read(
            {"success": False, "result": None, "errors": [{"code": 10000, "message": "Authentication error"}]}
        )
    assert caught.value.words == "Authentication error"
