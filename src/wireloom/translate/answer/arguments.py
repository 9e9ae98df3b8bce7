"""The object that a model means by the arguments of a call, where they are not one JSON object already."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import msgspec

from wireloom.translate.answer.schema_fit import fits_at_top, properties
from wireloom.wire.json import Json


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of arguments.

    Args:
        value: the object.
        text: its JSON, as far as possible as the model wrote it.
        note: what was read, in words for the log; empty where nothing was odd.
    """

    value: Json
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """A way to read arguments that are not one JSON object.

    Args:
        name: of the deviation, as the log has it.
        read: finds texts that the arguments may stand for; whatever is no object in the end is not meant.
        example: arguments with it.
        source: where it was seen: a public thread, or the format that it belongs to.
    """

    name: str
    read: Callable[[str], str | None]
    example: str
    source: str


# How often arguments may be encoded, fenced or wrapped, one around the other.
DEEPEST = 4
# How often the same object may stand in the arguments.
MOST_TIMES = 3
# Longer arguments are not read as Python.
LONGEST_LITERAL = 100_000

TOKENS = re.compile(
    r"<[|｜][^|｜<>]{1,40}[|｜]>(?:commentary|analysis|json)?"
    r"|</?(?:tool_calls?|function_calls?|function|arguments|parameters)(?:=[\w.-]+)?>"
)
"""Tokens of templates that stand before or behind arguments."""
WRAPPERS = ("arguments", "parameters", "input", "args", "params")
"""Members in which models put all arguments once more."""
BESIDE_WRAPPER = frozenset({"name", "tool", "tool_name", "function", "type", "id"})
"""Members that stand beside a wrapper where a model writes the whole call as its arguments."""
NOTHING = frozenset({"", "null", "none", "undefined", "nil"})
"""What stands for no arguments, in small letters."""

_FENCE = re.compile(r"\A```[ \t]*[\w+-]*[ \t]*\r?\n?(.*?)\r?\n?```\Z", re.DOTALL)
_BETWEEN = re.compile(r"[\s,;]*")
_EMPTY = re.compile(r"\A(?:\{\s*\}\s*)+(?=\{)")
_CLOSERS = re.compile(r"[\s}\])>`;]*\Z")
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_raw_decode = json.JSONDecoder(strict=False).raw_decode


def read_arguments(text: str, schema: Any = None) -> Reading | None:
    """The object that arguments mean, or None where none is meant, or several may be.

    Args:
        text: arguments as the model wrote them.
        schema: JSON Schema of the tool's parameters; None where it is not known. What is not one JSON object as it
            stands is read as an object only where the schema allows it.
    """
    value = decoded(text)
    if isinstance(value, dict):
        return _unwrapped(value, schema) or Reading(value, text)
    found = _read(text, schema, DEEPEST)
    # No arguments are an empty object whatever the tool requires: the client says what is missing.
    allowed = found is not None and (not found.value or fits_at_top(schema, found.value))
    return found if allowed else None


def decoded(text: str) -> Any:
    """A JSON value; None where the text is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None


def encoded(value: Any) -> str:
    """A value as compact JSON."""
    return msgspec.json.encode(value).decode()


def escaped(control: str) -> str:
    """A control character as a JSON string has it."""
    return _SHORT.get(control) or f"\\u{ord(control):04x}"


def objects_in(text: str) -> list[Json] | None:
    """The JSON objects that stand one behind the other in a text; None where there is anything else."""
    found: list[Json] = []
    at = _behind_blank(text, 0)
    while at < len(text):
        try:
            value, at = _raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        found.append(value)
        at = _behind_blank(text, at)
    return found


def _behind_blank(text: str, at: int) -> int:
    """Where what stands between two objects ends."""
    blank = _BETWEEN.match(text, at)
    return at if blank is None else blank.end()


def is_litter(text: str) -> bool:
    """Whether what stands behind an object means nothing: tokens of a template, or one bracket too many."""
    return _CLOSERS.match(TOKENS.sub("", text)) is not None


def _read(text: str, schema: Any, depth: int) -> Reading | None:
    """The first reading that is an object; the repairs stand from the plainest to the boldest."""
    plain = text.strip()
    if depth == 0:
        return None
    for repair in REPAIRS:
        left = repair.read(plain)
        if left is None:
            continue
        value = decoded(left)
        if isinstance(value, dict):
            inner = _unwrapped(value, schema)
            return inner or Reading(value, left, repair.name)
        if left != plain:
            found = _read(left, schema, depth - 1)
            if found is not None:
                return Reading(found.value, found.text, repair.name)
    return None


def _unwrapped(value: Json, schema: Any) -> Reading | None:
    """The arguments in a wrapper that the tool has no member for; None where there is no such wrapper."""
    known = properties(schema)
    names = [name for name in WRAPPERS if name in value and name not in known]
    others = value.keys() - set(names)
    if not known or len(names) != 1 or others & known.keys() or not others <= BESIDE_WRAPPER:
        return None
    inner = value[names[0]]
    within = decoded(inner) if isinstance(inner, str) else inner
    if not isinstance(within, dict) or not fits_at_top(schema, within):
        return None
    text = inner if isinstance(inner, str) else encoded(within)
    return Reading(within, text, f"wrapped in a member {names[0]!r}")


# -- repairs ---------------------------------------------------------------------------------------------------------


def _nothing(text: str) -> str | None:
    return "{}" if text.lower() in NOTHING else None


def without_tokens(text: str) -> str:
    """A text without the tokens of templates before and behind it."""
    left = text.strip()
    token = TOKENS.match(left)
    while token is not None:
        left = left[token.end() :].lstrip()
        token = TOKENS.match(left)
    for found in reversed(list(TOKENS.finditer(left))):
        if left[found.end() :].strip():
            break
        left = left[: found.start()].rstrip()
    return left


def _without_tokens(text: str) -> str | None:
    left = without_tokens(text)
    return None if left == text else left


def _without_fence(text: str) -> str | None:
    fence = _FENCE.match(text)
    return None if fence is None else fence[1]


def _without_encoding(text: str) -> str | None:
    value = decoded(text) if text.startswith('"') else None
    return value if isinstance(value, str) else None


def _only_member(text: str) -> str | None:
    value = decoded(text) if text.startswith("[") else None
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        return None
    return encoded(value[0])


def _said_once(text: str) -> str | None:
    found = objects_in(text) if text.startswith("{") else None
    if not found or not 2 <= len(found) <= MOST_TIMES or any(value != found[0] for value in found):
        return None
    _, end = _raw_decode(text)
    return text[:end]


def _behind_nothing(text: str) -> str | None:
    left = _EMPTY.sub("", text)
    return left if left != text and left.startswith("{") else None


def _without_litter(text: str) -> str | None:
    if not text.startswith("{"):
        return None
    try:
        _, end = _raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return text[:end] if text[end:].strip() and is_litter(text[end:]) else None


def _without_commas(text: str) -> str | None:
    left = _STRING_OR_COMMA.sub(lambda found: found[0] if found[0] != "," else "", text)
    return None if left == text else left


def _with_escapes(text: str) -> str | None:
    def mended(string: re.Match[str]) -> str:
        return _CONTROL.sub(lambda control: escaped(control[0]), string[0])

    left = _STRING.sub(mended, text)
    return None if left == text else left


def _from_literal(text: str) -> str | None:
    """An object as Python or JavaScript has it, as JSON."""
    if not text.startswith("{") or len(text) > LONGEST_LITERAL:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not have; they stay as they are
            tree = ast.parse(text, mode="eval")
        return encoded(_literal(tree.body))
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError, msgspec.MsgspecError):
        return None


def _literal(node: ast.AST) -> Any:
    """The JSON value of a literal.

    Raises:
        ValueError: JSON does not have it.
    """
    if isinstance(node, ast.Dict):
        names = [_member(key) for key in node.keys]
        if len(set(names)) < len(names):
            raise ValueError("a member twice")
        return dict(zip(names, map(_literal, node.values), strict=True))
    if isinstance(node, ast.List):
        return [_literal(each) for each in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _literal(node.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number
    if isinstance(node, ast.Name) and node.id in _WORDS:
        return _WORDS[node.id]
    value = node.value if isinstance(node, ast.Constant) else ...
    if isinstance(value, str | int | None) or (isinstance(value, float) and isfinite(value)):
        return value
    raise ValueError("no JSON")


_WORDS = {"true": True, "false": False, "null": None, "undefined": None}


def _member(node: ast.AST | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise ValueError("no name of a member")


REPAIRS: tuple[Repair, ...] = (
    Repair("written as nothing", _nothing, "null", "langchain-ai/langchain#34242"),
    Repair(
        "between tokens of a template", _without_tokens, '{"cmd":"ls"}<|call|>', "openai/harmony, gpt-oss"
    ),
    Repair("in a Markdown fence", _without_fence, '```json\n{"cmd":"ls"}\n```', "answers of small models"),
    Repair("encoded twice", _without_encoding, '"{\\"cmd\\":\\"ls\\"}"', "tailcallhq/forgecode#2764"),
    Repair("in a list of one", _only_member, '[{"cmd":"ls"}]', "answers of small models"),
    Repair("said twice", _said_once, '{"cmd":"ls"}{"cmd":"ls"}', "anomalyco/opencode#33064"),
    Repair("behind an empty object", _behind_nothing, '{}{"cmd":"ls"}', "unslothai/unsloth#10275"),
    Repair(
        "with more behind the object", _without_litter, '{"cmd":"ls"}}', "vllm-project/vllm#54964, Hermes"
    ),
    Repair("with a comma too many", _without_commas, '{"cmd":"ls",}', "NousResearch/hermes-agent#26053"),
    Repair("with control characters", _with_escapes, '{"cmd":"ls\n-la"}', "NousResearch/hermes-agent#26053"),
    Repair(
        "written as a literal of Python",
        _from_literal,
        "{'cmd': 'ls', 'x': True}",
        "NousResearch/atropos#478",
    ),
)
"""All repairs, in the order in which they are tried. Each but the last keeps the text as the model wrote it."""
