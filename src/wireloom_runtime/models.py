"""The base of compiled pydantic models, and the forms of their fields."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

# Far above any map of a request: metadata has 16 members at most.
MOST_MEMBERS = 1000


def _bounded(value: Any) -> Any:
    """Check the size of a map before its members: each wrong member would add an error of its own."""
    if isinstance(value, dict) and len(value) > MOST_MEMBERS:
        raise PydanticCustomError("too_long", "It has more than {most} members", {"most": MOST_MEMBERS})
    return value


# Validation stops at the first wrong member: errors for every member of a body of a few megabytes take gigabytes.
Many: TypeAlias = Annotated[list[T], Field(fail_fast=True)]
Map: TypeAlias = Annotated[dict[K, V], BeforeValidator(_bounded)]


class Deferred(BaseModel):
    """A model that builds its validator at its first use: a process uses few of the hundreds that exist."""

    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)
