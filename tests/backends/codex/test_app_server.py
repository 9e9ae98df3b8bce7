"""The backend of the local Codex CLI, with an app-server in the same process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from wireloom_protocol import replies
from wireloom_protocol import responses as m

from tests.support.fake_app_server import FakeAppServer, called, ended, news, said
from wireloom.backends.base import Ask, Backend, Caller, Metered
from wireloom.backends.codex import app_server
from wireloom.backends.codex.app_server import AppServerBackend
from wireloom.backends.codex.channels import Pipes
from wireloom.backends.codex.home import MINIMAL, Codex
from wireloom.backends.slots import Slots
from wireloom.errors import GatewayError, NotFound
from wireloom.gateway import new_id
from wireloom.seal import KEY_BYTES, Sealer
from wireloom.translate.hub.fold import fold
from wireloom.translate.hub.opening import opening
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.rules.loss import Losses

Json = dict[str, Any]
LISTED: Json = {
    "id": "big",
    "model": "big",
    "displayName": "Big",
    "description": "d",
    "hidden": False,
    "isDefault": True,
    "defaultReasoningEffort": "low",
    "inputModalities": ["text", "image", "audio"],
    "supportedReasoningEfforts": [{"reasoningEffort": "low", "description": "d"}],
}
ADD: Json = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}


class Bench:
    """A backend and the app-server behind it."""

    def __init__(self, backend: AppServerBackend, server: FakeAppServer) -> None:
        self.backend = backend
        self.server = server

    def ask(self, **body: Any) -> Ask:
        request = m.CreateResponse.model_validate({"model": "big", "input": "hello", **body})
        sealer = Sealer([bytes(KEY_BYTES)])
        seals = {"reasoning": sealer.bind("someone", "route", lambda: bytes(12))}
        return Ask(request, request.model or "", Caller("someone", "req"), Losses(), seals)

    async def answer(self, **body: Any) -> replies.Response:
        ask = self.ask(**body)
        stream = ResponseStream(opening(ask.body, "resp_1", 1), new_id, lambda: 2.0)
        response = None
        async with aclosing(self.backend.turn(ask, stream).events()) as batches:
            async for batch in batches:
                response = fold(batch, response)
        assert response is not None
        return response


@asynccontextmanager
async def bench(
    tmp_path: Path,
    *scripts: Any,
    codex: Json | None = None,
    account: Json | None = None,
    **settings: Any,
) -> AsyncIterator[Bench]:
    server = FakeAppServer(*scripts)
    if account is not None:
        server.results["account/read"] = lambda _: account
    server.results["model/list"] = lambda params: (
        {"data": [LISTED], "nextCursor": "more"}
        if "cursor" not in params
        else {
            "data": [{**LISTED, "model": "small", "isDefault": False}, {**LISTED, "hidden": True}],
            "nextCursor": None,
        }
    )
    installation = Codex(
        "codex", tmp_path / "home", tmp_path, {"PATH": "/bin"}, cwd=tmp_path, **(codex or {})
    )
    installation.catalogue = [{"slug": "big", "context_window": 9}]
    backend = AppServerBackend(installation, Slots(4, 0, 1), **settings)

    async def opened() -> FakeAppServer:
        return server

    backend._server._open = opened
    await backend.start()
    try:
        yield Bench(backend, server)
    finally:
        await backend.aclose()


async def test_what_holds_for_every_thread(tmp_path: Path) -> None:
    async with bench(tmp_path, [*said("hi"), ended()]) as at:
        response = await at.answer(instructions="I.")
        message: Any = response["output"][0]
        assert message["content"][0]["text"] == "hi"
        assert at.server.named("thread/start") == [
            {
                "model": "big",
                "baseInstructions": "I.",
                "approvalPolicy": "never",
                "sandbox": "read-only",
                "cwd": str(tmp_path),
                "ephemeral": True,
                "environments": [],
                "experimentalRawEvents": True,
            }
        ]


async def test_an_agent_keeps_its_own_instructions(tmp_path: Path) -> None:
    settings = {"agent": True, "fast": True, "allowed_roots": (tmp_path,)}
    async with bench(tmp_path, [*said("hi"), ended()], codex=settings) as at:
        await at.answer(instructions="I.", metadata={"cwd": str(tmp_path)})
        (start,) = at.server.named("thread/start")
        assert start["sandbox"] == "workspace-write"
        assert start["developerInstructions"] == "I."
        assert not {"environments", "baseInstructions"} & start.keys()
        assert at.server.named("turn/start")[0]["effort"] == "low"


async def test_one_that_runs_already_is_told_its_configuration(tmp_path: Path) -> None:
    async with bench(tmp_path, [*said("hi"), ended()], url="ws://127.0.0.1:1") as at:
        await at.answer(text={"verbosity": "low"})
        config = at.server.named("thread/start")[0]["config"]
        assert config["model_verbosity"] == "low"
        assert MINIMAL.items() <= config.items()


async def test_models(tmp_path: Path) -> None:
    async with bench(
        tmp_path, [*said("hi"), ended()], [*said("hi"), ended()], codex={"models": ("own",)}
    ) as at:
        infos = await at.backend.models()
        assert [info.id for info in infos] == [
            "codex-local",
            "codex-local@low",
            "big",
            "big@low",
            "small",
            "small@low",
            "own",
        ]
        assert (infos[2].context_window, infos[2].modalities) == (9, ("text", "image"))
        assert len(at.server.named("model/list")) == 2  # and not again
        await at.answer(model="big@low")
        assert at.server.named("turn/start")[0]["effort"] == "low"
        await at.answer(model="codex-local")
        assert at.server.named("thread/start")[1]["model"] == "big"
        with pytest.raises(NotFound):
            await at.answer(model="huge")
        assert at.backend.route("big") == "codex/big"


async def test_a_model_that_is_left_to_codex(tmp_path: Path) -> None:
    async with bench(tmp_path, [*said("hi"), ended()]) as at:
        at.server.results["model/list"] = lambda _: {"data": [], "nextCursor": None}
        await at.answer(model="codex-local")
        assert "model" not in at.server.named("thread/start")[0]


async def test_a_denied_tool_is_not_offered(tmp_path: Path) -> None:
    async with bench(tmp_path, [*said("hi"), ended()], denied_tools=frozenset({"add"})) as at:
        await at.answer(tools=[ADD])
        assert "dynamicTools" not in at.server.named("thread/start")[0]


async def test_what_waits_is_given_up_at_the_end(tmp_path: Path) -> None:
    async with bench(tmp_path, called(("c1", "add", "{}"))) as at:
        await at.answer(tools=[ADD])
    assert at.server.named("turn/interrupt") == [{"threadId": "t1", "turnId": "u"}]
    assert at.server.closed


NO_ACCOUNT = {"account": None, "requiresOpenaiAuth": True}
ACCOUNT = {"account": {"type": "apiKey"}, "requiresOpenaiAuth": True}


async def test_readiness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_server, "READY_SECONDS", 0.1)
    async with bench(tmp_path) as at:
        await at.backend.ready()
        assert at.server.named("account/read")[-1] == {"refreshToken": False}
        at.server.results["account/read"] = lambda _: NO_ACCOUNT
        with pytest.raises(GatewayError, match="codex login") as caught:
            await at.backend.ready()
        assert (caught.value.status, caught.value.code) == (503, "not_logged_in")
        at.server.results["account/read"] = lambda _: ACCOUNT
        await at.backend.ready()
        at.server.silent = {"account/read"}
        with pytest.raises(GatewayError, match="within a second"):
            await at.backend.ready()


async def test_without_a_login_a_request_is_refused_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path, [*said("hi"), ended()], account=NO_ACCOUNT) as at:
        with pytest.raises(GatewayError) as caught:
            await at.answer()
        assert (caught.value.status, caught.value.code) == (503, "not_logged_in")
        assert caught.value.message == "Codex is not logged in. Run `codex login`."
        assert at.server.named("thread/start") == []
        while "Codex is not logged in" not in caplog.text:
            await asyncio.sleep(0.01)
        at.server.results["account/read"] = lambda _: ACCOUNT
        await at.answer()
        looks = len(at.server.named("account/read"))
        with pytest.raises(NotFound):
            await at.answer(model="huge")
        assert len(at.server.named("account/read")) == looks  # a login is looked for until there is one


async def test_a_login_is_seen_without_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, [*said("hi"), ended()], account=NO_ACCOUNT) as at:
        with pytest.raises(GatewayError):
            await at.answer()
        (tmp_path / "home").mkdir()
        (tmp_path / "auth.json").write_text("{}")
        answers = iter([NO_ACCOUNT, NO_ACCOUNT, ACCOUNT])
        at.server.results["account/read"] = lambda _: next(answers)
        await at.answer()
        assert (tmp_path / "home/auth.json").readlink() == tmp_path / "auth.json"


async def test_counting_asks_nobody(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        tokens, how = await at.backend.count(at.ask(tools=[ADD], tool_choice="auto"))
        assert tokens > 0
        assert how in ("vocabulary", "estimate")
        with pytest.raises(GatewayError):
            await at.backend.count(at.ask(background=True))
        assert at.server.named("thread/start") == []


async def test_the_accounts_windows(tmp_path: Path) -> None:
    limits = news("account/rateLimits/updated", rateLimits={"primary": {"usedPercent": 4}})
    async with bench(tmp_path, [limits, *said("hi"), ended()]) as at:
        assert isinstance(at.backend, Metered)
        backend: Backend = at.backend
        assert backend is at.backend
        assert at.backend.limits() == {}
        await at.answer()
        assert at.backend.limits() == {"x-codex-primary-used-percent": "4"}


async def test_a_program_is_started_with_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    async def pipes(command: list[str], environment: Json, folder: Path) -> FakeAppServer:
        opened.append((command, environment, folder))
        return FakeAppServer()

    monkeypatch.setattr(Pipes, "open", pipes)
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\necho '{\"models\": []}'\n")
    program.chmod(0o755)
    codex = Codex(str(program), tmp_path / "home", tmp_path, {"PATH": "/bin"}, cwd=tmp_path)
    backend = AppServerBackend(codex, Slots(1, 0, 1))
    await backend.start()
    await backend.ready()
    await backend.aclose()
    ((command, environment, folder),) = opened
    assert command[:2] == [str(program), "app-server"]
    assert "features.shell_tool=false" in command
    assert environment["CODEX_HOME"] == str(tmp_path / "home")
    assert folder == tmp_path
