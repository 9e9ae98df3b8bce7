"""Check at the start, not at the first request, that the Codex CLI is there and logged in."""

import shutil
import subprocess

from wireloom.cli.options import Failure
from wireloom.config import ConfigError, Settings
from wireloom.config.codex import CodexSetup, codex_setup

NAMED_BY = "--codex-bin (WIRELOOM_CODEX_BIN)"
_BACKENDS = ("app-server", "exec")
_LOGIN_SECONDS = 10.0


def check_program(settings: Settings, named_by: str = NAMED_BY) -> None:
    """Return when every program that the backends start is there.

    named_by: how the program is named, for the message.

    Raises ``Failure`` when one is not.
    """
    for entry in settings.named.values():
        if entry.backend not in _BACKENDS or entry.app_server_url is not None:
            continue
        if shutil.which(entry.codex_bin) is None:
            raise Failure(
                f"There is no program {entry.codex_bin!r}. Install the Codex CLI (npm install -g @openai/codex), or name it "
                f"with {named_by}."
            )


def needs_codex(settings: Settings) -> bool:
    """Return whether a backend asks the Codex CLI."""
    return any(entry.backend in _BACKENDS for entry in settings.named.values())


def login_warning(settings: Settings) -> str | None:
    """Return a warning if Codex needs a login and has none; only the program on this machine is asked.

    Raises nothing: a program that fails here fails at the first request, with its reason.
    """
    for name, entry in settings.named.items():
        if entry.backend not in _BACKENDS or entry.app_server_url is not None:
            continue
        try:
            setup = codex_setup(entry, name)
        except ConfigError:
            continue
        # A provider of the user's own has a key and no login.
        if "model_provider" not in setup.overrides and not _is_logged_in(setup):
            return "Warning: Codex is not logged in, so its requests will fail. Run `codex login`."
    return None


def _is_logged_in(setup: CodexSetup) -> bool:
    """Whether the program knows of a login, in wireloom's home for it, else in the user's own."""
    home = setup.home if (setup.home / "auth.json").exists() else setup.user_home
    environment = {**setup.environment, "HOME": str(home), "CODEX_HOME": str(home)}
    try:
        run = subprocess.run(  # noqa: S603 - the program that the user named
            [shutil.which(setup.binary) or setup.binary, "login", "status"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LOGIN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return run.returncode == 0
