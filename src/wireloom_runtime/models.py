"""The base of compiled pydantic models, and the forms of their fields."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, Strict
from pydantic_core import CoreSchema, PydanticCustomError

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


def _whole(value: Any) -> Any:
    """JSON has one kind of number, so 1.0 is an integer too."""
    return int(value) if type(value) is float and value.is_integer() else value


# JSON's own scalars: no number stands for a truth value, no string for a number.
Boolean: TypeAlias = Annotated[bool, Strict()]
Integer: TypeAlias = Annotated[int, Strict(), BeforeValidator(_whole)]
Number: TypeAlias = Annotated[float, Strict()]


class _NotNull:
    """The validator of `T | None` without its null."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        inner: CoreSchema = schema["schema"] if schema["type"] == "nullable" else schema
        return inner


def _absent(value: Any) -> bool:
    return value is None


# A member that may be left out and must not be null: None stands for its absence, and is never written.
Omittable: TypeAlias = Annotated[T | None, _NotNull, Field(exclude_if=_absent)]
# A member of a request that may be null in place of being left out: what repeats the request leaves it out.
NullIsAbsent: TypeAlias = Annotated[T | None, Field(exclude_if=_absent)]


class Deferred(BaseModel):
    """A model that builds its validator at its first use: a process uses few of the hundreds that exist."""

    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)


class Message(BaseModel):
    """A model of a protocol whose objects may have members that the contract does not know; see `Deferred`."""

    model_config = ConfigDict(extra="allow", defer_build=True, hide_input_in_errors=True)
