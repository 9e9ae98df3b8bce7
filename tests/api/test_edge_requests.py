"""Requests at the edge: caller, body, query, and the notes on each."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter
from starlette.requests import Request
from wireloom_protocol import responses as m

from wireloom.api.auth import Keys
from wireloom.api.drain import Drain
from wireloom.api.edge import HttpEdge, exchange_of
from wireloom.errors import InvalidRequest, Unavailable


def asking(body: bytes, **headers: str) -> Request:
    """A request with a body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": encoded, "method": "POST", "path": "/"}, receive)


CREATE = TypeAdapter(m.CreateResponse)


async def test_the_edge_notes_model_and_streaming() -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1, note=lambda read: {"n": read.model})
    request = asking(b'{"model": "m", "input": "a", "stream": true}', content_type="Application/JSON; a=b")
    body = await edge.read(request, CREATE)
    exchange = exchange_of(request.scope)
    assert (body.model, exchange.model, exchange.streamed, exchange.requested) == ("m", "m", True, {"n": "m"})
    assert exchange.seconds().keys() == {"read"}
    request = asking(b'{"model": "m", "input": "a"}', content_type="application/vnd.api+json")
    await edge.read(request, CREATE)
    assert (exchange_of(request.scope).streamed, exchange_of(request.scope).requested) == (False, {"n": "m"})


@pytest.mark.parametrize("kind", [None, "text/plain", "application/jsonp", "multipart/form-data"])
async def test_a_body_of_another_type_is_refused(kind: str | None) -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1)
    headers = {} if kind is None else {"content_type": kind}
    with pytest.raises(InvalidRequest) as refused:
        await edge.read(asking(b"{}", **headers), CREATE)
    found = refused.value
    assert (found.message, found.param, found.status) == (
        "Send the body as content-type application/json.",
        "content-type",
        415,
    )


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"input": "a"}', "d"),
        (b'{"model": null, "input": "a"}', "d"),
        (b'{"model": "m", "input": "a"}', "m"),
    ],
)
async def test_a_request_without_a_model_asks_for_the_default(body: bytes, model: str) -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1, default_model="d")
    assert (await edge.read(asking(body, content_type="application/json"), CREATE)).model == model


async def test_a_body_that_is_no_object_is_refused_also_with_a_default_model() -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1, default_model="d")
    with pytest.raises(InvalidRequest) as refused:
        await edge.read(asking(b"[]", content_type="application/json"), CREATE)
    assert refused.value.code == "invalid_type"


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ({}, True),
        ({"content_length": "0"}, True),
        ({"content_length": "2"}, False),
        ({"transfer_encoding": "chunked"}, False),
    ],
)
async def test_a_body_may_be_left_out_where_it_is_optional(headers: dict[str, str], read: bool) -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1)
    adapter = TypeAdapter(dict[str, int])
    if read:
        assert await edge.read(asking(b"", **headers), adapter, optional_body=True) == {}
    else:
        with pytest.raises(InvalidRequest):
            await edge.read(asking(b"", **headers), adapter, optional_body=True)
    with pytest.raises(InvalidRequest):
        await edge.read(asking(b"", **headers), adapter)


@pytest.mark.parametrize(
    ("headers", "codex"),
    [
        ({}, False),
        ({"originator": "codex_exec"}, True),
        ({"originator": "codex"}, True),
        ({"originator": "other", "user_agent": "codex_cli_rs/0.1"}, True),
        ({"user_agent": "codex/1"}, False),
        ({"user_agent": "OpenAI/Python"}, False),
    ],
)
def test_the_codex_cli_is_known_by_its_headers(headers: dict[str, str], codex: bool) -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1)
    request = asking(b"", **headers)
    caller = edge.admit(request, operation="createResponse", secured=True)
    assert (caller.codex, caller.principal, caller.upstream_key) == (codex, "anonymous", None)
    assert (caller.exchange.operation, caller.exchange.principal) == ("createResponse", "anonymous")
    assert caller.request_id == exchange_of(request.scope).request_id
    assert re.fullmatch("req_[0-9a-f]{24}", caller.request_id)


async def test_a_gateway_that_stops_answers_its_probes_alone() -> None:
    drain = Drain()
    edge = HttpEdge(Keys({"mine": "k"}), max_body_bytes=100, heartbeat_seconds=1, drain=drain)
    await drain.close(0)
    for operation in ("health", "ready", "metrics"):
        assert edge.admit(asking(b""), operation=operation, secured=False).principal == "anonymous"
    with pytest.raises(Unavailable):
        edge.admit(asking(b"", x_api_key="k"), operation="createResponse", secured=True)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("", None),
        ("a=false", None),
        ("a=FALSE&b=false", None),
        ("a=true", "a"),
        ("b=1", "b"),
        ("c=true", None),
    ],
)
def test_a_query_for_an_unserved_feature_is_refused(query: str, refused: str | None) -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1)
    request = asking(b"")
    request.scope["query_string"] = query.encode()
    if refused is None:
        edge.refuse(request, ("a", "b"))
        return
    with pytest.raises(InvalidRequest) as caught:
        edge.refuse(request, ("a", "b"))
    assert (caught.value.param, caught.value.code) == (refused, "unsupported_parameter")


def test_a_query_parameter_is_read_once() -> None:
    edge = HttpEdge(Keys(None), max_body_bytes=100, heartbeat_seconds=1)
    request = asking(b"")
    request.scope["query_string"] = b"n=5&twice=1&twice=2&list=a&list[]=b"
    numbers, texts = TypeAdapter(int), TypeAdapter(list[str])
    assert (edge.query(request, "n", numbers, 7), edge.query(request, "other", numbers, 7)) == (5, 7)
    assert edge.queries(request, "list", texts) == ["a", "b"]
    with pytest.raises(InvalidRequest) as caught:
        edge.query(request, "twice", numbers, 7)
    assert (caught.value.message, caught.value.param) == ("twice is given more than once.", "twice")
