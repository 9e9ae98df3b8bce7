"""What a backend is: something that turns a request into events, names its models, and tells whether it can answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

from wireloom_protocol import responses as m

from wireloom.exchange import Exchange
from wireloom.seal import Seal
from wireloom.translate.hub.sequence import Event
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.rules.loss import Losses

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion, ChatFrame

Modality: TypeAlias = Literal["text", "image", "audio"]
MODALITIES: Final[tuple[Modality, ...]] = ("text", "image")
"""What a model reads unless something says otherwise."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        principal: name of the inbound key, never its value.
        request_id: the gateway's id of the request.
        codex: whether this is the Codex CLI, whose reading of answers differs from the SDKs'.
        upstream_key: a key of its own for the upstream, or None.
        exchange: where it is noted how the request fares.
    """

    principal: str
    request_id: str
    codex: bool = False
    upstream_key: str | None = field(default=None, repr=False)
    exchange: Exchange = field(default_factory=lambda: Exchange(""), compare=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request on its way to a backend.

    Args:
        body: the validated request, its context put before its input.
        model: the model's name upstream.
        caller: who asks.
        losses: where what cannot be carried is noted.
        seals: what the client may carry for the gateway: purpose -> the seal that opens it.
        recalled: how many of the input's items are context, so that they are not in what the client sent.
    """

    body: m.CreateResponse
    model: str
    caller: Caller
    losses: Losses
    seals: Mapping[str, Seal]
    recalled: int = 0

    def unseal(self, purpose: str, token: str) -> Any:
        """What a client has carried, or None where it was not sealed here, for it and for this."""
        return self.seals[purpose].open(purpose, token)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a backend offers.

    Args:
        id: its name upstream.
        created: seconds since the epoch, 0 when unknown.
        owned_by: whose it is.
        context_window: tokens it reads at most, or None when unknown.
        modalities: what it reads.
        efforts: reasoning efforts it takes, weakest first.
        verbosity: whether it can be told how much to say.
        apply_patch: whether the Codex CLI gives it its tool for patches.
        web_search: whether its upstream searches the web for it.
        tool_search: whether the Codex CLI holds tools back until the model searches for them.
        instructions: the Codex CLI's base instructions for it, or None for neutral ones.
    """

    id: str
    created: int = 0
    owned_by: str = "upstream"
    context_window: int | None = None
    modalities: tuple[Modality, ...] = MODALITIES
    efforts: tuple[str, ...] = ()
    verbosity: bool = False
    apply_patch: bool = True
    web_search: bool = False
    tool_search: bool = False
    instructions: str | None = None


class Turn(Protocol):
    """A request that a backend has understood and can begin."""

    @property
    def queued(self) -> bool:
        """Whether it waits for its turn, so that it is too early to tell a client that all is well."""
        ...

    def events(self) -> AsyncGenerator[list[Event], None]:
        """Do it: batches of events, each as soon as there is something to tell."""
        ...


class Relayed(Protocol):
    """A chat completion that an upstream makes and that is passed on."""

    @property
    def queued(self) -> bool:
        """See `Turn.queued`."""
        ...

    def events(self) -> AsyncGenerator[list[ChatFrame], None]:
        """Do it: batches of frames of an event stream, each as soon as there is one."""
        ...

    def left(self) -> list[ChatFrame]:
        """What came before a failure and was not told yet."""
        ...

    async def whole(self) -> ChatCompletion:
        """Do it without a stream: JSON of the completion."""
        ...


@runtime_checkable
class Relays(Protocol):
    """A backend whose upstream speaks Chat Completions itself."""

    def relay(self, body: dict[str, Any], model: str, caller: Caller, losses: Losses) -> Relayed:
        """Take a request as it came, without doing anything yet.

        Args:
            body: JSON of the request.
            model: the model's name upstream.
            caller: who asks.
            losses: where is noted what the upstream does not take.

        Raises:
            InvalidRequest: something that the upstream cannot do and must not be left out.
        """
        ...


@runtime_checkable
class Metered(Protocol):
    """A backend whose account has limits that it tells of."""

    def limits(self) -> Mapping[str, str]:
        """Headers that tell how much of the account's windows is used, as far as is known."""
        ...


class Backend(Protocol):
    """A place where answers come from."""

    def route(self, model: str) -> str:
        """Where a model is, so that what was sealed there is opened nowhere else.

        Args:
            model: its name upstream.
        """
        ...

    def turn(self, ask: Ask, stream: ResponseStream) -> Turn:
        """Understand a request, without doing anything yet.

        Args:
            ask: the request.
            stream: what the answer is told to.

        Raises:
            InvalidRequest: something that cannot be carried and must not be left out.
        """
        ...

    async def count(self, ask: Ask) -> tuple[int, str]:
        """How many tokens a request costs to read, and how that was found: `upstream` where it said so itself.

        Raises:
            InvalidRequest: something that cannot be carried and must not be left out.
        """
        ...

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        """The models there are.

        Args:
            upstream_key: see `Caller`.

        Raises:
            GatewayError: the backend does not tell.
        """
        ...

    async def ready(self) -> None:
        """Return if a request could be served now.

        Raises:
            GatewayError: it could not.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything held open."""
        ...
