"""The files of a gateway in the background: its pid, its log, and the settings it was started with, all 0600."""

import json
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from wireloom.config.files.folders import make_private, replace_private
from wireloom.config.layers import PREFIX, ConfigError, standing, state_folder

_PRIVATE = stat.S_IRUSR | stat.S_IWUSR
# What a service keeps of the environment besides the settings: where its files are.
_OTHERS = ("CODEX_RELAY_", "CODEX_PROXY_", "CODEX_GATEWAY_")
_PLACES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "CODEX_HOME")


@dataclass(frozen=True, slots=True)
class ServiceFiles:
    """Where the files are.

    Args:
        pid: the process id, as a line of text.
        log: what the gateway writes while it runs.
        state: a `Service` as JSON.
    """

    pid: Path
    log: Path
    state: Path

    @classmethod
    def chosen(
        cls, pid: str | None = None, log: str | None = None, state: str | None = None
    ) -> "ServiceFiles":
        """The files named, else those in the state folder."""
        folder = state_folder()
        return cls(
            Path(pid or folder / "wireloom.pid").absolute(),
            Path(log or folder / "wireloom.log").absolute(),
            Path(state or folder / "wireloom.state.json").absolute(),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A gateway in the background: how it was started, and while it runs which process it is.

    Args:
        given: settings of the command line, as text.
        environment: variables that were settings too.
        pid: the process, or 0.
        born: when the process began, seconds since the epoch; tells it from a later one with the same id.
        url: where it listens.
        folder: where it was started, so that relative paths mean the same.
        drain_seconds: how long its answers may go on after it was told to stop.
    """

    given: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    born: float = 0.0
    url: str = ""
    folder: str = ""
    drain_seconds: float = 0.0

    def overridden(self, given: Mapping[str, Any]) -> "Service":
        """The same settings with others over them, as flags stand over a config file."""
        return Service({**standing(self.given, given), **given}, self.environment, folder=self.folder)


def environment(names: Collection[str | None]) -> dict[str, str]:
    """The variables of this process that say how a gateway is to be.

    names: further ones, such as that of the upstream's key.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith((PREFIX, *_OTHERS)) or name in _PLACES or name in names
    }


def resume(service: Service) -> None:
    """Set the variables that a service was started with, save those that are set now."""
    for name, value in service.environment.items():
        os.environ.setdefault(name, value)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read; who reads it meanwhile gets the old one.

    Raises ``ConfigError`` when it cannot be written.
    """
    try:
        replace_private(path, text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. Name another file.") from None


def append_private(path: Path) -> TextIOWrapper:
    """Open a file to write at its end, with mode 0600; its folder is made where it is missing.

    Raises ``OSError`` when it cannot be opened.
    """
    make_private(path.parent)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE)
    os.fchmod(handle, _PRIVATE)
    return os.fdopen(handle, "a", encoding="utf-8")


def write_service(path: Path, service: Service) -> None:
    """Keep a service; raises ``ConfigError``."""
    write_private(path, json.dumps(asdict(service), indent=1) + "\n")


def read_service(path: Path) -> Service | None:
    """The service that was kept, or None where there is none.

    Raises ``ConfigError`` when the file is not one of ours.
    """
    try:
        return Service(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no state of a service"
        raise ConfigError(
            f"{path} cannot be read: {reason}. Remove it, or name another with --state-file."
        ) from None
