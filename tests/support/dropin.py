"""Run ``wireloom as TOOL`` as that tool's users run the tool."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.support.codex_backend import KEY_VARIABLE, User, children_of
from tests.support.gateway import Gateway, variables_of
from tests.support.responses_server import API_KEY


class As(Gateway):
    """A tool that serves, with its files under ``home`` and the port that it is given or finds free.

    ``variables`` are the tool's own; ``key`` is what its clients send.
    """

    def __init__(
        self,
        tool: str,
        home: Path,
        *arguments: str,
        key: str = "no-key",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, home, token=None, environment=variables)
        self._command = [sys.executable, "-m", "wireloom", "as", tool, *arguments]
        self.token = key


class AsCodex(As):
    """A tool that serves by the real Codex CLI, whose only provider is at ``base_url``."""

    def __init__(
        self,
        tool: str,
        root: Path,
        base_url: str,
        *arguments: str,
        key: str = "no-key",
        variables: Mapping[str, str] | None = None,
        traps: bool = False,
    ) -> None:
        self.user = User(root, base_url, traps=traps)
        self.home = root / "gateway"
        self.home.mkdir(exist_ok=True)
        super().__init__(tool, self.home, *arguments, key=key, variables={**self.own(), **(variables or {})})

    def children(self) -> list[psutil.Process]:
        """The processes of the Codex CLI that belong to it."""
        return children_of(self.pid)

    def own(self) -> dict[str, str]:
        """The variables by which the tool finds the CLI's home and the provider's key."""
        return {"CODEX_HOME": str(self.user.home), KEY_VARIABLE: API_KEY, "CANARY_SECRET": "canary-secret"}


def run(
    home: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``wireloom`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "wireloom", *arguments],
        cwd=home,
        env={**variables_of(home), **(variables or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
