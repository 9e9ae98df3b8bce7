"""The arguments of a call in a history, which a model may have been cut off in."""

from __future__ import annotations

import msgspec

from wireloom.translate.tools.free_input import wrap

# It reads a value without making anything of it.
_VALUE = msgspec.json.Decoder(msgspec.Raw)


def is_object(text: str) -> bool:
    """Whether a text is a JSON object, as upstreams that parse the arguments of calls insist."""
    try:
        _VALUE.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return text.startswith("{") or text.lstrip().startswith("{")


def object_of(text: str) -> str:
    """The arguments as a JSON object: as they are, nothing for what says nothing, else the text as `input`."""
    if text == "{}" or is_object(text):
        return text
    return "{}" if text.strip() in ("", "null") else wrap(text)
