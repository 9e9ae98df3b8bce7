"""Keeps web pages away: names that only a page's trick would use, and origins that nobody has allowed."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from wireloom.api import failures
from wireloom.api.edge import exchange_of
from wireloom.errors import Forbidden, GatewayError, Misdirected

# Asked by machines that know an address and no name; they tell nothing.
PROBES = frozenset({"/health", "/ready"})
ANY = "*"
MOST_HOSTS = 100


class Guard:
    """Middleware that looks at `host` and `origin`.

    A page whose name was pointed at this machine (DNS rebinding) calls with its own name as `host`. Any page can send
    requests with its `origin`; that it cannot read the answers does not undo them.

    Args:
        app: what answers.
        allows: tells whether a host is one of ours; None for any.
        origins: those that may call, such as `https://app.example.com`, or `*`.
    """

    def __init__(
        self, app: ASGIApp, allows: Callable[[str], bool] | None, origins: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._allows = allows
        self._origins = origins
        self._seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        error = self._fault(scope) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            await failures.response(error, exchange_of(scope))(scope, receive, send)

    def _fault(self, scope: Scope) -> GatewayError | None:
        host, origin = "", None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"origin":
                origin = value.decode("latin-1")
        if self._allows is not None and host and scope["path"] not in PROBES and not self._known(host):
            return Misdirected(
                "This gateway is not known by the name in the header host; --allowed-host allows others.",
                param="host",
            )
        if origin is not None and not self._same(origin, host) and not self._origins & {ANY, origin}:
            return Forbidden(
                "Pages of this origin may not call; --allowed-origin allows others.",
                code="origin_not_allowed",
                param="origin",
            )
        return None

    def _known(self, host: str) -> bool:
        """Whether a host is one of ours; those that were are remembered, since clients call by the same one."""
        if host in self._seen:
            return True
        name = _name(host)
        known = name is not None and self._allows is not None and self._allows(name)
        if known and len(self._seen) < MOST_HOSTS:
            self._seen.add(host)
        return known

    @staticmethod
    def _same(origin: str, host: str) -> bool:
        """Whether a page is one of the gateway's own."""
        return origin in (f"http://{host}", f"https://{host}")


def _name(host: str) -> str | None:
    """The host without its port, None where that is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
