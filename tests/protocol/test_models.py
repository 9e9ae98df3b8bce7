"""The forms of fields: which of them read null, and which write it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wireloom_runtime.models import Deferred, NullIsAbsent, Omittable


class Request(Deferred):
    omittable: Omittable[str] = None
    null_is_absent: NullIsAbsent[str] = None
    nullable: str | None = None
    inner: NullIsAbsent[Request] = None


def written(**members: Any) -> Any:
    return Request.model_validate(members).model_dump(mode="json", exclude_unset=True)


def test_values_are_written() -> None:
    members = {"omittable": "a", "null_is_absent": "b", "nullable": "c", "inner": {"nullable": "d"}}
    assert written(**members) == members
    assert written() == {}


def test_null_for_absence_is_read_and_never_written() -> None:
    assert written(null_is_absent=None, nullable=None, inner={"null_is_absent": None}) == {
        "nullable": None,
        "inner": {},
    }
    assert Request.model_validate({"null_is_absent": None}).null_is_absent is None


def test_null_is_refused_where_a_member_is_left_out_instead() -> None:
    with pytest.raises(ValidationError, match="omittable"):
        written(omittable=None)
    with pytest.raises(ValidationError, match="omittable"):
        written(inner={"omittable": None})
