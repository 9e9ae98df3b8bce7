"""The paths that clients make of a base URL, rewritten once, before anything else sees a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send
from wireloom_protocol.operations import OPERATIONS

from wireloom.api.paths import PLAIN, VERSION

# The first part of every path of the API below its version.
FIRST = frozenset(
    path.removeprefix(f"{VERSION}/").partition("/")[0]
    for _, path, _, _ in OPERATIONS
    if path.startswith(f"{VERSION}/")
)
_SLASHES = re.compile(r"/{2,}")
_VERSIONS = re.compile(r"^(?:/v1){2,}(?=/)")
_AZURE = re.compile(r"^/openai/deployments/([^/]+)(/.+)$")
_PREFIXES = ("/openai/v1", "/openai", "/api/v1", "/api", "/v1/openai")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes.

    Args:
        path: as the contract has it.
        model: the model that the path names, or None.
    """

    path: str
    model: str | None = None


def address(path: str) -> Address:
    """The path of the contract that a path means; itself where it means none.

    Args:
        path: decoded, with its leading slash.
    """
    plain = _SLASHES.sub("/", path)
    plain = plain.rstrip("/") if len(plain) > 1 else plain
    azure = _AZURE.match(plain)
    if azure is not None and _is_served(azure[2]):
        return Address(f"{VERSION}{azure[2]}", unquote(azure[1]))
    plain = _VERSIONS.sub(VERSION, plain)
    for prefix in _PREFIXES:
        rest = plain.removeprefix(prefix)
        if rest != plain and _is_served(rest):
            return Address(f"{VERSION}{rest}")
    return Address(f"{VERSION}{plain}" if _is_served(plain) else plain or "/")


def meant(path: str) -> Address:
    """What a path means, if that is a path of the contract without a parameter; an id keeps its slashes.

    Args:
        path: see `address`.
    """
    found = address(path)
    return found if found.path in PLAIN else Address(path)


def _is_served(path: str) -> bool:
    """Whether a path without a version is one of the API."""
    return path.lstrip("/").partition("/")[0] in FIRST


class Addresses:
    """Rewrites the path of every request; a `HEAD` is answered as the `GET` without its body.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = Address(scope["path"]) if scope["path"] in PLAIN else meant(scope["path"])
        changes: dict[str, object] = {}
        if found.path != scope["path"]:
            changes |= {"path": found.path, "raw_path": found.path.encode()}
        if found.model is not None:
            changes["state"] = {**scope.get("state", {}), "model_of_path": found.model}
        head = scope["method"] == "HEAD"
        if head:
            changes["method"] = "GET"
        rewritten = {**scope, **changes} if changes else scope
        await self._app(rewritten, receive, _without_body(send) if head else send)


def _without_body(send: Send) -> Send:
    """What sends the head of an answer alone."""

    async def head_alone(message: Mapping[str, object]) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(dict(message))

    return head_alone
