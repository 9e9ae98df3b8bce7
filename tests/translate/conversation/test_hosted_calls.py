"""What another provider carried out is told as a call with what came of it, its pictures as the user's."""

import json
from typing import Any

import pytest

from tests.support.items import (
    GENERIC,
    Json,
    answered,
    asked,
    call,
    like,
    output,
    said,
    shown,
    thought,
    translated,
    user,
)
from wireloom.providers import load
from wireloom.translate.conversation.hosted_calls import ELSEWHERE, HOSTED
from wireloom.translate.rules.loss import Severity

IMMATERIAL, DEGRADING = Severity.IMMATERIAL, Severity.DEGRADING
WEB = "https://example.com/plot.png"

# Item without what all have, the name and the arguments of the call, the output, the pictures.
TOLD: list[tuple[Json, str, Any, str, list[str]]] = [
    (
        {"type": "web_search_call", "action": {"type": "search", "query": "q", "queries": ["q", "r"]}},
        "web_search",
        {"type": "search", "query": "q", "queries": ["q", "r"]},
        ELSEWHERE,
        [],
    ),
    (
        {"type": "web_search_call", "action": {"type": "open_page", "url": "https://example.com"}},
        "web_search",
        {"type": "open_page", "url": "https://example.com"},
        ELSEWHERE,
        [],
    ),
    (
        {
            "type": "web_search_call",
            "action": {"type": "find_in_page", "url": "https://example.com", "pattern": "p"},
        },
        "web_search",
        {"type": "find_in_page", "url": "https://example.com", "pattern": "p"},
        ELSEWHERE,
        [],
    ),
    ({"type": "file_search_call", "queries": ["q"]}, "file_search", {"queries": ["q"]}, ELSEWHERE, []),
    (
        {"type": "file_search_call", "queries": ["q"], "results": []},
        "file_search",
        {"queries": ["q"]},
        ELSEWHERE,
        [],
    ),
    (
        {
            "type": "file_search_call",
            "queries": ["q", "r"],
            "results": [
                {"filename": "a.txt", "file_id": "f", "text": "one"},
                {"file_id": "f", "text": "two", "score": 0.5},
                {"text": "three"},
                {"filename": "b.txt"},
            ],
        },
        "file_search",
        {"queries": ["q", "r"]},
        "a.txt: one\n\nf: two\n\na file: three\n\nb.txt: ",
        [],
    ),
    (
        {"type": "code_interpreter_call", "container_id": "c", "code": "1", "outputs": None},
        "code_interpreter",
        {"code": "1"},
        ELSEWHERE,
        [],
    ),
    (
        {
            "type": "code_interpreter_call",
            "container_id": "c",
            "code": "plot()",
            "outputs": [
                {"type": "logs", "logs": "one"},
                {"type": "image", "url": WEB},
                {"type": "logs", "logs": "two"},
            ],
        },
        "code_interpreter",
        {"code": "plot()"},
        "one\ntwo",
        [WEB],
    ),
    (
        {"type": "code_interpreter_call", "container_id": "c", "code": None, "outputs": []},
        "code_interpreter",
        {"code": None},
        ELSEWHERE,
        [],
    ),
    (
        {"type": "image_generation_call", "result": "AA"},
        "image_generation",
        {},
        "completed",
        ["data:image/png;base64,AA"],
    ),
    ({"type": "image_generation_call", "result": None}, "image_generation", {}, "completed", []),
    (
        {"type": "mcp_call", "server_label": "s", "name": "n", "arguments": '{"a":1}', "output": "done"},
        "s-n",
        {"a": 1},
        "done",
        [],
    ),
    (
        {"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "", "output": ""},
        "s-n",
        {},
        "",
        [],
    ),
    ({"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}"}, "s-n", {}, ELSEWHERE, []),
    (
        {"type": "mcp_approval_request", "server_label": "s", "name": "n", "arguments": '{"a":1}'},
        "s-n",
        {"a": 1},
        "[not carried out]",
        [],
    ),
    (
        {
            "type": "image_generation_call",
            "result": "AA",
            "output_format": "webp",
            "revised_prompt": "a cat, in oil",
        },
        "image_generation",
        {"prompt": "a cat, in oil"},
        "completed",
        ["data:image/webp;base64,AA"],
    ),
    (
        {"type": "image_generation_call", "result": "AA", "output_format": "svg"},
        "image_generation",
        {},
        "completed",
        ["data:image/svg+xml;base64,AA"],
    ),
    (
        {
            "type": "image_generation_call",
            "result": None,
            "status": "failed",
            "error": {"type": "t", "code": "c", "param": None, "message": "no such style"},
        },
        "image_generation",
        {},
        "failed: no such style",
        [],
    ),
]
IDS = [f"{item['type']}-{number}" for number, (item, *_) in enumerate(TOLD)]


def whole(item: Json) -> Json:
    return {"id": "x_1", "status": "completed", **item}


@pytest.mark.parametrize(("item", "name", "arguments", "text", "pictures"), TOLD, ids=IDS)
def test_a_call_carried_out_elsewhere(
    item: Json, name: str, arguments: Any, text: str, pictures: list[str]
) -> None:
    made, losses = translated(said("user", "a"), whole(item), said("assistant", "b"))
    function = made[1]["tool_calls"][0]["function"]
    assert json.loads(function["arguments"]) == arguments
    assert made == [
        user("a"),
        asked(("x_1", name, function["arguments"])),
        answered("x_1", text),
        *([shown(*pictures)] if pictures else []),
        {"role": "assistant", "content": "b"},
    ]
    assert losses == [("input[1]", "emulated", IMMATERIAL)]


def test_what_went_wrong_elsewhere_is_told() -> None:
    item = {"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}"}
    error = {"type": "http_error", "code": 404, "message": "gone"}
    made, _ = translated(whole({**item, "error": error, "status": "failed"}))
    assert made[1]["content"].startswith("error: ")
    assert json.loads(made[1]["content"].removeprefix("error: ")) == error
    made, _ = translated(whole({**item, "error": error, "output": "half", "status": "failed"}))
    assert made[1]["content"].startswith("half\nerror: ")


@pytest.mark.parametrize(
    ("profile", "item", "seen"),
    [
        (like(GENERIC, images=False), TOLD[7][0], []),
        (like(GENERIC, images=False), TOLD[9][0], []),
        (like(GENERIC, image_urls=False), TOLD[7][0], []),
        (like(GENERIC, image_urls=False), TOLD[9][0], ["data:image/png;base64,AA"]),
    ],
)
def test_pictures_an_upstream_does_not_take_are_reported(profile: Any, item: Json, seen: list[str]) -> None:
    made, losses = translated(whole(item), profile=profile)
    assert made[2:] == ([shown(*seen)] if seen else [])
    expected = [("input[0]", "emulated", IMMATERIAL)]
    assert losses == (expected if seen else [*expected, ("input[0]", "dropped", DEGRADING)])


def test_it_stands_among_other_calls_in_an_order_that_upstreams_take() -> None:
    search = whole(TOLD[0][0])
    made, _ = translated(
        thought(["hmm"]), call("1"), search, call("2"), said("assistant", "b"), output("1"), output("2")
    )
    assert [message["role"] for message in made] == [
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
    ]
    assert [one["id"] for one in made[0]["tool_calls"]] == ["1", "x_1"]
    assert [message["content"] for message in made[1:3]] == ["ok", ELSEWHERE]


def test_its_id_is_one_the_upstream_takes() -> None:
    made, _ = translated(whole(TOLD[0][0]), profile=load("mistral"))
    (one,) = made[0]["tool_calls"]
    assert len(one["id"]) == 9
    assert made[1]["tool_call_id"] == one["id"]


def test_two_with_the_same_id_keep_their_outputs() -> None:
    first, second = whole(TOLD[11][0]), whole(TOLD[5][0])
    made, _ = translated(first, second)
    assert [message["content"] for message in made if message["role"] == "tool"] == ["done", TOLD[5][3]]


def test_a_call_of_the_client_with_the_same_id_keeps_its_output() -> None:
    made, _ = translated(whole(TOLD[11][0]), call("x_1"), output("x_1", "mine"))
    assert [message["content"] for message in made if message["role"] == "tool"] == ["done", "mine"]


def test_a_name_that_no_upstream_takes_becomes_one_that_it_takes() -> None:
    made, _ = translated(whole({**TOLD[11][0], "server_label": "my server", "name": "n.n"}))
    assert made[0]["tool_calls"][0]["function"]["name"].startswith("my_server-n_n_")


def test_tools_of_a_server_that_nobody_reaches_are_left_out() -> None:
    listed = {"type": "mcp_list_tools", "id": "x", "server_label": "s", "tools": []}
    made, losses = translated(said("user", "a"), listed)
    assert (made, losses) == ([user("a")], [("input[1]", "dropped", IMMATERIAL)])


def test_every_kind_has_a_test() -> None:
    assert {item["type"] for item, *_ in TOLD} == HOSTED.keys()
