"""Why there is no connection to a server, in words: DNS, refused, unreachable, TLS; with one hint for each."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl

from wireloom.backends.http.proxy import ProxyRefused
from wireloom.errors import UpstreamError

# The name is there or not; anything else of the resolver's may pass.
_NO_HOST = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
# Several addresses of a host failed: the event loop tells of all in one text.
_NUMBER = re.compile(r"\[Errno (\d+)\]")
# What OpenSSL makes of a server that does not speak TLS.
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})


def why_unconnected(error: BaseException | None) -> tuple[str, str | None]:
    """The reason, as it goes after the address and a colon, and what to do about it.

    Args:
        error: what connecting raised; None where nothing is known.
    """
    if isinstance(error, ProxyRefused):
        return str(error), "Is --upstream-proxy right, and may it reach the upstream?"
    if isinstance(error, socket.gaierror):
        return _unresolved(error)
    if isinstance(error, UnicodeError):
        return "no such host", "Its name cannot be one; is --upstream right?"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"TLS: its certificate is not trusted ({error.verify_message.lower()})",
            "--upstream-ca names a file of further certificates to trust.",
        )
    if isinstance(error, ssl.SSLError):
        return _no_tls(error)
    if isinstance(error, OSError):
        return _refused(error)
    return "no connection", None


def _unresolved(error: socket.gaierror) -> tuple[str, str | None]:
    if error.errno in _NO_HOST:
        return "no such host", "Is the name in --upstream right?"
    return "its name cannot be looked up now (DNS)", "Does this machine reach its name server?"


def _no_tls(error: ssl.SSLError) -> tuple[str, str | None]:
    reason = (error.reason or "").replace("_", " ").lower() or "the handshake failed"
    if error.reason in _PLAIN:
        return f"TLS: {reason}", "Should --upstream begin with http://?"
    return f"TLS: {reason}", None


def _refused(error: OSError) -> tuple[str, str | None]:
    number = error.errno
    if number is None and (found := _NUMBER.search(str(error))):
        number = int(found[1])
    if number == errno.ECONNREFUSED:
        return "connection refused", "Does a server listen there?"
    if number is None:
        return "no connection", None
    return os.strerror(number).lower(), None


def late(fact: str) -> UpstreamError:
    """The error for a server that did not answer in time.

    Args:
        fact: what it did not do.
    """
    return UpstreamError(fact, code="upstream_timeout", status=504)
