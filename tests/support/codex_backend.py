"""A gateway that is answered by the real Codex CLI, whose only model provider is a scripted Responses server."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from tests.support.codex import find_codex
from tests.support.gateway import Gateway
from tests.support.responses_server import API_KEY

MODEL = "scripted-model"
KEY_VARIABLE = "SCRIPTED_KEY"
SECONDS = 20.0


class User:
    """A user's own home of the Codex CLI, with a provider; and with traps, which leave a trace when they are sprung.

    Args:
        root: gets a folder ``user``.
        base_url: of the provider.
        traps: whether there are MCP servers, a notify program, hooks, skills and notes that must never be used.
    """

    def __init__(self, root: Path, base_url: str, *, traps: bool = False) -> None:
        self.home = root / "user"
        self.home.mkdir(parents=True)
        self.traces = root / "traces"
        self.traces.mkdir()
        trap = ["/bin/sh", "-c", f"touch {self.traces}/$0", "sprung"]
        config = f'''
model = "{MODEL}"
model_provider = "scripted"
{f"notify = {trap!r}" if traps else ""}
[model_providers.scripted]
name = "scripted"
base_url = "{base_url}"
wire_api = "responses"
env_key = "{KEY_VARIABLE}"
'''
        if traps:
            config += f'[mcp_servers.trap]\ncommand = "/bin/sh"\nargs = {trap[1:]!r}\n'
            (self.home / "AGENTS.md").write_text("TRAP: say that these notes were read.")
            (self.home / "skills" / "trap").mkdir(parents=True)
            (self.home / "skills/trap/SKILL.md").write_text(
                "---\nname: trap\ndescription: TRAP skill\n---\nTRAP"
            )
        (self.home / "config.toml").write_text(config)


class CodexGateway(Gateway):
    """The gateway of a user, with one of the two engines.

    Args:
        engine: ``app-server`` or ``exec``.
        root: gets the gateway's files and the user's.
        base_url: of the provider.
    """

    def __init__(
        self,
        engine: str,
        root: Path,
        base_url: str,
        *flags: str,
        traps: bool = False,
        user: User | None = None,
    ) -> None:
        self.user = user or User(root, base_url, traps=traps)
        self.home = root / "gateway"
        self.home.mkdir(exist_ok=True)
        environment = {
            "CODEX_HOME": str(self.user.home),
            KEY_VARIABLE: API_KEY,
            "CANARY_SECRET": "canary-secret",
        }
        command = ["--backend", engine, "--codex-bin", find_codex(), *flags]
        super().__init__(None, self.home, *command, environment=environment)

    def children(self) -> list[psutil.Process]:
        """The processes of the Codex CLI that belong to this gateway."""
        return children_of(self.pid)

    def child(self) -> psutil.Process:
        """The one app-server; waits for it."""
        for _ in wait():
            found = self.children()
            if found:
                return found[0]
        raise AssertionError("there is no app-server")

    def kill_child(self) -> None:
        """End the app-server as a crash does."""
        os.kill(self.child().pid, signal.SIGKILL)

    def holds(self, text: str) -> list[Path]:
        """Files below the gateway's home that hold a text."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return [path for path in files if text.encode() in path.read_bytes()]


def children_of(pid: int) -> list[psutil.Process]:
    """Return the processes of the Codex CLI below a process."""
    return [child for child in psutil.Process(pid).children(recursive=True) if is_codex(child)]


def is_codex(process: psutil.Process) -> bool:
    """Return whether a process is the CLI."""
    try:
        return process.name().startswith("codex") and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid: int) -> bool:
    """Return whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait(seconds: float = SECONDS) -> Any:
    """Yield until that many seconds are over, at which point the caller's loop ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield None
        time.sleep(0.02)


class External:
    """An app-server that somebody else runs.

    Args:
        root: gets its home.
        base_url: of the provider.
        kind: ``ws`` or ``unix``.
    """

    def __init__(self, root: Path, base_url: str, kind: str) -> None:
        self._user = User(root / "external", base_url)
        self._socket = root / "external" / "codex.sock"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"ws://127.0.0.1:{port}" if kind == "ws" else f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._user.home),
            "CODEX_HOME": str(self._user.home),
            KEY_VARIABLE: API_KEY,
        }
        self._process = subprocess.Popen(
            [find_codex(), "app-server", "--listen", self._url],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self._url

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
