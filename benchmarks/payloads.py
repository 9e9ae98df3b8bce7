"""The requests that are sent and the Chat chunks that answer them."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.stamps import stamp

_SENTENCE = "Read the file before you change it, run the tests, and say what you did and why. "
_CREATED = 1_750_000_000


def _prose(length: int) -> str:
    return (_SENTENCE * (length // len(_SENTENCE) + 1))[:length]


def _tool(name: str) -> dict[str, Any]:
    properties = {
        "path": {"type": "string", "description": "File, relative to the working directory"},
        "limit": {"type": "integer", "description": "Most lines to return"},
    }
    parameters = {
        "type": "object",
        "properties": properties,
        "required": ["path"],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "name": name,
        "description": "Works on one file.",
        "strict": False,
        "parameters": parameters,
    }


def _encode(model: str, items: list[dict[str, Any]], size: int) -> bytes:
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "store": False,
        "instructions": "",
        "tools": [_tool(name) for name in ("read_file", "write_file", "list_files", "search")],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "input": items,
    }
    body["instructions"] = _prose(max(0, size - len(json.dumps(body))))
    return json.dumps(body).encode()


def _user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _assistant(number: int, text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": f"msg_{number}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def short_request(model: str, size: int = 4_700) -> bytes:
    """Build a first turn: instructions, four tools, one user message.

    model: name the upstream sees. size: bytes of the body.
    """
    return _encode(model, [_user("What does this project do?")], size)


def long_request(model: str, items: int = 400, size: int = 200_000) -> bytes:
    """Build a late turn of an agent: messages, function calls and their outputs in turn.

    model: name the upstream sees. items: length of the input. size: bytes of the body.
    """
    return _encode(model, list(_history(items, text=_prose(size // items * 3 // 4))), size)


def _history(items: int, text: str) -> Iterator[dict[str, Any]]:
    for index in range(items):
        turn, place = divmod(index, 3)
        if place == 1:
            arguments = json.dumps(
                {"path": f"src/module_{turn}.py", "limit": 200, "note": text[: len(text) // 2]}
            )
            yield {
                "type": "function_call",
                "call_id": f"call_{turn}",
                "name": "read_file",
                "arguments": arguments,
            }
        elif place == 2:
            yield {"type": "function_call_output", "call_id": f"call_{turn}", "output": text}
        elif turn % 2 == 0 or index == items - 1:
            yield _user(text)
        else:
            yield _assistant(turn, text)


def _event(**fields: Any) -> bytes:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": _CREATED, "model": "bench"}
    return b"data: " + json.dumps(chunk | fields, separators=(",", ":")).encode() + b"\n\n"


def _choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def text_event(text: str) -> bytes:
    """Build the event of one Chat chunk that carries a text delta.

    text: the delta.
    """
    return _event(choices=[_choice({"content": text})])


def first_event() -> bytes:
    """Build the event that opens a Chat stream: the role."""
    return _event(choices=[_choice({"role": "assistant", "content": ""})])


def last_events(tokens: int) -> bytes:
    """Build the events that end a Chat stream: finish reason, usage, `[DONE]`.

    tokens: text deltas sent before.
    """
    usage = {"prompt_tokens": 1_000, "completion_tokens": tokens, "total_tokens": 1_000 + tokens}
    finish = _event(choices=[_choice({}, "stop")])
    return finish + _event(choices=[], usage=usage) + b"data: [DONE]\n\n"


def whole_stream(chunks: int) -> bytes:
    """Build a complete Chat stream with stamps 0, 1, 2 ... in its text.

    chunks: number of text deltas.
    """
    texts = (text_event(f" word{stamp(number)}") for number in range(chunks))
    return first_event() + b"".join(texts) + last_events(chunks)
