"""What an operation of the contract answers, and what a server puts around every operation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from msgspec import Struct
    from pydantic import TypeAdapter
    from starlette.requests import Request
    from starlette.responses import Response

T = TypeVar("T")
Caller = TypeVar("Caller")


class TypedObject(Protocol):
    """A JSON object of a compiled `TypedDict`; a plain `dict` has no such attribute, so it is not one."""

    __total__: ClassVar[bool]


if TYPE_CHECKING:
    Body_co = TypeVar("Body_co", bound=TypedObject, covariant=True)
    Event_co = TypeVar("Event_co", bound=TypedObject | Struct, covariant=True)
    Value_co = TypeVar("Value_co", bound=TypedObject | Struct, covariant=True)

    class Encoded(bytes, Generic[Value_co]):
        """Bytes that hold a value of the contract: its JSON, or its frame in an event stream.

        At run time this is `bytes`, so that an encoded value costs nothing.
        """
else:
    Body_co = TypeVar("Body_co", covariant=True)
    Event_co = TypeVar("Event_co", covariant=True)
    Encoded = bytes


@dataclass(frozen=True, slots=True)
class Reply(Generic[Body_co]):
    """A JSON answer with status 200.

    Args:
        body: the JSON object that the contract declares for the operation.
        headers: headers of the answer besides its content type.
        text: the same in plain text, for an operation whose contract declares `text/plain` as well; sent to
            clients that do not accept JSON.
        page: the same as HTML, for an operation whose contract declares `text/html` as well; sent to clients that
            accept it, as browsers do.
    """

    body: Body_co
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    page: str | None = None

    @classmethod
    def encoded(cls, body: Encoded[Body_co], headers: Mapping[str, str] | None = None) -> Reply[Body_co]:
        """An answer whose JSON is encoded already; the edge writes these bytes unchanged.

        Args:
            body: JSON of the object that the contract declares.
            headers: see `Reply`.
        """
        # The one place where bytes stand for an object: `Encoded` says of which type they are.
        unread: Any = body
        return cls(unread, headers or {})


@dataclass(frozen=True, slots=True)
class EventStream(Generic[Event_co]):
    """An answer as server-sent events.

    Args:
        batches: the events; each batch is written at once. An `Encoded` event is a whole frame.
        queued: returns True while the operation waits for its turn, so that its status is not known yet.
        start: returns the events that open the stream, if they are not out yet; used when the first batch is late.
        heartbeat: returns events, or a comment, that show life during a silence.
        fail: returns the events that end the stream when `batches` raises.
        headers: headers of the answer besides those of every event stream.
    """

    batches: AsyncGenerator[Sequence[Event_co | Encoded[Event_co]], None]
    queued: Callable[[], bool]
    start: Callable[[], Sequence[Event_co | Encoded[Event_co]]]
    heartbeat: Callable[[], Sequence[Event_co | Encoded[Event_co]]]
    fail: Callable[[Exception], Sequence[Event_co | Encoded[Event_co]]]
    headers: Mapping[str, str] = field(default_factory=dict)


class Edge(Protocol[Caller]):
    """What a server puts around every operation: authentication, reading of requests, writing of answers."""

    def admit(self, request: Request, *, operation: str, secured: bool) -> Caller:
        """Identify the caller, or raise.

        Args:
            request: the request; its body is not read yet.
            operation: the operation's id in the contract.
            secured: whether the contract demands a key for the operation.
        """
        ...

    async def read(self, request: Request, adapter: TypeAdapter[T], *, optional_body: bool = False) -> T:
        """Read and validate the body once, or raise.

        Args:
            request: the request.
            adapter: the body's type.
            optional_body: accept a missing body as `{}`.
        """
        ...

    def query(self, request: Request, name: str, adapter: TypeAdapter[T], default: T) -> T:
        """Read and validate a query parameter that occurs at most once, or raise."""
        ...

    def queries(self, request: Request, name: str, adapter: TypeAdapter[T]) -> T:
        """Read and validate a query parameter that may occur several times, or raise."""
        ...

    def refuse(self, request: Request, names: tuple[str, ...]) -> None:
        """Raise if the query sets one of these parameters: the contract knows them, and this server does not serve them."""
        ...

    async def write(
        self, request: Request, caller: Caller, answer: Awaitable[Reply[Any] | EventStream[Any]]
    ) -> Response:
        """Run the operation while the client is connected, and write its answer."""
        ...
