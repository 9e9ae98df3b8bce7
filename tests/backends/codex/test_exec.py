"""Runs of `codex exec`: nothing secret on the command line, nothing left behind, nothing that goes on."""

import asyncio
import base64
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from wireloom_protocol import responses as m

from tests.support.grammar import Told, check, decode
from wireloom.api.bodies import prepare
from wireloom.backends.base import Ask, Caller
from wireloom.backends.codex.exec import ExecBackend
from wireloom.backends.codex.exec_run import files
from wireloom.backends.codex.home import Codex
from wireloom.backends.slots import Slots
from wireloom.errors import GatewayError, InvalidRequest, Limited, NotFound
from wireloom.gateway import new_id
from wireloom.translate.codex.exec_request import Run
from wireloom.translate.hub.opening import opening
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.rules.loss import Losses
from wireloom.wire.sse import encode

Json = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\nrest"
PROGRAM = """
import json, os, sys, time
arguments = sys.argv[1:]
if arguments[:2] == ["debug", "models"]:
    print(json.dumps({"models": [{"slug": "big", "visibility": "list", "supported_reasoning_levels": [{"effort": "low"}]}]}))
    sys.exit()
if arguments[:2] == ["login", "status"]:
    sys.exit(0 if os.path.exists(os.path.join(os.environ["CODEX_HOME"], "auth.json")) else 1)
files = {}
for index, word in enumerate(arguments):
    name = word.partition("model_instructions_file=")[2].strip('"')
    if arguments[index - 1] in ("--image", "--output-schema"):
        name = word
    if name:
        files[name] = [open(name, "rb").read().hex(), oct(os.stat(name).st_mode & 0o777)]
prompt = sys.stdin.read()
seen = {"arguments": arguments, "environment": dict(os.environ), "prompt": prompt, "files": files, "cwd": os.getcwd(), "pid": os.getpid()}
with open(RECORD, "a") as record:
    record.write(json.dumps(seen) + "\\n")
def say(**event):
    print(json.dumps(event), flush=True)
say(type="thread.started", thread_id="t")
if "die" in prompt:
    print("a secret remark", file=sys.stderr)
    sys.exit(3)
say(type="item.completed", item={"id": "1", "type": "agent_message", "text": "half"})
if "stay" in prompt:
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(60)
say(type="item.completed", item={"id": "2", "type": "agent_message", "text": "x" * int(arguments[-1] == "-") + prompt[-9:]})
say(type="turn.completed", usage={"input_tokens": 2, "output_tokens": 1})
"""


class Bench:
    """Runs of a program that stands for the CLI."""

    def __init__(self, tmp_path: Path, *, logged_in: bool = True, **settings: Any) -> None:
        self.record = tmp_path / "record"
        program = tmp_path / "codex"
        program.write_text(f"#!{sys.executable}\nRECORD = {str(self.record)!r}\n{PROGRAM}")
        program.chmod(0o755)
        (tmp_path / "user").mkdir(exist_ok=True)
        if logged_in:
            (tmp_path / "user/auth.json").write_text("{}")
        (tmp_path / "work").mkdir(exist_ok=True)
        engine = {name: settings.pop(name) for name in ("total_seconds",) if name in settings}
        slots = settings.pop("slots", 4)
        self.codex = Codex(
            binary=str(program),
            home=tmp_path / "home",
            user_home=tmp_path / "user",
            environment={"PATH": os.environ["PATH"], "KEY": "s3cret"},
            cwd=tmp_path / "work",
            models=("own",),
            **settings,
        )
        self.backend = ExecBackend(self.codex, Slots(slots, 0, 1), **engine)

    def turn(self, **body: Any) -> Any:
        whole = {"model": "big", "input": "hello", **body}
        prepare(whole)
        request = m.CreateResponse.model_validate(whole)
        self.stream = ResponseStream(opening(request, "resp_1", 1), new_id, lambda: 2.0)
        ask = Ask(request, request.model or "", Caller("someone", "req"), Losses(), {})
        return self.backend.turn(ask, self.stream)

    async def answer(self, **body: Any) -> Told:
        events: list[Any] = []
        async with aclosing(self.turn(**body).events()) as batches:
            async for batch in batches:
                events += batch
        return check(decode(encode(events)))

    @property
    def runs(self) -> list[Json]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    @property
    def left(self) -> list[Path]:
        """Files of runs that are still there."""
        return [path for path in (self.codex.home / "runs").rglob("*") if path.is_file()]


@asynccontextmanager
async def waiting(bench: Bench, **body: Any) -> AsyncIterator[tuple[Any, int]]:
    """A run that has said something and stays; its batches and its process."""
    batches = bench.turn(input="stay", **body).events()
    await anext(batches)
    yield batches, bench.runs[-1]["pid"]


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_run_and_what_it_is_given(tmp_path: Path) -> None:
    bench = Bench(tmp_path, overrides={"model_provider": "mine"})
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    parts = [
        {"type": "input_text", "text": "see this"},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    ]
    told = await bench.answer(
        instructions="Be brief.",
        input=[{"role": "user", "content": parts}],
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        reasoning={"effort": "low"},
    )
    assert told.text == "halfxImage #1]"
    assert told.response["usage"]["total_tokens"] == 3
    (run,) = bench.runs
    arguments = run["arguments"]
    assert arguments[0] == "exec"
    assert arguments[-1] == "-"
    for flag in ("--json", "--skip-git-repo-check", "--ignore-user-config", "--ignore-rules", "--ephemeral"):
        assert flag in arguments
    assert arguments[arguments.index("--sandbox") + 1] == "read-only"
    assert arguments[arguments.index("--model") + 1] == "big"
    assert {'model_provider="mine"', 'model_reasoning_effort="low"', "features.shell_tool=false"} <= set(
        arguments
    )
    assert "see this" in run["prompt"]
    assert not any("see this" in word or "Be brief" in word or "s3cret" in word for word in arguments)
    contents = [bytes.fromhex(content) for content, _ in run["files"].values()]
    assert sorted(contents) == sorted([b"Be brief.", PNG, b'{"type":"object"}'])
    assert {mode for _, mode in run["files"].values()} == {"0o600"}
    assert arguments[arguments.index("--cd") + 1] == str(tmp_path / "work")
    assert arguments[1:3] == ["--image", "picture-1.png"]
    assert Path(run["cwd"]).parent.parent == tmp_path / "home/runs"
    assert run["environment"]["KEY"] == "s3cret"
    assert run["environment"]["HOME"] == str(tmp_path / "home")
    assert bench.left == []


async def test_an_agent_may_write_and_a_fast_one_thinks_little(tmp_path: Path) -> None:
    bench = Bench(tmp_path, agent=True, fast=True, ephemeral=False)
    await bench.answer()
    await bench.answer(model="big@low", reasoning={"effort": "high"})
    first, second = (run["arguments"] for run in bench.runs)
    for arguments in (first, second):
        options = [
            place for place, word in enumerate(arguments) if word.startswith("model_reasoning_effort=")
        ]
        assert [arguments[place - 1] for place in options] == ["-c"]
    assert first[first.index("--sandbox") + 1] == "workspace-write"
    assert "--ephemeral" not in first
    assert "features.shell_tool=false" not in first
    assert 'model_reasoning_effort="low"' in first
    assert 'model_reasoning_effort="high"' in second


async def test_a_folder_that_a_request_names(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    bench = Bench(tmp_path, allowed_roots=(root,))
    await bench.answer(metadata={"cwd": str(root)})
    assert bench.runs[0]["arguments"][-2] == str(root)
    with pytest.raises(InvalidRequest):
        await bench.answer(metadata={"cwd": str(tmp_path)})


async def test_a_large_prompt_and_a_large_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.answer(input="x" * 3_000_000)
    assert len(bench.runs[0]["prompt"]) == 3_000_000


async def test_a_client_that_leaves_ends_the_whole_group(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with waiting(bench) as (batches, pid):
        children = psutil.Process(pid).children(recursive=True)
        await batches.aclose()
        for process in (pid, *(child.pid for child in children)):
            async with asyncio.timeout(5):
                while not gone(process):
                    await asyncio.sleep(0.01)
    assert bench.left == []


async def test_a_run_that_takes_too_long(tmp_path: Path) -> None:
    bench = Bench(tmp_path, total_seconds=1.5)
    with pytest.raises(GatewayError) as caught:
        await bench.answer(input="stay")
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")
    assert gone(bench.runs[0]["pid"])
    assert bench.left == []


async def test_a_run_that_dies(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(GatewayError, match="exit code 3") as caught:
        await bench.answer(input="die")
    assert caught.value.status == 502
    assert "secret" not in caught.value.message


async def test_as_many_runs_as_there_are_slots(tmp_path: Path) -> None:
    bench = Bench(tmp_path, slots=1)
    async with waiting(bench) as (batches, _):
        with pytest.raises(Limited):
            await bench.answer()
        await batches.aclose()
    assert (await bench.answer()).text.startswith("half")


async def test_models(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert [info.id for info in await bench.backend.models()] == ["codex-local", "big", "big@low", "own"]
    with pytest.raises(NotFound):
        await bench.answer(model="huge")
    assert bench.backend.route("big") == "codex/big"


async def test_readiness_is_a_login_where_there_is_no_provider(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="codex login"):
        await Bench(tmp_path, logged_in=False).backend.ready()
    await Bench(tmp_path).backend.ready()
    (tmp_path / "user/auth.json").unlink()
    provider = {"model_provider": "mine"}
    await Bench(tmp_path, logged_in=False, overrides=provider).backend.ready()


async def test_without_a_login_a_request_is_refused_before_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, logged_in=False)
    await bench.backend.start()
    with pytest.raises(GatewayError) as caught:
        await bench.answer()
    assert (caught.value.status, caught.value.code) == (503, "not_logged_in")
    assert caught.value.message == "Codex is not logged in. Run `codex login`."
    assert not bench.record.exists()
    while "Codex is not logged in" not in caplog.text:
        await asyncio.sleep(0.01)
    (tmp_path / "user/auth.json").write_text("{}")
    assert (await bench.answer()).text.startswith("half")
    await bench.backend.aclose()


async def test_counting_needs_no_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    request = m.CreateResponse.model_validate({"model": "big", "input": "hello there"})
    tokens, how = await bench.backend.count(Ask(request, "big", Caller("a", "r"), Losses(), {}))
    assert tokens > 0
    assert how in ("vocabulary", "estimate")
    assert not bench.record.exists()


async def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for name in ("999999999", str(os.getpid()), "other"):
        (bench.codex.home / "runs" / name).mkdir(parents=True)
    await bench.backend.start()
    assert {path.name for path in (bench.codex.home / "runs").iterdir()} == {str(os.getpid()), "other"}
    await bench.backend.aclose()


async def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, overrides={"model_provider": "mine"})
    await bench.codex.prepare()
    Path(bench.codex.binary).write_text("#!/nowhere/at-all\n")
    with pytest.raises(GatewayError) as caught:
        await bench.answer()
    assert caught.value.status in (502, 503)  # of the guard that starts it, where there is one
    bench.codex.overrides = {}
    bench.backend = ExecBackend(bench.codex, Slots(1, 0, 1))
    with pytest.raises(GatewayError, match="Codex cannot be started") as caught:
        await bench.answer()
    assert (caught.value.status, caught.value.code) == (503, "upstream_unreachable")
    assert stat.S_IMODE((bench.codex.home / "runs").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("image/png", ".png"),
        ("image/jpeg", ".jpg"),
        ("image/gif", ".gif"),
        ("image/webp", ".webp"),
        ("image/avif", ".png"),
    ],
)
def test_a_picture_is_known_by_its_name(tmp_path: Path, kind: str, suffix: str) -> None:
    run = Run("m", "p", "i", [f"data:{kind};base64,R0lGOA=="] * 2, None, {})
    codex = Bench(tmp_path).codex
    codex.home.mkdir()
    with files(codex, run) as (folder, command):
        names = [command[place + 1] for place, word in enumerate(command) if word == "--image"]
        assert names == [f"picture-1{suffix}", f"picture-2{suffix}"]
        assert {(folder / name).read_bytes() for name in names} == {b"GIF8"}
        assert "--output-schema" not in command
    assert not folder.exists()
