"""The call that a model means: one of the offered tools, with the object that it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wireloom.translate.answer.argument_stream import NOT_READ, REPAIRED, ArgumentStream
from wireloom.translate.answer.arguments import decoded, read_arguments
from wireloom.translate.answer.schema_fit import fits
from wireloom.translate.answer.tool_names import resolve
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.custom import CustomCall
from wireloom.translate.tools.free_input import is_odd, unwrap, wrap
from wireloom.translate.tools.patch_text import PATCH_TOOLS, PatchText

ODD_INPUT = "the input of a call of {} came in another form than the one that was asked for"


@dataclass(frozen=True, slots=True)
class Meant:
    """A call as it is meant.

    Args:
        flat_name: the name of the offered tool, or the name as the model wrote it.
        arguments: JSON text of the object that the tool takes, or the text as the model wrote it.
        notes: what was repaired, or could not be, in words for the log.
    """

    flat_name: str
    arguments: str
    notes: list[str] = field(default_factory=list)


def meant(tools: Tools, name: str, arguments: str) -> Meant:
    """The call that a whole name and whole arguments mean.

    Args:
        tools: the tools of the request.
        name: the name as the model wrote it.
        arguments: the arguments as the model wrote them; of a custom tool also its bare input.
    """
    resolved = resolve(tools, name)
    flat = resolved.flat_name
    notes = [resolved.note] if resolved.note else []
    if takes_free_input(tools, flat):
        return Meant(flat, *_free(tools.restore(flat).name, arguments, notes))
    reading = read_arguments(arguments, schema_of(tools, flat))
    if reading is None:
        notes.append(NOT_READ.format(flat))
        return Meant(flat, arguments, notes)
    if reading.note:
        notes.append(REPAIRED.format(flat, reading.note))
    return Meant(flat, reading.text, notes)


def _free(name: str, arguments: str, notes: list[str]) -> tuple[str, list[str]]:
    """The arguments with which a custom tool is called, and the notes on them."""
    if not is_odd(arguments, name):
        return arguments, notes
    patch = PatchText() if name in PATCH_TOOLS else None
    text = unwrap(arguments, name)
    text = text if patch is None else patch.feed(text) + patch.close()
    return wrap(text), [*notes, ODD_INPUT.format(name)]


def valid(tools: Tools, flat_name: str, arguments: str) -> bool:
    """Whether a call is one that the request allows: the tool is offered, may be called, and takes the arguments.

    Args:
        tools: the tools of the request.
        flat_name: the name under which a tool is offered.
        arguments: JSON text; they have to fit the tool's schema in types, enumerations, required and known members.
    """
    offered = flat_name in tools.by_flat_name or flat_name in tools.native
    value = decoded(arguments)
    if not offered or not tools.may_call(flat_name) or not isinstance(value, dict):
        return False
    return fits(schema_of(tools, flat_name), value)


def arguments_of(tools: Tools, flat_name: str) -> ArgumentStream:
    """What reads the arguments of a call while they arrive.

    Args:
        tools: the tools of the request.
        flat_name: the name under which a tool is offered, or any other.
    """
    return ArgumentStream(schema_of(tools, flat_name), free=takes_free_input(tools, flat_name))


def report(tools: Tools, flat_name: str, arguments: ArgumentStream) -> list[str]:
    """What of the arguments of a call was repaired, or could not be, in words for the log.

    Args:
        tools: the tools of the request.
        flat_name: the name under which the tool is offered.
        arguments: what has read them, to their end.
    """
    notes = arguments.report(flat_name)
    if not arguments.free or notes:
        return notes
    name = tools.restore(flat_name).name
    return [ODD_INPUT.format(name)] if is_odd(arguments.text, name) else []


def schema_of(tools: Tools, flat_name: str) -> Any:
    """The JSON Schema of the parameters of an offered tool, or None where there is none."""
    for tool in tools.functions:
        function = tool.get("function")
        if isinstance(function, dict) and function.get("name") == flat_name:
            return function.get("parameters")
    return None


def takes_free_input(tools: Tools, flat_name: str) -> bool:
    """Whether a tool takes free-form input, which stands in one member of its function's arguments."""
    return issubclass(tools.restore(flat_name).call, CustomCall)
