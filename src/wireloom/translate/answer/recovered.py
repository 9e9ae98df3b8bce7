"""Calls that a model wrote into the text, as calls of the offered tools: names resolved, values in the tool's types."""

from __future__ import annotations

import json
from typing import Any

from wireloom.translate.answer.arguments import decoded
from wireloom.translate.answer.call_markup import Written
from wireloom.translate.answer.meant_call import Meant, meant, schema_of, takes_free_input, valid
from wireloom.translate.answer.schema_fit import fits, properties
from wireloom.translate.answer.tool_names import resolve
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.free_input import wrap


def recovered(tools: Tools, written: list[Written]) -> list[Meant] | None:
    """The calls, or None where one of them is not a call that the request allows.

    Args:
        tools: the tools of the request.
        written: calls as the model wrote them.
    """
    calls = [_meant(tools, call) for call in written]
    allowed = all(valid(tools, call.flat_name, call.arguments) for call in calls)
    return calls if calls and allowed else None


def _meant(tools: Tools, call: Written) -> Meant:
    if call.arguments is not None:
        return meant(tools, call.name, call.arguments)
    flat = resolve(tools, call.name).flat_name
    if takes_free_input(tools, flat) and len(call.values) == 1:
        return Meant(flat, wrap(next(iter(call.values.values()))))
    known = properties(schema_of(tools, flat))
    values = {name: _value(call, name, text, known.get(name)) for name, text in call.values.items()}
    return meant(tools, call.name, json.dumps(values, ensure_ascii=False))


def _value(call: Written, name: str, text: str, schema: Any) -> Any:
    """A value that was written without a type, in the type that the tool takes."""
    if name in call.untyped:
        return text
    value = decoded(text.strip())
    if name in call.typed:
        return text if value is None and text.strip() != "null" else value
    if isinstance(schema, dict) and schema and fits(schema, text):
        return text
    is_text = value is None and text.strip() != "null"
    return text if is_text or (isinstance(schema, dict) and not fits(schema, value)) else value
