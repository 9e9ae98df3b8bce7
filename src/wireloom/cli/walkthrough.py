"""What `wireloom demo` runs and prints."""

import asyncio
import http.client
import json
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby

import click

from wireloom.backends import demo
from wireloom.cli.client import connect, exchange
from wireloom.cli.client.exchange import ExchangeError
from wireloom.cli.options import Failure
from wireloom.cli.service.listener import Server, configure_logging
from wireloom.config import Settings
from wireloom.wire.json import Json


def run(settings: Settings, listener: socket.socket, *, once: bool) -> None:
    """Serve the demo model and, on ``listener``, a gateway; show one exchange; go on unless ``once``.

    Raises ``Failure`` when the exchange goes wrong.
    """
    # What is shown needs no line in the log besides.
    configure_logging("warning" if settings.log_level == "info" else settings.log_level)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, listener, once=once))
    except (ExchangeError, OSError, http.client.HTTPException, json.JSONDecodeError) as error:
        raise Failure(f"The exchange failed: {error}") from error


async def _serve(settings: Settings, listener: socket.socket, *, once: bool) -> None:
    received: deque[Json] = deque(maxlen=2)
    root = connect.root_url(settings.host, listener.getsockname()[1])
    shows: list[asyncio.Task[None]] = []

    def begin() -> None:
        click.echo(f"wireloom listening on {root}", err=True)
        shows.append(asyncio.create_task(_show(server, f"{root}/v1", received, once=once)))

    async with demo.running(received) as upstream:
        # The gateway gets the model as an ordinary upstream, so that what arrives there can be shown.
        chat = {"backend": "chat", "upstream": upstream, "provider": "generic"}
        server = Server(settings.model_copy(update=chat), begin)
        await server.serve(sockets=[listener])
        for show in shows:
            await show


async def _show(server: Server, url: str, received: Sequence[Json], *, once: bool) -> None:
    stays = False
    try:
        # The client is a blocking one in a thread of its own, so that real bytes cross a real socket.
        await asyncio.to_thread(_exchange, url, received)
        stays = not once
    finally:
        server.should_exit = server.should_exit or not stays
    if stays:
        click.echo("\n".join(_ways(url)))


def _exchange(url: str, received: Sequence[Json]) -> None:
    first = exchange.post(f"{url}/responses", exchange.QUESTION)
    call = first.item("function_call")
    result = json.dumps(exchange.get_weather(**json.loads(call["arguments"])))
    second = exchange.post(f"{url}/responses", exchange.follow_up(exchange.QUESTION, first, result))
    said = exchange.spoken(second)
    if result not in said:
        raise ExchangeError(f"the result of the tool did not reach the model, which said: {said}")
    _chapter("1. The client sends", f"POST {url}/responses", _members(exchange.QUESTION))
    _chapter("2. The upstream gets", "POST /v1/chat/completions", _members(received[0]))
    _chapter("3. The client receives", f"{len(first.events)} events", _event_lines(first.events))
    _chapter(
        "4. The tool goes round",
        "the client runs it and sends the result with the conversation",
        [
            f"{call['name']}({call['arguments']})  ->  {result}",
            *(f"upstream gets  {json.dumps(message)}" for message in received[1]["messages"]),
            f"model says     {said}",
        ],
    )
    _chapter("5. Lost on the way", "the x-wireloom-loss header", _losses(first.loss) or ["nothing"])


def _chapter(title: str, note: str, lines: Iterable[str]) -> None:
    click.echo(f"\n{click.style(title, bold=True)}  ({note})")
    for line in lines:
        click.echo(f"   {line}")


def _members(body: Json) -> Iterator[str]:
    return (f"{name}: {json.dumps(value)}" for name, value in body.items())


def _losses(header: str) -> list[str]:
    return [": ".join(loss.split(";", 2)) for loss in header.split(", ") if loss]


def _event_lines(events: Iterable[Json]) -> Iterator[str]:
    for kind, group in groupby(events, lambda event: str(event["type"])):
        same = list(group)
        times = f" x{len(same)}" if len(same) > 1 else ""
        yield f"{kind + times:48} {''.join(event.get('delta', '') for event in same)}".rstrip()


def _ways(url: str) -> list[str]:
    model = demo.MODEL
    return [
        "",
        click.style("Three ways to connect", bold=True) + "  (Ctrl-C ends the gateway)",
        "",
        "Codex CLI, at the top of ~/.codex/config.toml:",
        "",
        connect.codex(url, model, with_key=False),
        "",
        "OpenAI SDK for Python:",
        "",
        connect.openai_sdk(url, model),
        "",
        "curl:",
        "",
        connect.curl(url, model),
    ]
