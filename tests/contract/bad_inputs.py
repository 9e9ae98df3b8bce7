"""Bodies that break the contract of createResponse, each with the answer it has to get."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import zstandard

CANARY = "canary-9d41c7e0b2"
"""Stands wherever a prompt or a value could be repeated in an error."""
LIMIT_MB = 1
LONGEST = 2000
"""Characters of a message or a parameter at most."""
DEEP = 2000

JSON_TYPE: Mapping[str, str] = {"content-type": "application/json"}
REQUEST: Mapping[str, Any] = {"model": "m", "input": CANARY}
FUNCTION: Mapping[str, Any] = {"type": "function", "name": "add", "description": CANARY}
CALL: Mapping[str, Any] = {"type": "function_call", "call_id": "c", "name": "add", "arguments": CANARY}
OUTPUT: Mapping[str, Any] = {"type": "function_call_output", "call_id": "c", "output": CANARY}


@dataclass(frozen=True, slots=True)
class Bad:
    """An input and its refusal: `param` and `code` of the error object."""

    name: str
    param: str | None
    code: str
    body: bytes
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=lambda: JSON_TYPE)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: member for key, member in value.items() if key != name}


GOOD = encoded(REQUEST)


def no_json() -> Iterator[Bad]:
    """Bodies that hold no JSON value, or one that nobody can keep."""
    deep = b"[" * DEEP + b"]" * DEEP
    bodies = {
        "empty": b"",
        "blank": b" \n ",
        "text": CANARY.encode(),
        "cut short": GOOD[:-1],
        "two values": GOOD + GOOD,
        "single quotes": GOOD.replace(b'"', b"'"),
        "NaN": b'{"model": "m", "input": "x", "temperature": NaN}',
        "Infinity": b'{"model": "m", "input": "x", "temperature": Infinity}',
        "-Infinity": b'{"model": "m", "input": "x", "temperature": -Infinity}',
        "float too large": b'{"model": "m", "input": "x", "temperature": 1e999}',
        "integer too large": GOOD[:-1] + b', "max_output_tokens": 1' + b"0" * 5000 + b"}",
        "not UTF-8": GOOD.replace(b"canary", b"\xff\xfe"),
        "half a character": GOOD.replace(b"canary", b"\xe2\x82"),
        "UTF-16": GOOD.decode().encode("utf-16"),
        "raw control character": GOOD.replace(b"canary", b"\x01"),
        "deep arrays": b'{"model": "m", "input": ' + deep + b"}",
        "deep objects": b'{"model": "m", "input": "x", "y": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        "deep and never closed": b'{"model": "m", "input": ' + b"[" * DEEP,
        "deep parameters": encoded(REQUEST)[:-1]
        + b', "tools": [{"type": "function", "name": "f", "parameters": '
        + b'{"a":' * DEEP
        + b"1"
        + b"}" * DEEP
        + b"}]}",
    }
    yield from (Bad(name, None, "invalid_json", body) for name, body in bodies.items())


def no_object() -> Iterator[Bad]:
    """JSON that is no object, or lacks what is required."""
    for name, value in {
        "array": [CANARY],
        "string": CANARY,
        "number": 1,
        "true": True,
        "null": None,
    }.items():
        yield Bad(f"body is {name}", None, "invalid_type", encoded(value))
    yield Bad("no model", "model", "missing_required_parameter", encoded(without(REQUEST, "model")))
    yield Bad("no input", "input", "missing_required_parameter", encoded(without(REQUEST, "input")))
    yield Bad("nothing", "model", "missing_required_parameter", b"{}")
    # The last of two members of one name counts, as in every common parser.
    twice = GOOD[:-1] + b', "input": 5}'
    yield Bad("duplicate key", "input", "invalid_type", twice)


TYPE, VALUE, MISSING = "invalid_type", "invalid_value", "missing_required_parameter"
STRANGE: Mapping[str, Any] = {"secret": CANARY}

# (param, code, a member of the request)
MEMBERS: list[tuple[str, str, Mapping[str, Any]]] = [
    ("model", TYPE, {"model": None}),
    ("model", TYPE, {"model": 5}),
    ("model", TYPE, {"model": STRANGE}),
    ("input", TYPE, {"input": None}),
    ("input", TYPE, {"input": 5}),
    ("input", TYPE, {"input": STRANGE}),
    ("input", TYPE, {"input": True}),
    ("instructions", TYPE, {"instructions": STRANGE}),
    ("stream", TYPE, {"stream": CANARY}),
    ("stream", TYPE, {"stream": [CANARY]}),
    ("temperature", TYPE, {"temperature": CANARY}),
    ("temperature", VALUE, {"temperature": 3}),
    ("top_p", VALUE, {"top_p": -1}),
    ("presence_penalty", VALUE, {"presence_penalty": 9}),
    ("max_output_tokens", TYPE, {"max_output_tokens": 1.5}),
    ("max_output_tokens", TYPE, {"max_output_tokens": CANARY}),
    ("metadata", TYPE, {"metadata": [CANARY]}),
    ("metadata.a", TYPE, {"metadata": {"a": 5}}),
    ("user", TYPE, {"user": STRANGE}),
    ("safety_identifier", VALUE, {"safety_identifier": CANARY * 10}),
    ("parallel_tool_calls", TYPE, {"parallel_tool_calls": CANARY}),
    ("service_tier", VALUE, {"service_tier": CANARY}),
    ("truncation", VALUE, {"truncation": CANARY}),
    ("top_logprobs", VALUE, {"top_logprobs": 21}),
    ("include", TYPE, {"include": CANARY}),
    ("include[0]", VALUE, {"include": [CANARY]}),
    ("reasoning", TYPE, {"reasoning": CANARY}),
    ("reasoning.effort", VALUE, {"reasoning": {"effort": CANARY}}),
    ("text", TYPE, {"text": [CANARY]}),
    ("text.format.type", VALUE, {"text": {"format": {"type": CANARY}}}),
    ("text.format.name", MISSING, {"text": {"format": {"type": "json_schema", "schema": STRANGE}}}),
    ("text.format.schema", TYPE, {"text": {"format": {"type": "json_schema", "name": "a", "schema": 5}}}),
    ("tools", TYPE, {"tools": STRANGE}),
    ("tools[0]", TYPE, {"tools": [CANARY]}),
    ("tools[1]", TYPE, {"tools": [FUNCTION, None]}),
    ("tools[0].type", VALUE, {"tools": [{"name": CANARY}]}),
    ("tools[0].type", VALUE, {"tools": [{"type": CANARY}]}),
    ("tools[0].type", VALUE, {"tools": [{"type": [CANARY]}]}),
    ("tools[0].name", MISSING, {"tools": [without(FUNCTION, "name")]}),
    ("tools[0].name", TYPE, {"tools": [{**FUNCTION, "name": STRANGE}]}),
    ("tools[0].parameters", TYPE, {"tools": [{**FUNCTION, "parameters": [CANARY]}]}),
    ("tools[0].strict", TYPE, {"tools": [{**FUNCTION, "strict": CANARY}]}),
    ("tool_choice", VALUE, {"tool_choice": 5}),
    ("tool_choice", VALUE, {"tool_choice": CANARY}),
    ("tool_choice.name", MISSING, {"tool_choice": {"type": "function"}}),
    ("tool_choice.name", TYPE, {"tool_choice": {"type": "custom", "name": STRANGE}}),
    ("tool_choice.mode", VALUE, {"tool_choice": {"type": "allowed_tools", "mode": CANARY, "tools": []}}),
    ("tool_choice.type", VALUE, {"tool_choice": {"type": CANARY, "name": "add", "tools": [CANARY]}}),
]

# (path within the item, code, the item)
ITEMS: list[tuple[str, str, Any]] = [
    ("", TYPE, 5),
    ("", TYPE, None),
    ("", TYPE, CANARY),
    ("", TYPE, [CANARY]),
    (".type", VALUE, {}),
    (".type", VALUE, {"type": CANARY}),
    (".type", VALUE, {"type": 5}),
    (".type", VALUE, {"type": None, "text": CANARY}),
    (".role", MISSING, {"type": "message", "content": CANARY}),
    (".content", MISSING, {"role": "user"}),
    (".role", VALUE, {"role": CANARY, "content": "x"}),
    (".content", TYPE, {"role": "user", "content": None}),
    (".content", TYPE, {"role": "user", "content": 5}),
    (".content", TYPE, {"role": "user", "content": STRANGE}),
    (".content[0]", TYPE, {"role": "user", "content": [CANARY]}),
    (".content[0].type", VALUE, {"role": "user", "content": [{"text": CANARY}]}),
    (".content[0].type", VALUE, {"role": "user", "content": [{"type": CANARY}]}),
    (".content[0].text", MISSING, {"role": "user", "content": [{"type": "input_text"}]}),
    (".content[0].text", TYPE, {"role": "user", "content": [{"type": "input_text", "text": None}]}),
    (".content[0].detail", VALUE, {"role": "user", "content": [{"type": "input_image", "detail": CANARY}]}),
    (".call_id", MISSING, without(CALL, "call_id")),
    (".name", MISSING, without(CALL, "name")),
    (".arguments", MISSING, without(CALL, "arguments")),
    (".call_id", MISSING, without(OUTPUT, "call_id")),
    (".output", MISSING, without(OUTPUT, "output")),
    (".output[0].type", VALUE, {**OUTPUT, "output": [{"type": CANARY}]}),
    (".summary", MISSING, {"type": "reasoning", "content": None}),
    (".summary[0].text", TYPE, {"type": "reasoning", "summary": [{"type": "summary_text", "text": 5}]}),
]


def wrong_members() -> Iterator[Bad]:
    """Objects with one member that is wrong."""
    for number, (param, code, member) in enumerate(MEMBERS, 1):
        yield Bad(f"member {number} {param} {code}", param, code, encoded({**REQUEST, **member}))
    for number, (path, code, item) in enumerate(ITEMS, 1):
        body = {**REQUEST, "input": [{"role": "user", "content": CANARY}, item]}
        yield Bad(f"item {number} {path} {code}", f"input[1]{path}", code, encoded(body))


def many_errors() -> Iterator[Bad]:
    """A megabyte of members each of which is wrong: one error is told, and no more than one made."""
    many = LIMIT_MB * 2**20 // 4
    user: Any = {"role": "user", "content": [5] * many}
    members: dict[str, dict[str, Any]] = {
        "input[0]": {"input": [5] * many},
        "input[0].content[0]": {"input": [user]},
        "tools[0]": {"tools": [5] * many},
        "include[0]": {"include": [5] * many},
        "metadata": {"metadata": {str(number): 5 for number in range(many // 4)}},
    }
    for param, member in members.items():
        code = VALUE if param in ("include[0]", "metadata") else TYPE
        yield Bad(f"many errors {param}", param, code, encoded({**REQUEST, **member}))


def long_names() -> Iterator[Bad]:
    """Names of half a megabyte: an error may say them, but not all of them."""
    name = "n" * (LIMIT_MB * 2**19)
    yield Bad(
        "long response id",
        "previous_response_id",
        "previous_response_not_found",
        encoded({**REQUEST, "previous_response_id": name}),
    )
    yield Bad(
        "long item id",
        "input[0].id",
        "item_not_found",
        encoded({**REQUEST, "input": [{"type": "item_reference", "id": name}]}),
    )
    choice = {"type": "function", "name": name}
    yield Bad("long tool name", "tool_choice.name", VALUE, encoded({**REQUEST, "tool_choice": choice}))
    key = {"metadata": {name: 5}}
    yield Bad("long key", f"metadata.{name}"[:LONGEST], TYPE, encoded({**REQUEST, **key}))


# -- around the body -------------------------------------------------------------------------------------------------


def packed(name: str, body: bytes) -> Mapping[str, str]:
    return {**JSON_TYPE, "content-encoding": name}


def wrong_wrapping() -> Iterator[Bad]:
    """Content types and encodings that are not read, or not what they say."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        yield Bad(f"type {kind}", "content-type", VALUE, GOOD, 415, {"content-type": kind})
    for name in ("br", "compress", "gzip, br", CANARY):
        yield Bad(f"encoding {name}", "content-encoding", VALUE, GOOD, 415, packed(name, GOOD))
    zipped, frozen = gzip.compress(GOOD), zstandard.compress(GOOD)
    broken = {
        "gzip that is plain": ("gzip", GOOD),
        "gzip that is empty": ("gzip", b""),
        "gzip cut short": ("gzip", zipped[:-9]),
        "gzip with a wrong sum": ("gzip", zipped[:-8] + bytes(8)),
        "gzip twice said, once done": ("gzip, gzip", zipped),
        "deflate that is plain": ("deflate", GOOD),
        "zstd that is plain": ("zstd", GOOD),
        "zstd that is empty": ("zstd", b""),
        "zstd cut short": ("zstd", frozen[:-3]),
    }
    for title, (name, body) in broken.items():
        yield Bad(title, "content-encoding", VALUE, body, 400, packed(name, body))


def too_large() -> Iterator[Bad]:
    """Bodies above the limit, as sent or once unpacked."""
    size = LIMIT_MB * 2**20
    large = encoded({**REQUEST, "input": CANARY * (size // len(CANARY) + 1)})
    zeros = bytes(64 * size)
    code = "request_too_large"
    yield Bad("plain", None, code, large, 413)
    for name, body in {
        "gzip": gzip.compress(zeros),
        "deflate": zlib.compress(zeros),
        "zstd": zstandard.compress(zeros),
        "gzip, gzip": gzip.compress(gzip.compress(zeros)),
        "zstd, gzip": gzip.compress(zstandard.compress(zeros)),
    }.items():
        yield Bad(f"{name} bomb", None, code, body, 413, packed(name, body))


ALL = [
    *no_json(),
    *no_object(),
    *wrong_members(),
    *many_errors(),
    *long_names(),
    *wrong_wrapping(),
    *too_large(),
]


# -- the Chat face ---------------------------------------------------------------------------------------------------

CHAT_REQUEST: Mapping[str, Any] = {"model": "m", "messages": [{"role": "user", "content": CANARY}]}
CHAT_GOOD = encoded(CHAT_REQUEST)
CHAT_TOOL: Mapping[str, Any] = {"type": "function", "function": {"name": "add", "description": CANARY}}

CHAT_MEMBERS: list[tuple[str, str, Mapping[str, Any]]] = [
    ("model", TYPE, {"model": None}),
    ("model", TYPE, {"model": STRANGE}),
    ("messages", TYPE, {"messages": None}),
    ("messages", TYPE, {"messages": CANARY}),
    ("messages", TYPE, {"messages": STRANGE}),
    ("messages", VALUE, {"messages": []}),
    ("stream", TYPE, {"stream": CANARY}),
    ("stream_options", TYPE, {"stream_options": CANARY}),
    ("stream_options.include_usage", TYPE, {"stream_options": {"include_usage": CANARY}}),
    ("temperature", VALUE, {"temperature": 3}),
    ("temperature", TYPE, {"temperature": CANARY}),
    ("top_p", VALUE, {"top_p": -1}),
    ("max_completion_tokens", TYPE, {"max_completion_tokens": 1.5}),
    ("n", VALUE, {"n": 129}),
    ("stop", VALUE, {"stop": [CANARY] * 5}),
    ("stop[0]", TYPE, {"stop": [5]}),
    ("logit_bias", TYPE, {"logit_bias": [CANARY]}),
    ("logit_bias.5", TYPE, {"logit_bias": {"5": CANARY}}),
    ("logprobs", TYPE, {"logprobs": CANARY}),
    ("top_logprobs", VALUE, {"top_logprobs": 21}),
    ("seed", TYPE, {"seed": CANARY}),
    ("reasoning_effort", VALUE, {"reasoning_effort": CANARY}),
    ("verbosity", VALUE, {"verbosity": CANARY}),
    ("modalities[0]", VALUE, {"modalities": [CANARY]}),
    ("service_tier", VALUE, {"service_tier": CANARY}),
    ("metadata.a", TYPE, {"metadata": {"a": 5}}),
    ("response_format", TYPE, {"response_format": CANARY}),
    ("response_format.type", VALUE, {"response_format": {"type": CANARY}}),
    ("response_format.json_schema", MISSING, {"response_format": {"type": "json_schema"}}),
    ("response_format.json_schema.name", MISSING, {"response_format": {"type": "json_schema", "json_schema": {}}}),
    ("tools", TYPE, {"tools": STRANGE}),
    ("tools[0]", TYPE, {"tools": [CANARY]}),
    ("tools[1]", TYPE, {"tools": [CHAT_TOOL, None]}),
    ("tools[0].type", VALUE, {"tools": [{"function": {"name": CANARY}}]}),
    ("tools[0].type", VALUE, {"tools": [{"type": [CANARY]}]}),
    ("tools[0].function", MISSING, {"tools": [{"type": "function"}]}),
    ("tools[0].function.name", MISSING, {"tools": [{"type": "function", "function": {}}]}),
    ("tools[0].function.name", VALUE, {"tools": [{"type": "function", "function": {"name": ""}}]}),
    ("tools[0].function.name", TYPE, {"tools": [{"type": "function", "function": {"name": STRANGE}}]}),
    ("tools[0].function.parameters", TYPE, {"tools": [{"type": "function", "function": {"name": "a", "parameters": [CANARY]}}]}),
    ("tools[0].custom.name", MISSING, {"tools": [{"type": "custom", "custom": {}}]}),
    ("tool_choice", VALUE, {"tool_choice": CANARY}),
    ("tool_choice.type", VALUE, {"tool_choice": {"type": CANARY}}),
    ("tool_choice.function", MISSING, {"tool_choice": {"type": "function"}}),
    ("tool_choice.function.name", TYPE, {"tool_choice": {"type": "function", "function": {"name": STRANGE}}}),
    ("tool_choice.allowed_tools.mode", VALUE, {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": CANARY, "tools": []}}}),
    ("functions[0].name", MISSING, {"functions": [{}]}),
    ("function_call", VALUE, {"function_call": CANARY}),
    ("parallel_tool_calls", TYPE, {"parallel_tool_calls": CANARY}),
    ("web_search_options.search_context_size", VALUE, {"web_search_options": {"search_context_size": CANARY}}),
]  # fmt: skip

# (path within the message, code, the message)
CHAT_MESSAGES: list[tuple[str, str, Any]] = [
    ("", TYPE, 5),
    ("", TYPE, None),
    ("", TYPE, CANARY),
    (".role", VALUE, {}),
    (".role", VALUE, {"content": CANARY}),
    (".role", VALUE, {"role": CANARY, "content": "x"}),
    (".role", VALUE, {"role": 5, "content": "x"}),
    (".content", MISSING, {"role": "user"}),
    (".content", TYPE, {"role": "user", "content": STRANGE}),
    (".content[0]", TYPE, {"role": "user", "content": [CANARY]}),
    (".content[0].type", VALUE, {"role": "user", "content": [{"text": CANARY}]}),
    (".content[0].text", MISSING, {"role": "user", "content": [{"type": "text"}]}),
    (".content[0].text", TYPE, {"role": "user", "content": [{"type": "text", "text": 5}]}),
    (".content[0].image_url.url", MISSING, {"role": "user", "content": [{"type": "image_url", "image_url": {}}]}),
    (".content[0].image_url.detail", VALUE, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": CANARY}}]}),
    (".content[0].input_audio.format", VALUE, {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": CANARY}}]}),
    (".content[0].file", MISSING, {"role": "user", "content": [{"type": "file"}]}),
    (".tool_calls", TYPE, {"role": "assistant", "tool_calls": CANARY}),
    (".tool_calls[0].type", VALUE, {"role": "assistant", "tool_calls": [{"id": "c"}]}),
    (".tool_calls[0].id", MISSING, {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "a", "arguments": ""}}]}),
    (".function_call.name", MISSING, {"role": "assistant", "function_call": {"arguments": "{}"}}),
    (".reasoning_content", TYPE, {"role": "assistant", "reasoning_content": STRANGE}),
    (".tool_call_id", MISSING, {"role": "tool", "content": CANARY}),
    (".content", MISSING, {"role": "tool", "tool_call_id": "c"}),
    (".name", MISSING, {"role": "function", "content": CANARY}),
]  # fmt: skip


def chat_members() -> Iterator[Bad]:
    """Chat requests with one member that is wrong."""
    yield Bad("no model", "model", MISSING, encoded(without(CHAT_REQUEST, "model")))
    yield Bad("no messages", "messages", MISSING, encoded(without(CHAT_REQUEST, "messages")))
    for number, (param, code, member) in enumerate(CHAT_MEMBERS, 1):
        yield Bad(f"member {number} {param} {code}", param, code, encoded({**CHAT_REQUEST, **member}))
    for number, (path, code, message) in enumerate(CHAT_MESSAGES, 1):
        body = {**CHAT_REQUEST, "messages": [{"role": "user", "content": CANARY}, message]}
        yield Bad(f"message {number} {path} {code}", f"messages[1]{path}", code, encoded(body))


def chat_errors() -> Iterator[Bad]:
    """A megabyte of members each of which is wrong, and a name of half a megabyte."""
    many = LIMIT_MB * 2**20 // 4
    user: Any = {"role": "user", "content": [5] * many}
    for param, member in {
        "messages[0]": {"messages": [5] * many},
        "messages[0].content[0]": {"messages": [user]},
        "tools[0]": {"tools": [5] * many},
    }.items():
        yield Bad(f"many errors {param}", param, TYPE, encoded({**CHAT_REQUEST, **member}))
    key = {"logit_bias": {"n" * (LIMIT_MB * 2**19): CANARY}}
    yield Bad("long key", f"logit_bias.{'n' * LONGEST}"[:LONGEST], TYPE, encoded({**CHAT_REQUEST, **key}))


CHAT_ALL = [*no_json(), *chat_members(), *chat_errors(), *wrong_wrapping(), *too_large()]
