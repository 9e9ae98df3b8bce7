"""What a strict Chat Completions upstream accepts: every rule a request breaks, by name."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

FIELDS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken rule: the path of the offender and what is wrong with it."""

    param: str
    message: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What this upstream allows beyond the plain protocol; `own_tools` are types of tools that it runs itself."""

    developer: bool = False
    unknown_fields: bool = False
    own_tools: frozenset[str] = frozenset()


def problems(body: Any, rules: Rules) -> Iterator[Problem]:
    """Yield every way in which ``body``, a decoded request, breaks ``rules``."""
    if not isinstance(body, dict):
        yield Problem("body", "must be a JSON object")
        return
    yield from _fields(body, rules)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Problem("messages", "must be a non-empty array")
        return
    for index, message in enumerate(messages):
        yield from _message(f"messages[{index}]", message, rules)
    yield from _tool_order([message for message in messages if isinstance(message, dict)])
    yield from _tools(body, rules)
    yield from _response_format(body.get("response_format"))


def _fields(body: Mapping[str, Any], rules: Rules) -> Iterator[Problem]:
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield Problem("model", "must be a non-empty string")
    if not rules.unknown_fields:
        yield from (Problem(name, "unrecognized request argument") for name in sorted(body.keys() - FIELDS))
    yield from (Problem(name, "must not be null") for name, value in body.items() if value is None)
    if "stream_options" in body and body.get("stream") is not True:
        yield Problem("stream_options", "is only allowed when 'stream' is true")
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and not body.get("tools"):
            yield Problem(name, "is only allowed when 'tools' are given")


def _message(path: str, message: Any, rules: Rules) -> Iterator[Problem]:
    if not isinstance(message, dict):
        yield Problem(path, "must be an object")
        return
    role = message.get("role")
    check = _ROLES.get(role) if isinstance(role, str) else None
    if check is None or (role == "developer" and not rules.developer):
        yield Problem(f"{path}.role", f"unsupported role {role!r}")
        return
    yield from check(path, message)


def _content(path: str, content: Any, kinds: frozenset[str], *, empty: bool = False) -> Iterator[Problem]:
    if isinstance(content, str):
        if not content and not empty:
            yield Problem(path, "must not be empty")
        return
    if not isinstance(content, list) or not content:
        yield Problem(path, "must be a string or a non-empty array of parts")
        return
    for index, part in enumerate(content):
        yield from _part(f"{path}[{index}]", part, kinds)


def _part(path: str, part: Any, kinds: frozenset[str]) -> Iterator[Problem]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        yield Problem(f"{path}.type", f"unsupported content part type {kind!r}")
        return
    if (reason := _PARTS[kind](part.get(kind))) is not None:
        yield Problem(f"{path}.{kind}", reason)


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a non-empty string"


def _image(value: Any) -> str | None:
    url = value.get("url") if isinstance(value, dict) else None
    if not isinstance(url, str) or not url.startswith(("data:image/", "http://", "https://")):
        return "must hold an http(s) or data URL"
    detail = value.get("detail", "auto")
    return None if detail in ("auto", "low", "high") else f"unsupported detail {detail!r}"


def _audio(value: Any) -> str | None:
    fine = (
        isinstance(value, dict)
        and isinstance(value.get("data"), str)
        and value.get("format") in ("wav", "mp3")
    )
    return None if fine else "must hold data and format"


def _file(value: Any) -> str | None:
    fine = isinstance(value, dict) and (
        isinstance(value.get("file_id"), str) or isinstance(value.get("file_data"), str)
    )
    return None if fine else "must hold file_id or file_data"


_PARTS: dict[str, Callable[[Any], str | None]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}
_TEXT = frozenset({"text"})
_USER = frozenset({"text", "image_url", "input_audio", "file"})
_ASSISTANT = frozenset({"text", "refusal"})


def _system(path: str, message: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _content(f"{path}.content", message.get("content"), _TEXT)


def _user(path: str, message: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _content(f"{path}.content", message.get("content"), _USER)


def _tool(path: str, message: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(message.get("tool_call_id"), str):
        yield Problem(f"{path}.tool_call_id", "must be a string")
    yield from _content(f"{path}.content", message.get("content"), _TEXT, empty=True)


def _assistant(path: str, message: Mapping[str, Any]) -> Iterator[Problem]:
    calls, content = message.get("tool_calls"), message.get("content")
    if content is not None:
        yield from _content(f"{path}.content", content, _ASSISTANT, empty=bool(calls))
    elif not calls and not message.get("refusal"):
        yield Problem(f"{path}.content", "is required unless there are tool calls")
    if calls is None:
        return
    if not isinstance(calls, list) or not calls:
        yield Problem(f"{path}.tool_calls", "must be a non-empty array")
        return
    for index, call in enumerate(calls):
        yield from _call(f"{path}.tool_calls[{index}]", call)


def _call(path: str, call: Any) -> Iterator[Problem]:
    if (
        not isinstance(call, dict)
        or call.get("type") != "function"
        or not isinstance(call.get("function"), dict)
    ):
        yield Problem(path, "must be a function call")
        return
    if not isinstance(call.get("id"), str) or not call["id"]:
        yield Problem(f"{path}.id", "must be a non-empty string")
    yield from _name(f"{path}.function.name", call["function"].get("name"))
    if not isinstance(call["function"].get("arguments"), str):
        yield Problem(f"{path}.function.arguments", "must be a string")


_ROLES: dict[str, Callable[[str, Mapping[str, Any]], Iterator[Problem]]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
}


def _tool_order(messages: list[dict[str, Any]]) -> Iterator[Problem]:
    """Every call is answered right after the message that made it, and nothing else is."""
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        if message.get("role") == "tool":
            call_id = message.get("tool_call_id")
            if call_id not in waiting:
                yield Problem(
                    f"messages[{index}].tool_call_id", f"answers no preceding tool call: {call_id!r}"
                )
            waiting.discard(str(call_id))
            continue
        if waiting:
            yield Problem(f"messages[{index}]", f"tool calls without an answer before it: {sorted(waiting)}")
        calls = message.get("tool_calls") or []
        waiting = {str(call.get("id")) for call in calls if isinstance(call, dict)}
        if len(waiting) != len(calls):
            yield Problem(f"messages[{index}].tool_calls", "ids must be unique")
    if waiting:
        yield Problem("messages", f"tool calls without an answer at the end: {sorted(waiting)}")


def _tools(body: Mapping[str, Any], rules: Rules) -> Iterator[Problem]:
    tools = body.get("tools", [])
    names: set[str] = set()
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if isinstance(tool, dict) and tool.get("type") in rules.own_tools:
            continue
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            yield Problem(path, "must be a function tool")
            continue
        yield from _name(f"{path}.function.name", function.get("name"))
        if function.get("name") in names:
            yield Problem(f"{path}.function.name", f"duplicate name {function.get('name')!r}")
        names.add(str(function.get("name")))
        parameters = function.get("parameters", {"type": "object"})
        if not isinstance(parameters, dict) or parameters.get("type") != "object":
            yield Problem(f"{path}.function.parameters", "must be a JSON schema of type object")
    yield from _tool_choice(body.get("tool_choice", "auto"), names)


def _tool_choice(choice: Any, names: set[str]) -> Iterator[Problem]:
    if choice in ("auto", "none", "required"):
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "allowed_tools":
        chosen = [tool["function"]["name"] for tool in choice["allowed_tools"]["tools"]]
    elif kind == "function":
        chosen = [choice["function"]["name"]]
    else:
        yield Problem("tool_choice", f"unsupported value {choice!r}")
        return
    yield from (Problem("tool_choice", f"unknown tool {name!r}") for name in chosen if name not in names)


def _name(path: str, name: Any) -> Iterator[Problem]:
    if not isinstance(name, str) or TOOL_NAME.fullmatch(name) is None:
        yield Problem(path, f"{name!r} does not match ^{TOOL_NAME.pattern}$")


def _response_format(value: Any) -> Iterator[Problem]:
    if value is None:
        return
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        yield Problem("response_format.type", f"unsupported format {kind!r}")
    elif kind == "json_schema":
        schema = value.get("json_schema")
        if not isinstance(schema, dict) or not isinstance(schema.get("schema"), dict):
            yield Problem("response_format.json_schema.schema", "must be an object")
        else:
            yield from _name("response_format.json_schema.name", schema.get("name"))
