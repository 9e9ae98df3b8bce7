"""The base of compiled msgspec structs."""

from __future__ import annotations

from msgspec import Struct


class Untracked(Struct, gc=False):
    """A struct that the garbage collector does not track: messages of a stream hold no reference cycles."""


class Exact(Struct, gc=False, forbid_unknown_fields=True):
    """The same for messages whose every member is known: decoding stops at another one, so that none is lost unseen."""
