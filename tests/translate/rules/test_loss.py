"""What a loss does depends on its weight; the header that reports losses is short and plain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wireloom.errors import InvalidRequest
from wireloom.translate.rules.loss import HEADER_LIMIT, Loss, Losses, Severity, refused, render


@pytest.mark.parametrize(
    ("severity", "strict", "is_refused", "is_shown"),
    [
        (Severity.BREAKING, False, True, False),
        (Severity.BREAKING, True, True, False),
        (Severity.DEGRADING, False, False, True),
        (Severity.DEGRADING, True, True, False),
        (Severity.IMMATERIAL, False, False, False),
        (Severity.IMMATERIAL, True, False, False),
    ],
)
def test_what_a_loss_does(severity: Severity, strict: bool, is_refused: bool, is_shown: bool) -> None:
    losses = Losses(strict=strict)
    if is_refused:
        with pytest.raises(InvalidRequest) as caught:
            losses.add("top_p", "dropped", "not taken", severity)
        assert (caught.value.status, caught.value.code) == (400, "unsupported_parameter")
        assert caught.value.param == "top_p"
        assert "not taken" in caught.value.message
        assert losses.items == []
    else:
        losses.add("top_p", "dropped", "not taken", severity)
        assert losses.items == [Loss("top_p", "dropped", "not taken", severity)]
    assert losses.header() == ("top_p;dropped;not taken" if is_shown else None)


def test_a_loss_degrades_unless_it_is_said_to_be_more_or_less() -> None:
    losses = Losses()
    losses.add("top_p", "dropped", "not taken")
    assert losses.items[0].severity is Severity.DEGRADING


def test_the_header_lists_what_degrades_in_order() -> None:
    losses = Losses()
    losses.add("user", "dropped", "not taken", Severity.IMMATERIAL)
    losses.add("tools[2]", "dropped", "no search")
    losses.add("temperature", "changed", "lowered to 1.0")
    assert losses.header() == "tools[2];dropped;no search, temperature;changed;lowered to 1.0"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("a, b", "a_ b"),
        ("a\r\nx-evil: b", "a__x-evil: b"),
        ("é\x7f\x00", "___"),
        ("x" * 300, "x" * (240 - len("top_p;dropped;"))),
    ],
)
def test_the_header_is_plain(reason: str, shown: str) -> None:
    assert render([Loss("top_p", "dropped", reason)]) == f"top_p;dropped;{shown}"


def test_losses_that_do_not_fit_are_counted() -> None:
    value = render(Loss(f"tools[{number}]", "dropped", "no search by the provider") for number in range(100))
    assert value is not None
    *shown, more = value.split(", ")
    assert more == f"more={100 - len(shown)}"
    assert shown == [f"tools[{number}];dropped;no search by the provider" for number in range(len(shown))]
    assert HEADER_LIMIT - 60 < len(value) <= HEADER_LIMIT


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.builds(Loss, st.text(max_size=300), st.just("dropped"), st.text(max_size=300)), max_size=12)
)
def test_whatever_is_lost_the_header_holds_it(losses: list[Loss]) -> None:
    value = render(losses)
    if not losses:
        assert value is None
        return
    assert value is not None
    assert len(value) <= HEADER_LIMIT
    assert all(" " <= character <= "~" for character in value)
    parts = value.split(", ")
    more = int(parts.pop().removeprefix("more=")) if parts[-1].startswith("more=") else 0
    assert len(parts) + more == len(losses)


def test_what_is_refused_is_named() -> None:
    error = refused("input[3].type", "it cannot be told", "unsupported_item")
    assert error.body() == {
        "message": "input[3].type cannot be served here: it cannot be told.",
        "type": "invalid_request_error",
        "param": "input[3].type",
        "code": "unsupported_item",
    }
