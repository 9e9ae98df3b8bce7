"""Inbound keys: two header forms, one comparison."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from wireloom.errors import Unauthorized

ANONYMOUS = "anonymous"


class Keys:
    """The keys that open the gateway.

    Args:
        keys: name -> key; the name is what the rest of the gateway knows. None lets everybody in.
    """

    def __init__(self, keys: Mapping[str, str] | None) -> None:
        self._digests = None if keys is None else {name: _digest(key) for name, key in keys.items()}

    def principal(self, headers: Mapping[str, str]) -> str:
        """The name of the key that the headers carry.

        Every key is compared, and digests of one length, so that the time taken tells nothing.

        Args:
            headers: request headers, names in lower case.

        Raises:
            Unauthorized: no key, an unknown one, or two that differ.
        """
        if self._digests is None:
            return ANONYMOUS
        offered = {key for key in (_bearer(headers), headers.get("x-api-key")) if key}
        if not offered:
            raise Unauthorized(
                "No key. Send `Authorization: Bearer KEY` or `x-api-key: KEY`.", code="missing_api_key"
            )
        if len(offered) > 1:
            raise Unauthorized("Two headers carry different keys.")
        digest = _digest(offered.pop())
        found = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise Unauthorized("This key is not known here.")
        return found[0]


def _bearer(headers: Mapping[str, str]) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
