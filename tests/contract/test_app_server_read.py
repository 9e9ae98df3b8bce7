"""The lenient structs of the app-server's messages read every recorded message, and newer ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wireloom_protocol import app_server_hot as hot
from wireloom_protocol import rpc

from codegen import app_server_read
from tests.support.app_server_sessions import SESSIONS, messages
from wireloom.wire.lenient import Lenient

Json = dict[str, Any]
OPENAPI = Path(__file__).parents[2] / "openapi"
BASE: Json = json.loads((OPENAPI / "app_server.json").read_text())
READING = app_server_read.load(OPENAPI / "app_server_read.toml")
STRUCTS: dict[str, type[msgspec.Struct]] = {
    name: kind
    for name, kind in vars(hot).items()
    if isinstance(kind, type) and kind.__module__ == hot.__name__
}
# Members that name the branch of a union.
TAGS = {"type", "mode", "kind"}


def params_struct(method: str | None) -> type[msgspec.Struct] | None:
    """The struct of a message of the server, or None where nothing of it is read."""
    row = rpc.SERVER_NOTIFICATIONS.get(method or "") or rpc.SERVER_REQUESTS.get(method or "")
    return STRUCTS.get(row.params.__name__) if row is not None else None


def test_the_structs_have_the_members_that_are_read_and_no_others() -> None:
    wanted: dict[str, set[str]] = {}
    for key, members in READING.read.items():
        wanted.setdefault(key.partition(".")[0], set()).update(members)
    assert {name: set(kind.__struct_fields__) - TAGS for name, kind in STRUCTS.items()} == wanted


def test_each_member_may_be_missing_or_null() -> None:
    for kind in STRUCTS.values():
        nothing = dict.fromkeys(kind.__struct_fields__)
        assert msgspec.convert(nothing, kind) == msgspec.convert({}, kind) == kind()


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_recorded_messages_are_read_without_a_misfit(session: Path) -> None:
    read = 0
    for message in messages(session):
        kind = params_struct(message.get("method"))
        if kind is None:
            continue
        misfits: list[str] = []
        assert Lenient(kind).read(msgspec.json.encode(message["params"]), misfits) is not None
        assert misfits == []
        read += 1
    assert read or not any("method" in message for message in messages(session))


def test_an_item_stays_the_json_that_it_was() -> None:
    sent = {"turnId": "u", "item": {"type": "hologram", "depth": {"x": [1, 2.0, None]}, "id": 7}}
    made = Lenient(hot.RawResponseItemCompletedNotification).read(msgspec.json.encode(sent), [])
    assert made is not None
    assert made.item == sent["item"]


def test_newer_messages_are_read() -> None:
    item = {
        "type": "agentMessage",
        "id": "i",
        "moderation": {"display": {"mode": "blur", "radius": 3}},
        "mood": 1,
    }
    sent = {"turn": {"id": "u", "status": "paused", "items": [item, {"type": "hologram"}], "shard": 7}}
    misfits: list[str] = []
    made = Lenient(hot.TurnCompletedNotification).read(msgspec.json.encode(sent), misfits)
    assert misfits == []
    assert made == hot.TurnCompletedNotification(
        turn=hot.Turn(
            "u",
            "paused",
            items=[
                hot.ThreadItem(
                    "agentMessage", "i", hot.AgentMessageModeration(hot.AgentMessageDisplay("blur"))
                ),
                hot.ThreadItem("hologram"),
            ],
        )
    )


def test_a_member_that_the_contract_loses_is_lost_alone() -> None:
    base = copy.deepcopy(BASE)
    del base["definitions"]["Turn"]["properties"]["status"]
    del base["definitions"]["RateLimitWindow"]
    base["definitions"]["RateLimitSnapshot"]["properties"] = {"primary": True}
    schemas = app_server_read.document(base, READING)["components"]["schemas"]
    assert schemas["Turn"]["properties"].keys() == {"id", "error", "items"}
    assert schemas["RateLimitSnapshot"]["properties"].keys() == {"primary"}
    assert "RateLimitWindow" not in schemas


def test_what_branches_of_a_union_hold_differently_may_be_anything() -> None:
    base = copy.deepcopy(BASE)
    cyber = base["definitions"]["BlockReason"]["oneOf"][1]
    cyber["properties"]["protectionType"] = {"type": "integer"}
    read = {**READING.read, "BlockReason.cyber": {"protectionType": "integer"}}
    reading = app_server_read.Reading(read, {}, ())
    reason = app_server_read.document(base, reading)["components"]["schemas"]["BlockReason"]
    assert reason["properties"]["protectionType"]["anyOf"] == [{}, {"type": "null"}]
    assert reason["properties"]["kind"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
