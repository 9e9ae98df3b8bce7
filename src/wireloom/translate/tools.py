"""Every kind of tool: flattened to a function for a Chat upstream, restored when the model calls it; one table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.loss import Losses, Severity, refused

Json: TypeAlias = dict[str, Any]

# The field that carries free-form input, and those that models are known to use in its place.
INPUT = "input"
WRAPPED = (INPUT, "patch", "text", "content", "code", "command")
EMPTY_PARAMETERS: Json = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Target:
    """What a flat name stands for.

    Args:
        name: the tool's name as the client gave it.
        namespace: the namespace it stands in, or None.
        custom: whether it takes free-form input instead of JSON arguments.
    """

    name: str
    namespace: str | None = None
    custom: bool = False


@dataclass(slots=True)
class Tools:
    """The functions offered to a Chat upstream, and the way back.

    Args:
        functions: Chat tool definitions, in the order of the request.
        by_flat_name: what each flat name stands for.
        by_name: name and namespace of a tool -> its flat name.
    """

    functions: list[Json] = field(default_factory=list)
    by_flat_name: dict[str, Target] = field(default_factory=dict)
    by_name: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def flat_name(self, name: str, namespace: str | None) -> str | None:
        """The name under which a tool is offered, or None when it is not."""
        return self.by_name.get((name, namespace))

    def restore(self, flat_name: str) -> Target:
        """What the model means by a name; one that was never offered comes back as it is.

        The client answers a call it does not know, and the model learns from the answer.
        """
        return self.by_flat_name.get(flat_name) or Target(flat_name)


def flatten(
    tools: Iterable[m.Tool], profile: Profile, losses: Losses, *, denied: frozenset[str], lenient: bool
) -> Tools:
    """Turn a request's tools into functions.

    Args:
        tools: the tools of the request.
        profile: what names the upstream takes, and whether it takes `strict`.
        losses: where what is left out is noted.
        denied: flat, qualified (`namespace.name`) or bare names that are never offered.
        lenient: whether a kind of tool the contract does not know is left out rather than refused.

    Raises:
        InvalidRequest: a tool that cannot be served and must not be left out.
    """
    build = _Build(profile, losses, denied, lenient)
    for index, tool in enumerate(tools):
        TOOLS[tool.type](build, f"tools[{index}]", tool)
    return build.tools


class _Build:
    """The state of one flattening."""

    def __init__(self, profile: Profile, losses: Losses, denied: frozenset[str], lenient: bool) -> None:
        self.profile = profile
        self.losses = losses
        self.denied = denied
        self.lenient = lenient
        self.tools = Tools()

    def offer(self, path: str, tool: Target, definition: Json) -> None:
        flat = flat_name(tool.name, tool.namespace, self.profile)
        if self.denied & {flat, tool.name, f"{tool.namespace}.{tool.name}"}:
            self.losses.add(path, "dropped", "on the list of denied tools", Severity.IMMATERIAL)
            return
        other = self.tools.by_flat_name.get(flat)
        if other == tool:  # two that cannot be told apart; two that only flatten alike can
            raise InvalidRequest(f"{path}: the tool {tool.name} is offered twice.", param=path)
        if other is not None:
            flat = _hashed(flat, f"{tool.namespace}.{tool.name}", self.profile)
        self.tools.by_flat_name[flat] = tool
        self.tools.by_name[tool.name, tool.namespace] = flat
        definition["name"] = flat
        self.tools.functions.append({"type": "function", "function": definition})


def flat_name(name: str, namespace: str | None, profile: Profile) -> str:
    """`<namespace>-<name>` in the characters and the length that an upstream takes."""
    flat = name if namespace is None else f"{namespace}-{name}"
    if len(flat) <= profile.tool_name_max and re.fullmatch(profile.tool_name_pattern, flat):
        return flat
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", flat)
    if not re.fullmatch(profile.tool_name_pattern, plain):
        plain = f"t_{plain}"
    return _hashed(plain, flat, profile)


def _hashed(plain: str, original: str, profile: Profile) -> str:
    digest = hashlib.sha256(original.encode()).hexdigest()[:8]
    return f"{plain[: profile.tool_name_max - 9]}_{digest}"


# -- one function for each kind of tool ----------------------------------------------------------------------------


def _function(
    build: _Build,
    path: str,
    tool: m.FunctionTool | m.FunctionToolParam,
    namespace: str | None = None,
) -> None:
    definition: Json = {}
    if tool.description:
        definition["description"] = tool.description
    definition["parameters"] = _plain(tool.parameters) or EMPTY_PARAMETERS
    if tool.strict is not None and build.profile.tool_strict:
        definition["strict"] = tool.strict
    elif tool.strict:
        build.losses.add(f"{path}.strict", "dropped", f"{build.profile.title} does not take it")
    build.offer(path, Target(tool.name, namespace), definition)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_unset=True) if hasattr(value, "model_dump") else value


def _custom(build: _Build, path: str, tool: m.CustomToolParam, namespace: str | None = None) -> None:
    words = [tool.description] if tool.description else []
    described = "The tool's input, exactly as the tool takes it."
    grammar = tool.format if isinstance(tool.format, m.CustomGrammarFormatParam) else None
    if grammar is not None:
        words.append(
            f"The value of `{INPUT}` has to follow this {grammar.syntax} grammar:\n{grammar.definition}"
        )
        build.losses.add(
            f"{path}.format", "emulated", "the grammar is described and not enforced", Severity.IMMATERIAL
        )
    definition: Json = {
        "description": "\n\n".join(words),
        "parameters": {
            "type": "object",
            "properties": {INPUT: {"type": "string", "description": described}},
            "required": [INPUT],
            "additionalProperties": False,
        },
    }
    build.offer(path, Target(tool.name, namespace, custom=True), definition)


def _namespace(build: _Build, path: str, tool: m.NamespaceToolParam) -> None:
    for index, member in enumerate(tool.tools):
        at = f"{path}.tools[{index}]"
        if isinstance(member, m.CustomToolParam):
            _custom(build, at, member, tool.name)
        else:
            _function(build, at, member, tool.name)


def _degraded(reason: str) -> Callable[[_Build, str, Any], None]:
    def leave_out(build: _Build, path: str, _: Any) -> None:
        build.losses.add(path, "dropped", reason)

    return leave_out


def _refused(build: _Build, path: str, tool: Any) -> None:
    raise refused(path, f"{tool.type} runs inside a provider that offers it", "unsupported_tool")


def _unknown(build: _Build, path: str, _: m.UnknownTool) -> None:
    if not build.lenient:
        raise InvalidRequest(f"{path}.type: there is no such kind of tool.", param=f"{path}.type")
    build.losses.add(path, "dropped", "a kind of tool the contract does not know")


TOOLS: dict[str, Callable[[_Build, str, Any], None]] = {
    "function": _function,
    "custom": _custom,
    "namespace": _namespace,
    "web_search": _degraded("no search by the provider"),
    "web_search_2025_08_26": _degraded("no search by the provider"),
    "web_search_preview": _degraded("no search by the provider"),
    "web_search_preview_2025_03_11": _degraded("no search by the provider"),
    "tool_search": _degraded("tools are offered at once or not at all"),
    "local_shell": _refused,
    "shell": _refused,
    "apply_patch": _refused,
    "file_search": _refused,
    "code_interpreter": _refused,
    "computer": _refused,
    "computer_use_preview": _refused,
    "image_generation": _refused,
    "mcp": _refused,
    "programmatic_tool_calling": _refused,
    "unknown": _unknown,
}
REFUSED = frozenset(kind for kind, rule in TOOLS.items() if rule is _refused)
"""Kinds of tools that refuse a request."""


# -- free-form input inside JSON arguments -------------------------------------------------------------------------


def wrap(text: str) -> str:
    """Free-form input as the JSON arguments of the function that stands in for its tool."""
    return msgspec.json.encode({INPUT: text}).decode()


def unwrap(arguments: str) -> str:
    """The free-form input in a call's arguments.

    Models that were asked for `{"input": ...}` also send another lone string field, or the bare text.
    """
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for name in _candidates(value):
            text = value[name]
            if isinstance(text, str):
                return text
    return arguments


def _candidates(value: Json) -> Iterator[str]:
    yield from (name for name in WRAPPED if name in value)
    if len(value) == 1:
        yield from value
