"""The gateway that runs: found at the address of the settings, and asked as clients ask it."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil

from wireloom.cli.client import connect, exchange
from wireloom.cli.options import Failure
from wireloom.config import Endpoint, load
from wireloom.config.files.service import ServiceFiles, read_service, resume

LOOK_SECONDS = 2.0
# A list of models may have to be asked for upstream.
_LIST_SECONDS = 15.0
_KEYS = ("token", "keys", "no_auth")


class Refused(Failure):
    """A gateway answers with an error.

    Args:
        message: for people.
        status: of its answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers.

    Args:
        root: its address, such as `http://127.0.0.1:4444`.
        version: of wireloom.
        pid: its process, 0 where that is not known.
    """

    root: str
    version: str
    pid: int = 0

    def __str__(self) -> str:
        """Name it: `wireloom 0.2.0 (pid 7)`."""
        return f"wireloom {self.version}" + (f" (pid {self.pid})" if self.pid else "")


def address(host: str, port: int) -> str:
    """Return the address of a gateway by where it listens, as a client on this machine has it."""
    return connect.base_url(host, port).removesuffix("/v1")


def find(host: str, port: int) -> Running | None:
    """Return the gateway at an address, None where none answers, or something else does.

    host: as it is listened on; port: 0 is no address.
    """
    if not port:
        return None
    root = address(host, port)
    try:
        status, data = exchange.get(f"{root}/health", seconds=LOOK_SECONDS)
        answer = json.loads(data)
    except exchange.FAILURES:
        return None
    if (
        status != 200
        or not isinstance(answer, dict)
        or answer.get("status") != "ok"
        or "version" not in answer
    ):
        return None
    return Running(root, str(answer["version"]), _listening(port))


def of(endpoint: Endpoint, *, named: bool) -> Running | None:
    """Return the gateway that runs, None where none does: the one at the address of the settings, else the service.

    named: whether the address was given, so that no other is meant.
    """
    found = find(endpoint.host, endpoint.port)
    if found is not None or named:
        return found
    service = read_service(ServiceFiles.chosen().state)
    place = urlsplit("" if service is None else service.url)
    return find(place.hostname or "", place.port or 0)


def key_for(gateway: Running, endpoint: Endpoint) -> str | None:
    """Return a key for clients of a gateway, None where none is known here."""
    service = read_service(ServiceFiles.chosen().state)
    if not endpoint.inbound and service is not None and service.url == gateway.root:
        resume(service)
        endpoint = load(Endpoint, {name: service.given[name] for name in _KEYS if name in service.given})
    key = next(iter(endpoint.inbound.values()), None)
    return None if key is None else key.get_secret_value()


def _listening(port: int) -> int:
    """The process that listens on a port of this machine, 0 if the system does not report it."""
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port:
                return int(each.pid or 0)
    except psutil.Error:
        return 0
    return 0


def check_key(running: Running, key: str | None) -> None:
    """Return when a gateway takes a key, without asking its upstream.

    Raises ``Failure`` when it does not.
    """
    # Needs a key as the models do, is not counted, and leaves no line in the log.
    _fetched(running, "/metrics", key, LOOK_SECONDS)


def models(running: Running, key: str | None, *, seconds: float = _LIST_SECONDS) -> list[dict[str, Any]]:
    """Return the models of a gateway, as entries of the Codex CLI's catalogue.

    seconds: how long to wait for a byte.

    Raises ``Failure`` when it returns no list.
    """
    answer = _fetched(running, "/v1/models", key, seconds)
    listed: list[dict[str, Any]] = answer["models"]
    return listed


def some_model(endpoint: Endpoint) -> str | None:
    """Return a model that clients may ask for, None where none is known: that of the settings, else the gateway's first."""
    if endpoint.model is not None:
        return endpoint.model
    gateway = find(endpoint.host, endpoint.port)
    if gateway is None:
        return None
    try:
        listed = models(gateway, key_for(gateway, endpoint), seconds=LOOK_SECONDS)
    except Failure:
        return None
    return str(listed[0]["slug"]) if listed else None


def states(running: Running) -> dict[str, str]:
    """Return the name of each backend of a gateway and `ready`, or the code of why it is not.

    Raises ``Failure`` when none is ready.
    """
    found: dict[str, str] = _fetched(running, "/ready", None, _LIST_SECONDS)["backends"]
    return found


def _fetched(running: Running, path: str, key: str | None, seconds: float) -> Any:
    try:
        status, data = exchange.get(f"{running.root}{path}", key, seconds=seconds)
    except exchange.FAILURES as error:
        raise Failure(f"GET {running.root}{path} failed: {error or type(error).__name__}.") from error
    if status == 401 and key is None:
        raise Failure(
            f"The gateway at {running.root} asks clients for a token, and none is set here: set WIRELOOM_TOKEN to the one "
            "that it has."
        )
    if status == 401:
        raise Failure(
            f"The gateway at {running.root} does not know this token. Set WIRELOOM_TOKEN to the one that it has."
        )
    if status != 200:
        raise Refused(f"GET {running.root}{path} -> {status}: {exchange.message_of(data)}", status)
    return json.loads(data)
