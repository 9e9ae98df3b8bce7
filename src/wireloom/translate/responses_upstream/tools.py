"""Tools for a Responses upstream: those of kinds it has as they are, the others as functions; and which may be called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import How, Losses, Rule, Severity, refused
from wireloom.translate.rules.members import LEFT_OUT
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.dialect import fit_definition, within_limit
from wireloom.translate.tools.flatten import flatten
from wireloom.translate.tools.table import CHOSEN_BY
from wireloom.wire.json import Json

FUNCTION_MEMBERS = frozenset({"type", "name", "description", "parameters", "strict"})


@dataclass(slots=True)
class Offer:
    """What is offered upstream.

    Args:
        tools: as the request says them.
        flat: those among them that stand for tools of other kinds, and the way back.
        choice: the request's `tool_choice`, or None where it says nothing.
    """

    tools: list[Json]
    flat: Tools
    choice: Any = None


def offer(body: m.CreateResponse, sent: Json, profile: Profile, options: Options, losses: Losses) -> Offer:
    """Put the tools of a request together.

    Args:
        body: the request.
        sent: its JSON.
        profile: what the upstream takes.
        options: the gateway's settings.
        losses: where what is left out is noted.

    Raises:
        InvalidRequest: a tool that cannot be served and must not be left out, or one that is to be called and is
            not offered.
    """
    known = native(profile)
    # A function goes as it is only where nothing has to be mended: its name or a missing member may be at fault.
    kept = known if profile.responses.complete else known - {"function"}
    flat = flatten(
        body,
        # What the profile says of strict functions and of searching is said of Chat Completions.
        profile.model_copy(update={"tool_strict": True, "web_search": {}}),
        losses,
        model=options.model,
        denied=options.denied_tools,
        lenient=options.lenient,
        recalled=options.recalled,
        known=kept,
    )
    given: list[Json] = sent.get("tools") or []
    whole = [_unwrapped(tool) for tool in given if tool["type"] in kept]
    allowed = [each for tool in whole if (each := _without(tool, options.denied_tools)) is not None]
    allowed = within_limit([_fitting(tool, profile, losses) for tool in allowed], profile, losses)
    items = sent.get("input") if isinstance(sent.get("input"), list) else ()
    brought = [tool for item in items or () if item.get("type") in kept for tool in item.get("tools") or ()]
    flat.native |= {name for tool in (*allowed, *brought) for name in _names(tool)}
    offered = Offer([*allowed, *_functions(flat, given)], flat, sent.get("tool_choice"))
    if not profile.responses.complete and offered.choice is not None:
        _choose(offered, profile, losses)
    return offered


def native(profile: Profile) -> frozenset[str]:
    """Kinds of tools, and types of items that bring tools, which go to an upstream as they are."""
    wire = profile.responses
    kinds = set(wire.tools)
    if wire.complete:
        kinds.add("unknown")
    if wire.additional_tools:
        kinds.add("additional_tools")
    if "tool_search" in kinds:
        kinds.add("tool_search_output")
    return frozenset(kinds)


def _unwrapped(tool: Json) -> Json:
    """A tool as the client sent it."""
    member: Json = tool["member"] if tool["type"] == "unknown" else tool
    return member


def _names(tool: Json) -> Iterator[str]:
    """The name of a tool, and those of the tools in it where it is a namespace."""
    if isinstance(tool.get("name"), str):
        yield tool["name"]
    members = tool.get("tools")
    for member in members if isinstance(members, list) else ():
        yield from _names(member)


def _without(tool: Json, denied: frozenset[str], namespace: str | None = None) -> Json | None:
    """A tool without what must not be offered of it; None where nothing is left."""
    name = str(tool.get("name", tool.get("type")))
    if denied & {name, f"{namespace}.{name}"}:
        return None
    if tool.get("type") != "namespace" or not denied:
        return tool
    left = [member for member in tool["tools"] if _without(member, denied, name) is not None]
    return {**tool, "tools": left} if left else None


def _fitting(tool: Json, profile: Profile, losses: Losses) -> Json:
    """A tool that goes as it is, but for schemas that the upstream does not read."""
    if "tools" not in tool:
        return fit_definition(tool, profile, f"tools.{tool.get('name')}", losses)
    members = [_fitting(member, profile, losses) for member in tool["tools"]]
    same = all(new is old for new, old in zip(members, tool["tools"], strict=True))
    return tool if same else {**tool, "tools": members}


def _functions(flat: Tools, given: list[Json]) -> list[Json]:
    """Chat definitions in the form of the Responses contract, with all members that some servers insist on."""
    own = {flat.flat_name(tool["name"]): tool for tool in given if tool["type"] == "function"}
    made = []
    for tool in flat.functions:
        function = tool["function"]
        more = own.get(function["name"], {})
        kept = {name: value for name, value in more.items() if name not in {*FUNCTION_MEMBERS, *LEFT_OUT}}
        made.append(
            {
                "type": "function",
                "name": function["name"],
                "description": function.get("description"),
                "parameters": function["parameters"],
                "strict": function.get("strict", False),
                **kept,
            }
        )
    return made


# -- which may be called -------------------------------------------------------------------------------------------


def _choose(offered: Offer, profile: Profile, losses: Losses) -> None:
    """Say `tool_choice` in the names and forms that the upstream takes."""
    choice = offered.choice
    kind = choice if isinstance(choice, str) else choice["type"]
    CHOICES[kind].apply(offered, profile, choice, losses)


def _force(offered: Offer, profile: Profile, choice: Json, _: Losses) -> None:
    if "function" not in profile.tool_choice:
        raise refused("tool_choice", f"{profile.title} cannot be made to call a tool")
    offered.choice = _reference(offered, choice, "tool_choice")


def _mode(offered: Offer, profile: Profile, mode: str, _: Losses) -> None:
    if mode == "auto":
        offered.choice = None  # what an absent field means everywhere
    elif mode == "none":
        offered.flat.allowed = frozenset()
        if "none" not in profile.tool_choice:
            offered.tools.clear()  # a model that is offered nothing calls nothing
        offered.choice = mode if offered.tools else None
    elif mode not in profile.tool_choice:
        raise refused("tool_choice", f"{profile.title} cannot be made to call a tool")
    elif not offered.tools:
        raise refused("tool_choice", "no tool is left that could be called")
    else:
        offered.choice = mode


def _allow(offered: Offer, profile: Profile, choice: Json, losses: Losses) -> None:
    """By the upstream's own means, or by offering the allowed tools alone; either way no other call passes."""
    wanted = [
        _reference(offered, tool, f"tool_choice.tools[{index}]") for index, tool in enumerate(choice["tools"])
    ]
    offered.flat.allowed = frozenset(str(tool["name"]) for tool in wanted if "name" in tool)
    if "allowed_tools" in profile.tool_choice:
        offered.choice = {**choice, "tools": wanted}
        return
    names = {(tool["type"], tool.get("name")) for tool in wanted}
    offered.tools[:] = [tool for tool in offered.tools if (tool["type"], tool.get("name")) in names]
    losses.add("tool_choice", "emulated", "tools that are not allowed are not offered", Severity.IMMATERIAL)
    _mode(offered, profile, choice["mode"], losses)


def _reference(offered: Offer, named: Json, path: str) -> Json:
    """A tool that a choice names, under the name it is offered by."""
    kind, name = str(named.get("type")), named.get("name")
    flat = offered.flat.flat_name(kind if name is None else str(name), named.get("namespace"))
    if flat is not None:
        return {"type": "function", "name": flat}
    if any(tool["type"] == kind and tool.get("name") == name for tool in offered.tools):
        return named
    raise InvalidRequest(f"{path}: the tool {name or kind!r} is not offered.", param=path)


ChoiceRule: TypeAlias = Rule[Callable[[Offer, Profile, Any, Losses], None]]

_NAMED: ChoiceRule = Rule(How.NATIVE, _force, "under the name by which the tool is offered")

CHOICES: Mapping[str, ChoiceRule] = {
    "auto": Rule(How.NATIVE, _mode, "the same as no choice"),
    "none": Rule(How.NATIVE, _mode, "by offering no tool where the upstream has no such choice"),
    "required": Rule(How.NATIVE, _mode, "refused where the upstream cannot be made to call"),
    "allowed_tools": Rule(
        How.NATIVE, _allow, "by offering these alone where the upstream has no such choice"
    ),
    **dict.fromkeys(
        (
            *CHOSEN_BY,
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
        _NAMED,
    ),
}
"""Every form of `tool_choice`, by its word or its type, for an upstream that is not complete."""
