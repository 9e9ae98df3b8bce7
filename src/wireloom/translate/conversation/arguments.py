"""The arguments of a call in a history, which a model may have been cut off in."""

from __future__ import annotations

import msgspec

from wireloom.translate.tools.free_input import wrap

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_object(text: str) -> bool:
    """Whether a text is a JSON object, as upstreams that parse the arguments of calls insist."""
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def object_of(text: str) -> str:
    """The arguments as a JSON object: as they are, nothing for what says nothing, else the text as `input`."""
    if text == "{}" or is_object(text):
        return text
    return "{}" if text.strip() in ("", "null") else wrap(text)
