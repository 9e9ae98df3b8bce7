"""Every error a client can see: status, type, code, parameter."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from wireloom_protocol import replies

LONGEST = 2000
"""Characters of a message or a parameter at most."""


class GatewayError(Exception):
    """A failure in the form clients know: the OpenAI error object with its HTTP status.

    Args:
        message: what happened and what to do, for people; never holds a secret or a prompt, and is cut where it
            repeats a name of any length.
        code: machine-readable reason, or None for the class's own.
        param: path of the request parameter at fault, such as `input[3].type`; cut likewise.
        status: HTTP status, or None for the class's own.
        retry_after: seconds to wait before another try.
    """

    status: int = 500
    type: ClassVar[str] = "server_error"
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message[:LONGEST])
        self.message = message[:LONGEST]
        self.param = None if param is None else param[:LONGEST]
        self.retry_after = retry_after
        self.code = code or self.code
        self.status = status or self.status

    def moved(self, param: str) -> Self:
        """The same failure of a request that names the parameter at fault otherwise.

        Args:
            param: its path there.
        """
        told = copy(self)
        told.param = param
        told.message = self.message.replace(self.param, param, 1) if self.param else self.message
        return told

    def body(self) -> replies.Error:
        """The error object, without its envelope."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}


class InvalidRequest(GatewayError):
    """The request is not what the contract says, or names something that cannot be done."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class Unauthorized(GatewayError):
    """No inbound key, or one that is not known."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GatewayError):
    """The key is known, and does not open this."""

    status = 403
    type = "permission_error"
    code = "forbidden"


class Misdirected(GatewayError):
    """The request was meant for a server of another name."""

    status = 421
    type = "invalid_request_error"
    code = "host_not_allowed"


class NotFound(GatewayError):
    """No such path, model or stored object."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class TooLarge(GatewayError):
    """The body is larger than the gateway reads."""

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class TooSlow(GatewayError):
    """The request did not arrive in time."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class Limited(GatewayError):
    """More requests than the gateway takes at once."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class Unavailable(GatewayError):
    """The gateway cannot serve now."""

    status = 503
    type = "server_error"
    code = "unavailable"


class UpstreamError(GatewayError):
    """The backend refused, failed, or answered with something that is no answer."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    """The backend says that the request itself is at fault."""

    type = "invalid_request_error"


class UpstreamLimited(UpstreamError):
    """The backend asks for patience or for money."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
