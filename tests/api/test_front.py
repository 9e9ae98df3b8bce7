"""`GET /`: a page for browsers, JSON for others; public, and without anything from another host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version

import httpx
import pytest

from tests.support.threaded import KEY, gateway

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LINKS = {"/docs", "/redoc", "/openapi.json", "/ready", "/v1/models"}


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with gateway(backend="demo") as url:
        yield url


def test_a_browser_gets_a_page(root: str) -> None:
    answer = httpx.get(f"{root}/", headers={"accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert version("wireloom") in answer.text
    assert {*re.findall(r'href="(/[^"]*)"', answer.text)} == LINKS
    assert re.findall(r"https?://", answer.text) == []
    assert KEY not in answer.text
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain"])
def test_other_clients_get_json(root: str, accept: str) -> None:
    answer = httpx.get(f"{root}/", headers={"accept": accept})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["name"], told["version"], {*told["links"].values()}) == (
        "wireloom",
        version("wireloom"),
        LINKS,
    )
    assert told.keys() == {"name", "version", "links"}


def test_its_links_lead_somewhere(root: str) -> None:
    links = httpx.get(f"{root}/").json()["links"]
    headers = {"authorization": f"Bearer {KEY}"}
    assert {
        path: httpx.get(f"{root}{path}", headers=headers).status_code for path in links.values()
    } == dict.fromkeys(links.values(), 200)


def test_it_has_no_other_method(root: str) -> None:
    answer = httpx.post(f"{root}/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
