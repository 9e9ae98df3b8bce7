"""A conversation in the items that the app-server takes over without changing or dropping any."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.options import Options
from wireloom.translate.responses_upstream.items import Items
from wireloom.translate.rules.loss import Losses, refused
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.flatten import place
from wireloom.wire.json import Json

# First bytes of the pictures that Codex reads; it puts a remark in the place of any other.
PICTURES: Sequence[tuple[bytes, ...]] = ((b"\x89PNG",), (b"\xff\xd8\xff",), (b"GIF8",), (b"RIFF", b"WEBP"))
HEAD = 64
TEXT = {"assistant": "output_text"}


def thread_items(
    body: m.CreateResponse,
    sent: Json,
    tools: Tools,
    profile: Profile,
    losses: Losses,
    options: Options,
) -> list[Json]:
    """Say the input of a request.

    Args:
        body: the request.
        sent: its JSON; pictures in it are adjusted.
        tools: its tools as they were flattened.
        profile: what Codex takes.
        losses: where what is left out is noted.
        options: the gateway's settings.

    Raises:
        InvalidRequest: an item that cannot be carried, an output without its call, a call without its output.
    """
    if not isinstance(body.input, list):
        return [_message("user", body.input)] if body.input is not None else []
    given: list[Json] = sent["input"]
    for index, json in enumerate(given):
        for path, part in _pictures(place(index, options.recalled), json):
            _readable(path, part, losses)
    items = Items(tools, profile, losses, options.unseal).translate(body.input, given, options.recalled)
    made = [_plain(item) for item in items]
    _paired(made, body.input, options.recalled)
    return made


def _message(role: str, text: str) -> Json:
    return {
        "type": "message",
        "role": role,
        "content": [{"type": TEXT.get(role, "input_text"), "text": text}],
    }


def _plain(item: Json) -> Json:
    """An item in the only form that is taken: content in parts, and no role `system`, which would vanish."""
    if item["type"] != "message":
        return item
    role = "developer" if item["role"] == "system" else item["role"]
    content = item["content"]
    return {**item, **_message(role, content)} if isinstance(content, str) else {**item, "role": role}


def _pictures(path: str, item: Json) -> Iterator[tuple[str, Json]]:
    for name in ("content", "output"):
        parts = item.get(name)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict) and part.get("type") == "input_image":
                yield f"{path}.{name}[{index}]", part


def _readable(path: str, part: Json, losses: Losses) -> None:
    """Make sure that a picture arrives as one."""
    url = part.get("image_url")
    if url is None:
        raise refused(f"{path}.file_id", "files live at the provider that stores them", "unsupported_content")
    if not url.startswith("data:"):
        reason = "Codex takes images as data URLs only, and none is fetched here"
        raise refused(f"{path}.image_url", reason, "unsupported_content")
    kind, _, data = url.partition(",")
    if not kind.endswith(";base64") or not _is_picture(data):
        at = f"{path}.image_url"
        raise InvalidRequest(
            f"{at}: no PNG, JPEG, GIF or WebP in base64.", code="unsupported_content", param=at
        )
    if part.get("detail") == "low":
        part["detail"] = "auto"
        losses.add(f"{path}.detail", "changed", "Codex leaves out images of low detail: sent as auto")


def _is_picture(data: str) -> bool:
    try:
        head = base64.b64decode(data[:HEAD], validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(head.startswith(first) and all(each in head for each in rest) for first, *rest in PICTURES)


def _paired(made: list[Json], given: Sequence[Any], recalled: int) -> None:
    """Codex drops an output without a call, and makes up the output of a call without one."""
    calls = [item["call_id"] for item in made if item["type"] == "function_call"]
    answered = [item["call_id"] for item in made if item["type"] == "function_call_output"]
    for call_id in answered:
        if call_id not in calls:
            raise _alone(given, recalled, call_id, "there is no call of this id before it")
    for call_id in calls:
        if call_id not in answered:
            raise _alone(given, recalled, call_id, "this call has no output")


def _alone(given: Sequence[Any], recalled: int, call_id: str, reason: str) -> InvalidRequest:
    index = next((i for i, item in enumerate(given) if getattr(item, "call_id", None) == call_id), None)
    path = "input" if index is None else f"{place(index, recalled)}.call_id"
    return InvalidRequest(f"{path}: {reason}.", code="unpaired_call", param=path)
