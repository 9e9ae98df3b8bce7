"""Request bodies: bytes within bounds, unpacked, parsed, validated once; what is wrong is named."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import msgspec
import zstandard
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from wireloom_protocol.operations import KNOWN

from wireloom.errors import InvalidRequest, TooLarge, TooSlow
from wireloom.translate.tools.table import BRINGERS

T = TypeVar("T")

# Items whose output may be a list of parts, and what clients call its texts besides `input_text`.
TEXT_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
TEXT_TYPES = ("text", "output_text")

# Bytes in a second below which a client is taken to hold a connection rather than to send.
SLOWEST_PACE = 50_000


async def read(source: AsyncIterator[bytes], encoding: str, limit: int, seconds: float = 0) -> bytes:
    """Take a body, packed or not, up to a limit that counts for both forms.

    Args:
        source: the parts of the body.
        encoding: value of `content-encoding`.
        limit: bytes at most.
        seconds: how long it may take to arrive, and as much again as it takes at the slowest pace; 0 for any time.

    Raises:
        TooLarge: more than that, before or after unpacking.
        TooSlow: it did not arrive in time.
        InvalidRequest: an encoding that is not known, or a body that is not in it.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds or None) as deadline:
            async for part in source:
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
                if seconds:
                    deadline.reschedule(begun + seconds + size / SLOWEST_PACE)
    except TimeoutError as error:
        raise TooSlow(f"The body did not arrive within {loop.time() - begun:.0f} s.") from error
    body = b"".join(parts)
    for name in reversed([name.strip() for name in encoding.lower().split(",")]):
        body = _unpack(name, body, limit)
    return body


def _unpack(name: str, body: bytes, limit: int) -> bytes:
    unpacker = UNPACKERS.get(name)
    if unpacker is None:
        raise InvalidRequest(
            f"This content-encoding is not known; use {', '.join(filter(None, UNPACKERS))}.",
            param="content-encoding",
            status=415,
        )
    try:
        unpacked = unpacker(body, limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise InvalidRequest(f"The body is not {name}.", param="content-encoding") from error
    if len(unpacked) > limit:
        raise _too_large(limit)
    return unpacked


def _gzip(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, told apart by the header
    unpacked = unpacker.decompress(body, limit + 1)
    if not unpacker.eof and len(unpacked) <= limit:
        raise zlib.error("cut short")
    return unpacked


def _zstd(body: bytes, limit: int) -> bytes:
    unpacker = zstandard.ZstdDecompressor(max_window_size=2**27)
    with unpacker.stream_reader(body, read_across_frames=True) as reader:
        unpacked = reader.read(limit + 1)
    if len(unpacked) <= limit:
        _check_frames(unpacker, body)
    return unpacked


def _check_frames(unpacker: zstandard.ZstdDecompressor, body: bytes) -> None:
    """The reader takes a frame that is cut short for one that ended, so look at each once more."""
    rest = body
    while True:
        frame = unpacker.decompressobj()
        frame.decompress(rest)
        if not frame.eof:
            raise zstandard.ZstdError("cut short")
        rest = frame.unused_data
        if not rest:
            return


UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "": lambda body, _: body,
    "identity": lambda body, _: body,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _gzip,
    "zstd": _zstd,
}


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit // 2**20} MiB, the most that is read here.")


def parse(body: bytes) -> Any:
    """JSON to values.

    Raises:
        InvalidRequest: no JSON: also NaN, a lone surrogate, nesting too deep, numbers too large.
    """
    body = body.removeprefix(BOM)
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body is not UTF-8.", code="invalid_json") from error
    except msgspec.MsgspecError as error:
        value = _without_halves(body)
        if value is None:
            raise InvalidRequest(f"The body is no JSON: {error}.", code="invalid_json") from error
    if body.count(b"{") + body.count(b"[") > DEEPEST and _deeper(value, DEEPEST):
        raise _too_deep()
    return value


BOM = b"\xef\xbb\xbf"
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def _without_halves(body: bytes) -> Any:
    """A body with halves of surrogate pairs, which JavaScript writes where it cuts a text; None for any other body."""
    if not _ESCAPED_HALF.search(body):
        return None
    try:
        whole = _HALF.sub("\ufffd", json.dumps(json.loads(body), ensure_ascii=False))
        return msgspec.json.decode(whole)
    except (ValueError, RecursionError):
        return None


# Fewer than a model can be written out with again; clients stay far below.
DEEPEST = 200


def _deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists stand within each other on more levels than these."""
    level = [value]
    for _ in range(levels):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def _too_deep() -> InvalidRequest:
    return InvalidRequest("The body is nested too deeply.", code="invalid_json")


def validate(adapter: TypeAdapter[T], value: Any) -> T:
    """Values to a model of the contract.

    Raises:
        InvalidRequest: the first thing that is wrong, by its path.
    """
    prepare(value)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _problem(error, value) from error
    except RecursionError as error:
        raise _too_deep() from error


def parameter(adapter: TypeAdapter[T], name: str, value: str | list[str]) -> T:
    """The text of a query parameter to its value.

    Raises:
        InvalidRequest: it is none of those there are.
    """
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"][:300]
        raise InvalidRequest(f"{name}: {said}.", param=name) from error


# Members of bodies that hold items.
ITEM_LISTS = ("input", "items")
# Members of messages that hold members of an open union: content parts of a user, calls of the assistant.
MESSAGE_LISTS = {
    "user": ("content", KNOWN["ChatCompletionRequestUserMessageContentPart"]),
    "assistant": ("tool_calls", KNOWN["ChatCompletionRequestToolCall"]),
}


def prepare(value: Any) -> None:
    """Write down the tags that the contract lets a client leave out, so that each item finds its type.

    A message without a type has a role; a reference has only an id. A tool of a kind that the contract does
    not know is wrapped, so that it can be reported or refused instead of failing the whole union. An output that
    answers no call but has a name, with which the Codex CLI tells what it has decided itself, becomes a message.
    """
    if not isinstance(value, dict):
        return
    for name in ITEM_LISTS:
        items = value.get(name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                _prepare_item(item)
    messages, tools = value.get("messages"), value.get("tools")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            _prepare_message(message)
    if isinstance(tools, list):
        _wrap_unknown(tools, KNOWN["ChatCompletionRequestTool" if "messages" in value else "Tool"])


def _prepare_message(message: dict[str, Any]) -> None:
    role = message.get("role")
    if isinstance(role, str) and role in MESSAGE_LISTS:
        name, known = MESSAGE_LISTS[role]
        if isinstance(members := message.get(name), list):
            _wrap_unknown(members, known)


def _prepare_item(item: dict[str, Any]) -> None:
    kind = item.get("type")
    if "type" not in item:
        if "role" in item:
            item["type"] = "message"
        elif "id" in item:
            item["type"] = "item_reference"
    elif isinstance(kind, str) and kind in BRINGERS and isinstance(item.get("tools"), list):
        _wrap_unknown(item["tools"], KNOWN["Tool"])
    elif isinstance(kind, str) and kind in TEXT_OUTPUTS:
        _prepare_output(item)
        if kind == "function_call_output" and item.get("call_id") is None:
            _prepare_notice(item)


def _prepare_output(item: dict[str, Any]) -> None:
    """Name texts in an output as the contract does: clients write them as in a message, or as in Chat Completions."""
    output = item.get("output")
    if not isinstance(output, list):
        return
    for index, part in enumerate(output):
        if isinstance(part, dict) and part.get("type") in TEXT_TYPES and isinstance(part.get("text"), str):
            output[index] = {"type": "input_text", "text": part["text"]}


def _prepare_notice(item: dict[str, Any]) -> None:
    name, output = item.get("name"), item.get("output")
    if not isinstance(name, str) or not isinstance(output, str | list):
        return
    namespace = item.get("namespace")
    source = f"[{namespace}.{name}]\n" if isinstance(namespace, str) else f"[{name}]\n"
    content = (
        source + output if isinstance(output, str) else [{"type": "input_text", "text": source}, *output]
    )
    kept = {"id": item["id"]} if "id" in item else {}
    item.clear()
    item |= {**kept, "type": "message", "role": "user", "content": content}


def _wrap_unknown(members: list[Any], known: frozenset[str]) -> None:
    for index, member in enumerate(members):
        if isinstance(member, dict) and isinstance(member.get("type"), str) and member["type"] not in known:
            members[index] = {"type": "unknown", "member": member}


# -- what is wrong, in words -------------------------------------------------------------------------------------------

_TAG_ERRORS = frozenset({"union_tag_invalid", "union_tag_not_found"})


def _problem(error: ValidationError, value: Any) -> InvalidRequest:
    """What to tell of all that is wrong; never a value that the client sent."""
    found = error.errors(include_url=False, include_input=False)
    paths = [_path(problem, value) for problem in found]
    best = _meant(found, paths)
    kind, path = found[best]["type"], joined(paths[best])
    if kind == "missing":
        return InvalidRequest(f"{path} is missing.", code="missing_required_parameter", param=path)
    if kind in _TAG_ERRORS or _is_tag(found[best]):
        return InvalidRequest(f"{path}: there is no such kind here.", param=path)
    code = "invalid_type" if kind.endswith(("_type", "_parsing")) else "invalid_value"
    said = found[best]["msg"][:300]
    return InvalidRequest(f"{path or 'The body'}: {said}.", code=code, param=path or None)


def _meant(found: Sequence[ErrorDetails], paths: Sequence[Sequence[str | int]]) -> int:
    """Index of the error that reaches deepest: a union reports one for each branch.

    Errors of a branch that is not of the value's own type count only where no other branch comes as far.
    """
    tags = [index for index, problem in enumerate(found) if _is_tag(problem)]
    beside = {found[index]["loc"][:-1] for index in tags}
    right = [
        index
        for index, problem in enumerate(found)
        if not any(problem["loc"][:end] in beside for end in range(len(problem["loc"])))
    ]

    def reach(index: int) -> tuple[int, bool]:
        # Of two that come as far, a list or a text of a wrong length is at least of the right type.
        return len(paths[index]), found[index]["type"].startswith("too_")

    deepest = [max(group, key=reach) for group in (right, tags) if group]
    return max(deepest, key=lambda index: len(paths[index]))


def _is_tag(problem: ErrorDetails) -> bool:
    """Whether a branch without a discriminator found another type than its own."""
    return problem["type"] == "literal_error" and problem["loc"][-1:] == ("type",)


def _path(problem: ErrorDetails, value: Any) -> list[str | int]:
    """The part of a location that is in the request; the rest are names of union branches."""
    loc, kind = problem["loc"], problem["type"]
    path: list[str | int] = []
    entered = (
        True  # whether the last part led into the value, so that this one may be the tag of a branch there
    )
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        tag = entered and isinstance(value, dict) and part in (value.get("type"), value.get("role"))
        entered = not tag and _leads_into(value, part)
        if entered:
            path.append(part)
            value = value[part]
        elif last and kind == "missing":
            path.append(part)
    if kind not in _TAG_ERRORS:
        return path
    return [*path, str(problem.get("ctx", {}).get("discriminator", "type")).strip("'")]


def _leads_into(value: Any, part: str | int) -> bool:
    """Whether a part of a location is a member of the request and not the name of a branch."""
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def joined(path: Sequence[str | int]) -> str:
    """A path as clients read it, such as `input[3].type`.

    Args:
        path: names of members and indexes of elements.
    """
    steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(steps).removeprefix(".")
