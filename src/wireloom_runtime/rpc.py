"""The rows of a JSON-RPC contract: the name of a method, its sender, and the types of its params and its result.

A row names its types by functions, so that a table of methods loads none of them. The first use of a type loads the
module that defines it and builds the validator of that type alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

P = TypeVar("P")
R = TypeVar("R")
Direction: TypeAlias = Literal["client->server", "server->client"]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """The validator of a type. A type that was loaded has loaded pydantic, which the tables do without."""
    adapter: TypeAdapter[Any] = import_module("pydantic").TypeAdapter(kind)
    return adapter


def _dumped(kind: Any, value: object) -> Any:
    return _adapter(kind).dump_python(value, mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True, slots=True)
class Notification(Generic[P]):
    """A message without an answer.

    Args:
        method: its name.
        direction: which side sends it.
        load_params: returns the type of its params, None where the method has none.
    """

    method: str
    direction: Direction
    load_params: Callable[[], Any]

    @property
    def params(self) -> Any:
        """The type of the params, None where the method has none."""
        return self.load_params()

    def read_params(self, value: object) -> P:
        """Turn a JSON value into params.

        Raises:
            pydantic.ValidationError: the value does not fit the contract.
        """
        params: P = _adapter(self.params).validate_python(value)
        return params

    def dump_params(self, params: P) -> Any:
        """Turn params into a JSON value that holds only what was set."""
        return _dumped(self.params, params)


@dataclass(frozen=True, slots=True)
class Request(Notification[P], Generic[P, R]):
    """A message with an answer.

    Args:
        method: its name.
        direction: which side sends it; the other one answers.
        load_params: returns the type of its params, None where the method has none.
        load_result: returns the type of the result.
    """

    load_result: Callable[[], Any]

    @property
    def result(self) -> Any:
        """The type of the result."""
        return self.load_result()

    def read_result(self, value: object) -> R:
        """Turn a JSON value into a result.

        Raises:
            pydantic.ValidationError: the value does not fit the contract.
        """
        result: R = _adapter(self.result).validate_python(value)
        return result

    def dump_result(self, result: R) -> Any:
        """Turn a result into a JSON value that holds only what was set."""
        return _dumped(self.result, result)
