"""The effort and the text format that hold at the end of a request are those of its last items about them."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.translate.conversation.effort import updated

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


SCHEMA = {"type": "json_schema", "name": "s", "schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        (None, [SCHEMA], {"format": SCHEMA}),
        ({"verbosity": "low"}, [SCHEMA], {"verbosity": "low", "format": SCHEMA}),
        ({"format": SCHEMA}, [SCHEMA, {"type": "text"}], {"format": {"type": "text"}}),
    ],
)
def test_the_last_format_counts(text: Any, formats: list[Any], expected: Any) -> None:
    items = [{"type": "configuration_update", "text": {"format": form}} for form in formats]
    asked = {"model": "m", "input": [*items, update("high")], **({"text": text} if text else {})}
    changed = updated(ADAPTER.validate_python(asked))
    assert changed.text is not None
    assert changed.text.model_dump(exclude_unset=True, by_alias=True) == expected
    assert changed.reasoning is not None
    assert changed.reasoning.effort == "high"


def test_a_text_has_no_items() -> None:
    body = ADAPTER.validate_python({"model": "m", "input": "hi"})
    assert updated(body) is body
