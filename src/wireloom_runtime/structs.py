"""The base of compiled msgspec structs."""

from __future__ import annotations

from msgspec import Struct


class Untracked(Struct, gc=False):
    """A struct that the garbage collector does not track: messages of a stream hold no reference cycles."""
