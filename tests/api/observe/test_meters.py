"""The counters of the gateway, as Prometheus and as JSON, after requests that ended in known ways."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pytest

from wireloom.api.observe.labels import MOST_UNLISTED, Names
from wireloom.api.observe.meters import MOST_WAITING, Meters
from wireloom.exchange import (
    ADMITTED,
    ENDED,
    FIRST_CONTENT,
    FIRST_EVENT,
    QUEUED,
    READ,
    UPSTREAM,
    Exchange,
)


class Answered:
    """An answer with its usage."""

    has_output = True
    response: dict[str, Any] = {  # noqa: RUF012 - the protocol of an answer has no class variables
        "status": "completed",
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 2},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 1},
        },
    }


def exchange(operation: str, status: int, *moments: str) -> Exchange:
    """A request whose moments are a second apart."""
    seconds = itertools.count()
    made = Exchange("req_1", lambda: float(next(seconds)))
    made.operation, made.status = operation, status
    for moment in moments:
        made.mark(moment)
    return made


KINDS = {"x": "chat", "y": "app-server", "z": "chat"}
NAMES = Names({"mine"}, {("x", "m")})


def meters(kinds: Mapping[str, str] = KINDS) -> Meters:
    """Return the counters after five requests, of which one has not ended."""
    counting = Meters(kinds, lambda: {"x-codex-primary-used-percent": "12"}, NAMES)
    for _ in range(5):
        counting.begun()
    whole = exchange(
        "createResponse", 200, READ, QUEUED, ADMITTED, UPSTREAM, FIRST_EVENT, FIRST_CONTENT, ENDED
    )
    whole.ask("x", "m")
    whole.answer, whole.principal, whole.passed_over = Answered(), "mine", ["y", "z"]
    counting.ended(whole)
    counting.ended(exchange("", 404))
    for _ in range(2):
        counting.ended(exchange("createResponse", 502))
    return counting


PHASES = {
    "request": 7,
    "translate": 1,
    "queue": 1,
    "upstream_first_byte": 1,
    "first_event": 5,
    "first_content": 6,
}
"""Phase -> how long it took in seconds."""


WHOSE = 'backend="x",key="mine",model="m"'
NOBODY = 'backend="none",key="none",model="none"'


def test_every_metric_has_its_name_and_labels() -> None:
    text = meters().text()
    lines = {line for line in text.splitlines() if not line.startswith("#")}
    result = {line for line in lines if "_bucket{" not in line and "_created" not in line}
    assert result == {
        f'wireloom_info{{backend="x, y, z",version="{version("wireloom")}"}} 1.0',
        "wireloom_requests_open 1.0",
        f'wireloom_requests_total{{{WHOSE},operation="createResponse",outcome="ok",status="200"}} 1.0',
        f'wireloom_requests_total{{{NOBODY},operation="none",outcome="refused",status="404"}} 1.0',
        f'wireloom_requests_total{{{NOBODY},operation="createResponse",outcome="failed",status="502"}} 2.0',
        'wireloom_backend_requests_total{backend="x",outcome="ok"} 1.0',
        'wireloom_backend_passed_over_total{backend="y"} 1.0',
        'wireloom_backend_passed_over_total{backend="z"} 1.0',
        'wireloom_tokens_total{backend="x",key="mine",kind="input",model="m"} 7.0',
        'wireloom_tokens_total{backend="x",key="mine",kind="cached",model="m"} 2.0',
        'wireloom_tokens_total{backend="x",key="mine",kind="output",model="m"} 5.0',
        'wireloom_tokens_total{backend="x",key="mine",kind="reasoning",model="m"} 1.0',
        "wireloom_account_window_primary_used_percent 12.0",
        *(f'wireloom_{name}_seconds_count{{operation="createResponse"}} 1.0' for name in PHASES),
        *(
            f'wireloom_{name}_seconds_sum{{operation="createResponse"}} {seconds}.0'
            for name, seconds in PHASES.items()
        ),
    }


def test_a_time_is_counted_in_steps_from_milliseconds_to_minutes() -> None:
    text = meters().text()
    found = re.findall(r'wireloom_queue_seconds_bucket\{le="([^"]+)",operation="createResponse"\} (\d)', text)
    short = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5")
    long = ("1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "120.0", "300.0", "600.0", "+Inf")
    assert found == [*((step, "0") for step in short), *((step, "1") for step in long)]


TOKENS = {"input": 7, "cached": 2, "output": 5, "reasoning": 1}


def test_the_same_numbers_are_sums_in_json() -> None:
    counters = dict(meters().counters())
    uptime = counters.pop("uptime_seconds")
    assert isinstance(uptime, float)
    assert 0 <= uptime < 60
    assert round(uptime, 3) == uptime
    assert counters == {
        "requests_total": 4,
        "requests_ok": 1,
        "requests_error": 3,
        "errors_by_status": {"404": 1, "502": 2},
        "engine": "chat, app-server",
        "app_server_pool_started": True,
        "requests_open": 1,
        "tokens": TOKENS,
        "usage": [
            {"key": "mine", "backend": "x", "model": "m", "requests": 1, "tokens": TOKENS},
            {"key": "none", "backend": "none", "model": "none", "requests": 3, "tokens": {}},
        ],
        "account_windows": {"primary_used_percent": 12.0},
    }
    assert not meters({"app-server": "exec"}).counters()["app_server_pool_started"]


def test_an_answer_that_was_cut_short_is_served_well_and_a_client_that_left_is_neither() -> None:
    counting = Meters({"default": "chat"}, dict)
    cut, left = exchange("createResponse", 200), exchange("createResponse", 499)
    cut.answer, left.left = Answered(), True
    cut.answer.response = {"status": "incomplete", "usage": None}
    for ended in (cut, left):
        counting.ended(ended)
    counters = counting.counters()
    assert (counters["requests_total"], counters["requests_ok"], counters["requests_error"]) == (2, 1, 0)
    assert (counters["tokens"], counters["errors_by_status"]) == ({}, {})


# -- names that may be labels ----------------------------------------------------------------------------------------


def asked(model: str, backend: str = "x", *, key: str = "mine", status: int = 200) -> Exchange:
    made = exchange("createResponse", status)
    made.principal = key
    made.ask(backend, model)
    if status == 200:
        made.answer = Answered()
    return made


async def labels(counting: Meters, listed: Mapping[str, list[str]]) -> dict[tuple[str, str, str], int]:
    """Key, backend and model -> requests, after a look at the lists of models."""

    async def of(backend: str) -> list[str]:
        return listed.get(backend, [])

    await counting.settle(of)
    return {
        (row["key"], row["backend"], row["model"]): row["requests"] for row in counting.counters()["usage"]
    }


async def test_a_model_is_a_label_where_the_settings_or_the_backend_name_it() -> None:
    counting = Meters(KINDS, dict, Names({"mine"}, {("x", "m")}))
    for ended in (asked("m"), asked("listed"), asked("m", "y"), asked("junk"), asked("junk-too")):
        counting.ended(ended)
    assert await labels(counting, {"x": ["listed"], "y": ["another"]}) == {
        ("mine", "x", "m"): 1,
        ("mine", "x", "listed"): 1,
        ("mine", "y", "other"): 1,
        ("mine", "x", "other"): 2,
    }
    counting.ended(asked("listed"))
    assert (await labels(counting, {}))["mine", "x", "listed"] == 2


async def test_a_key_that_a_client_has_made_up_is_no_label() -> None:
    counting = Meters(KINDS, dict, Names({"mine"}, {("x", "m")}))
    for key in ("mine", "client-1", "client-2", ""):
        counting.ended(asked("m", key=key))
    assert await labels(counting, {}) == {
        ("mine", "x", "m"): 1,
        ("other", "x", "m"): 2,
        ("none", "x", "m"): 1,
    }


@pytest.mark.parametrize("listed", [{}, {"x": ["real"]}])
async def test_labels_stay_few(listed: dict[str, list[str]]) -> None:
    counting = Meters(KINDS, dict, Names({"mine"}))
    for number in range(2 * MOST_WAITING):
        counting.ended(asked(f"made-up-{number}"))
    found = await labels(counting, listed)
    assert len(found) == (1 if listed else 1 + MOST_UNLISTED)
    assert sum(found.values()) == 2 * MOST_WAITING
    assert counting.counters()["tokens"]["input"] == 2 * MOST_WAITING * 7


async def test_a_list_that_is_late_holds_nothing_up() -> None:
    counting = Meters(KINDS, dict, Names({"mine"}))
    counting.ended(asked("works"))

    async def never(_: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    await asyncio.wait_for(counting.settle(never), 5)
    assert [row["model"] for row in counting.counters()["usage"]] == ["works"]


async def test_a_backend_without_a_list_has_the_models_that_have_answered() -> None:
    counting = Meters(KINDS, dict, Names({"mine"}))
    counting.ended(asked("works"))
    counting.ended(asked("fails", status=404))
    assert await labels(counting, {}) == {("mine", "x", "works"): 1, ("mine", "x", "other"): 1}
