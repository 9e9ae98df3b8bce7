"""A model provider that answers every Responses request at once with the same short text."""

import argparse
import asyncio
import json
import re

TEXT = "hello from the provider"
_PART = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
_ITEM = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [_PART]}
_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 16,
}
_BASE: dict[str, object] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "scripted",
    "output": [],
}
_AT: dict[str, object] = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
_EVENTS: list[dict[str, object]] = [
    {"type": "response.created", "response": {**_BASE, "status": "in_progress"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEM, "content": []}},
    {"type": "response.content_part.added", **_AT, "part": {**_PART, "text": ""}},
    *({"type": "response.output_text.delta", **_AT, "delta": word} for word in re.findall(r"\S+ ?", TEXT)),
    {"type": "response.output_text.done", **_AT, "text": TEXT},
    {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
    {
        "type": "response.completed",
        "response": {**_BASE, "status": "completed", "output": [_ITEM], "usage": _USAGE},
    },
]
_BODY = b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in _EVENTS)
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n"
_ANSWER = _HEAD.format("text/event-stream", len(_BODY)).encode() + _BODY
_MODELS = json.dumps({"object": "list", "data": []}).encode()
_LIST = _HEAD.format("application/json", len(_MODELS)).encode() + _MODELS


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = [line for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(length[0].partition(b":")[2]) if length else 0)
            writer.write(_ANSWER if head.startswith(b"post") else _LIST)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main(port: int) -> None:
    async with await asyncio.start_server(_serve, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_main(parser.parse_args().port))
