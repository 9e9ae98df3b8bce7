"""A Chat Completions upstream that takes any request and answers in every form there is, by turns."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import chain
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.chat_turns import CREATED, Json, ToolCall, Turn, Usage, closing, completion, opening
from wireloom.backends.demo import example
from wireloom.translate.compaction import PROMPT

API_KEY = "upstream-key"
MODEL = "vendor/any-model:free"
START_SECONDS = 30.0

TURNS = (
    Turn(text="A plain answer."),
    Turn(text="The sum is 5.", reasoning="Two and three.", usage=Usage(cached=4, reasoning=3)),
    Turn(refusal="No."),
    Turn(text="An answer that was cut", finish_reason="length"),
    Turn(text="An answer that was", finish_reason="content_filter"),
    Turn(text="Done.", usage=None),
)
CALLING = (
    Turn(),
    Turn(text="Let me look.", reasoning="A tool helps."),
    Turn(interleave=True, delta_chars=3),
)


def turn_for(body: Json, number: int) -> Turn:
    """The `number`-th answer: calls of the first tools where tools are offered, every other time.

    A summary that is asked for is always given, since without one there is no answer to look at.
    """
    if body["messages"][-1].get("content") == PROMPT:
        return TURNS[0]
    functions = offered(body)
    if not functions or number % 2:
        return TURNS[number // 2 % len(TURNS)]
    calls = [
        ToolCall(f"call_{number}_{index}", function["name"], json.dumps(example(function.get("parameters"))))
        for index, function in enumerate(functions[:2])
    ]
    return replace(CALLING[number // 2 % len(CALLING)], tool_calls=calls)


def offered(body: Json) -> list[Json]:
    """The functions that a request lets the model call."""
    tools = body.get("tools") or []
    functions = [tool["function"] for tool in tools if tool["type"] == "function"] + (
        body.get("functions") or []
    )
    match body.get("tool_choice") or body.get("function_call"):
        case "none" | {"type": "custom"}:
            return []
        case {"type": "function", "function": {"name": name}}:
            return [function for function in functions if function["name"] == name]
        case {"type": "allowed_tools", "allowed_tools": {"tools": tools}}:
            names = {tool["function"]["name"] for tool in tools if "name" in tool.get("function", {})}
            return [function for function in functions if function["name"] in names]
    return functions


class VariedUpstream:
    """Serves on a free loopback port in a thread of its own; `bodies` holds every request that came.

    Args:
        turn: gives the answer to a request, by its body and its number.
    """

    def __init__(self, turn: Callable[[Json, int], Turn] = turn_for) -> None:
        self._turn = turn
        self.bodies: list[Json] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    @property
    def base_url(self) -> str:
        """The address to give as the upstream of a gateway; it takes connections from the start."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        self._listener.close()
        if self._thread.is_alive():
            raise TimeoutError("the upstream did not stop")

    async def _complete(self, request: Request) -> Response:
        body: Json = await request.json()
        self.bodies.append(body)
        number = len(self.bodies)
        turn = self._turn(body, number)
        if body.get("stream"):
            include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            chunks = _stream(turn, number, include_usage=include_usage)
            return StreamingResponse(chunks, media_type="text/event-stream")
        return JSONResponse(completion(turn, MODEL, number))

    async def _models(self, _: Request) -> Response:
        listed: dict[str, Any] = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "tests"}
        return JSONResponse({"object": "list", "data": [listed]})


async def _stream(turn: Turn, number: int, *, include_usage: bool) -> AsyncIterator[bytes]:
    parts = [stage(turn, MODEL, number, include_usage=include_usage) for stage in (opening, closing)]
    for chunk in chain(*parts):
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"
