"""What the local Codex CLI is started with: paths, a small environment, and the user's own model settings."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wireloom.config import DEFAULT, BackendEntry, ConfigError, Settings, state_folder
from wireloom.config.files.folders import make_private
from wireloom.config.layers import variable

CARRIED = ("model", "model_provider", "model_providers")
"""Keys of the user's config.toml that are carried over, and nothing else."""
# Variables that a child needs to run, to find its files and to reach its provider.
INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CODEX_CA_CERTIFICATE",
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
SECRET_VARIABLE = "WIRELOOM_CODEX_SECRET_{}"  # noqa: S105  the name of a variable
# What is not repeated inside Codex: a client repeats it, and hears of nothing twice.
NO_RETRIES = {"request_max_retries": 0, "stream_max_retries": 0}


class CodexSetup(NamedTuple):
    """What the settings come to; see `wireloom.backends.codex.home.Codex` for each."""

    binary: str
    home: Path
    user_home: Path
    environment: dict[str, str]
    overrides: dict[str, Any]
    cwd: Path
    allowed_roots: tuple[Path, ...]
    model: str | None
    models: tuple[str, ...]
    agent: bool
    fast: bool
    ephemeral: bool


def codex_setup(settings: Settings | BackendEntry, name: str = DEFAULT) -> CodexSetup:
    """Return what Codex is started with.

    name: of the backend; each has a home of its own.

    Raises ``ConfigError`` when the user's config.toml cannot be read, or a folder is none.
    """
    user_home = Path(variable("CODEX_HOME") or os.path.expanduser("~/.codex"))
    environment = _environment(settings.proxy)
    overrides = _carried(_user_config(user_home / "config.toml"), environment)
    overrides |= settings.codex_config
    model = settings.model or overrides.get("model")
    if settings.model is not None:
        overrides["model"] = settings.model
    return CodexSetup(
        binary=settings.codex_bin,
        home=settings.codex_home
        or state_folder() / ("codex-home" if name == DEFAULT else f"codex-home-{name}"),
        user_home=user_home,
        environment=environment,
        overrides=overrides,
        cwd=_default_folder(settings.default_cwd),
        allowed_roots=tuple(_folder(path, "--allowed-root") for path in settings.allowed_root),
        model=model if isinstance(model, str) else None,
        models=tuple(settings.models),
        agent=settings.agent,
        fast=settings.fast,
        ephemeral=settings.ephemeral,
    )


def _environment(proxy: str | None) -> dict[str, str]:
    names = [*INHERITED, *PROXIES, *(name.lower() for name in PROXIES)]
    found = {name: value for name in names if (value := os.environ.get(name))}
    if proxy is not None:
        asked = {name: proxy for name in PROXIES if name != "NO_PROXY"}
        found |= asked | {name.lower(): proxy for name in asked}
    return found


def _user_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: Codex's configuration cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigError(f"{path}: Codex's configuration is not TOML: {error}. Correct it there.") from None


def _carried(config: Mapping[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Dotted key -> value of what is carried over; keys that it holds go into the environment, off the command line."""
    found: dict[str, Any] = {name: config[name] for name in CARRIED[:2] if isinstance(config.get(name), str)}
    providers = config.get("model_providers")
    if isinstance(providers, dict):
        found["model_providers"] = {
            name: {**_without_secrets(provider, environment), **NO_RETRIES}
            for name, provider in providers.items()
            if isinstance(provider, dict)
        }
    return found


def _without_secrets(provider: Mapping[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """A provider whose keys stand in variables, and these variables in the environment."""
    told = dict(provider)
    by_name = told.pop("env_http_headers", None)
    headers = {name: str(value) for name, value in by_name.items()} if isinstance(by_name, dict) else {}
    literal = told.pop("http_headers", None)
    for name, value in literal.items() if isinstance(literal, dict) else ():
        headers[name] = _hidden(str(value), environment)
    token = told.pop("experimental_bearer_token", None)
    if isinstance(token, str):
        told["env_key"] = _hidden(token, environment)
    if headers:
        told["env_http_headers"] = headers
    for name in (told.get("env_key"), *headers.values()):
        if isinstance(name, str) and (value := os.environ.get(name)):
            environment[name] = value
    return told


def _hidden(secret: str, environment: dict[str, str]) -> str:
    """The name of a new variable that holds a secret."""
    number = sum(name.startswith(SECRET_VARIABLE.format("")) for name in environment) + 1
    name = SECRET_VARIABLE.format(number)
    environment[name] = secret
    return name


def _default_folder(named: Path | None) -> Path:
    if named is not None:
        return _folder(named, "--default-cwd")
    path = state_folder() / "codex-empty"
    try:
        make_private(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}. Name a folder: --default-cwd.") from None
    return path


def _folder(path: Path, flag: str) -> Path:
    if not path.is_dir():
        raise ConfigError(f"{flag}: {path} is no folder. Make it, or name another.")
    return path.resolve()
