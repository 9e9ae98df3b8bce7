"""Rows of a JSON-RPC contract: types at their first use, JSON in, JSON out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from wireloom_runtime.rpc import Notification, Request


class Ping(BaseModel):
    round_trip: int = Field(alias="roundTrip")
    note: str | None = None


class Pong(BaseModel):
    note: str | None = None


def never() -> Any:
    raise AssertionError("a type was loaded before its first use")


PING: Request[Ping, Pong] = Request("ping", "client->server", lambda: Ping, lambda: Pong)


def test_a_row_loads_no_type_before_its_use() -> None:
    row: Request[Ping, Pong] = Request("ping", "client->server", lambda: Ping, never)
    assert (row.method, row.direction, row.params) == ("ping", "client->server", Ping)
    assert row.read_params({"roundTrip": 1}).round_trip == 1
    with pytest.raises(AssertionError, match="before its first use"):
        row.read_result({})


def test_what_was_set_comes_back_as_it_was() -> None:
    assert PING.dump_params(PING.read_params({"roundTrip": 1})) == {"roundTrip": 1}
    assert PING.dump_params(PING.read_params({"roundTrip": 1, "note": None})) == {
        "roundTrip": 1,
        "note": None,
    }
    assert PING.result is Pong
    assert PING.dump_result(PING.read_result({"note": "x"})) == {"note": "x"}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError):
        PING.read_params({})
    with pytest.raises(ValidationError):
        PING.read_result({"note": 1})


def test_a_method_without_params() -> None:
    row: Notification[None] = Notification("initialized", "client->server", lambda: None)
    assert row.params is None
    assert row.read_params(None) is None
    assert row.dump_params(None) is None
    with pytest.raises(ValidationError):
        row.read_params({})
