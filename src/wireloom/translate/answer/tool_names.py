"""The tool that a model means by the name in a call: template leaks, and other spellings of the offered name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wireloom.translate.tools.base import Tools


@dataclass(frozen=True, slots=True)
class Leak:
    """What models and their servers write around a tool's name.

    Args:
        name: of the leak, in words.
        pattern: what is taken off a name.
        example: a name with it; the tool is `exec_command`.
        source: where it was seen: a public thread, or the format that it belongs to.
    """

    name: str
    pattern: re.Pattern[str]
    example: str
    source: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """Another way to write the name of an offered tool.

    Args:
        name: of the spelling, in words.
        offered: the name under which the tool is offered.
        example: what a model writes.
        source: see `Leak`.
    """

    name: str
    offered: str
    example: str
    source: str


HARMONY = "openai/harmony, the format of gpt-oss"

LEAKS: tuple[Leak, ...] = (
    Leak(
        "a marker of the template behind the name",
        re.compile(r"\s*<[|｜].*", re.DOTALL),
        "exec_command<|channel|>commentary",
        "ml-explore/mlx-lm#875",
    ),
    Leak(
        "a tag behind the name",
        re.compile(r"\s*</?[a-z][a-z_:]*>?.*\Z", re.DOTALL),
        "exec_command</tool_call>",
        "QwenLM, NousResearch: the format of Qwen and Hermes models",
    ),
    Leak(
        "a word of the header glued to the name",
        re.compile(r"\s*(?:commentary|analysis|json|code)\Z"),
        "exec_commandjson",
        "ggml-org/llama.cpp#15158",
    ),
    Leak(
        "the number of the call behind the name",
        re.compile(r":\d+\Z"),
        "exec_command:0",
        "thinking-machines-lab/tinker-cookbook#248, the ids of Kimi K2",
    ),
    Leak(
        "parentheses behind the name",
        re.compile(r"\s*\(\s*\)?\Z"),
        "exec_command()",
        "ml-explore/mlx-lm#1796, calls written as Python",
    ),
    Leak(
        "white space, quotation marks or punctuation around the name",
        re.compile(r"\A[\s\"'`]+|[\s\"'`.,:;]+\Z"),
        '"exec_command"\n',
        "tailcallhq/forgecode#1121",
    ),
    Leak(
        "the suffix of a class",
        re.compile(r"_?[tT]ool\Z"),
        "ExecCommandTool",
        "NousResearch/hermes-agent#15124",
    ),
    Leak(
        "a marker of the template before the name",
        re.compile(r"\A\s*(?:<[|｜][^>]*[|｜]>\s*)+"),
        "<|message|>exec_command",
        HARMONY,
    ),
    Leak(
        "the header before the name",
        re.compile(r"\A.*\bto=", re.DOTALL),
        "assistant to=functions.exec_command",
        HARMONY,
    ),
    Leak(
        "the namespace of the template before the name",
        re.compile(r"\A(?:functions?|tools?)[.:/]"),
        "functions.exec_command",
        "ggml-org/llama.cpp#15158, MoonshotAI/Kimi-K2",
    ),
    Leak(
        "the module of Gemini's Python calls before the name",
        re.compile(r"\Adefault_api(?:[.:]|__?)"),
        "default_api:exec_command",
        "Gemini, the names in its malformed calls",
    ),
    Leak(
        "the wrapper of several calls before the name",
        re.compile(r"\Amulti_tool_use[.:/]"),
        "multi_tool_use.exec_command",
        "OpenAI, the tool of parallel calls",
    ),
    Leak(
        "the protocol before the name",
        re.compile(r"\Amcp(?:[.:/]|__)"),
        "mcp.exec_command",
        "NousResearch/hermes-agent#61336",
    ),
)
"""What is taken off a name, alone or with others."""

SPELLINGS: tuple[Spelling, ...] = (
    Spelling("two underscores", "mcp__tiny-add", "mcp__tiny__add", "openai/codex#20652"),
    Spelling("a dot", "mcp__tiny-add", "mcp__tiny.add", "openai/codex#20652"),
    Spelling("a slash", "mcp__tiny-add", "mcp__tiny/add", "NousResearch/hermes-agent#61336"),
    Spelling("a colon", "mcp__tiny-add", "mcp__tiny:add", "NousResearch/hermes-agent#61336"),
    Spelling("one underscore", "mcp__tiny-add", "mcp__tiny_add", "NousResearch/hermes-agent#61336"),
    Spelling("the protocol added", "tiny-add", "mcp__tiny__add", "openai/codex#20652"),
    Spelling("the protocol left out", "mcp__tiny-add", "tiny.add", "NousResearch/hermes-agent#61336"),
    Spelling("the namespace left out", "mcp__tiny-add", "add", "NousResearch/hermes-agent#61336"),
    Spelling("other capitals", "exec_command", "Exec_Command", "lijunzh/koda#49"),
    Spelling("one word in capitals", "exec_command", "execCommand", "NousResearch/hermes-agent#14186"),
    Spelling("another joint", "exec_command", "exec-command", "NousResearch/hermes-agent#14188"),
    Spelling("no joint", "apply_patch", "applypatch", "openai/codex#2186"),
)
"""Spellings that are compared without capitals and joints, each with an example."""

# A longer name is no tool's, and is not looked at.
LONGEST = 300
# More readings than any name has that was meant.
MOST_READINGS = 64
_NAMING_ID = re.compile(r"functions\.[^\s:]+:\d+\Z")
_JOINTS = re.compile(r"[\W_]+")
_PROTOCOL = "mcp"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The name of a call, and what the log reports of it.

    Args:
        flat_name: the name of the offered tool, or the name as the model wrote it.
        note: what was read, or why nothing was; empty where the name is one that was offered.
    """

    flat_name: str
    note: str = ""


def resolve(tools: Tools, name: str) -> Resolved:
    """The one offered tool that a name can mean.

    A name that is offered always means its tool. Any other name means a tool only if no second one can be meant.
    Where no tool is offered, no name is looked at.

    Args:
        tools: the tools of the request.
        name: the name as the model wrote it.
    """
    offered = bool(tools.by_flat_name or tools.native)
    if not offered or name in tools.by_flat_name or name in tools.native:
        return Resolved(name)
    shown = repr(name[:100])
    meant: set[str] = set()
    if len(name) <= LONGEST:
        for reading in _readings(name):
            meant |= _tools_of(tools, reading)
    if len(meant) == 1:
        (flat_name,) = meant
        return Resolved(flat_name, f"the call of {shown} was read as {flat_name}")
    if meant:
        return Resolved(name, f"the call of {shown} could mean {len(meant)} offered tools")
    return Resolved(name, f"the call of {shown} means no tool that was offered")


def name_in_id(tools: Tools, call_id: str) -> str | None:
    """The offered tool that the id of a call names, as Kimi's ids do: `functions.exec_command:0`; else None."""
    if not _NAMING_ID.match(call_id):
        return None
    flat_name = resolve(tools, call_id).flat_name
    return flat_name if flat_name in tools.by_flat_name else None


def _readings(name: str) -> list[str]:
    """A name, and all that is left of it when leaks are taken off."""
    readings = [name]
    for reading in readings:  # grows while it is read
        for leak in LEAKS:
            left = leak.pattern.sub("", reading)
            if left and left not in readings and len(readings) < MOST_READINGS:
                readings.append(left)
    return readings


def _tools_of(tools: Tools, reading: str) -> set[str]:
    """The flat names of the offered tools that a reading can be a spelling of."""
    if reading in tools.by_flat_name or reading in tools.native:
        return {reading}
    folded = _folded(reading)
    if not folded:
        return set()
    native = {name for name in tools.native if _folded(name) == folded}
    return native | {flat for flat in tools.by_flat_name if folded in _spellings(tools, flat)}


def _spellings(tools: Tools, flat: str) -> Iterator[str]:
    """All names of a tool, without capitals and joints."""
    tool = tools.by_flat_name[flat]
    name = _folded(tool.name)
    yield _folded(flat)
    yield name
    if tool.namespace is not None:
        namespace = _folded(tool.namespace)
        yield namespace + name
        yield _PROTOCOL + namespace + name
        yield namespace.removeprefix(_PROTOCOL) + name


def _folded(name: str) -> str:
    return _JOINTS.sub("", name).casefold()
