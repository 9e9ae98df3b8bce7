"""A message keeps what fits its struct; the rest is dropped, and said."""

from typing import Any

import msgspec
import pytest

from wireloom.wire.lenient import MOST_MISFITS, Lenient


class Usage(msgspec.Struct):
    total: int | None = None
    parts: dict[str, int] | None = None


class Message(msgspec.Struct):
    word: str | None = None
    usage: Usage | None = None
    many: list[Usage] | None = None


READER = Lenient(Message)


def read(data: str) -> tuple[Message | None, list[str]]:
    misfits: list[str] = []
    return READER.read(data.encode(), misfits), misfits


def test_what_fits_is_read() -> None:
    message, misfits = read('{"word": "w", "usage": {"total": 3}, "newer": [1]}')
    assert message == Message("w", Usage(3))
    assert misfits == []
    assert read("{}") == (Message(), [])
    assert read('{"word": null}') == (Message(), [])


@pytest.mark.parametrize(
    ("data", "kept", "places"),
    [
        ('{"word": 3, "usage": {"total": 3}}', Message(None, Usage(3)), ["$.word"]),
        ('{"word": "w", "usage": {"total": "secret"}}', Message("w", Usage()), ["$.usage.total"]),
        ('{"word": "w", "usage": []}', Message("w"), ["$.usage"]),
        ('{"word": "w", "many": [{"total": 1}, 7, {"total": []}]}', Message("w", None, [Usage(1), Usage()]), ["$.many[1]", "$.many[1].total"]),
        ('{"word": "w", "usage": {"total": 1, "parts": {"a": "x"}}}', Message("w", Usage(1)), ["$.usage.parts[...]"]),
        ('{"word": 1, "usage": 2, "many": 3}', Message(), ["$.word", "$.usage", "$.many"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_dropped_by_its_place(data: str, kept: Message, places: list[str]) -> None:
    message, misfits = read(data)
    assert message == kept
    assert [misfit.rpartition("at `")[2].rstrip("`") for misfit in misfits] == places
    assert all(misfit.startswith("Message: Expected ") for misfit in misfits)
    assert "secret" not in "".join(misfits)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'"w"', b"{", b'{"word": "\xff"}', b"[" * 100_000])
def test_what_is_no_object_is_none(data: bytes) -> None:
    assert READER.read(data, []) is None
    assert READER.read(msgspec.Raw(data), []) is None


def test_a_message_of_misfits_is_none() -> None:
    assert read('{"many": [' + ",".join("7" * (MOST_MISFITS + 1)) + "]}")[0] is None


def test_decoded_json_is_not_changed() -> None:
    value: dict[str, Any] = {"word": 3, "many": [{"total": 1}, 7]}
    misfits: list[str] = []
    assert READER.convert(value, misfits) == Message(None, None, [Usage(1)])
    assert len(misfits) == 2
    assert value == {"word": 3, "many": [{"total": 1}, 7]}
    assert READER.convert([], []) is None
