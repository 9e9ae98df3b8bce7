"""The calls between a model's tags, in each of the forms that models write; pure functions from text to calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Written:
    """A call as a model wrote it.

    Args:
        name: as it stands there.
        arguments: JSON text where the dialect writes JSON, else None.
        values: name -> text of each argument where the dialect writes them one by one; their types are the tool's.
        typed: names of `values` that are JSON, whatever the tool's schema says.
        untyped: names of `values` that are texts, whatever the tool's schema says.
    """

    name: str
    arguments: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    typed: frozenset[str] = frozenset()
    untyped: frozenset[str] = frozenset()


_decoder = json.JSONDecoder(strict=False)

# How a call as JSON begins: every piece may be cut, but nothing else may stand in its place.
_BARE = re.compile(
    r'(?:\[\s*)?(?:\{\s*(?:"(?:n(?:a(?:m(?:e(?:"\s*(?::\s*(?:"(?P<name>[^"]*)(?P<end>")?)?)?)?)?)?)?)?)?)?'
)

# The members under which models put the name of a tool and its arguments.
NAMES = ("name", "tool_name", "function", "tool")
ARGUMENTS = ("arguments", "parameters", "args", "input")

_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)</function>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>(.*?)</parameter>", re.DOTALL)
_INVOKE = re.compile(r'<(?:｜DSML｜)?invoke name="([^"]+)">(.*?)</(?:｜DSML｜)?invoke>', re.DOTALL)
_INVOKE_PARAMETER = re.compile(
    r'<(?:｜DSML｜)?parameter name="([^"]+)"(?: string="(true|false)")?>(.*?)</(?:｜DSML｜)?parameter>',
    re.DOTALL,
)
_GLM = re.compile(r"\s*([^\s<>{}\[\]]+)\s*(.*)", re.DOTALL)
_GLM_ARGUMENT = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_KIMI_K2 = re.compile(
    r"<\|tool_call_begin\|>\s*([^\s<]+)\s*<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>", re.DOTALL
)
_KIMI_K3 = re.compile(r'<\|open\|>call tool="([^"]+)"[^<]*<\|sep\|>(.*?)<\|close\|>call<\|sep\|>', re.DOTALL)
_KIMI_K3_ARGUMENT = re.compile(
    r'<\|open\|>argument key="([^"]+)"(?: type="([^"]*)")?<\|sep\|>(.*?)<\|close\|>argument<\|sep\|>',
    re.DOTALL,
)
_DEEPSEEK = re.compile(
    r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>([^\n]+)\n```json\n(.*?)\n```|([^<]+)<｜tool▁sep｜>(.*?))"
    r"\s*<｜tool▁call▁end｜>",
    re.DOTALL,
)
_MISTRAL = re.compile(r"\s*([^\s\[{]+)\s*(?:\[CALL_ID\][^\[{]*)?(?:\[ARGS\])?\s*(\{.*\})\s*", re.DOTALL)
_HARMONY = re.compile(
    r"([^\s<]+)\s*(?:<\|channel\|>commentary\s*)?(?:<\|constrain\|>)?\s*(?:json)?\s*<\|message\|>(.*)",
    re.DOTALL,
)


def tool_call(body: str) -> list[Written] | None:
    """What stands in `<tool_call>`: JSON, the functions of Qwen Coder, or the keys and values of GLM."""
    for parse in (json_calls, functions, _glm):
        found = parse(body)
        if found is not None:
            return found
    return None


def json_calls(body: str) -> list[Written] | None:
    """Calls as JSON: one object, a list of them, or several one after the other."""
    values = _json_values(body)
    if values is None:
        return None
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    calls = [_json_call(value) for value in values]
    whole = [call for call in calls if call is not None]
    return whole if whole and len(whole) == len(calls) else None


def functions(body: str) -> list[Written] | None:
    """`<function=NAME>` with parameters in tags of their own, or with JSON as Llama 3.1 writes it."""
    return _all(_FUNCTION, body, lambda match: _function(match[1], match[2]))


def invokes(body: str) -> list[Written] | None:
    """`<invoke name="NAME">` with parameters in tags, in plain tags and in those of DeepSeek's DSML."""
    return _all(_INVOKE, body, lambda match: _invoke(match[1], match[2]))


def kimi_k2(body: str) -> list[Written] | None:
    """The section of Kimi K2: an id that holds the name, then JSON."""
    return _all(_KIMI_K2, body, lambda match: Written(_kimi_name(match[1]), match[2].strip()))


def kimi_k3(body: str) -> list[Written] | None:
    """The section of Kimi K3: calls and arguments between `<|open|>` and `<|close|>`."""
    return _all(_KIMI_K3, body, lambda match: _kimi_k3(match[1], match[2]))


def deepseek(body: str) -> list[Written] | None:
    """The section of DeepSeek V3 and R1, with JSON in a fence, and of V3.1, without."""
    return _all(_DEEPSEEK, body, _deepseek)


def mistral(body: str) -> list[Written] | None:
    """What follows `[TOOL_CALLS]`: a list as JSON, or names with an object each."""
    found = json_calls(body)
    if found is not None:
        return found
    pieces = [_MISTRAL.fullmatch(piece) for piece in body.split("[TOOL_CALLS]")]
    calls = [Written(piece[1], piece[2]) for piece in pieces if piece is not None]
    return calls if calls and len(calls) == len(pieces) else None


def harmony(body: str) -> list[Written] | None:
    """A recipient, perhaps with the form of what follows, and the arguments."""
    match = _HARMONY.fullmatch(body)
    return None if match is None else [Written(match[1], match[2].strip())]


def may_be_bare(text: str, offered: frozenset[str]) -> bool:
    """Whether a text may become, or is, an answer that is nothing but a call as JSON.

    Args:
        text: the beginning of an answer, without white space before it.
        offered: names of the tools that may be called.
    """
    match = _BARE.match(text)
    if match is None:
        return False
    name = match["name"]
    if name is None:
        return match.end() == len(text)
    return name in offered or (match["end"] is None and any(each.startswith(name) for each in offered))


def bare(text: str) -> list[Written] | None:
    """A whole answer that is nothing but a call as JSON, as Llama writes it without a tag."""
    return json_calls(text) if text.lstrip()[:1] in ("{", "[") else None


# -- single calls --------------------------------------------------------------------------------------------------


def _json_call(value: Any) -> Written | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = next((value[key] for key in NAMES if isinstance(value.get(key), str)), None)
    given = next((value[key] for key in ARGUMENTS if key in value), None)
    known = {*NAMES, *ARGUMENTS, "id", "type", "tool_call_id"}
    if name is None or not value.keys() <= known:
        return None
    if given is None and not value.keys() & {*ARGUMENTS}:
        return None
    return Written(name, given if isinstance(given, str) else json.dumps(given or {}))


def _function(name: str, body: str) -> Written | None:
    if body.strip()[:1] == "{":
        return Written(name, body.strip())
    values = _values(_PARAMETER, body, lambda match: (match[1], _unwrapped(match[2])))
    return None if values is None else Written(name, None, values)


def _invoke(name: str, body: str) -> Written | None:
    if body.strip()[:1] == "{":
        return Written(name, body.strip())
    values = _values(_INVOKE_PARAMETER, body, lambda match: (match[1], match[3]))
    if values is None:
        return None
    marks = {match[1]: match[2] for match in _INVOKE_PARAMETER.finditer(body)}
    typed = frozenset(key for key, mark in marks.items() if mark == "false")
    untyped = frozenset(key for key, mark in marks.items() if mark == "true")
    return Written(name, None, values, typed, untyped)


def _glm(body: str) -> list[Written] | None:
    match = _GLM.fullmatch(body)
    if match is None:
        return None
    values = _values(_GLM_ARGUMENT, match[2], lambda found: (found[1].strip(), _unwrapped(found[2])))
    return None if values is None else [Written(match[1], None, values)]


def _kimi_name(call_id: str) -> str:
    """`functions.exec_command:0` holds the name between the prefix and the number."""
    name, colon, number = call_id.rpartition(":")
    name = name if colon and number.isdecimal() else call_id
    return name.removeprefix("functions.")


def _kimi_k3(name: str, body: str) -> Written | None:
    values = _values(_KIMI_K3_ARGUMENT, body, lambda match: (match[1], match[3]))
    if values is None:
        return None
    kinds = {match[1]: match[2] for match in _KIMI_K3_ARGUMENT.finditer(body)}
    untyped = frozenset(key for key, kind in kinds.items() if kind == "string")
    typed = frozenset(key for key, kind in kinds.items() if kind and kind != "string")
    return Written(name, None, values, typed, untyped)


def _deepseek(match: re.Match[str]) -> Written:
    name, arguments = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    return Written(name.strip(), arguments.strip())


# -- pieces --------------------------------------------------------------------------------------------------------


def _all(
    pattern: re.Pattern[str], body: str, read: Callable[[re.Match[str]], Written | None]
) -> list[Written] | None:
    """Every match as a call, or None where anything but white space stands beside the matches."""
    if pattern.sub("", body).strip():
        return None
    calls = [read(match) for match in pattern.finditer(body)]
    whole = [call for call in calls if call is not None]
    return whole if whole and len(whole) == len(calls) else None


def _values(
    pattern: re.Pattern[str], body: str, read: Callable[[re.Match[str]], tuple[str, str]]
) -> dict[str, str] | None:
    """Arguments by name, or None where anything stands beside them or one comes twice."""
    if pattern.sub("", body).strip():
        return None
    pairs = [read(match) for match in pattern.finditer(body)]
    values = dict(pairs)
    return values if len(values) == len(pairs) else None


def _unwrapped(text: str) -> str:
    """A value without the line ends that templates put around it."""
    return text.removeprefix("\n").removesuffix("\n")


def _json_values(text: str) -> list[Any] | None:
    """JSON objects and lists one after the other, with white space, commas or semicolons between them."""
    values: list[Any] = []
    rest = text.strip()
    try:
        while rest:
            value, end = _decoder.raw_decode(rest)
            values.append(value)
            rest = rest[end:].lstrip(" \t\r\n,;")
    except (ValueError, RecursionError):
        return None
    return values or None
