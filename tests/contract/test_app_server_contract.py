"""The generated app-server types against recorded sessions of the CLI."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from wireloom_protocol import app_server as m
from wireloom_protocol import rpc

from codegen import app_server, unions

ROOT = Path(__file__).parents[2]
SESSIONS = sorted((ROOT / "tests/fixtures/app_server_0_169_0").glob("*.jsonl"))
BASE = json.loads((ROOT / "openapi/app_server.json").read_text())
KEPT = app_server.read_methods(ROOT / "openapi/app_server_methods.toml")
TABLES: dict[str, dict[str, rpc.Notification[Any]]] = {
    "client_requests": dict(rpc.CLIENT_REQUESTS),
    "client_notifications": dict(rpc.CLIENT_NOTIFICATIONS),
    "server_requests": dict(rpc.SERVER_REQUESTS),
    "server_notifications": dict(rpc.SERVER_NOTIFICATIONS),
}
# Recorded requests that do not fit: (session, id) -> where. The server refused the first; of the second it
# ignored the field without a word.
MISFITS = {
    ("06", 42): ("dynamicTools", 0, "function", "description"),
    ("14", 3): ("dynamicTools",),
}
Line = dict[str, Any]


def lines(session: Path) -> list[Line]:
    return [json.loads(line) for line in session.read_text().splitlines()]


def row_of(line: Line) -> rpc.Notification[Any] | None:
    """The row of the method that a request or notification names."""
    sender = line["dir"].partition("->")[0]
    kind = "requests" if "id" in line["msg"] else "notifications"
    return TABLES[f"{sender}_{kind}"].get(line["msg"]["method"])


def answers(session: Path) -> Iterator[tuple[rpc.Request[Any, Any], Any]]:
    """Each recorded result with the row of the request it answers."""
    asked: dict[tuple[str, Any], rpc.Notification[Any] | None] = {}
    for line in lines(session):
        message = line["msg"]
        sender, _, receiver = line["dir"].partition("->")
        if "method" in message and "id" in message:
            asked[sender, message["id"]] = row_of(line)
        elif "result" in message:
            row = asked[receiver, message["id"]]
            if isinstance(row, rpc.Request):
                yield row, message["result"]


def unknown_members(value: object) -> Iterator[m.UnknownMember]:
    if isinstance(value, m.UnknownMember):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from unknown_members(getattr(value, name))
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from unknown_members(item)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_recorded_params_come_back_as_the_same_json(session: Path) -> None:
    misfits: dict[tuple[str, int], tuple[int | str, ...]] = {}
    for line in lines(session):
        row = row_of(line) if "method" in line["msg"] else None
        if row is None:
            continue
        sent = line["msg"].get("params")
        try:
            params = row.read_params(sent)
        except ValidationError as error:
            misfits[session.stem[:2], line["msg"]["id"]] = error.errors()[0]["loc"]
            continue
        assert row.dump_params(params) == sent
        assert not list(unknown_members(params))
    assert misfits == {key: where for key, where in MISFITS.items() if key[0] == session.stem[:2]}


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_recorded_results_come_back_as_the_same_json(session: Path) -> None:
    methods = []
    for row, sent in answers(session):
        result = row.read_result(sent)
        assert row.dump_result(result) == sent
        assert not list(unknown_members(result))
        methods.append(row.method)
    assert "initialize" in methods


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_recorded_frames_come_back_as_the_same_json(session: Path) -> None:
    frames: dict[tuple[bool, bool], type[BaseModel]] = {
        (True, True): m.JSONRPCRequest,
        (True, False): m.JSONRPCNotification,
        (False, True): m.JSONRPCResponse,
    }
    for line in lines(session):
        message = line["msg"]
        kind = m.JSONRPCError if "error" in message else frames["method" in message, "id" in message]
        frame = kind.model_validate(message)
        assert frame.model_dump(mode="json", by_alias=True, exclude_unset=True) == message
        assert not frame.model_extra


def test_the_recordings_show_the_methods_of_a_turn() -> None:
    seen = {line["msg"]["method"] for path in SESSIONS for line in lines(path) if "method" in line["msg"]}
    listed = {method for table in TABLES.values() for method in table}
    assert seen - listed == {"thread/fork", "thread/revert"}
    assert {"rawResponse/completed", "rawResponseItem/completed"} == KEPT.undeclared.keys() & seen
    assert {"thread/start", "turn/start", "item/tool/call", "turn/completed", "error"} <= seen


def test_unknown_methods_are_reported_not_raised() -> None:
    for sender, kind in (
        ("server->client", {}),
        ("server->client", {"id": 1}),
        ("client->server", {"id": 1}),
    ):
        assert row_of({"dir": sender, "msg": {"method": "item/hologram/delta", "params": {}, **kind}}) is None


def test_the_tables_hold_exactly_the_methods_of_the_file() -> None:
    listed = {table: set(names) for table, names in KEPT.tables.items()}
    listed["server_notifications"] |= KEPT.undeclared.keys()
    assert {table: set(rows) for table, rows in TABLES.items()} == listed
    for table, rows in TABLES.items():
        for method, row in rows.items():
            assert row.method == method
            assert row.direction.startswith(table.partition("_")[0])
            types = BASE["methods"][table].get(method) or {"params": KEPT.undeclared.get(method)}
            assert row.params is (getattr(m, types["params"]) if types.get("params") else None)
            if isinstance(row, rpc.Request):
                assert row.result is getattr(m, types["result"])


def test_named_unions_are_tagged() -> None:
    schemas = app_server.document(BASE)["components"]["schemas"]
    tagged = {name: schema["discriminator"] for name, schema in schemas.items() if "discriminator" in schema}
    assert {"ThreadItem", "ResponseItem", "UserInput", "DynamicToolSpec", "SandboxPolicy"} <= tagged.keys()
    for name, discriminator in tagged.items():
        core = str(TypeAdapter(getattr(m, name)).core_schema)
        assert f"'type': 'tagged-union', 'choices': {{'{next(iter(discriminator['mapping']))}'" in core, name


def test_names_are_the_contracts_and_no_tag_is_a_class_name() -> None:
    tree = ast.parse(Path(m.__file__).with_name("_app_server.py").read_text())
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    numbered = {name for name in classes if re.search(r"\d$", name)} - BASE["definitions"].keys()
    assert numbered == {"NetworkPolicyAmendment1"}
    literals = {
        value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal"
        for value in ast.walk(node.slice)
        if isinstance(value, ast.Constant)
    }
    assert {"agentMessage", "input_text", "completed"} <= literals
    assert not literals & classes


def test_what_the_server_sends_may_be_newer() -> None:
    newer = {"type": "hologram", "id": "i1", "depth": 3}
    known = {"type": "agentMessage", "id": "i2", "text": "hi", "mood": "calm"}
    sent = {"threadId": "t", "turn": {"id": "u", "status": "paused", "items": [newer, known], "shard": 7}}
    params = rpc.TURN_COMPLETED.read_params(sent)
    assert rpc.TURN_COMPLETED.dump_params(params) == sent
    assert [type(item) for item in params.turn.items] == [m.UnknownMember, m.AgentMessageThreadItem]


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (rpc.THREAD_START, {"base_instructions": ""}),
        (rpc.TURN_START, {"threadId": "t", "input": [], "summary": "chatty"}),
        (rpc.TURN_START, {"threadId": "t", "input": [], "tools": []}),
        (rpc.THREAD_START, {"dynamicTools": [{"type": "custom", "name": "f", "description": "d"}]}),
    ],
)
def test_what_we_send_has_to_fit(row: rpc.Request[Any, Any], value: object) -> None:
    with pytest.raises(ValidationError):
        row.read_params(value)


def bundle(**definitions: Any) -> dict[str, Any]:
    """A bundle with one method each way, `definitions` added to its second protocol version."""
    message = {
        "properties": {"method": {"enum": ["ping"]}, "params": {"$ref": "#/definitions/v2/PingParams"}}
    }
    second = {
        "PingParams": {"type": "object", "properties": {"title": {"type": "string", "title": "Prose"}}},
        "PingResponse": {"type": "object", "description": "Prose"},
        **definitions,
    }
    tables = {name: {"oneOf": [message]} for name in app_server.MESSAGES.values()}
    return {"bundle.json": {"definitions": {**tables, "v2": second}}}


def methods(
    *, requests: tuple[str, ...] = (), undeclared: dict[str, str] | None = None
) -> app_server.Methods:
    empty: dict[str, tuple[str, ...]] = dict.fromkeys(app_server.MESSAGES, ())
    return app_server.Methods({**empty, "client_requests": requests}, undeclared or {}, ())


def test_the_base_file_keeps_the_closure_without_prose() -> None:
    base = app_server.base(bundle(Unused={"type": "string"}), methods(requests=("ping",))).content
    assert base["methods"]["client_requests"] == {"ping": {"params": "PingParams", "result": "PingResponse"}}
    assert base["definitions"] == {
        "PingParams": {"type": "object", "properties": {"title": {"type": "string"}}},
        "PingResponse": {"type": "object"},
    }


def test_the_base_file_is_closed_and_sorted() -> None:
    assert list(BASE["definitions"]) == sorted(BASE["definitions"])
    named = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(BASE)))
    assert named <= BASE["definitions"].keys()


PING: dict[str, Any] = {"properties": {"method": {"enum": ["ping"]}}}
METHODS_FILE = "openapi/app_server_methods.toml"


@pytest.mark.parametrize(
    ("bundles", "kept", "sentence"),
    [
        (
            bundle(),
            methods(requests=("pong",)),
            f"{METHODS_FILE} [client_requests]: 'pong' is gone from ClientRequest;",
        ),
        (
            bundle(ClientRequest={"oneOf": [PING]}),
            methods(requests=("ping",)),
            "'ClientRequest' twice, differently",
        ),
        (
            bundle(),
            methods(undeclared={"ping": "PingParams"}),
            f"{METHODS_FILE} [undeclared]: 'ping' is declared in",
        ),
        (
            bundle(),
            methods(undeclared={"pong": "PongParams"}),
            f"{METHODS_FILE} [undeclared] 'pong' names the schema 'PongParams', which the bundle does not have",
        ),
    ],
)
def test_what_does_not_fit_is_a_sentence(
    bundles: dict[str, Any], kept: app_server.Methods, sentence: str
) -> None:
    base = app_server.base(bundles, kept)
    (told,) = base.to_change
    assert sentence in told


def test_a_request_without_params_has_no_result_type() -> None:
    bundles = bundle()
    bundles["bundle.json"]["definitions"]["ClientRequest"] = {"oneOf": [PING]}
    base = app_server.base(bundles, methods(requests=("ping",)))
    assert base.content["methods"]["client_requests"] == {}
    assert "'ping' has no params" in base.to_change[0]


def test_a_method_that_is_gone_takes_nothing_else_with_it() -> None:
    base = app_server.base(bundle(), methods(requests=("pong", "ping", "zap")))
    assert list(base.content["methods"]["client_requests"]) == ["ping"]
    assert list(base.content["definitions"]) == ["PingParams", "PingResponse"]
    assert [sentence.split(":")[1].split()[0] for sentence in base.to_change] == ["'pong'", "'zap'"]


def test_methods_that_are_not_kept_are_named() -> None:
    others = app_server.base(bundle(), methods(requests=("ping",))).content["others"]
    assert others == {**{table: ["ping"] for table in app_server.MESSAGES}, "client_requests": []}


def branch(tag: str, **fields: Any) -> dict[str, Any]:
    return {"properties": {"type": {"enum": [tag]}, **fields}, "required": ["type"]}


def test_branches_that_differ_in_more_than_the_tag_cannot_share_a_name() -> None:
    same: dict[str, Any] = {"Part": {"oneOf": [branch("in/put"), branch("inPut")]}}
    unions.name_branches(same)
    assert same["InPutPart"]["properties"]["type"]["enum"] == ["in/put", "inPut"]
    with pytest.raises(unions.NameClash, match="InPutPart"):
        unions.name_branches({"Part": {"oneOf": [branch("in/put"), branch("inPut", size={})]}})
    with pytest.raises(unions.NameClash, match="APart"):
        unions.name_branches({"Part": {"oneOf": [branch("a"), branch("b")]}, "APart": {"type": "object"}})
