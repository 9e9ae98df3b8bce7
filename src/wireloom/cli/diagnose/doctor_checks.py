"""What `wireloom doctor` looks at on this machine: files, keys, the port, the Codex CLI."""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from wireloom_protocol import CODEX_VERSION

from wireloom.cli.client.running import Running
from wireloom.cli.diagnose.doctor import Finding
from wireloom.config import DEFAULT, BackendEntry, ConfigError, Settings, config_file, state_folder
from wireloom.config.files.seal_key import seal_keys

_CODEX_SECONDS = 20
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def look(settings: Settings, gateway: Running | None) -> list[Finding]:
    """Check what the settings need on this machine.

    gateway: the one that runs; it has the keys of the upstreams, whatever is set here.
    """
    return [
        *files(settings),
        *clients(settings),
        *(upstreams(settings) if gateway is None else ()),
        *network(settings, gateway),
        *codex(settings),
    ]


def files(settings: Settings) -> Iterator[Finding]:
    """The config file, the state folder and the keys that seal."""
    path = config_file()
    if path.exists():
        yield _private("config file", path)
    else:
        yield Finding("Files", "config file", "ok", f"{path} is not there; none is needed")
    folder = state_folder()
    if folder.exists():
        yield _private("state folder", folder)
    seals = settings.seal_key_path
    if not seals.exists():
        yield Finding("Files", "seal keys", "ok", "none yet; the first start makes one")
        return
    try:
        yield Finding("Files", "seal keys", "ok", f"{len(seal_keys(settings))} in {seals}")
    except ConfigError as error:
        yield Finding("Files", "seal keys", "fail", str(error))


def _private(name: str, path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & _OTHERS:
        wanted = "700" if path.is_dir() else "600"
        told = f"{path} has mode {mode:04o}, so others on this machine can read it"
        return Finding("Files", name, "warn", told, f"chmod {wanted} {path}")
    return Finding("Files", name, "ok", f"{path} ({mode:04o})")


def clients(settings: Settings) -> Iterator[Finding]:
    """The keys of clients."""
    if settings.no_auth:
        remedy = "Leave --no-auth out, and a token is made."
        yield Finding("Keys", "clients", "warn", "every program on this machine may call", remedy)
    elif settings.inbound:
        yield Finding("Keys", "clients", "ok", ", ".join(settings.inbound))
    else:
        yield Finding("Keys", "clients", "ok", "none yet; the first start makes one")


def upstreams(settings: Settings) -> Iterator[Finding]:
    """The keys for the upstreams."""
    for name, entry in settings.named.items():
        if entry.upstream is not None:
            yield _upstream_key("upstream" if name == DEFAULT else name, entry)


def _upstream_key(name: str, settings: Settings | BackendEntry) -> Finding:
    profile = settings.upstream_profile
    if settings.upstream_key is not None:
        return Finding("Keys", name, "ok", "set")
    if profile.api_key_env:
        remedy = f"export {profile.api_key_env}=..., or name another variable with --api-key-env."
        return Finding("Keys", name, "warn", f"none for {profile.title}", remedy)
    return Finding("Keys", name, "ok", "none, and none is usual here")


def network(settings: Settings, gateway: Running | None) -> Iterator[Finding]:
    """The port, and variables of proxies."""
    yield from [_port(settings)] if gateway is None else answering(gateway)
    proxies = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    entries = settings.named.values()
    if proxies and any(entry.upstream is not None and entry.upstream_proxy is None for entry in entries):
        remedy = "The upstream is asked directly. Name the proxy with --upstream-proxy, if nothing else reaches it."
        yield Finding("Network", "proxy", "warn", f"{', '.join(proxies)} is not used", remedy)


def answering(gateway: Running) -> Iterator[Finding]:
    """That a gateway answers, and whether it is the release that is installed."""
    yield Finding("Network", "port", "ok", f"{gateway} answers there")
    installed = version("wireloom")
    if gateway.version != installed:
        remedy = f"{installed} is installed: restart the gateway, with `wireloom restart` or where it runs."
        yield Finding("Network", "version", "warn", f"{gateway.version} answers", remedy)


def _port(settings: Settings) -> Finding:
    where = f"{settings.host} port {settings.port}"
    try:
        with socket.create_server((settings.host, settings.port)):
            return Finding("Network", "port", "ok", f"{where} is free")
    except OSError as error:
        remedy = "Another program listens there. Stop it, or choose another port with --port."
        reason = os.strerror(error.errno) if error.errno else str(error)
        return Finding("Network", "port", "warn", f"{where}: {reason}", remedy)


def codex(settings: Settings) -> Iterator[Finding]:
    """The Codex CLI: whether it is there, and whether it is the one whose messages are known."""
    users = [entry for entry in settings.named.values() if entry.backend in ("app-server", "exec")]
    needed = any(entry.app_server_url is None for entry in users)
    binary = shutil.which(settings.codex_bin)
    if binary is None:
        remedy = "npm install -g @openai/codex, or name it with --codex-bin." if needed else ""
        told = f"there is no {settings.codex_bin}" + ("" if needed else "; this backend needs none")
        yield Finding("Codex", "binary", "fail" if needed else "ok", told, remedy)
        return
    try:
        run = subprocess.run(  # noqa: S603 - the program that the user named
            [binary, "--version"], capture_output=True, text=True, timeout=_CODEX_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = f"{binary} --version failed: {type(error).__name__}"
        yield Finding("Codex", "binary", "fail" if needed else "warn", told, "Install it anew.")
        return
    version = run.stdout.split()[-1] if run.stdout.split() else "unknown"
    known = version == CODEX_VERSION
    remedy = (
        ""
        if known
        else f"Written for {CODEX_VERSION}; others mostly work. If not: @openai/codex@{CODEX_VERSION}."
    )
    yield Finding("Codex", "binary", "ok" if known else "warn", f"{binary}, version {version}", remedy)
