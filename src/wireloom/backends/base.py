"""What a backend is: something that turns a request into events, names its models, and tells whether it can answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from wireloom_protocol import responses as m

from wireloom.translate.loss import Losses
from wireloom.translate.response_stream import Event, ResponseStream


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        principal: name of the inbound key, never its value.
        request_id: the gateway's id of the request.
        codex: whether this is the Codex CLI, whose reading of answers differs from the SDKs'.
    """

    principal: str
    request_id: str
    codex: bool = False


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
    """

    id: str
    created: int = 0
    owned_by: str = "upstream"
    context_window: int | None = None
    modalities: tuple[str, ...] = ("text", "image")
    efforts: tuple[str, ...] = ()


class Turn(Protocol):
    """A request that a backend has understood and can begin."""

    queued: bool
    """Whether it waits for its turn, so that it is too early to tell a client that all is well."""

    def events(self) -> AsyncGenerator[list[Event], None]:
        """Do it: batches of events, each as soon as there is something to tell."""
        ...


class Backend(Protocol):
    """A place where answers come from."""

    def turn(
        self, body: m.CreateResponse, model: str, caller: Caller, stream: ResponseStream, losses: Losses
    ) -> Turn:
        """Understand a request, without doing anything yet.

        Args:
            body: the validated request.
            model: the model's name upstream.
            caller: who asks.
            stream: what the answer is told to.
            losses: where what cannot be carried is noted.

        Raises:
            InvalidRequest: something that cannot be carried and must not be left out.
        """
        ...

    async def models(self) -> list[ModelInfo]:
        """The models there are.

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
