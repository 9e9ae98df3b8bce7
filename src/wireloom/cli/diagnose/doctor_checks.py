"""What `wireloom doctor` looks at."""

import asyncio
import json
import logging
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from wireloom_protocol import CODEX_VERSION

from wireloom.app import backend_states, list_models
from wireloom.cli.client import exchange
from wireloom.cli.client.connect import root_url
from wireloom.cli.diagnose.doctor import Finding
from wireloom.cli.service.listener import Server
from wireloom.cli.service.serve import listen
from wireloom.config import DEFAULT, BackendEntry, ConfigError, Settings, config_file, state_folder
from wireloom.config.files.seal_key import seal_keys
from wireloom.errors import GatewayError
from wireloom.wire.json import Json

_CODEX_SECONDS = 20
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def look(settings: Settings) -> list[Finding]:
    """Look at everything, in the order in which it matters."""
    found = [*files(settings), *keys(settings), *network(settings), *codex(settings)]
    # What each of these needs is what the one before it has found.
    for check in (ready, models, round_trip):
        more = list(check(settings))
        found += more
        if any(finding.state == "fail" for finding in more):
            break
    return found


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


def keys(settings: Settings) -> Iterator[Finding]:
    """The keys of clients, and the one for the upstream."""
    if settings.no_auth:
        remedy = "Leave --no-auth out, and a token is made."
        yield Finding("Keys", "clients", "warn", "every program on this machine may call", remedy)
    elif settings.inbound:
        yield Finding("Keys", "clients", "ok", ", ".join(settings.inbound))
    else:
        yield Finding("Keys", "clients", "ok", "none yet; the first start makes one")
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


def network(settings: Settings) -> Iterator[Finding]:
    """The port, and variables of proxies."""
    where = f"{settings.host} port {settings.port}"
    try:
        with socket.create_server((settings.host, settings.port)):
            yield Finding("Network", "port", "ok", f"{where} is free")
    except OSError as error:
        remedy = "Stop what listens there, or choose another with --port. A gateway that runs is no harm."
        yield Finding("Network", "port", "warn", f"{where}: {error.strerror or error}", remedy)
    proxies = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    if proxies and any(entry.upstream is not None for entry in settings.named.values()):
        remedy = "The upstream is asked directly. Point --upstream at what reaches it, if nothing else does."
        yield Finding("Network", "proxy", "warn", f"{', '.join(proxies)} is not used", remedy)


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
        told = f"{binary} does not tell its version: {type(error).__name__}"
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


def ready(settings: Settings) -> Iterator[Finding]:
    """Whether each backend could answer: the upstream takes the key, Codex is logged in."""
    try:
        states = asyncio.run(backend_states(settings))
    except (GatewayError, ConfigError) as error:
        yield Finding("Backend", "ready", "fail", str(error), _remedy(settings))
        return
    for name, state in states.items():
        if state == "ready":
            yield Finding("Backend", "ready", "ok", name)
        else:
            yield Finding("Backend", "ready", "warn", f"{name}: {state}", "Routes pass it over meanwhile.")


def models(settings: Settings) -> list[Finding]:
    """Whether the backend can be reached and lists its models."""
    begun = time.perf_counter()
    try:
        listed = asyncio.run(list_models(settings))
    except (GatewayError, ConfigError) as error:
        return [Finding("Backend", "models", "fail", str(error), _remedy(settings))]
    took = (time.perf_counter() - begun) * 1000
    names = [str(model["slug"]) for model in listed]
    if not names:
        return [Finding("Backend", "models", "warn", "it lists none", "Name one with --model.")]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    found = [Finding("Backend", "models", "ok", f"{', '.join(names[:3])}{more} ({took:.0f} ms)")]
    if settings.model is not None and settings.model not in names:
        remedy = "`wireloom models` lists them all."
        found.append(Finding("Backend", "model", "warn", f"{settings.model} is not among them", remedy))
    return found


def _remedy(settings: Settings) -> str:
    if all(entry.backend in ("app-server", "exec") for entry in settings.named.values()):
        return "`codex login` logs in; `codex doctor` looks at Codex itself."
    return "Is the server there, at --upstream, and does it take the key?"


# -- one round trip ------------------------------------------------------------------------------------------------


def round_trip(settings: Settings) -> list[Finding]:
    """Ask the model to use a tool, through a gateway that stores nothing and that nobody else reaches."""
    logging.getLogger("wireloom").setLevel(logging.CRITICAL)
    own = {"host": "127.0.0.1", "token": {}, "keys": {}, "no_auth": True, "history": "memory", "record": None}
    return asyncio.run(_through(settings.model_copy(update=own)))


async def _through(settings: Settings) -> list[Finding]:
    ready = asyncio.Event()
    with listen(settings.host, 0) as listener:
        server = Server(settings, ready.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not ready.is_set():
                return [Finding("Round trip", "gateway", "fail", "it did not start", _remedy(settings))]
            url = root_url(settings.host, listener.getsockname()[1])
            return await asyncio.to_thread(_asked, f"{url}/v1", settings)
        finally:
            server.should_exit = True
            await serving


def _asked(url: str, settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    try:
        model = settings.model or exchange.first_model(url)
        asked = {**exchange.QUESTION, "model": model}
        del asked["text"]
        found += _exchanged(f"{url}/responses", asked)
    except exchange.FAILURES as error:
        found.append(Finding("Round trip", "answer", "fail", str(error), _remedy(settings)))
    return found


def _exchanged(url: str, asked: Json) -> Iterable[Finding]:
    begun = time.perf_counter()
    first = exchange.post(url, asked)
    took = (time.perf_counter() - begun) * 1000
    output = first.output  # an error where the stream has no proper end
    found = [
        Finding("Round trip", "stream", "ok", f"{len(first.events)} events, a proper end ({took:.0f} ms)")
    ]
    usage = first.events[-1]["response"].get("usage")
    if usage:
        told = f"{usage['input_tokens']} tokens read, {usage['output_tokens']} written"
        found.append(Finding("Round trip", "usage", "ok", told))
    else:
        remedy = "Clients that show or bill usage see none."
        found.append(Finding("Round trip", "usage", "warn", "the backend does not count", remedy))
    if not any(item["type"] == "function_call" for item in output):
        remedy = "Agents need a model that calls tools; try another with --model."
        return [
            *found,
            Finding("Round trip", "tool", "warn", "the model answered without calling it", remedy),
        ]
    call = first.item("function_call")
    result = json.dumps(exchange.get_weather(str(json.loads(call["arguments"]).get("city"))))
    second = exchange.post(url, exchange.follow_up(asked, first, result))
    said = "answered" if exchange.spoken(second) else "said nothing"
    return [*found, Finding("Round trip", "tool", "ok", f"{call['name']} was called, and the model {said}")]
