"""What `wireloom serve` shows on a terminal when it takes requests: what is in force, and the next step."""

import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from wireloom.cli.client.connect import base_url
from wireloom.cli.diagnose.tried import key_place
from wireloom.config import DEFAULT, BackendEntry, Endpoint, Settings, config_file, load

_CODEX = ("app-server", "exec")


def banner(settings: Settings, root: str, next_command: str | None = None) -> list[str]:
    """Return the lines.

    settings: in force; root: where it listens; next_command: what to do then, None for the usual.
    """
    port = int(root.rpartition(":")[2])
    file = config_file()
    rows = [
        ("version", version("wireloom")),
        ("clients", f"{base_url(settings.host, port)}  (Responses and Chat Completions)"),
        *(("backend", line) for line in backends(settings)),
        ("config", str(_short(file)) if file.exists() else "no file: flags, variables and defaults"),
        ("docs", f"{base_url(settings.host, port).removesuffix('/v1')}/docs"),
        ("next", next_command or _next(settings, port)),
    ]
    return [f"  {name:<8} {value}" for name, value in rows]


def backends(settings: Settings) -> Iterator[str]:
    """Yield a line for each backend: what it is, where, and whether there is a key for it."""
    for name, entry in settings.named.items():
        label = "" if name == DEFAULT and not settings.backends else f"{name}: "
        yield f"{label}{_backend(entry)}"


def _backend(entry: Settings | BackendEntry) -> str:
    """A backend, where it is and whether there is a key for it; never the key."""
    if entry.backend == "demo":
        return "demo, a scripted model"
    if entry.backend in _CODEX:
        return f"{entry.backend}, {entry.app_server_url or shutil.which(entry.codex_bin) or entry.codex_bin}"
    place = key_place(entry)
    if entry.upstream_key is not None:
        key = f"key in {place}: found"
    elif entry.api_key_env or entry.upstream_profile.api_key_env:
        key = f"key in {place}: not set"
    else:
        key = "without a key"
    return f"{entry.upstream_profile.title}, {entry.backend}, {entry.shown_upstream}, {key}"


def _next(settings: Settings, port: int) -> str:
    """Return the command that uses this gateway, with the options that it needs to find it."""
    if all(entry.backend in _CODEX for entry in settings.named.values()):
        return "wireloom show  (how to set up an OpenAI SDK)"
    known = load(Endpoint, {})
    flags = [f" --port {port}"] if known.port != port else []
    if known.host != settings.host:
        flags.insert(0, f" --host {settings.host}")
    if settings.no_auth and not known.no_auth:
        flags.append(" --no-auth")
    return f"wireloom launch codex{''.join(flags)}"


def _short(path: Path) -> Path:
    """A path with `~` for the home folder."""
    try:
        return Path("~") / path.relative_to(Path.home())
    except (ValueError, RuntimeError):
        return path
