"""The backend that asks the local Codex CLI through its app-server: a thread for each request, all in one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from wireloom_protocol import app_server_hot as hot

from wireloom.backends.base import MODALITIES, Ask, ModelInfo
from wireloom.backends.codex.calls import ACCOUNT_READ, MODEL_LIST
from wireloom.backends.codex.channels import Pipes, Socket
from wireloom.backends.codex.connection import Channel
from wireloom.backends.codex.home import Codex
from wireloom.backends.codex.login import Login
from wireloom.backends.codex.models import CodexModel, CodexModels
from wireloom.backends.codex.process import AppServer
from wireloom.backends.codex.suspended import SuspendedTurns
from wireloom.backends.codex.token_count import without_asking
from wireloom.backends.codex.turn import AppServerTurn, Engine
from wireloom.backends.slots import Slots
from wireloom.errors import Unavailable
from wireloom.translate.codex import app_server_request
from wireloom.translate.codex.app_server_reader import AppServerReader
from wireloom.translate.codex.app_server_request import Plan
from wireloom.translate.codex.limits import limit_headers
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.options import Options
from wireloom.wire.json import Json

log = logging.getLogger("wireloom.tools")

# How long `ready` waits for word of the account.
READY_SECONDS = 1.0
# How often Codex is asked for an account after a login has been linked into its home, and how long each pause is.
LOOKS = 8
LOOK_SECONDS = 0.25


class AppServerBackend:
    """The local Codex CLI behind its app-server.

    Args:
        codex: the CLI as it is started.
        slots: how many turns run at once; one that waits for its client holds none.
        url: address of an app-server that runs already, `ws://...` or `unix://...`; None starts one.
        token: what that one asks for.
        total_seconds: longest time for a whole answer, 0 for no limit.
        idle_seconds: longest silence, 0 for no limit.
        denied_tools: names of tools that are never offered.
    """

    def __init__(
        self,
        codex: Codex,
        slots: Slots,
        *,
        url: str | None = None,
        token: str | None = None,
        total_seconds: float = 0,
        idle_seconds: float = 0,
        denied_tools: frozenset[str] = frozenset(),
    ) -> None:
        self._codex = codex
        self._url = url
        self._token = token
        self._denied = denied_tools
        self._models: CodexModels | None = None
        self._server = AppServer(self._open)
        self._login = Login(self._logged_in)
        self._engine = Engine(
            self._server, slots, SuspendedTurns(), self._settle, total_seconds, idle_seconds
        )

    async def start(self) -> None:
        """Begin to start Codex, so that the first request need not wait for all of it."""
        self._server.start()
        self._login.start()

    async def _open(self) -> Channel:
        if self._url is not None:
            return await Socket.open(self._url, self._token)
        await self._codex.prepare()
        command = [str(self._codex.program()), "app-server", *self._codex.arguments()]
        return await Pipes.open(command, self._codex.child_environment(), self._codex.cwd)

    def route(self, model: str) -> str:
        """See `Backend.route`."""
        return f"codex/{model}"

    def turn(self, ask: Ask, stream: ResponseStream) -> AppServerTurn:
        """See `Backend.turn`."""
        plan = self._plan(ask)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s tools offered %s", ask.caller.request_id, list(plan.tools.by_flat_name))
        reader = AppServerReader(
            stream,
            plan.tools,
            plan.schemas,
            partial(ask.seals["reasoning"].close, "reasoning"),
            codex=ask.caller.codex,
            agent=self._codex.agent,
            streamed=bool(ask.body.stream),
        )
        return AppServerTurn(self._engine, ask, plan, stream, reader)

    def _plan(self, ask: Ask) -> Plan:
        options = Options(
            model=ask.model,
            lenient=ask.caller.codex,
            denied_tools=self._denied,
            unseal=ask.unseal,
            recalled=ask.recalled,
        )
        return app_server_request.plan(ask.body, options, ask.losses)

    async def _settle(self, plan: Plan, metadata: Mapping[str, str]) -> Plan:
        """A plan with its model found, and with what holds for every thread."""
        codex = self._codex
        await self._login.check()
        model, effort = (await self._known_models()).resolve(plan.start["model"])
        start: Json = {
            **plan.start,
            "approvalPolicy": "never",
            "sandbox": codex.sandbox,
            "cwd": str(codex.folder(metadata)),
            "ephemeral": codex.ephemeral,
            "experimentalRawEvents": True,
        }
        start |= {"model": model} if model else {}
        if model is None:
            del start["model"]
        if codex.agent:
            # What makes Codex an agent stands in its own instructions.
            start["developerInstructions"] = start.pop("baseInstructions")
        else:
            start["environments"] = []
        if self._url is not None:
            start["config"] = {**codex.config(), **start.get("config", {})}
        effort = effort or plan.turn.get("effort") or ("low" if codex.fast else None)
        return replace(plan, start=start, turn=plan.turn | ({"effort": effort} if effort else {}))

    async def count(self, ask: Ask) -> tuple[int, str]:
        """See `Backend.count`: Codex does not tell."""
        self._plan(ask)  # what would be refused is not counted
        return await without_asking(ask)

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        """See `Backend.models`; Codex has its own login."""
        return (await self._known_models()).infos()

    async def _known_models(self) -> CodexModels:
        if self._models is None:
            connection = await self._server.connection()
            found: list[hot.Model] = []
            cursor = None
            while True:
                page = await connection.ask(MODEL_LIST, {"cursor": cursor} if cursor else {})
                found += page.data or []
                cursor = page.nextCursor
                if not cursor:
                    break
            windows = {model["slug"]: model.get("context_window") for model in self._codex.catalogue}
            self._models = CodexModels(
                (_model(each, each.model, windows) for each in found if each.model and not each.hidden),
                self._codex.own_models,
                self._codex.model,
            )
        return self._models

    async def ready(self) -> None:
        """See `Backend.ready`: Codex answers, and is logged in where its provider asks for that."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._login.look_again()
        except TimeoutError as error:
            raise Unavailable("Codex does not answer within a second.", retry_after=1) from error

    async def _logged_in(self) -> bool:
        """Whether Codex has an account, or needs none."""
        connection = await self._server.connection()
        # The user may have logged in meanwhile, which Codex sees within a second.
        fresh = self._url is None and self._codex.link_login()
        for _ in range(LOOKS if fresh else 1):
            account = await connection.ask(ACCOUNT_READ, {"refreshToken": False})
            if account.account is not None or not account.requiresOpenaiAuth:
                return True
            if fresh:
                await asyncio.sleep(LOOK_SECONDS)
        return False

    def limits(self) -> Mapping[str, str]:
        """See `Metered.limits`, under the names by which Codex hears of them itself."""
        return limit_headers(self._server.limits)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        self._engine.suspended.give_up_all()
        await self._login.aclose()
        await self._server.aclose()


def _model(model: hot.Model, name: str, windows: Mapping[str, Any]) -> CodexModel:
    window = windows.get(name)
    efforts = [each.reasoningEffort for each in model.supportedReasoningEfforts or ()]
    return CodexModel(
        name,
        tuple(effort for effort in efforts if effort),
        tuple(kind for kind in MODALITIES if kind in (model.inputModalities or ())),
        window if isinstance(window, int) else None,
        model.isDefault is True,
    )
