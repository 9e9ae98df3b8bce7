"""Sealed values: only whole tokens of ours open, and only for whom and what they were made."""

import random
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from wireloom.errors import TooLarge
from wireloom.seal import KEY_BYTES, MAX_VALUE_BYTES, NONCE_BYTES, Seal, Sealer, new_key, parse_keys

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
NONCE = bytes(range(12))
FOREIGN = "gAAAAABo" + "Zm9yZWlnbi1zZWFsZWQtdGV4dA" * 40


def counter() -> Callable[[], bytes]:
    numbers = iter(range(2**40))
    return lambda: next(numbers).to_bytes(NONCE_BYTES, "big")


def seal(*keys: bytes, principal: str = "laptop", route: str = "model-a") -> Seal:
    return Sealer(keys or (OLD,)).bind(principal, route, counter())


def forged(packed: bytes, purpose: str = "reasoning", bound: tuple[str, ...] = ("laptop", "model-a")) -> str:
    """A token as the format is described, made without the code under test."""

    def derived(use: str, length: int) -> bytes:
        return HKDF(SHA256(), length, None, f"wireloom seal v1 {use}".encode()).derive(OLD)

    parts = [part.encode() for part in ("v1", purpose, *bound)]
    data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    sealed = AESGCM(derived(f"key/{purpose}", 32)).encrypt(NONCE, packed, data)
    key_id, body = (urlsafe_b64encode(raw).decode().rstrip("=") for raw in (derived("id", 6), NONCE + sealed))
    return f"v1.{key_id}.{body}"


json_values = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_what_is_closed_opens_again(value: Any) -> None:
    own = seal()
    assert own.open("reasoning", own.close("reasoning", value)) == value


def test_the_format_stays_so_that_old_tokens_open() -> None:
    assert seal().open("reasoning", forged(zstandard.compress(b'{"text":"thought"}'))) == {"text": "thought"}
    own = Sealer((OLD,)).bind("laptop", "model-a", lambda: NONCE)
    assert own.close("reasoning", {"text": "thought"}) == forged(zstandard.compress(b'{"text":"thought"}'))


def test_a_new_first_key_seals_and_the_old_one_still_opens() -> None:
    before, after = seal(OLD), seal(NEW, OLD)
    old, new = before.close("reasoning", "old"), after.close("reasoning", "new")
    assert after.open("reasoning", old) == "old"
    assert after.open("reasoning", new) == "new"
    assert before.open("reasoning", new) is None
    assert old.split(".")[1] != new.split(".")[1]


def test_a_removed_key_opens_nothing() -> None:
    assert seal(NEW).open("reasoning", seal(OLD).close("reasoning", "old")) is None


@pytest.mark.parametrize(
    ("closing", "opening"),
    [
        (("reasoning", "laptop", "model-a"), ("compaction", "laptop", "model-a")),
        (("reasoning", "laptop", "model-a"), ("reasoning", "desktop", "model-a")),
        (("reasoning", "laptop", "model-a"), ("reasoning", "laptop", "model-b")),
        (("reasoning", "ab", "c"), ("reasoning", "a", "bc")),
        (("reasoning", "", "ab"), ("reasoning", "ab", "")),
        (("reasoning", "a", "b"), ("reasoning", "b", "a")),
    ],
)
def test_each_bound_name_must_be_the_same(
    closing: tuple[str, str, str], opening: tuple[str, str, str]
) -> None:
    made, asked = (seal(principal=names[1], route=names[2]) for names in (closing, opening))
    token = made.close(closing[0], "secret")
    assert asked.open(opening[0], token) is None
    assert made.open(closing[0], token) == "secret"


def test_another_version_or_key_id_does_not_open() -> None:
    own = seal(OLD, NEW)
    token = own.close("reasoning", "secret")
    other = seal(NEW).close("reasoning", "secret").split(".")[1]
    version, key_id, body = token.split(".")
    assert own.open("reasoning", f"v2.{key_id}.{body}") is None
    assert own.open("reasoning", f"{version}.{other}.{body}") is None


@given(st.data())
def test_no_bit_may_flip(data: st.DataObject) -> None:
    own = seal()
    token = own.close("reasoning", {"text": "a thought " * data.draw(st.integers(0, 9))})
    at = data.draw(st.integers(0, len(token) - 1))
    flipped = chr(ord(token[at]) ^ 1 << data.draw(st.integers(0, 19)))
    assert own.open("reasoning", token[:at] + flipped + token[at + 1 :]) is None


@given(st.text(st.characters(codec="ascii"), max_size=3), st.integers(0, 3))
def test_no_character_may_be_added_or_cut(added: str, cut: int) -> None:
    own = seal()
    token = own.close("reasoning", "a thought")
    changed = token[: len(token) - cut] + added
    assert changed == token or own.open("reasoning", changed) is None


@pytest.mark.parametrize("length", range(1, 7))
def test_there_is_one_way_to_write_a_token(length: int) -> None:
    """The last character of base64 may hold bits that mean nothing; they must be those we wrote."""
    own = seal()
    token = own.close("reasoning", int("1" * length))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/="
    opening = [last for last in alphabet if own.open("reasoning", token[:-1] + last) is not None]
    assert opening == [token[-1]]


@given(st.text() | st.text().map("v1.".__add__) | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused(text: str) -> None:
    assert seal().open("reasoning", text) is None


@pytest.mark.parametrize(
    "body", ["", ".", "AAAA", "A" * 15, "A" * 16, "A" * 17, "A" * 60, "é" * 60, "\ud800" * 60]
)
def test_a_known_key_id_alone_opens_nothing(body: str) -> None:
    own = seal()
    known = own.close("reasoning", "x")[: len("v1.") + 8]
    assert own.open("reasoning", known + body) is None
    assert own.open("reasoning", f"{known}.{body}") is None


def test_a_foreign_token_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = seal()

    def never(*_: object, **__: object) -> bytes:
        raise AssertionError("decoded")

    monkeypatch.setattr("wireloom.seal._decode", never)
    assert own.open("reasoning", FOREIGN) is None
    assert own.open("reasoning", seal(NEW).close("reasoning", "another gateway's")) is None
    with pytest.raises(AssertionError, match="decoded"):
        own.open("reasoning", own.close("reasoning", "ours"))


def test_a_value_may_be_as_large_as_the_cap_and_no_larger() -> None:
    own = seal()
    largest = "a" * (MAX_VALUE_BYTES - 2)
    assert own.open("reasoning", own.close("reasoning", largest)) == largest
    with pytest.raises(TooLarge):
        own.close("reasoning", largest + "a")


def frame_of(size: int, *, tell: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=tell).compress(b'"' + b"a" * (size - 2) + b'"')


def lying(size: int) -> bytes:
    """A frame of 1,000 bytes whose header names another size, in its widest form."""
    true = zstandard.ZstdCompressor().compress(b'"' + b"a" * 998 + b'"')
    parameters = zstandard.get_frame_parameters(true)
    assert parameters.content_size == 1000
    assert true[4] >> 6 == 1  # a size of two bytes, a single segment
    return true[:4] + bytes([true[4] | 0xC0]) + size.to_bytes(8, "little") + true[7:]


def test_a_frame_made_by_hand_is_read() -> None:
    assert seal().open("reasoning", forged(lying(1000))) == "a" * 998


@pytest.mark.parametrize(
    "packed",
    [
        frame_of(MAX_VALUE_BYTES + 1),
        frame_of(2 * MAX_VALUE_BYTES),
        frame_of(1000, tell=False),
        frame_of(1000) + frame_of(1000),
        frame_of(1000) + b"more",
        frame_of(1000)[:-3],
        lying(2**40),
        lying(2**64 - 1),
        lying(1001),
        lying(999),
        lying(0),
        zstandard.compress(b"no JSON"),
        zstandard.compress(b"\xff\xff"),
        zstandard.compress(b"[" * 10**6),
        b"no frame",
        b"",
    ],
)
def test_what_is_inside_must_be_sound_and_small(packed: bytes) -> None:
    assert seal().open("reasoning", forged(packed)) is None


def test_twenty_kilobytes_become_less_than_fourteen() -> None:
    letters = random.Random(1)
    words = [
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(2, 9))) for _ in range(3000)
    ]
    text = " ".join(letters.choices(words, k=4000))[:20_000]
    assert len(text) == 20_000
    assert len(seal().close("reasoning", text)) < 14_000


def test_the_same_value_never_looks_the_same() -> None:
    own = seal()
    first, second = own.close("reasoning", "x"), own.close("reasoning", "x")
    assert first != second
    assert own.open("reasoning", first) == own.open("reasoning", second) == "x"


@pytest.mark.parametrize("nonce", [b"", b"short", bytes(13)])
def test_a_nonce_has_its_length(nonce: bytes) -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        Sealer((OLD,)).bind("laptop", "model-a", lambda: nonce).close("reasoning", "x")


@pytest.mark.parametrize("keys", [(), (b"short",), (OLD, NEW + b"!")])
def test_keys_have_their_length(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(keys)


def test_a_key_file_holds_a_key_a_line() -> None:
    first, second = new_key(), new_key()
    text = f"# made today\n\n{first}\n  {second}   # the one before\r\n"
    keys = parse_keys(text)
    assert [len(key) for key in keys] == [KEY_BYTES, KEY_BYTES]
    assert keys == [*parse_keys(first), *parse_keys(second)]
    assert first != second


def test_both_alphabets_of_base64_are_read() -> None:
    key = b"\xfb\xef\xff" + bytes(29)
    assert parse_keys(urlsafe_b64encode(key).decode()) == [key]
    assert parse_keys(urlsafe_b64encode(key).decode().replace("-", "+").replace("_", "/")) == [key]


@pytest.mark.parametrize(
    "bad",
    ["not-a-key", new_key()[:-5], new_key() + "AAAA", "kéy", new_key() + new_key()],
    ids=["words", "short", "long", "accented", "two"],
)
def test_a_wrong_line_is_named_and_not_shown(bad: str) -> None:
    with pytest.raises(ValueError, match="line 3") as caught:
        parse_keys(f"# keys\n{new_key()}\n{bad}\n")
    assert bad not in str(caught.value)
    assert bad not in repr(caught.value.__context__)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_a_file_without_a_key_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        parse_keys(text)
