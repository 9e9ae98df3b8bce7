"""What clients are known to write, brought into the contract's form before it is validated: one row for each spelling.

Nothing is guessed: a row applies where a value has one plain meaning, and what it changed is reported. All else is
validated, and refused by its name, as it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wireloom.translate.rules.loss import Loss, Severity
from wireloom.wire.json import Json

Note: TypeAlias = Callable[[str, str], None]
"""Path of what was changed, and how it was read."""
Apply: TypeAlias = Callable[[Json, Note], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One spelling.

    Args:
        name: what is written otherwise.
        apply: brings it into the contract's form; it changes the body.
        source: who writes it.
    """

    name: str
    apply: Apply
    source: str


def spelled(body: Any, rows: tuple[Row, ...]) -> list[Loss]:
    """Bring a body into the contract's form; what was changed.

    Args:
        body: decoded JSON; it is changed.
        rows: of its operation.
    """
    changed: list[Loss] = []
    if isinstance(body, dict):

        def note(path: str, words: str) -> None:
            changed.append(Loss(path, "changed", words, Severity.IMMATERIAL))

        for row in rows:
            row.apply(body, note)
    return changed


# -- both faces ----------------------------------------------------------------------------------------------------


def _objects(value: Any) -> Iterator[tuple[int, Json]]:
    for index, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, dict):
            yield index, each


def _no_limit(body: Json, note: Note) -> None:
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "top_logprobs"):
        value = body.get(name)
        if type(value) is int and (value < 0 or (value == 0 and name != "top_logprobs")):
            del body[name]
            note(name, f"{value} was read as none")


def _nothing(body: Json, note: Note) -> None:
    for name in ("stop", "tools", "functions", "logit_bias", "modalities", "include"):
        if name in body and body[name] in ([], {}, ""):
            del body[name]
            if name in ("tools", "functions"):
                _without_tools(body)
            note(name, "an empty value was read as none")


def _without_tools(body: Json) -> None:
    """Take out what means nothing where no tool is offered."""
    if not body.get("tools") and not body.get("functions"):
        for name in ("tool_choice", "parallel_tool_calls", "function_call"):
            body.pop(name, None)


def _arguments(call: Json, path: str, note: Note) -> None:
    """Arguments of a call in a history, as text."""
    value = call.get("arguments")
    if isinstance(value, dict | list):
        call["arguments"] = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        note(f"{path}.arguments", "an object was read as its JSON")
    elif "arguments" in call and value is None:
        call["arguments"] = "{}"
        note(f"{path}.arguments", "null was read as no arguments")


# -- Chat Completions ----------------------------------------------------------------------------------------------


def _responses_body(body: Json, note: Note) -> None:
    if "messages" in body or "input" not in body:
        return
    items = body.pop("input")
    messages = _messages(items) if isinstance(items, list) else [{"role": "user", "content": items}]
    instructions = body.pop("instructions", None)
    if isinstance(instructions, str) and instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    body["messages"] = messages
    if "max_output_tokens" in body:
        body.setdefault("max_completion_tokens", body.pop("max_output_tokens"))
    _moved(body, "reasoning", "effort", "reasoning_effort")
    _moved(body, "text", "verbosity", "verbosity")
    form = body.pop("text", None)
    form = form.get("format") if isinstance(form, dict) else None
    if isinstance(form, dict):
        inner = {name: value for name, value in form.items() if name != "type"}
        schema = {"json_schema": inner} if form.get("type") == "json_schema" else {}
        body.setdefault("response_format", {"type": form.get("type"), **schema})
    for name in ("reasoning", "include", "truncation"):
        body.pop(name, None)
    note("input", "a Responses body was read as Chat messages")


def _moved(body: Json, holder: str, name: str, other: str) -> None:
    inner = body.get(holder)
    if isinstance(inner, dict) and inner.get(name) is not None:
        body.setdefault(other, inner[name])


def _messages(items: list[Any]) -> list[Any]:
    """Items of a Responses input as messages; what is none of those known stays, and is refused by its name."""
    messages: list[Any] = []
    for item in items:
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind == "message":
            messages.append(
                {name: value for name, value in item.items() if name in ("role", "content", "name")}
            )
        elif kind in ("function_call", "custom_tool_call"):
            _add_call(messages, item, custom=kind == "custom_tool_call")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            messages.append(
                {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
            )
        elif kind != "reasoning":
            messages.append(item)
    return messages


def _add_call(messages: list[Any], item: Json, *, custom: bool) -> None:
    said = {"input": item.get("input")} if custom else {"arguments": item.get("arguments")}
    kind = "custom" if custom else "function"
    call = {"id": item.get("call_id"), "type": kind, kind: {"name": item.get("name"), **said}}
    last = messages[-1] if messages else None
    if isinstance(last, dict) and last.get("role") == "assistant":
        last.setdefault("tool_calls", []).append(call)
    else:
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})


NESTED = ("function", "custom")


def _flat_tools(body: Json, note: Note) -> None:
    for index, tool in _objects(body.get("tools")):
        kind = tool.get("type")
        if kind in NESTED and kind not in tool and "name" in tool:
            inner = {name: value for name, value in tool.items() if name != "type"}
            tool.clear()
            tool |= {"type": kind, kind: _grammar(inner) if kind == "custom" else inner}
            note(f"tools[{index}]", "a flat tool was read as Chat's")
    choice = body.get("tool_choice")
    choice = choice if isinstance(choice, dict) and "name" in choice else {}
    if choice.get("type") in NESTED and choice["type"] not in choice:
        kind = choice["type"]
        body["tool_choice"] = {"type": kind, kind: {"name": choice.get("name")}}
        note("tool_choice", "a flat choice was read as Chat's")


def _grammar(tool: Json) -> Json:
    """A custom tool's grammar stands one level deeper in Chat."""
    form = tool.get("format")
    if not isinstance(form, dict) or "definition" not in form:
        return tool
    inner = {name: value for name, value in form.items() if name != "type"}
    return {**tool, "format": {"type": form.get("type"), "grammar": inner}}


def _chat_parts(body: Json, note: Note) -> None:
    for index, message in _objects(body.get("messages")):
        path = f"messages[{index}].content"
        content = message.get("content")
        if isinstance(content, dict) and "type" in content:
            content = message["content"] = [content]
            note(path, "a part was read as a list of one")
        for at, part in _objects(content):
            if _chat_part(part):
                note(f"{path}[{at}]", "a part was read as Chat's")


def _chat_part(part: Json) -> bool:
    """Bring a content part into Chat's form; whether it was in another."""
    kind, picture = part.get("type"), part.get("image_url")
    if kind in ("input_text", "output_text"):
        text = part.get("text")
        part.clear()
        part |= {"type": "text", "text": text}
        return True
    if kind in ("input_image", "image_url") and isinstance(picture, str):
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        part.clear()
        part |= {"type": "image_url", "image_url": {"url": picture, **detail}}
        return True
    if kind == "input_file" and "file" not in part:
        inner = {name: part[name] for name in ("file_data", "file_id", "filename") if name in part}
        part.clear()
        part |= {"type": "file", "file": inner}
        return True
    return False


def _empty_content(body: Json, note: Note) -> None:
    for index, message in _objects(body.get("messages")):
        content = message.get("content", "")
        if content == [] or (content is None and message.get("role") != "assistant"):
            message["content"] = None if message.get("role") == "assistant" else ""
            note(f"messages[{index}].content", "an empty value was read as no text")


def _chat_arguments(body: Json, note: Note) -> None:
    for index, message in _objects(body.get("messages")):
        for at, call in _objects(message.get("tool_calls")):
            function = call.get("function")
            if isinstance(function, dict):
                _arguments(function, f"messages[{index}].tool_calls[{at}].function", note)
        called = message.get("function_call")
        if isinstance(called, dict):
            _arguments(called, f"messages[{index}].function_call", note)


def _tool_content(body: Json, note: Note) -> None:
    for index, message in _objects(body.get("messages")):
        content = message.get("content")
        is_part = isinstance(content, dict) and "type" in content
        plain = isinstance(content, str | list) or is_part or "content" not in message
        if message.get("role") == "tool" and not plain:
            message["content"] = json.dumps(content, ensure_ascii=False)
            note(f"messages[{index}].content", "an output that is no text was read as its JSON")


CHAT = (
    Row("a Responses body", _responses_body, "Cursor"),
    Row("flat tools, flat choice", _flat_tools, "Cursor, bridges between the APIs"),
    Row("parts of the Responses API, a picture as a string, one part", _chat_parts, "many SDKs and bridges"),
    Row("an empty list, or null, as content", _empty_content, "agents that answer with calls alone"),
    Row("an output that is no text", _tool_content, "agents that pass on what a tool returned"),
    Row("arguments as an object or null", _chat_arguments, "agents for Ollama's own API"),
    Row("-1 or 0 for no limit", _no_limit, "LM Studio, Open WebUI, llama.cpp's clients"),
    Row("an empty list for none", _nothing, "clients that send every setting"),
)


# -- Responses -----------------------------------------------------------------------------------------------------


def _nested_tools(body: Json, note: Note) -> None:
    for index, tool in _objects(body.get("tools")):
        kind = str(tool.get("type"))
        inner = tool.get(kind) if kind in NESTED else None
        if isinstance(inner, dict):
            del tool[kind]
            tool |= inner
            _flat_grammar(tool)
            note(f"tools[{index}]", "a nested tool was read as the contract's")
    choice = body.get("tool_choice")
    choice = choice if isinstance(choice, dict) else {}
    inner = choice.get(str(choice.get("type")))
    if isinstance(inner, dict):
        body["tool_choice"] = {"type": choice["type"], **inner}
        note("tool_choice", "a nested choice was read as the contract's")


def _flat_grammar(tool: Json) -> None:
    form = tool.get("format")
    form = form if isinstance(form, dict) else {}
    grammar = form.get("grammar")
    if isinstance(grammar, dict):
        tool["format"] = {"type": form.get("type"), **grammar}


def _chat_names(body: Json, note: Note) -> None:
    for name in ("max_completion_tokens", "max_tokens"):
        if name in body and "max_output_tokens" not in body:
            body["max_output_tokens"] = body.pop(name)
            note(name, "read as max_output_tokens")
    if isinstance(body.get("reasoning_effort"), str) and not body.get("reasoning"):
        body["reasoning"] = {"effort": body.pop("reasoning_effort")}
        note("reasoning_effort", "read as reasoning.effort")
    form = body.get("response_format")
    if isinstance(form, dict) and not body.get("text"):
        schema = form.get("json_schema")
        inner = schema if isinstance(schema, dict) else {}
        body["text"] = {"format": {"type": form.get("type"), **inner}}
        del body["response_format"]
        note("response_format", "read as text.format")


def _chat_messages(body: Json, note: Note) -> None:
    messages = body.get("messages")
    if "input" in body or not isinstance(messages, list):
        return
    items: list[Any] = []
    for message in messages:
        items += _items(message) if isinstance(message, dict) else [message]
    body["input"] = items
    del body["messages"]
    note("messages", "Chat messages were read as input")


def _items(message: Json) -> Iterator[Json]:
    """A Chat message as items of an input."""
    role, content = message.get("role"), message.get("content")
    if role in ("tool", "function"):
        yield {"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": content}
        return
    if content not in (None, "", []) or not message.get("tool_calls"):
        yield {"type": "message", "role": role, "content": content if content is not None else ""}
    for _, call in _objects(message.get("tool_calls")):
        function = call.get("function")
        inner = function if isinstance(function, dict) else {}
        called = {"name": inner.get("name"), "arguments": inner.get("arguments")}
        yield {"type": "function_call", "call_id": call.get("id"), **called}


def _item_parts(body: Json, note: Note) -> None:
    for index, item in _objects(body.get("input")):
        kind = item.get("type")
        if str(kind).endswith("_output"):
            _parts(item.get("output"), "input_text", f"input[{index}].output", note)
        elif kind in (None, "message"):
            text = "output_text" if item.get("role") == "assistant" else "input_text"
            content = item.get("content")
            if isinstance(content, dict) and "type" in content:
                item["content"] = [content]
                note(f"input[{index}].content", "a part was read as a list of one")
            _parts(item.get("content"), text, f"input[{index}].content", note)


def _parts(parts: Any, text: str, path: str, note: Note) -> None:
    for index, part in _objects(parts):
        if _part(part, text):
            note(f"{path}[{index}]", "a part was read as the contract's")


def _part(part: Json, text: str) -> bool:
    """Bring a content part into the form of the Responses API; whether it was in another."""
    kind, picture = part.get("type"), part.get("image_url")
    known = ("text", "input_text", "output_text")
    if kind in known and kind != text:
        part["type"] = text
        return True
    if isinstance(picture, dict) and kind in ("image_url", "input_image"):
        detail = {"detail": picture["detail"]} if picture.get("detail") else {}
        part.clear()
        part |= {"type": "input_image", "image_url": picture.get("url"), **detail}
        return True
    if kind == "image_url" and isinstance(picture, str):
        part["type"] = "input_image"
        return True
    return False


def _item_values(body: Json, note: Note) -> None:
    for index, item in _objects(body.get("input")):
        if item.get("type") == "function_call":
            _arguments(item, f"input[{index}]", note)
        output = item.get("output")
        plain = item.get("type") == "function_call_output" and "output" in item
        if plain and (isinstance(output, dict | bool | int | float) or output is None):
            item["output"] = json.dumps(output, ensure_ascii=False)
            note(f"input[{index}].output", "an output that is no text was read as its JSON")


RESPONSES = (
    Row("a Chat body", _chat_messages, "bridges between the APIs"),
    Row("nested tools, nested choice", _nested_tools, "bridges between the APIs"),
    Row("Chat's names of parameters", _chat_names, "bridges between the APIs"),
    Row("parts of Chat, output_text in an output", _item_parts, "agents that keep one history for both APIs"),
    Row("arguments or outputs that are no text", _item_values, "agents that pass on what a tool returned"),
    Row("-1 or 0 for no limit", _no_limit, "LM Studio, Open WebUI"),
)

ROWS: Mapping[str, tuple[Row, ...]] = {
    "createChatCompletion": CHAT,
    "createResponse": RESPONSES,
    "countInputTokens": RESPONSES,
}
"""Operation -> the spellings of its body."""
