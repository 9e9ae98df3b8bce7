"""Sealed values that a client carries for us: only this gateway reads them, and only for whom they were made."""

from __future__ import annotations

import binascii
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wireloom.errors import TooLarge

KEY_BYTES = 32
NONCE_BYTES = 12
MAX_VALUE_BYTES = 16 * 2**20
"""JSON of one value at most, before it is compressed."""

_VERSION = "v1"
_ID_BYTES = 6
# Both lengths are multiples of three, so id and nonce encode without padding and what follows stands by itself.
_ID_CHARS = _ID_BYTES * 4 // 3
_NONCE_CHARS = NONCE_BYTES * 4 // 3
_ID_START = len(_VERSION) + 1
_ID_END = _ID_START + _ID_CHARS
_NONCE_START = _ID_END + 1
_NONCE_END = _NONCE_START + _NONCE_CHARS
# What is sealed grows by the frame's own bytes and the tag at most.
_MAX_TOKEN_CHARS = (MAX_VALUE_BYTES + 2**16) * 4 // 3
# The characters of standard base64 that the other alphabet replaces must not pass for those that replace them.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Sealer:
    """Seals with the first key, opens with any.

    Args:
        keys: 32 bytes each, at least one.

    Raises:
        ValueError: no key, or one of another length.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"sealing takes at least one key, of {KEY_BYTES} bytes each")
        ids = [urlsafe_b64encode(_derived(key, "id", _ID_BYTES)).decode() for key in keys]
        self._keys = dict(zip(ids, keys, strict=True))
        self._first = ids[0]
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    def bind(self, principal: str, route: str, nonce: Callable[[], bytes]) -> Seal:
        """The seal of one caller on one route; what it closes no other opens.

        Args:
            principal: name of the inbound key.
            route: where the value belongs, such as the model's name upstream.
            nonce: makes 12 random bytes, never the same twice.
        """
        return Seal(self, principal, route, nonce)

    @property
    def sealing(self) -> str:
        """Public id of the key that seals."""
        return self._first

    def cipher(self, key_id: str, purpose: str) -> AESGCM | None:
        """The cipher of a key for one purpose, or None where the key is not known."""
        key = self._keys.get(key_id)
        if key is None:
            return None
        cipher = self._ciphers.get((key_id, purpose))
        if cipher is None:
            cipher = self._ciphers[key_id, purpose] = AESGCM(_derived(key, f"key/{purpose}", KEY_BYTES))
        return cipher


class Seal:
    """Closes and opens values of one caller on one route; see `Sealer.bind`."""

    def __init__(self, sealer: Sealer, principal: str, route: str, nonce: Callable[[], bytes]) -> None:
        self._sealer = sealer
        self._holder = (principal, route)
        self._nonce = nonce

    def close(self, purpose: str, value: Any) -> str:
        """A value as text that only `open` reads.

        Args:
            purpose: what the value is for, one of a few words of ours.
            value: what JSON can hold; None would look like a token that does not open.

        Raises:
            TooLarge: the value's JSON is larger than what `open` takes.
        """
        plain = msgspec.json.encode(value)
        if len(plain) > MAX_VALUE_BYTES:
            raise TooLarge(f"The answer holds a part of more than {MAX_VALUE_BYTES} bytes to be sealed.")
        nonce = self._nonce()
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        key_id = self._sealer.sealing
        cipher = self._sealer.cipher(key_id, purpose)
        assert cipher is not None
        sealed = cipher.encrypt(nonce, zstandard.compress(plain), self._bound_to(purpose))
        return f"{_VERSION}.{key_id}.{_encode(nonce)}{_encode(sealed)}"

    def open(self, purpose: str, token: str) -> Any | None:
        """The value in a token, or None where it is not one of ours, not whole, or made for something else.

        Args:
            purpose: what the value was closed for.
            token: any text.
        """
        # Foreign tokens, such as OpenAI's, go no further than this.
        if not token.startswith(f"{_VERSION}.") or token[_ID_END:_NONCE_START] != ".":
            return None
        cipher = self._sealer.cipher(token[_ID_START:_ID_END], purpose)
        if cipher is None or len(token) > _MAX_TOKEN_CHARS:
            return None
        try:
            nonce, sealed = _decode(token[_NONCE_START:_NONCE_END]), _decode(token[_NONCE_END:])
            if len(nonce) != NONCE_BYTES:
                return None
            return msgspec.json.decode(_unpack(cipher.decrypt(nonce, sealed, self._bound_to(purpose))))
        except (ValueError, InvalidTag, zstandard.ZstdError, msgspec.MsgspecError, RecursionError):
            return None

    def _bound_to(self, purpose: str) -> bytes:
        """Version, purpose, principal and route, each after its length, so that no two sets look the same."""
        parts = [part.encode("utf-8", "surrogatepass") for part in (_VERSION, purpose, *self._holder)]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def new_key() -> str:
    """A fresh key as a line of a key file."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def parse_keys(text: str) -> list[bytes]:
    """The keys of a key file: one a line in base64, the first seals; `#` begins a comment.

    Raises:
        ValueError: a line holds no key, or none does; says which line, not what it holds.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        key = _read_key(written)
        if key is None:
            raise ValueError(f"line {number} is not a key, which is {KEY_BYTES} bytes in base64")
        keys.append(key)
    if not keys:
        raise ValueError("there is no key")
    return keys


def _read_key(written: str) -> bytes | None:
    """The key that a line holds, in either alphabet of base64; None if it holds none."""
    try:
        key = b64decode(written.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def _derived(key: bytes, use: str, length: int) -> bytes:
    info = f"wireloom seal {_VERSION} {use}".encode()
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(key)


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL_SAFE).decode()


def _decode(text: str) -> bytes:
    """Bytes from base64url; of the ways to write the same bytes only ours passes.

    Raises:
        ValueError: any other text.
    """
    padding = b"=" * (-len(text) % 4)
    raw = binascii.a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + padding, strict_mode=True)
    rest = len(raw) % 3
    if rest and _encode(raw[-rest:]) != text[-rest - 1 :]:
        raise ValueError("bits are set that mean nothing")
    return raw


def _unpack(packed: bytes) -> bytes:
    """Decompress one frame into the size it names, which is looked at before memory is taken.

    Raises:
        zstandard.ZstdError: no frame, of no size or too large, or not what it says.
    """
    size = zstandard.get_frame_parameters(packed).content_size
    if size > MAX_VALUE_BYTES:  # also where the frame does not tell
        raise zstandard.ZstdError("too large")
    return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
