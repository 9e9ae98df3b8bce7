"""Who an upstream is, and how a failure names it: the server, the request, the cause, and one hint for each cause."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

from wireloom.errors import (
    LONGEST_NAME,
    UNNAMED,
    UpstreamAuthentication,
    UpstreamError,
    UpstreamRefused,
    did_you_mean,
)
from wireloom.translate.failures import UNKNOWN_MODEL, redacted

# A path that names a version somewhere, such as /v1, /api/paas/v4 or /v1beta/openai.
_VERSION = re.compile(r"/v\d+[a-z0-9]*(?:/|$)")
# The last part of the address of one operation, which is given in place of the base URL.
_OPERATION = re.compile(r"/(?:chat/completions|completions|responses|models)/?$")
_NOT_FOUND = re.compile(r"\W*(?:(?:file|page|path|route|url) )?not found\W*", re.IGNORECASE)
_KEY_CODES = {401: "upstream_unauthorized", 403: "upstream_forbidden"}
# Names of models that are listed where none is near the one that was asked for.
MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Server:
    """An upstream as failures name it.

    Args:
        title: its name, such as `DeepSeek`.
        url: its base URL; what is secret in it is not shown.
        key: the key that it is sent, or None.
        key_place: where the gateway's own key is set, as it goes after "the key": `in DEEPSEEK_API_KEY`.
        brought: whether the key is the client's affair, so that its refusal is an answer to the client.
        hidden: other texts that it is sent and that no message shows.
    """

    title: str
    url: str
    key: str | None = None
    key_place: str = "of --api-key"
    brought: bool = False
    hidden: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """Its base URL, without a password or a query."""
        return shown(self.url)

    def asked(self, method: str, path: str) -> str:
        """A request to it, as messages have it.

        Args:
            method: such as `POST`.
            path: below the base URL, or below the host when it begins with a slash.
        """
        return f"{method} {shown(urljoin(f'{self.base}/', path))}"

    def named(self, error: UpstreamError, asked: str) -> UpstreamError:
        """A failure with the name of this server in it.

        Args:
            error: what happened; it is returned unchanged where it has a name already.
            asked: see `asked`.
        """
        if error.named:
            return error
        error = copy(error)
        if error.words is not None:
            error.words = redacted(error.words, self.key)
            for text in self.hidden:
                error.words = redacted(error.words, text)
        if error.code == _KEY_CODES.get(error.status) and not self.brought:
            return self._refusal_of_key(error, asked)
        if error.status == 404 and error.code != UNKNOWN_MODEL:
            error.hint = error.hint or self._hint(error)
        return error.by(self.title, asked)

    def unreachable(
        self, reason: str, hint: str | None = None, *, code: str = "upstream_unreachable", status: int = 502
    ) -> UpstreamError:
        """The error for a server with which there is no connection.

        Args:
            reason: such as `connection refused`.
            hint: what to do about it.
            code: see `GatewayError`.
            status: see `GatewayError`.
        """
        error = UpstreamError("", hint=hint, code=code, status=status)
        return error.stating(f"{self.title} at {self.base}: {reason}")

    def unknown_model(
        self, model: str, names: Sequence[str], *, words: str | None = None, aside: str | None = None
    ) -> UpstreamError:
        """The error for a model that this server does not have.

        Args:
            model: as it was asked for.
            names: the models that it lists, as far as they are known.
            words: what the server said; told where it lists the model all the same.
            aside: what to tell besides, such as that the name begins with an unknown backend's.
        """
        model = model[:LONGEST_NAME]
        near = did_you_mean(model, names)
        if model in names:
            fact = f"{self.title} lists the model {model}, and refuses it"
        elif near is not None:
            fact = f"{self.title} has no model {model}; did you mean {near}?"
        elif aside is not None:
            fact = f"{self.title} has no model {model}, and there is {aside}"
        elif names and len(names) <= MOST_NAMES:
            fact = f"{self.title} has no model {model}; there are {', '.join(names)}"
        elif names:
            fact = f"{self.title} has no model {model}; GET /v1/models lists the {len(names)} that there are"
        else:
            fact = f"{self.title} has no model {model}"
        kept = words if model in names else None
        error = UpstreamRefused("", words=kept, code=UNKNOWN_MODEL, param="model", status=404, answered=404)
        return error.stating(fact)

    def _refusal_of_key(self, error: UpstreamError, asked: str) -> UpstreamError:
        """The error for a key that only the operator can change; a client would take a 401 for its own key's."""
        where = f"{error.answered or error.status} to {asked}"
        if self.key is None and error.status == 403:
            fact = "forbids this, and the gateway has none of its keys"
            inside = f"forbids this, and no key for it is set {self.key_place}"
        elif self.key is None:
            fact, inside = (
                "asks for a key, and the gateway has none",
                f"asks for a key, and none is set {self.key_place}",
            )
        elif error.status == 403:
            fact, inside = "forbids this to the gateway's key", f"forbids this to the key {self.key_place}"
        else:
            fact, inside = "refuses the gateway's key", f"refuses the key {self.key_place}"
        return UpstreamAuthentication(
            f"{self.title} {fact}",
            inside_fact=f"{self.title} {inside}",
            words=error.words,
            hint=f"({where})",
            answered=error.answered,
        )

    def _hint(self, error: UpstreamError) -> str | None:
        """What to do about an address at which there is nothing."""
        if error.words is not None and not _NOT_FOUND.fullmatch(error.words):
            return None
        path = urlsplit(self.url).path
        if operation := _OPERATION.search(path):
            return f"Should --upstream end before {operation[0].rstrip('/')}?"
        if not _VERSION.search(path):
            return "Should --upstream end in /v1?"
        return "Is --upstream the base URL of its API?"


NOBODY = Server(UNNAMED, "")
"""A server of which nothing is known."""


def shown(url: str) -> str:
    """A URL without what is secret in it: user, password, query, fragment.

    Args:
        url: an absolute URL.
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, "", "")).rstrip("/")
