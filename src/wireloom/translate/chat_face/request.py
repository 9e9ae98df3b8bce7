"""A Chat Completions request as a Responses request, for backends that do not speak Chat themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wireloom_protocol import chat

from wireloom.errors import InvalidRequest
from wireloom.translate.chat_face.messages import Items, unknown
from wireloom.translate.hub.include import LOGPROBS
from wireloom.translate.rules.loss import How, Losses, Refuse, Rule, Severity, refused
from wireloom.wire.json import Json


@dataclass(slots=True)
class _Build:
    """A request being made."""

    losses: Losses
    body: Json = field(default_factory=dict)
    tools: list[Json] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def within(self, name: str, **members: Any) -> None:
        """Set members of a member."""
        self.body.setdefault(name, {}).update(members)


@dataclass(frozen=True, slots=True)
class HubRequest:
    """A Chat request said as one for a response.

    Args:
        body: its JSON; not validated yet, and nothing of it is stored.
        origins: path of the message that each item of the input comes from.
        names: members that were given -> how they are called in the Chat request.
    """

    body: Json
    origins: list[str]
    names: Mapping[str, str]

    def path(self, path: str) -> str:
        """Where in the Chat request something stands.

        Args:
            path: where it stands in the request for a response.
        """
        found = _ITEM.match(path)
        if found is not None and int(found[1]) < len(self.origins):
            return self.origins[int(found[1])] + INSIDE.get(found[2], found[2])
        for name, given in self.names.items():
            if path == name or path.startswith((f"{name}.", f"{name}[")):
                return given + path[len(name) :]
        return path


_ITEM = re.compile(r"input\[(\d+)\](.*)")
# Members of items that Chat calls otherwise.
INSIDE = {".call_id": ".tool_call_id", ".output": ".content"}
# Members of the request that Chat calls otherwise.
RENAMED = {
    "input": "messages",
    "text.format": "response_format",
    "text.verbosity": "verbosity",
    "reasoning.effort": "reasoning_effort",
    "include[0]": "logprobs",
}


def hub_request(body: chat.CreateChatCompletionRequest, losses: Losses) -> HubRequest:
    """Translate a request.

    Args:
        body: the validated request.
        losses: where what is not carried is noted.

    Raises:
        InvalidRequest: something that cannot be carried and must not be left out.
    """
    sent: Json = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    build = _Build(losses, {"store": False})
    for name, value in sorted(sent.items()):
        if name not in FIELDS:
            losses.add(name, "dropped", "no such field in the contract")
        elif value is not None:
            FIELDS[name].apply(build, name, value)
    if build.tools:
        build.body["tools"] = build.tools
    limit = "max_completion_tokens" if "max_completion_tokens" in sent else "max_tokens"
    return HubRequest(build.body, build.origins, {**RENAMED, "max_output_tokens": limit})


# -- kinds of rules ------------------------------------------------------------------------------------------------

Apply: TypeAlias = Callable[[_Build, str, Any], None]


def _done(*_: Any) -> None:
    """Carried with another field, or by the face itself."""


def _same(build: _Build, name: str, value: Any) -> None:
    build.body[name] = value


def _within(member: str, name: str) -> Apply:
    def rule(build: _Build, _: str, value: Any) -> None:
        build.within(member, **{name: value})

    return rule


def _refuse(reason: str, harmless: object = None) -> Rule[Apply]:
    return Rule(How.REFUSED, Refuse(reason, harmless), reason)


def _ignored(reason: str, severity: Severity = Severity.DEGRADING, harmless: object = None) -> Rule[Apply]:
    def rule(build: _Build, path: str, value: Any) -> None:
        if value != harmless:
            build.losses.add(path, "dropped", reason, severity)

    return Rule(How.IGNORED, rule, reason)


# -- rules of single fields ----------------------------------------------------------------------------------------


def _messages(build: _Build, path: str, value: list[Json]) -> None:
    items = Items(build.losses)
    build.body["input"], build.origins = items.translate(path, value), items.origins


def _max_tokens(build: _Build, name: str, value: int) -> None:
    """The older name of the limit; the newer one wins, whichever comes first."""
    if name == "max_completion_tokens" or "max_output_tokens" not in build.body:
        build.body["max_output_tokens"] = value


def _logprobs(build: _Build, _: str, value: bool) -> None:
    if value:
        build.body["include"] = [LOGPROBS]


def _stop(_: _Build, path: str, value: str | list[str]) -> None:
    if value:
        raise refused(path, "the backend knows no stop sequences")


def _modalities(_: _Build, path: str, value: list[str]) -> None:
    if value != ["text"]:
        raise refused(path, "the backend answers in text only")


def _logit_bias(_: _Build, path: str, value: Json) -> None:
    if value:
        raise refused(path, "the backend knows no biases")


def _response_format(build: _Build, path: str, value: Json) -> None:
    FORMATS[value["type"]].apply(build, path, value)


def _schema(build: _Build, path: str, value: Json) -> None:
    given = value["json_schema"]
    if given.get("schema") is None:
        at = f"{path}.json_schema.schema"
        raise InvalidRequest(f"{at} is missing.", code="missing_required_parameter", param=at)
    build.within("text", format={**given, "type": "json_schema"})


def _plain_format(build: _Build, _: str, value: Json) -> None:
    build.within("text", format={"type": value["type"]})


FORMATS: Mapping[str, Rule[Apply]] = {
    "text": Rule(How.NATIVE, _plain_format),
    "json_schema": Rule(How.NATIVE, _schema),
    "json_object": Rule(How.NATIVE, _plain_format),
}
"""Every format of an answer."""


def _tools(build: _Build, path: str, value: list[Json]) -> None:
    for index, tool in enumerate(value):
        build.tools.append(TOOLS[tool["type"]].apply(f"{path}[{index}]", tool))


def _functions(build: _Build, _: str, value: list[Json]) -> None:
    build.tools += [{"type": "function", **function} for function in value]


def _function_tool(_: str, tool: Json) -> Json:
    return {"type": "function", **tool["function"]}


def _custom_tool(_: str, tool: Json) -> Json:
    custom: Json = {"type": "custom", **tool["custom"]}
    given = custom.get("format")
    if given is not None:
        custom["format"] = INPUT_FORMATS[given["type"]](given)
    return custom


INPUT_FORMATS: Mapping[str, Callable[[Json], Json]] = {
    "text": dict,
    "grammar": lambda given: {"type": "grammar", **given["grammar"]},
}
"""Every format of free-form input -> the same in a tool of the Responses contract."""


def _tool_choice(build: _Build, _: str, value: Any) -> None:
    kind = value if isinstance(value, str) else value["type"]
    build.body["tool_choice"] = CHOICES[kind](value)


def _word(value: str) -> str:
    return value


def _allowed(value: Json) -> Json:
    allowed = value["allowed_tools"]
    named = [_named(tool) for tool in allowed["tools"]]
    return {"type": "allowed_tools", "mode": allowed["mode"], "tools": named}


def _named(tool: Json) -> Json:
    kind = str(tool.get("type"))
    inner = tool.get(kind)
    return {"type": kind, "name": inner.get("name")} if isinstance(inner, dict) else dict(tool)


CHOICES: Mapping[str, Callable[[Any], Any]] = {
    "auto": _word,
    "none": _word,
    "required": _word,
    "allowed_tools": _allowed,
    "function": _named,
    "custom": _named,
}
"""Every form of `tool_choice`, by its word or its type -> the same in the Responses contract."""


def _function_call(build: _Build, _: str, value: Any) -> None:
    build.body["tool_choice"] = (
        value if isinstance(value, str) else {"type": "function", "name": value["name"]}
    )


def _web_search(build: _Build, path: str, value: Json) -> None:
    tool: Json = {"type": "web_search"}
    where = value.get("user_location")
    if where is not None:
        tool["user_location"] = {"type": "approximate", **where.get("approximate", {})}
    if value.get("search_context_size") is not None:
        tool["search_context_size"] = value["search_context_size"]
    build.tools.append(tool)


_IMMATERIAL = Severity.IMMATERIAL

FIELDS: Mapping[str, Rule[Apply]] = {
    "messages": Rule(How.NATIVE, _messages, "message by message"),
    "model": Rule(How.NATIVE, _same, "under the name that the model map gives"),
    "stream": Rule(How.NATIVE, _same),
    "stream_options": Rule(How.NATIVE, _done, "usage is told last where it is asked for"),
    "max_tokens": Rule(How.NATIVE, _max_tokens),
    "max_completion_tokens": Rule(How.NATIVE, _max_tokens),
    "temperature": Rule(How.NATIVE, _same),
    "top_p": Rule(How.NATIVE, _same),
    "frequency_penalty": Rule(How.NATIVE, _same),
    "presence_penalty": Rule(How.NATIVE, _same),
    "logprobs": Rule(How.NATIVE, _logprobs),
    "top_logprobs": Rule(How.NATIVE, _same),
    "response_format": Rule(How.NATIVE, _response_format),
    "reasoning_effort": Rule(How.NATIVE, _within("reasoning", "effort")),
    "verbosity": Rule(How.NATIVE, _within("text", "verbosity")),
    "tools": Rule(How.NATIVE, _tools, "tool by tool"),
    "functions": Rule(
        How.NATIVE, _functions, "tools of the kind function; their calls come in the older form"
    ),
    "tool_choice": Rule(How.NATIVE, _tool_choice),
    "function_call": Rule(How.NATIVE, _function_call, "a choice of tools"),
    "parallel_tool_calls": Rule(How.NATIVE, _same),
    "web_search_options": Rule(How.EMULATED, _web_search, "a tool that searches the web"),
    "service_tier": Rule(How.NATIVE, _same),
    "metadata": Rule(How.NATIVE, _same),
    "user": Rule(How.NATIVE, _same),
    "safety_identifier": Rule(How.NATIVE, _same),
    "prompt_cache_key": Rule(How.NATIVE, _same),
    "prompt_cache_retention": Rule(How.NATIVE, _same),
    "prompt_cache_options": Rule(How.NATIVE, _same),
    "moderation": Rule(How.NATIVE, _same),
    "store": _ignored("chat completions are not stored", harmless=False),
    "seed": _ignored("the backend takes no seed"),
    "prediction": _ignored("it makes an answer faster, not other", _IMMATERIAL),
    "audio": _ignored("it says how spoken answers sound", _IMMATERIAL),
    "n": _refuse("the backend gives one answer", harmless=1),
    "stop": Rule(How.REFUSED, _stop, "the backend knows no stop sequences"),
    "logit_bias": Rule(How.REFUSED, _logit_bias, "the backend knows no biases"),
    "modalities": Rule(How.REFUSED, _modalities, "the backend answers in text only"),
}

TOOLS: Mapping[str, Rule[Callable[[str, Json], Json]]] = {
    "function": Rule(How.NATIVE, _function_tool),
    "custom": Rule(How.NATIVE, _custom_tool),
    "unknown": Rule(How.REFUSED, unknown, "only a Chat server of its own kind knows it"),
}
