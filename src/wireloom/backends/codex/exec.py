"""The backend that asks the local Codex CLI by a process for each request."""

from __future__ import annotations

from collections.abc import Mapping

from wireloom.backends.base import Ask, ModelInfo
from wireloom.backends.codex.exec_run import ExecTurn, Settings, clear, login
from wireloom.backends.codex.home import Codex
from wireloom.backends.codex.login import Login
from wireloom.backends.codex.models import CodexModels
from wireloom.backends.codex.token_count import without_asking
from wireloom.backends.slots import Slots
from wireloom.translate.codex import exec_request
from wireloom.translate.codex.exec_reader import ExecReader
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.options import Options


class ExecBackend:
    """The local Codex CLI, run anew each time.

    Args:
        codex: the CLI as it is started.
        slots: how many runs there are at once.
        total_seconds: longest time for a whole answer, 0 for no limit.
    """

    def __init__(
        self,
        codex: Codex,
        slots: Slots,
        *,
        total_seconds: float = 0,
    ) -> None:
        self._codex = codex
        self._login = Login(self._logged_in)
        self._settings = Settings(codex, slots, total_seconds, self._known_models, self._login.check)

    async def start(self) -> None:
        """Clear away what an earlier process that was killed has left, and look for a login."""
        clear(self._codex)
        self._login.start()

    def route(self, model: str) -> str:
        """See `Backend.route`."""
        return f"codex/{model}"

    def turn(self, ask: Ask, stream: ResponseStream) -> ExecTurn:
        """See `Backend.turn`."""
        run = exec_request.run(ask.body, _options(ask), ask.losses)
        metadata: Mapping[str, str] = ask.body.metadata or {}
        reader = ExecReader(stream, codex=ask.caller.codex)
        return ExecTurn(self._settings, run, metadata, stream, reader, ask.caller)

    async def count(self, ask: Ask) -> tuple[int, str]:
        """See `Backend.count`: Codex does not tell."""
        exec_request.run(ask.body, _options(ask), ask.losses)  # what would be refused is not counted
        return await without_asking(ask)

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        """See `Backend.models`; Codex has its own login."""
        return (await self._known_models()).infos()

    async def _known_models(self) -> CodexModels:
        await self._codex.prepare()
        return CodexModels(self._codex.catalogued(), self._codex.own_models, self._codex.model)

    async def ready(self) -> None:
        """See `Backend.ready`: the program is there, and logged in where its provider asks for that."""
        await self._login.look_again()

    async def _logged_in(self) -> bool:
        await self._codex.prepare()
        return "model_provider" in self._codex.overrides or await login(self._codex)

    async def aclose(self) -> None:
        """See `Backend.aclose`: each run goes with its request."""
        await self._login.aclose()


def _options(ask: Ask) -> Options:
    return Options(model=ask.model, lenient=ask.caller.codex, unseal=ask.unseal, recalled=ask.recalled)
