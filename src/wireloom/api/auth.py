"""Inbound keys: two header forms, one comparison."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from wireloom.errors import InvalidRequest, Unauthorized

ANONYMOUS = "anonymous"
UPSTREAM_KEY = "x-upstream-api-key"


class Keys:
    """The keys that open the gateway.

    Args:
        keys: name -> key; the name is what the rest of the gateway knows. None lets everybody in.
        passing: whether there is a backend that takes the upstream's key from clients.
        bring: whether, of those who are let in without a key, their usual one is for the upstream.
    """

    def __init__(self, keys: Mapping[str, str] | None, *, passing: bool = False, bring: bool = False) -> None:
        self._passing = passing
        self._bring = bring and keys is None
        self._digests = None if keys is None else {name: _digest(key) for name, key in keys.items()}

    def principal(self, headers: Mapping[str, str]) -> str:
        """The name of the key that the headers carry.

        Every key is compared, and digests of one length, so that the time taken tells nothing.

        Args:
            headers: request headers, names in lower case.

        Raises:
            Unauthorized: no key, or an unknown one.
            InvalidRequest: two that differ.
        """
        if self._digests is None:
            brought = self.upstream_key(headers)
            # What one of them stores, another with another key does not see.
            return ANONYMOUS if brought is None else f"client-{_digest(brought).hex()[:16]}"
        offered = _offered(headers)
        if not offered:
            raise Unauthorized(
                "No key. Send `Authorization: Bearer KEY` or `x-api-key: KEY`.", code="missing_api_key"
            )
        if len(offered) > 1:
            raise InvalidRequest(
                "Two headers hold different keys; send one of authorization, x-api-key and api-key.",
                code="invalid_value",
                param="authorization",
            )
        digest = _digest(offered.pop())
        found = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise Unauthorized("This key is not known here.")
        return found[0]

    def upstream_key(self, headers: Mapping[str, str]) -> str | None:
        """The key for the upstream that a client has brought, where one is taken.

        Args:
            headers: request headers, names in lower case.

        Raises:
            InvalidRequest: it cannot travel in a header.
        """
        if not self._passing:
            return None
        offered = _offered(headers) if self._bring else set()
        brought = headers.get(UPSTREAM_KEY) or (offered.pop() if len(offered) == 1 else None)
        if brought is not None and not (brought.isascii() and brought.isprintable() and " " not in brought):
            raise InvalidRequest(f"{UPSTREAM_KEY}: this is no key.", param=UPSTREAM_KEY)
        return brought


# Headers that hold a key besides `authorization`: Anthropic's and Azure's clients.
KEY_HEADERS = ("x-api-key", "api-key")


def _offered(headers: Mapping[str, str]) -> set[str]:
    return {key for key in (_bearer(headers), *map(headers.get, KEY_HEADERS)) if key}


def _bearer(headers: Mapping[str, str]) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
