"""The one road: a request is routed, understood, answered."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from wireloom_protocol import responses as m

from wireloom.backends.base import Backend, Caller, ModelInfo, Turn
from wireloom.errors import NotFound, Unavailable
from wireloom.translate.loss import Losses
from wireloom.translate.response_object import opening
from wireloom.translate.response_stream import ResponseStream


def new_id(prefix: str) -> str:
    """A fresh id, such as `resp_1f...`."""
    return f"{prefix}_{secrets.token_hex(16)}"


@dataclass(frozen=True, slots=True)
class Run:
    """A request on its way.

    Args:
        stream: what the answer is told to.
        losses: what could not be carried.
        turn: the work, not begun yet.
    """

    stream: ResponseStream
    losses: Losses
    turn: Turn


class Gateway:
    """Routes requests to a backend.

    Args:
        model_map: names clients use -> names upstream.
        strict: whether a degrading loss refuses a request.
        now: tells the time in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        model_map: Mapping[str, str] | None = None,
        strict: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._backend: Backend | None = None
        self._model_map = dict(model_map or {})
        self._strict = strict
        self._now = now

    @contextmanager
    def using(self, backend: Backend) -> Iterator[None]:
        """Take answers from a backend while the context lasts."""
        self._backend = backend
        try:
            yield
        finally:
            self._backend = None

    @property
    def backend(self) -> Backend:
        """Where answers come from.

        Raises:
            Unavailable: the gateway is starting or stopping.
        """
        if self._backend is None:
            raise Unavailable("The gateway is not serving now.", retry_after=1)
        return self._backend

    def respond(self, body: m.CreateResponse, caller: Caller) -> Run:
        """Begin a response; nothing leaves before the batches are asked for.

        Args:
            body: the validated request.
            caller: who asks.

        Raises:
            InvalidRequest: something that cannot be carried and must not be left out.
        """
        losses = Losses(strict=self._strict)
        asked = body.reasoning
        summarise = asked is not None and (asked.summary or asked.generate_summary) is not None
        response = opening(body, new_id("resp"), int(self._now()))
        stream = ResponseStream(response, new_id, self._now, summarise=summarise)
        model = self._model_map.get(body.model, body.model)
        turn = self.backend.turn(body, model, caller, stream, losses)
        return Run(stream, losses, turn)

    async def models(self) -> list[ModelInfo]:
        """Every model, under the names clients may use.

        Raises:
            GatewayError: the backend does not tell.
        """
        found = await self.backend.models()
        by_id = {info.id: info for info in found}
        mapped = [
            replace(by_id.get(name, ModelInfo(name)), id=alias)
            for alias, name in self._model_map.items()
            if alias not in by_id
        ]
        return [*found, *mapped]

    async def model(self, name: str) -> ModelInfo:
        """One model.

        Raises:
            NotFound: there is none of that name.
        """
        for info in await self.models():
            if info.id == name:
                return info
        raise NotFound(f"There is no model {name!r} here.", code="model_not_found", param="model")
