"""What an answer to a valid request has to be, beyond what the contract's schemas say."""

import json
import re
from collections.abc import Mapping
from typing import Any

from wireloom.translate.refusals import declared

# Refusals of what no schema can say: what is there already, and what does not belong there.
_STORED = (("not_found", r"\w+_id"), ("item_not_found", "after"), ("item_not_found", r"items\[\d+\]\.id"))
_REFUSED_ITEMS = (("unsupported_item", r"items\[\d+\]\.type"), ("invalid_value", r"items\[\d+\]\.id"))
_TERMINAL = ("response.completed", "response.incomplete", "response.failed")
_DONE = "\n\ndata: [DONE]\n\n"


def acceptable(status: int, error: Mapping[str, Any], request: Any) -> bool:
    """Return whether a valid request may be refused in this way: for a declared reason.

    status: HTTP status; error: the error object; request: the request's JSON.
    """
    known = any(
        error["code"] == code and re.fullmatch(param, error["param"] or "")
        for code, param in (*_STORED, *_REFUSED_ITEMS)
    )
    return status in (400, 404) and (known or declared(error, request))


def ends_well(text: str) -> bool:
    """Return whether a stream of a response has exactly the end that it must have: a terminal event, then the mark."""
    if not text.endswith(_DONE):
        return False
    kinds = [event["type"] for event in _events(text)]
    return bool(kinds) and kinds[-1] in _TERMINAL and not any(kind in _TERMINAL for kind in kinds[:-1])


def completes(text: str) -> bool:
    """Return whether a stream of a chat completion tells why it ended."""
    chunks = _events(text)
    return text.endswith(_DONE) and any(
        choice.get("finish_reason") for chunk in chunks for choice in chunk.get("choices", ())
    )


def _events(text: str) -> list[dict[str, Any]]:
    # Only a line feed ends a line: what a model says may hold other characters that Python takes for ends.
    data = [line.partition("data: ")[2] for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(each) for each in data if each != "[DONE]"]
