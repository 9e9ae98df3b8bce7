"""Calls of a Responses upstream as they are meant; the names of tools that it has itself are whole."""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest

from tests.support.grammar import check, decode
from tests.support.meant_calls import ARGUMENTS, CLEAN, CMD, NAMES, TOOLS, UNREPAIRED, Written
from tests.support.responses_turns import call, response, whole
from tests.support.streams import new_stream
from tests.support.tools import offered
from wireloom.translate.responses_upstream.reader import ResponsesReader
from wireloom.translate.tools.base import Tools
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]
ALL = [*NAMES, *ARGUMENTS, *UNREPAIRED, *CLEAN]


def read(events: Iterator[Json] | list[Json], tools: Tools | None = None) -> tuple[list[Any], list[str]]:
    """The calls that a client receives, and what the log says."""
    stream = new_stream()
    reader = ResponsesReader(stream, tools or offered(*TOOLS)[0], lambda _: "sealed")
    for event in events:
        reader.feed(json.dumps(event).encode())
    reader.close()
    told = check(decode(encode(stream.take())))
    return [(one.item.get("namespace"), one.item["name"], one.said) for one in told.calls], reader.lost


def streamed(written: Written) -> list[Json]:
    """The events of a stream with a call."""
    fragments = [each if isinstance(each, str) else json.dumps(each) for each in written.arguments]
    item = call(written.name, "".join(fragments))
    begin, end = whole(item, size=1000)[2], whole(item, size=1000)[-2:]
    at = {"type": "response.function_call_arguments.delta", "item_id": item["id"], "output_index": 0}
    return [begin, *({**at, "delta": fragment} for fragment in fragments), *end]


def same(found: list[Any], meant: tuple[str | None, str, str]) -> None:
    assert [each[:2] for each in found] == [meant[:2]]
    assert found[0][2] == meant[2] or json.loads(found[0][2]) == json.loads(meant[2])


@pytest.mark.parametrize("written", ALL, ids=lambda each: each.case)
def test_a_streamed_call_is_read_as_it_is_meant(written: Written) -> None:
    calls, lost = read(streamed(written))
    same(calls, written.meant)
    assert bool(lost) is written.told


@pytest.mark.parametrize("written", ALL, ids=lambda each: each.case)
def test_a_call_in_one_piece_is_read_as_it_is_meant(written: Written) -> None:
    if "snapshots" in written.case:
        return  # only fragments show them
    first = written.arguments[0]
    arguments = first if isinstance(first, dict) else "".join(written.arguments)
    calls, lost = read([response([{**call(written.name, ""), "arguments": arguments}])])
    same(calls, written.meant)
    assert bool(lost) is written.told


def test_a_call_with_a_namespace_of_its_own_is_not_looked_at() -> None:
    calls, lost = read(whole(call("add", CMD, namespace="other")))
    assert (calls, lost) == ([("other", "add", CMD)], [])


def test_a_tool_that_the_upstream_has_itself_is_not_looked_at() -> None:
    tools, _ = offered(*TOOLS)
    tools.native = {"Exec_Command"}
    calls, lost = read(whole(call("Exec_Command", CMD)), tools)
    assert (calls, lost) == ([(None, "Exec_Command", CMD)], [])
