"""A scripted Chat Completions server: a tiny deterministic model that needs no key and no network."""

import asyncio
import json
import re
import socket
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator, MutableSequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from wireloom.wire.json import Json

MODEL = "demo"

# Nothing here depends on the clock, so that two runs answer byte for byte the same.
_CREATED = 1_700_000_000
_LISTED: Json = {
    "id": MODEL,
    "object": "model",
    "created": _CREATED,
    "owned_by": "wireloom",
    "context_length": 131_072,
    "architecture": {"input_modalities": ["text"]},
}
_KEPT_REQUESTS = 16
_QUOTE_CHARS = 400
_ARGUMENT_CHARS = 8
_SCHEMA_DEPTH = 6

# A property of one of these names gets a value a person would expect. Commands are harmless: a client
# with a shell tool really runs them.
_BY_NAME: dict[str, str] = {
    "city": "Paris",
    "cmd": "echo hello from wireloom",
    "command": "echo hello from wireloom",
    "location": "Paris",
    "path": ".",
    "query": "wireloom",
    "url": "https://example.com/",
}
_BY_FORMAT: dict[str, str] = {
    "date": "2025-01-01",
    "date-time": "2025-01-01T12:00:00Z",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_BY_TYPE: dict[str, Any] = {"string": "demo", "integer": 1, "number": 1.5, "boolean": True}


def example(schema: Any, name: str = "", root: Any = None, depth: int = 0) -> Any:
    """Return a plausible value for a JSON schema, always the same one.

    ``name`` is the property the value is for, ``root`` the schema that local references point into. Where
    required properties nest deeper than a handful of levels the value is None.
    """
    root = schema if root is None else root
    if depth > _SCHEMA_DEPTH:
        return None
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(reference := schema.get("$ref"), str):
        return example(_resolve(reference, root), name, root, depth + 1)
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("enum", "examples"):
        if schema.get(keyword):
            return schema[keyword][0]
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword):
            return example(schema[keyword][0], name, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        item = example(schema.get("items"), name, root, depth + 1)
        return [item] * max(1, schema.get("minItems", 1))
    return _scalar(kind, schema, name)


def _resolve(reference: str, root: Any) -> Any:
    target = root
    for key in reference.split("/")[1:]:
        target = target.get(key) if isinstance(target, dict) else None
    return target


def _object(schema: Json, root: Any, depth: int) -> Json:
    properties: Json = schema.get("properties") or {}
    wanted = schema.get("required") or list(properties)[:1]
    return {name: example(properties.get(name), name, root, depth + 1) for name in wanted}


def _scalar(kind: str, schema: Json, name: str) -> Any:
    if kind != "string":
        value = _BY_TYPE.get(kind)
        bound = schema.get("minimum", schema.get("maximum"))
        return bound if bound is not None and kind in ("integer", "number") else value
    text = _BY_FORMAT.get(schema.get("format", "")) or _BY_NAME.get(name, _BY_TYPE["string"])
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _text_of(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content if isinstance(part, dict))


def _tool_to_call(body: Json) -> Json | None:
    functions: list[Json] = [
        tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"
    ]
    choice = body.get("tool_choice")
    if choice == "none" or not functions:
        return None
    forced = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    return next((tool for tool in functions if tool["name"] == forced), functions[0])


def answer(body: Json, number: int) -> tuple[Json, str]:
    """Return the assistant message (a tool call, JSON or a sentence) and the finish reason.

    ``body`` is a Chat Completions request, ``number`` makes the id of a tool call. Raises ``KeyError``,
    ``IndexError``, ``TypeError`` or ``AttributeError`` when the body is not such a request.
    """
    last = body["messages"][-1]
    if last["role"] == "tool":
        return _say(f"The tool answered: {_text_of(last)[:_QUOTE_CHARS]}", body)
    if (tool := _tool_to_call(body)) is not None:
        arguments = json.dumps(example(tool.get("parameters") or {"type": "object"}))
        call = {"name": tool["name"], "arguments": arguments}
        calls = [{"id": f"call_demo_{number}", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return _say(json.dumps(example(wanted["json_schema"].get("schema"))), body)
    return _say(f"You said: {_text_of(last)[:_QUOTE_CHARS]}", body)


def _say(text: str, body: Json) -> tuple[Json, str]:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    words = _words(text)
    finish = "length" if limit is not None and len(words) > limit else "stop"
    return {"role": "assistant", "content": "".join(words[:limit])}, finish


def _words(text: str) -> list[str]:
    """Cut a text into words with the space before them: the tokens of this model."""
    return re.findall(r"\s*\S+", text)


def _usage(message: Json, body: Json) -> Json:
    prompt = sum(len(_words(_text_of(each))) for each in body["messages"])
    calls = message.get("tool_calls") or ()
    written = " ".join([_text_of(message), *(call["function"]["arguments"] for call in calls)])
    completion = len(_words(written))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _deltas(message: Json) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    yield from ({"content": word} for word in _words(message["content"] or ""))
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = {**call["function"], "arguments": ""}
        yield {"tool_calls": [{**call, "index": index, "function": function}]}
        text = call["function"]["arguments"]
        for start in range(0, len(text), _ARGUMENT_CHARS):
            piece = {"arguments": text[start : start + _ARGUMENT_CHARS]}
            yield {"tool_calls": [{"index": index, "function": piece}]}


async def _stream(head: Json, message: Json, finish: str, usage: Json | None) -> AsyncIterator[bytes]:
    def event(*choices: Json, **more: Any) -> bytes:
        chunk = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
        return f"data: {json.dumps(chunk)}\n\n".encode()

    for delta in _deltas(message):
        yield event({"index": 0, "delta": delta, "finish_reason": None})
    yield event({"index": 0, "delta": {}, "finish_reason": finish})
    if usage is not None:
        yield event(usage=usage)
    yield b"data: [DONE]\n\n"


def _refuse(reason: str) -> Response:
    error = {"message": reason, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=400)


def app(requests: MutableSequence[Json] | None = None) -> Starlette:
    """Return the server as an ASGI application.

    ``requests`` receives the decoded body of each completion request; without it the last few are kept in
    ``app.state.requests``.
    """
    kept = deque[Json](maxlen=_KEPT_REQUESTS) if requests is None else requests
    numbers = count(1)

    async def complete(request: Request) -> Response:
        number = next(numbers)
        try:
            body = await request.json()
            message, finish = answer(body, number)
            usage = _usage(message, body)
        except ValueError:
            return _refuse("The body is not JSON.")
        except (AttributeError, IndexError, KeyError, TypeError):
            return _refuse("The body is not a Chat Completions request.")
        kept.append(body)
        head = {"id": f"chatcmpl-demo-{number}", "created": _CREATED, "model": body.get("model", MODEL)}
        if body.get("stream"):
            told = usage if (body.get("stream_options") or {}).get("include_usage") else None
            return StreamingResponse(_stream(head, message, finish, told), media_type="text/event-stream")
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_LISTED]})

    server = Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
        ]
    )
    server.state.requests = kept
    return server


class _Lodger(uvicorn.Server):
    """A server inside the process of another one, to which it leaves the signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none: the handlers of the outer server stay in place."""
        yield


@asynccontextmanager
async def running(requests: MutableSequence[Json] | None = None) -> AsyncIterator[str]:
    """Serve the demo model on a free loopback port of the running loop; yield its base URL.

    ``requests`` as for ``app``. Raises ``OSError`` when no port can be had.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app(requests), lifespan="off", ws="none", log_config=None, access_log=False, server_header=False
        )
        server = _Lodger(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            # The socket listens already, so a client that comes early waits in the backlog.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            await task
