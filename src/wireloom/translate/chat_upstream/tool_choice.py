"""Which tools may be called in a turn, and which must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.translate.chat_upstream.draft import Draft
from wireloom.translate.rules.loss import How, Rule, Severity, refused
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.table import CHOSEN_BY, SEARCHES


def choose_tools(build: Draft, path: str, value: Any) -> None:
    """Put a choice of tools to the upstream, or see to it here.

    Args:
        build: the Chat request; the tools it offers may become fewer.
        path: where the choice stood.
        value: the choice.

    Raises:
        InvalidRequest: a choice that cannot be kept to.
    """
    kind = value if isinstance(value, str) else value.type
    CHOICES[kind].apply(build, path, value)


def _mode(build: Draft, path: str, value: str) -> None:
    _choose(build, path, value, value)


def _named(build: Draft, path: str, value: Any) -> None:
    namespace = getattr(value, "namespace", None)
    flat = _offered(build.tools, value.type, value.name, namespace)
    if flat is None:
        raise InvalidRequest(f"{path}.name: the tool {value.name!r} is not offered.", param=f"{path}.name")
    _force(build, path, flat)


def _of_kind(build: Draft, path: str, value: Any) -> None:
    """A client's tool that has no name besides its kind."""
    flat = _offered(build.tools, value.type, None, None)
    if flat is None:
        _foreign(build, path, value)
    else:
        _force(build, path, flat)


def _foreign(_: Draft, path: str, value: Any) -> None:
    raise refused(path, f"a tool of type {value.type} cannot be forced", "unsupported_tool")


def _force(build: Draft, path: str, flat: str) -> None:
    _choose(build, path, "function", {"type": "function", "function": {"name": flat}})


def _offered(tools: Tools, kind: str, name: Any, namespace: Any) -> str | None:
    """The name under which a tool is offered that a choice is about; some are known by their kind alone."""
    if name is None:
        return tools.flat_name(kind, kind=kind)
    at = str(name), None if namespace is None else str(namespace)
    return tools.flat_name(*at, kind) or tools.flat_name(*at)


def _choose(build: Draft, path: str, form: str, value: Any) -> None:
    if form == "auto":
        return  # what an absent field means everywhere
    if form == "none":
        build.tools.allowed = frozenset()
        build.tools.search = False
        if not build.tools.functions:
            return
    if form not in build.profile.tool_choice:
        if form == "none":
            build.tools.functions.clear()  # a model that is offered nothing calls nothing
            return
        raise refused(path, f"{build.profile.title} cannot be made to call a tool")
    if not build.tools.functions:
        raise refused(path, "no tool is left that could be called")
    if form in ("required", "function") and build.profile.thinking_blocks_forced_tools:
        _stop_thinking(build, path)
    build.body["tool_choice"] = value


def _stop_thinking(build: Draft, path: str) -> None:
    """Ask for no reasoning in this turn: what is forced weighs more than how the model gets there."""
    title = build.profile.title
    silent = build.profile.effort("none")
    if silent is None:
        raise refused(path, f"{title} cannot be made to call a tool while it thinks")
    effort = build.request.reasoning.effort if build.request.reasoning else None
    for name in build.profile.effort(effort) or () if effort else ():
        build.body.pop(name, None)
    build.body |= silent
    build.losses.add("reasoning", "dropped", f"{title} does not think where a tool is forced")


def _allow(build: Draft, path: str, value: m.ToolChoiceAllowed) -> None:
    """By the upstream's own means, or by offering the allowed tools alone; either way no other call passes."""
    tools, allowed, search = build.tools, set(), False
    for index, tool in enumerate(value.tools):
        kind, name = str(tool.get("type")), tool.get("name")
        if kind in SEARCHES:
            search = tools.search
            continue
        flat = _offered(tools, kind, name, tool.get("namespace"))
        if flat is None and kind == "tool_search":
            continue  # the provider's own: what it would find is offered already
        if flat is None:
            at = f"{path}.tools[{index}]"
            raise InvalidRequest(f"{at}: the tool {name or kind!r} is not offered.", param=at)
        allowed.add(flat)
    tools.search, tools.allowed = search, frozenset(allowed)
    kept = [tool for tool in tools.functions if tool["function"]["name"] in allowed]
    if "allowed_tools" in build.profile.tool_choice and kept:
        names = [{"type": "function", "function": {"name": tool["function"]["name"]}} for tool in kept]
        form = {"mode": value.mode, "tools": names}
        build.body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": form}
        return
    tools.functions[:] = kept
    build.losses.add(path, "emulated", "tools that are not allowed are not offered", Severity.IMMATERIAL)
    _choose(build, path, value.mode, value.mode)


ChoiceRule: TypeAlias = Rule[Callable[[Draft, str, Any], None]]

_CHOSEN: Mapping[str, ChoiceRule] = {
    "name": Rule(How.EMULATED, _named, "the function that stands for the tool"),
    "type": Rule(How.EMULATED, _of_kind, "the function that stands for the tool"),
}
_FOREIGN: ChoiceRule = Rule(How.REFUSED, _foreign, "it runs inside a provider that offers it")

CHOICES: Mapping[str, ChoiceRule] = {
    "auto": Rule(How.NATIVE, _mode, "the same as no choice"),
    "none": Rule(How.NATIVE, _mode, "by offering no tool where the upstream has no such choice"),
    "required": Rule(How.NATIVE, _mode, "refused where the upstream cannot be made to call"),
    "allowed_tools": Rule(
        How.EMULATED, _allow, "by offering these alone where the upstream has no such choice"
    ),
    **{kind: _CHOSEN[by] for kind, by in CHOSEN_BY.items()},
    "function": Rule(How.NATIVE, _named, "refused where the upstream cannot be made to call"),
    **dict.fromkeys(
        (
            "code_interpreter",
            "computer",
            "computer_use",
            "computer_use_preview",
            "file_search",
            "image_generation",
            "mcp",
            "programmatic_tool_calling",
            "web_search_preview",
            "web_search_preview_2025_03_11",
        ),
        _FOREIGN,
    ),
}
"""Every form of `tool_choice`, by its word or its type."""
