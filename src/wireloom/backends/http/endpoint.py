"""One operation of an upstream, asked for one model: where requests go, and what a refusal of the model says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager

from wireloom.backends.http.client import Answer, Upstream
from wireloom.errors import UpstreamRefused
from wireloom.translate.failures import UNKNOWN_MODEL


class Endpoint:
    """An operation of an upstream.

    Args:
        upstream: the server.
        path: of the operation, below the base URL.
        model: the model's name upstream.
        listed: returns the names of the upstream's models; called only for a model that the upstream refuses.
        aside: what to tell besides of such a model, or None.
    """

    def __init__(
        self,
        upstream: Upstream,
        path: str,
        model: str,
        listed: Callable[[], Awaitable[Sequence[str]]],
        aside: str | None = None,
    ) -> None:
        self._upstream = upstream
        self._path = path
        self._model = model
        self._listed = listed
        self._aside = aside

    async def post(self, body: bytes) -> Answer:
        """Send JSON and wait for the head of the answer.

        Args:
            body: encoded JSON.

        Raises:
            UpstreamError: no answer, or one that refuses; of an unknown model it names those that are near.
        """
        try:
            return await self._upstream.post(self._path, body)
        except UpstreamRefused as error:
            if error.code != UNKNOWN_MODEL:
                raise
            names = await self._listed()
            server = self._upstream.server
            raise server.unknown_model(self._model, names, words=error.words, aside=self._aside) from error

    def failures(self) -> AbstractContextManager[None]:
        """See `Upstream.failures`; for everything that is done with an answer."""
        return self._upstream.failures("POST", self._path)
