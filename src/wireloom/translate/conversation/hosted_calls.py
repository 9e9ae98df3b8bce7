"""Calls that another provider carried out, as the calls and outputs that a Chat model can read of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wireloom.translate.tools.base import call_arguments

ELSEWHERE = "[carried out by another provider; what came of it is in what follows]"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is left of a call.

    Args:
        name: of the function that it looks like.
        arguments: JSON.
        output: text.
        pictures: URLs.
    """

    name: str
    arguments: str
    output: str = ELSEWHERE
    pictures: tuple[str, ...] = ()


def _web_search(item: Any) -> Trace:
    return Trace("web_search", call_arguments(item.action))


def _file_search(item: Any) -> Trace:
    found = [
        f"{result.filename or result.file_id or 'a file'}: {result.text or ''}"
        for result in item.results or ()
    ]
    return Trace("file_search", call_arguments({"queries": item.queries}), "\n\n".join(found) or ELSEWHERE)


def _code_interpreter(item: Any) -> Trace:
    found: dict[str, list[str]] = {kind: [] for kind in CODE_OUTPUTS}
    for output in item.outputs or ():
        found[output.type].append(str(getattr(output, CODE_OUTPUTS[output.type])))
    code = call_arguments({"code": item.code})
    return Trace("code_interpreter", code, "\n".join(found["logs"]) or ELSEWHERE, tuple(found["image"]))


CODE_OUTPUTS: Mapping[str, str] = {"logs": "logs", "image": "url"}
"""Every kind of output of a run of code -> the member that holds it."""


def _image_generation(item: Any) -> Trace:
    kind = "svg+xml" if item.output_format == "svg" else item.output_format or "png"
    pictures = () if item.result is None else (f"data:image/{kind};base64,{item.result}",)
    prompt = {} if item.revised_prompt is None else {"prompt": item.revised_prompt}
    state = item.status if item.error is None else f"{item.status}: {item.error.message}"
    return Trace("image_generation", call_arguments(prompt), state, pictures)


def _mcp_call(item: Any) -> Trace:
    error = None if item.error is None else f"error: {call_arguments(item.error)}"
    said = [text for text in (item.output, error) if text is not None]
    return Trace(
        f"{item.server_label}-{item.name}", item.arguments or "{}", "\n".join(said) if said else ELSEWHERE
    )


def _mcp_approval_request(item: Any) -> Trace:
    return Trace(f"{item.server_label}-{item.name}", item.arguments or "{}", "[not carried out]")


HOSTED: Mapping[str, Callable[[Any], Trace]] = {
    "web_search_call": _web_search,
    "file_search_call": _file_search,
    "code_interpreter_call": _code_interpreter,
    "image_generation_call": _image_generation,
    "mcp_call": _mcp_call,
    "mcp_approval_request": _mcp_approval_request,
}
