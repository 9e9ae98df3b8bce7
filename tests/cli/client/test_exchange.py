"""What people read of an error."""

import pytest

from wireloom.cli.client.exchange import message_of


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"error": {"message": "Model Not Exist"}}', "Model Not Exist"),
        (b'{"detail": "x"}', "an error without a message"),
        (b'["x"]', "an error without a message"),
        (b"<html></html>", "an error without a message"),
        (b"", "an error without a message"),
        (b" it broke\n", "it broke"),
        (b"x" * 1000, "x" * 200),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_messages(data: bytes, said: str) -> None:
    assert message_of(data) == said
