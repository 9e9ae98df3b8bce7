"""Every error a client can see: status, type, code, parameter."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from wireloom_protocol import replies

LONGEST = 2000
"""Characters of a message or a parameter at most."""
LONGEST_NAME = 100
"""Characters at most of what a client or an upstream calls something, where that is repeated."""


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
    answered: int | None = None
    """HTTP status with which the backend answered, or None where it did not."""

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

    def __copy__(self) -> Self:
        # The way of every exception is to call the class with `args`, which not every class here takes.
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        return other

    def veiled(self) -> Self:
        """The same failure for a client that has shown no key: its code alone. The log still has the cause."""
        other = copy(self)
        other.message = f"Not ready: {self.code}. The gateway's log says why."
        return other

    def moved(self, param: str) -> Self:
        """The same failure of a request that names the parameter at fault otherwise.

        Args:
            param: its path there.
        """
        told = copy(self)
        told.param = param
        told.message = self.message.replace(self.param, param, 1) if self.param else self.message
        return told

    @property
    def inside(self) -> str:
        """The message for who runs the gateway, which may name settings that other clients have no business with."""
        return self.message

    @property
    def cause(self) -> str | None:
        """A sentence for the log, or None where the code says enough.

        It holds no secret, and nothing of what was asked or answered.
        """
        return None

    def __str__(self) -> str:
        return self.inside

    def body(self, *, inside: bool = False) -> replies.Error:
        """The error object, without its envelope.

        Args:
            inside: whether the client is on this machine; see the property of that name.
        """
        message = self.inside if inside else self.message
        return {"message": message, "type": self.type, "param": self.param, "code": self.code}


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

    @property
    def cause(self) -> str | None:
        """See `GatewayError.cause`."""
        return self.message


class NotReady(Unavailable):
    """None of the backends can serve.

    Args:
        failures: name of each backend -> why.
    """

    def __init__(self, failures: Mapping[str, GatewayError]) -> None:
        super().__init__(_all(failures, lambda failure: failure.message))
        self._failures = failures

    @property
    def inside(self) -> str:
        """See `GatewayError.inside`."""
        return _all(self._failures, lambda failure: failure.inside)

    @property
    def cause(self) -> str | None:
        """See `GatewayError.cause`."""
        return _all(self._failures, lambda failure: failure.cause or failure.code)


def _all(failures: Mapping[str, GatewayError], words: Callable[[GatewayError], str]) -> str:
    told = (f"{name}: {words(failure)}" for name, failure in failures.items())
    return " ".join(["No backend is ready.", *told])[:LONGEST]


UNNAMED = "The upstream"
"""What a server is called by whoever does not know which one it is; see `UpstreamError.by`."""
_WITHIN = "the upstream"


class UpstreamError(GatewayError):
    """The backend refused, failed, or answered with something that is no answer.

    Args:
        fact: what happened, in one sentence of ours that holds nothing of what the upstream said.
        words: what the upstream said. Clients get it; the log does not, since it may repeat a prompt.
        hint: what to do about it.
        answered: see `GatewayError.answered`.
        code: see `GatewayError`.
        param: see `GatewayError`.
        status: see `GatewayError`.
        retry_after: see `GatewayError`.
    """

    status = 502
    type = "upstream_error"
    code = "upstream_error"

    def __init__(
        self,
        fact: str,
        *,
        words: str | None = None,
        hint: str | None = None,
        answered: int | None = None,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        message = words if words and hint is None else _sentences(fact, words, hint)
        super().__init__(message, code=code, param=param, status=status, retry_after=retry_after)
        self.fact = fact
        self.words = words
        self.hint = hint
        self.answered = answered
        self.named = False
        """Whether the message says which server failed."""

    @property
    def cause(self) -> str | None:
        """See `GatewayError.cause`."""
        return _sentences(self.fact, None, self.hint)

    def by(self, title: str, asked: str) -> Self:
        """The same failure of a server that is known.

        Args:
            title: the server, such as `DeepSeek`.
            asked: the request, such as `POST https://api.deepseek.com/v1/chat/completions`.
        """
        fact = self.fact.removesuffix(".")
        if UNNAMED in fact:
            fact = fact.replace(UNNAMED, title, 1)
        elif _WITHIN in fact:
            fact = fact.replace(_WITHIN, _within(title), 1)
        else:
            return self.stating(f"{fact} ({title}, {asked})")
        fact += f" on {asked}" if self.answered is None else f" to {asked}"
        return self.stating(fact)

    def stating(self, fact: str) -> Self:
        """The same failure in a sentence that names the server.

        Args:
            fact: the sentence.
        """
        named = copy(self)
        named.named = True
        named.fact = fact
        named.message = _sentences(fact, self.words, self.hint)[:LONGEST]
        return named


def _within(title: str) -> str:
    """The name of a server inside a sentence, where only a proper name keeps its capital."""
    common = title == UNNAMED or title.startswith("Backend ")
    return title[:1].lower() + title[1:] if common else title


def _sentences(fact: str, words: str | None, hint: str | None) -> str:
    """What happened, what the upstream said of it as it said it, and what to do."""
    message = f"{fact.removesuffix('.')}: {words}" if words else fact
    if (hint or not words) and message[-1:] not in ".!?":
        message += "."
    return f"{message} {hint}" if hint else message


class EmptyAnswer(UpstreamError):
    """The backend ended its answer without having said anything, so the same request may be answered another time."""

    code = "upstream_empty"


class UpstreamRefused(UpstreamError):
    """The backend says that the request itself is at fault."""

    type = "invalid_request_error"


class UpstreamLimited(UpstreamError):
    """The backend asks for patience or for money."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class UpstreamAuthentication(UpstreamError):
    """The backend does not take the key that the gateway has for it, which no client can mend.

    Args:
        fact: see `UpstreamError`; names no setting.
        inside_fact: the same with the setting that holds the key.
        words: see `UpstreamError`.
        hint: see `UpstreamError`.
        answered: the status of the refusal.
    """

    code = "upstream_authentication"

    def __init__(
        self,
        fact: str,
        *,
        inside_fact: str,
        words: str | None = None,
        hint: str | None = None,
        answered: int | None = None,
    ) -> None:
        super().__init__(fact, words=words, hint=hint, answered=answered)
        self._inside_fact = inside_fact
        self.named = True
        self.message = _sentences(fact, words, hint)[:LONGEST]

    @property
    def inside(self) -> str:
        """See `GatewayError.inside`."""
        return _sentences(self._inside_fact, self.words, self.hint)[:LONGEST]

    @property
    def cause(self) -> str | None:
        """See `GatewayError.cause`."""
        return _sentences(self._inside_fact, None, self.hint)


# Failures that stay until the operator changes a setting: another try of the client cannot succeed.
SETUP = frozenset(
    {
        "not_logged_in",
        "upstream_authentication",
        "upstream_invalid",
        "upstream_not_found",
        "upstream_redirect",
    }
)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest to one that nobody knows, or None where none is near.

    Args:
        name: what was asked for.
        known: what there is.
    """
    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)
