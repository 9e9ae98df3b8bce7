"""Every kind of tool: flattened to a function for a Chat upstream, restored when the model calls it; one table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.rules.loss import How, Losses, Rule, Severity, refused
from wireloom.translate.rules.members import LEFT_OUT
from wireloom.translate.tools.client_tools import APPLY_PATCH, LOCAL_SHELL, SHELL
from wireloom.translate.tools.free_input import INPUT

Json: TypeAlias = dict[str, Any]

EMPTY_PARAMETERS: Json = {"type": "object", "properties": {}}
SEARCHES = frozenset(
    {"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"}
)
"""Kinds of tools that search the web."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a flat name stands for.

    Args:
        name: the tool's name as the client gave it.
        namespace: the namespace it stands in, or None.
        kind: the kind of call that the client expects for it, a key of `output_items.CALLS`.
    """

    name: str
    namespace: str | None = None
    kind: str = "function"


@dataclass(slots=True)
class Tools:
    """The functions offered to a Chat upstream, and the way back.

    Args:
        functions: Chat tool definitions, in the order of the request.
        by_flat_name: what each flat name stands for.
        by_name: name and namespace of a tool -> its flat name; of several kinds of tools, the first one's.
        search: whether the upstream may search the web by its own means.
        allowed: flat names that may be called, or None for all.
        denied: flat names that may not be called, whatever else holds.
    """

    functions: list[Json] = field(default_factory=list)
    by_flat_name: dict[str, Target] = field(default_factory=dict)
    by_name: dict[tuple[str, str | None], str] = field(default_factory=dict)
    search: bool = False
    allowed: frozenset[str] | None = None
    denied: set[str] = field(default_factory=set)

    def flat_name(self, name: str, namespace: str | None = None, kind: str | None = None) -> str | None:
        """The name under which a tool is offered, or None when it is not.

        Tools of several kinds may share a name: without a kind the first of them counts.
        """
        if kind is None:
            return self.by_name.get((name, namespace))
        wanted = Target(name, namespace, kind)
        return next((flat for flat, tool in self.by_flat_name.items() if tool == wanted), None)

    def restore(self, flat_name: str) -> Target:
        """What the model means by a name; one that was never offered comes back as it is.

        The client answers a call it does not know, and the model learns from the answer.
        """
        return self.by_flat_name.get(flat_name) or Target(flat_name)

    def may_call(self, flat_name: str) -> bool:
        """Whether the request lets the model call a tool of that name."""
        return flat_name not in self.denied and (self.allowed is None or flat_name in self.allowed)


def flatten(
    body: m.CreateResponse,
    profile: Profile,
    losses: Losses,
    *,
    model: str,
    denied: frozenset[str] = frozenset(),
    lenient: bool = False,
    recalled: int = 0,
    known: Collection[str] = (),
) -> Tools:
    """Turn a request's tools into functions: its own, those its items bring, and those a search has found.

    Args:
        body: the request.
        profile: what names the upstream takes, whether it takes `strict`, how it searches.
        losses: where what is left out is noted.
        model: the model's name upstream.
        denied: flat, qualified (`namespace.name`) or bare names that are never offered.
        lenient: whether a kind of tool the contract does not know is left out rather than refused.
        recalled: how many of the input's items come from history.
        known: kinds of tools, and types of items that bring tools, which the upstream has itself.

    Raises:
        InvalidRequest: a tool that cannot be served and must not be left out.
    """
    build = _Build(profile, losses, model, denied, lenient)
    for index, tool in enumerate(body.tools or ()):
        if tool.type not in known:
            TOOLS[tool.type].apply(build, f"tools[{index}]", tool)
    build.repeats = True
    items: Any = body.input if isinstance(body.input, list) else ()
    for index, item in enumerate(items):
        if item.type in BRINGERS and item.type not in known:
            for position, tool in enumerate(item.tools):
                TOOLS[tool.type].apply(build, f"{place(index, recalled)}.tools[{position}]", tool)
    return build.tools


RECALLED = "history"
"""Where items stand that are not in the request."""


def place(index: int, recalled: int) -> str:
    """Where an item stood for the client: in its request, or in what it went on from.

    Args:
        index: of the item, context included.
        recalled: how many items of context come first.
    """
    return f"input[{index - recalled}]" if index >= recalled else RECALLED


BRINGERS = frozenset({"additional_tools", "tool_search_output"})
"""Types of items that bring tools."""


class _Build:
    """The state of one flattening."""

    def __init__(
        self, profile: Profile, losses: Losses, model: str, denied: frozenset[str], lenient: bool
    ) -> None:
        self.profile = profile
        self.losses = losses
        self.model = model
        self.denied = denied
        self.lenient = lenient
        self.tools = Tools()
        self.offered: set[Target] = set()
        self.repeats = False
        """Whether a tool that is offered already may come again, as it does when two searches find it."""

    def offer(self, path: str, tool: Target, definition: Json) -> None:
        flat = flat_name(tool.name, tool.namespace, self.profile)
        if self.denied & {flat, tool.name, f"{tool.namespace}.{tool.name}"}:
            self.tools.denied.add(flat)
            self.losses.add(path, "dropped", "on the list of denied tools", Severity.IMMATERIAL)
            return
        if tool in self.offered:
            if self.repeats:
                return
            raise InvalidRequest(f"{path}: the tool {tool.name} is offered twice.", param=path)
        if flat in self.tools.by_flat_name:  # two that only flatten alike
            flat = _hashed(flat, f"{tool.namespace}.{tool.name}.{tool.kind}", self.profile)
        self.tools.by_flat_name[flat] = tool
        self.tools.by_name.setdefault((tool.name, tool.namespace), flat)
        self.offered.add(tool)
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
    about: str = "",
) -> None:
    definition: Json = {}
    if tool.description or about:
        definition["description"] = "\n\n".join(filter(None, (tool.description, about)))
    definition["parameters"] = _plain(tool.parameters) or EMPTY_PARAMETERS
    if tool.strict is not None and build.profile.tool_strict:
        definition["strict"] = tool.strict
    elif tool.strict:
        build.losses.add(f"{path}.strict", "dropped", f"{build.profile.title} does not take it")
    for name, attribute in _UNHEARD.items():
        if getattr(tool, attribute, None):
            build.losses.add(f"{path}.{name}", "dropped", LEFT_OUT[name], Severity.IMMATERIAL)
    build.offer(path, Target(tool.name, namespace), definition)


# Members of a tool that no Chat function has -> their names in the models.
_UNHEARD = {name: name for name in ("output_schema", "defer_loading", "allowed_callers")} | {
    "async": "async_"
}


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_unset=True) if hasattr(value, "model_dump") else value


def _custom(
    build: _Build, path: str, tool: m.CustomToolParam, namespace: str | None = None, about: str = ""
) -> None:
    words = [text for text in (tool.description, about) if text]
    described = "The tool's input, exactly as the tool takes it."
    if tool.format is not None:
        words += FORMATS[tool.format.type].apply(build, f"{path}.format", tool.format)
    definition: Json = {
        "description": "\n\n".join(words),
        "parameters": {
            "type": "object",
            "properties": {INPUT: {"type": "string", "description": described}},
            "required": [INPUT],
            "additionalProperties": False,
        },
    }
    build.offer(path, Target(tool.name, namespace, "custom"), definition)


def _text(*_: Any) -> list[str]:
    """Any text: nothing has to be described."""
    return []


def _grammar(build: _Build, path: str, form: m.CustomGrammarFormatParam) -> list[str]:
    reason = "the grammar is described and not enforced"
    build.losses.add(path, "emulated", reason, Severity.IMMATERIAL)
    return [f"The value of `{INPUT}` has to follow this {form.syntax} grammar:\n{form.definition}"]


FORMATS: Mapping[str, Rule[Callable[[_Build, str, Any], list[str]]]] = {
    "text": Rule(How.NATIVE, _text),
    "grammar": Rule(How.EMULATED, _grammar, "described and not enforced"),
}
"""Every format of free-form input -> its description for the model."""


def _namespace(build: _Build, path: str, tool: m.NamespaceToolParam) -> None:
    # What is said of them all is said once, with the first that is offered.
    about = f"All tools of {tool.name}: {tool.description}" if tool.description else ""
    for index, member in enumerate(tool.tools):
        at, before = f"{path}.tools[{index}]", len(build.tools.functions)
        MEMBERS[member.type](build, at, member, tool.name, about)
        if len(build.tools.functions) > before:
            about = ""


MEMBERS: Mapping[str, Callable[[_Build, str, Any, str, str], None]] = {
    "function": _function,
    "custom": _custom,
}
"""Every kind of tool that a namespace holds."""


def _tool_search(build: _Build, path: str, tool: m.ToolSearchToolParam) -> None:
    if tool.execution is None or tool.execution == "server":
        build.losses.add(path, "emulated", "every tool is offered at once", Severity.IMMATERIAL)
        return
    definition: Json = {"parameters": _plain(tool.parameters) or EMPTY_PARAMETERS}
    if tool.description:
        definition["description"] = tool.description
    build.offer(path, Target("tool_search", kind="tool_search"), definition)


def _client_tool(name: str, definition: Json) -> Callable[[_Build, str, Any], None]:
    def offer(build: _Build, path: str, _: Any) -> None:
        build.offer(path, Target(name, kind=name), dict(definition))

    return offer


def _shell(build: _Build, path: str, tool: m.FunctionShellToolParam) -> None:
    definition = dict(SHELL)
    if tool.environment is not None:
        skills = ENVIRONMENTS[tool.environment.type].apply(f"{path}.environment", tool.environment)
        definition["description"] = "\n".join([SHELL["description"], *skills])
    _client_tool("shell", definition)(build, path, tool)


def _local(_: str, environment: m.LocalEnvironmentParam) -> list[str]:
    skills = environment.skills or ()
    described = [f"- {skill.name} ({skill.path}): {skill.description}" for skill in skills]
    return ["Skills there:", *described] if described else []


def _container(path: str, _: Any) -> list[str]:
    raise refused(path, "containers live at the provider", "unsupported_tool")


_ELSEWHERE: Rule[Callable[[str, Any], list[str]]] = Rule(
    How.REFUSED, _container, "containers live at the provider"
)

ENVIRONMENTS: Mapping[str, Rule[Callable[[str, Any], list[str]]]] = {
    "local": Rule(How.NATIVE, _local, "its skills are described"),
    "container_auto": _ELSEWHERE,
    "container_reference": _ELSEWHERE,
}
"""Every place where a shell runs -> its description for the model."""


def _web_search(build: _Build, path: str, tool: Any) -> None:
    """By the upstream's own means, where it has any and the model takes them; they only know the live web."""
    profile = build.profile
    if not profile.searches(build.model):
        build.losses.add(path, "dropped", f"{profile.title} does not search the web for this model")
    elif getattr(tool, "external_web_access", None) is False:
        build.losses.add(path, "dropped", f"{profile.title} searches the live web only")
    else:
        build.tools.search = True
        asked = tool.model_fields_set - {"type", "external_web_access", "search_content_types"}
        for name in sorted(name for name in asked if getattr(tool, name) is not None):
            build.losses.add(f"{path}.{name}", "dropped", "no such setting upstream")


def _refused(_: _Build, path: str, tool: Any) -> None:
    raise refused(path, f"{tool.type} runs inside a provider that offers it", "unsupported_tool")


def _unknown(build: _Build, path: str, _: m.UnknownTool) -> None:
    if not build.lenient:
        raise InvalidRequest(f"{path}.type: there is no such kind of tool.", param=f"{path}.type")
    build.losses.add(path, "dropped", "a kind of tool the contract does not know")


ToolRule: TypeAlias = Rule[Callable[[_Build, str, Any], None]]

_HOSTED: ToolRule = Rule(How.REFUSED, _refused, "it runs inside a provider that offers it")
_SEARCH: ToolRule = Rule(
    How.EMULATED, _web_search, "by the upstream's own search where its profile names one, else left out"
)

TOOLS: Mapping[str, ToolRule] = {
    "function": Rule(How.NATIVE, _function),
    "custom": Rule(How.EMULATED, _custom, "a function with one string; a grammar is described"),
    "namespace": Rule(How.EMULATED, _namespace, "functions named `<namespace>-<name>`"),
    "tool_search": Rule(
        How.EMULATED, _tool_search, "a function, if the client searches; else every tool is offered at once"
    ),
    "local_shell": Rule(How.EMULATED, _client_tool("local_shell", LOCAL_SHELL), "a function"),
    "shell": Rule(How.EMULATED, _shell, "a function; containers at a provider are refused"),
    "apply_patch": Rule(How.EMULATED, _client_tool("apply_patch", APPLY_PATCH), "a function"),
    **dict.fromkeys(sorted(SEARCHES), _SEARCH),
    "file_search": _HOSTED,
    "code_interpreter": _HOSTED,
    "computer": _HOSTED,
    "computer_use_preview": _HOSTED,
    "image_generation": _HOSTED,
    "mcp": _HOSTED,
    "programmatic_tool_calling": _HOSTED,
    "unknown": Rule(How.REFUSED, _unknown, "left out with a report where the Codex CLI sends it"),
}
REFUSED = frozenset(kind for kind, rule in TOOLS.items() if rule is _HOSTED)
"""Kinds of tools that refuse a request."""
