"""The effort that holds at the end of a request is the one its last item about it says."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.translate.effort import updated

ADAPTER = TypeAdapter(m.CreateResponse)


def update(effort: str | None) -> Any:
    return {"type": "configuration_update", "reasoning": {"effort": effort}}


@pytest.mark.parametrize(
    ("reasoning", "items", "expected"),
    [
        ({"effort": "low"}, [], {"effort": "low"}),
        (None, [], None),
        (None, [update("high")], {"effort": "high"}),
        ({"effort": "low", "summary": "auto"}, [update("high")], {"effort": "high", "summary": "auto"}),
        ({"effort": "low"}, [update("high"), update("medium")], {"effort": "medium"}),
        ({"effort": "low"}, [update("high"), update(None)], {"effort": None}),
    ],
)
def test_the_last_item_counts(reasoning: Any, items: list[Any], expected: Any) -> None:
    said = {"type": "message", "role": "user", "content": "hi"}
    asked = {"model": "m", "input": [*items, said], **({"reasoning": reasoning} if reasoning else {})}
    body = ADAPTER.validate_python(asked)
    before = body.model_dump(exclude_unset=True)
    changed = updated(body)
    kept = changed.reasoning
    assert (kept and kept.model_dump(exclude_unset=True)) == expected
    assert ("reasoning" in changed.model_fields_set) is (expected is not None)
    assert body.model_dump(exclude_unset=True) == before


def test_a_text_has_no_items() -> None:
    body = ADAPTER.validate_python({"model": "m", "input": "hi"})
    assert updated(body) is body
