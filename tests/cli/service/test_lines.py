"""Lines of the log as people read them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from typing import Any

import click
import pytest

from wireloom.cli.service.lines import LogReader, Losses, TerminalFormatter, request_line

MOMENT = datetime(2026, 11, 29, 6, 49, 19)
TOLD: dict[str, Any] = {
    "request_id": "req_c80",
    "operation": "createResponse",
    "key": "team",
    "backend": "local",
    "model": "fast",
    "upstream_model": "llama3",
    "stream": True,
    "status": 200,
    "outcome": "ok",
    "lost": "seed;dropped;no such field in the contract",
    "tokens": {"input": 93, "cached": 64, "output": 11, "reasoning": 0},
    "ms": {"total": 436.2},
}


def line(**changed: Any) -> str:
    told = {name: value for name, value in {**TOLD, **changed}.items() if value is not None}
    return click.unstyle(request_line(told, MOMENT, Losses()))


def test_a_request() -> None:
    assert line() == (
        "06:49:19 200 POST /v1/responses fast→local/llama3  436ms  29+64c→11 tok  team  (seed dropped) req_c80"
    )


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        (
            {"lost": None},
            "06:49:19 200 POST /v1/responses fast→local/llama3  436ms  29+64c→11 tok  team  req_c80",
        ),
        ({"model": "local/llama3"}, " local/llama3  436ms "),
        ({"upstream_model": "fast"}, " fast→local  436ms "),
        ({"upstream_model": None}, " fast→local  436ms "),
        ({"backend": None}, " fast  436ms "),
        ({"passed_over": ["dead", "far"]}, " fast→dead× far× local/llama3  436ms "),
        (
            {"operation": "listModels", "model": None, "backend": None, "tokens": None},
            "200 GET /v1/models  436ms  team ",
        ),
        ({"operation": None, "model": None, "backend": None}, "200 -  436ms "),
        ({"tokens": {"input": 5, "cached": 0, "output": 2}}, " 5→2 tok "),
        ({"tokens": {"input": 5, "cached": 5, "output": 2}}, " 5c→2 tok "),
        ({"tokens": {"input": 0, "cached": 0, "output": 2}}, " 0→2 tok "),
        ({"key": None}, "tok  (seed dropped)"),
        ({"key": "anonymous"}, "tok  (seed dropped)"),
        ({"model": None}, "POST /v1/responses  436ms "),
        (
            {
                "status": 502,
                "outcome": "failed",
                "error": "upstream_unreachable",
                "cause": "DeepSeek: connection refused",
            },
            "  team  upstream_unreachable: DeepSeek: connection refused  (seed",
        ),
        ({"status": 404, "outcome": "refused", "error": "not\x1b[2Jfound"}, "  team  not�[2Jfound  (seed"),
        ({"outcome": "client_gone"}, "  team  client_gone  (seed"),
        ({"lost": "a;dropped;b, tools[9];left out;c"}, "(a dropped) (tools[9] left out) req_c80"),
    ],
)
def test_what_a_line_has(changed: dict[str, Any], shown: str) -> None:
    assert shown in line(**changed)


def test_colours() -> None:
    ok, failed = (
        request_line({**TOLD, "outcome": outcome}, MOMENT, Losses()) for outcome in ("ok", "failed")
    )
    assert click.style("200", fg="green", bold=True) in ok
    assert click.style("200", fg="red", bold=True) in failed
    assert ok.endswith(click.style("req_c80", dim=True))


def test_a_loss_is_told_once_for_each_key() -> None:
    losses = Losses()

    def told(key: str, lost: str) -> bool:
        return "dropped)" in request_line({**TOLD, "key": key, "lost": lost}, MOMENT, losses)

    first = [
        told("a", "x;dropped;r"),
        told("a", "x;dropped;r"),
        told("b", "x;dropped;r"),
        told("a", "y;dropped;r"),
    ]
    assert first == [True, False, True, True]


def test_losses_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireloom.cli.service.lines._MOST_LOSSES", 1)
    losses = Losses()
    assert [losses.new("a", lost) for lost in ("x;d;r", "y;d;r", "y;d;r", "x;d;r")] == [
        ["x;d;r"],
        ["y;d;r"],
        ["y;d;r"],
        [],
    ]


def record(name: str, level: int, message: str, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, level, "", 0, message, (), None)
    made.created = MOMENT.timestamp()
    vars(made).update(extra)
    return made


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    formatter = TerminalFormatter()
    request = record("wireloom.request", logging.INFO, "words", **TOLD)
    assert formatter.format(request) == request_line(TOLD, MOMENT, Losses())
    assert "dropped" not in formatter.format(request)
    other = record("wireloom", logging.WARNING, "The upstream lists no models.")
    assert click.unstyle(formatter.format(other)) == "06:49:19 warning The upstream lists no models."
    assert click.style("warning", fg="yellow") in formatter.format(other)
    try:
        raise ValueError("why")
    except ValueError:
        other.exc_info = sys.exc_info()
    assert formatter.format(other).endswith("ValueError: why")


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours(monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]) -> None:
    monkeypatch.setenv(*variable)
    shown = TerminalFormatter().format(record("wireloom.request", logging.INFO, "words", **TOLD))
    assert shown == click.unstyle(shown)


def test_lines_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = LogReader()
    time = MOMENT.astimezone().isoformat()
    request = {"level": "INFO", "logger": "wireloom.request", "message": "words", **TOLD, "time": time}
    assert click.unstyle(reader.read(json.dumps(request))) == line()
    other = {"level": "ERROR", "logger": "wireloom", "message": "m", "time": time, "exc_info": "Traceback\nE"}
    assert click.unstyle(reader.read(json.dumps(other))) == "06:49:19 error m\nTraceback\nE"
    for text in ("wireloom listening on http://127.0.0.1:4444", "{", "[1]", '{"time": 3}', '{"time": "x"}'):
        assert reader.read(text) == text
