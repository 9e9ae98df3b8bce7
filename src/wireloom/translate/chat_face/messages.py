"""The messages of a Chat request as Responses items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wireloom.errors import InvalidRequest
from wireloom.translate.chat_face import members as chat_members
from wireloom.translate.rules.loss import How, Losses, Rule, Severity, refused
from wireloom.wire.json import Json


class Items:
    """The items of one request.

    Args:
        losses: where what is left out is noted.
    """

    def __init__(self, losses: Losses) -> None:
        self.losses = losses
        self.made: list[Json] = []
        self.origins: list[str] = []
        """Path of the message that each item comes from."""
        self._custom: set[str] = set()
        """Ids of calls of tools with free-form input, whose outputs are items of another type."""
        self._legacy: list[str] = []
        """Ids given to calls that have none, oldest first."""

    def translate(self, path: str, messages: list[Json]) -> list[Json]:
        """Say all messages.

        Args:
            path: where they stand.
            messages: JSON of them.

        Raises:
            InvalidRequest: one that cannot be carried and must not be left out.
        """
        for index, message in enumerate(messages):
            at = f"{path}[{index}]"
            if message.get("name") is not None and message["role"] != "function":
                self.losses.add(f"{at}.name", "dropped", "the backend knows no names of speakers")
            self._report_unknown(at, message)
            MESSAGES[message["role"]].apply(self, at, message)
            self.origins += [at] * (len(self.made) - len(self.origins))
        return self.made

    def _report_unknown(self, path: str, message: Json) -> None:
        """Report members that the contract does not have, such as those that an answer had and a client sends back."""
        unknown = message.keys() - chat_members.MESSAGES[message["role"]] - chat_members.LEFT_OUT.keys()
        for name in sorted(unknown):
            if message[name] is not None:
                reason = "no such member in the contract"
                self.losses.add(f"{path}.{name}", "dropped", reason, Severity.IMMATERIAL)

    def message(self, path: str, message: Json) -> None:
        """What a user, a system or a developer says."""
        content = self.content(f"{path}.content", message["content"])
        self.made.append({"type": "message", "role": message["role"], "content": content})

    def content(self, path: str, content: str | list[Json]) -> Any:
        """A text, or parts."""
        if isinstance(content, str):
            return content
        return [PARTS[part["type"]].apply(f"{path}[{i}]", part) for i, part in enumerate(content)]

    def assistant(self, path: str, message: Json) -> None:
        """What the assistant has thought, said and called, in this order."""
        if message.get("audio") is not None:
            raise refused(f"{path}.audio", "spoken answers live at their provider", "unsupported_content")
        if message.get("reasoning_details"):
            self.losses.add(
                f"{path}.reasoning_details", "dropped", "only its own provider reads it", Severity.IMMATERIAL
            )
        self._thought(message.get("reasoning_content") or message.get("reasoning"))
        said = self._said(f"{path}.content", message)
        if said:
            self.made.append({"type": "message", "role": "assistant", "content": said})
        for index, call in enumerate(message.get("tool_calls") or ()):
            CALLS[call["type"]].apply(self, f"{path}.tool_calls[{index}]", call)
        legacy = message.get("function_call")
        if legacy is not None:
            call_id = f"call_{len(self.made)}"
            self._legacy.append(call_id)
            self.called(call_id, legacy)

    def _thought(self, text: str | None) -> None:
        if text:
            part = {"type": "reasoning_text", "text": text}
            self.made.append({"type": "reasoning", "summary": [], "content": [part]})

    def _said(self, path: str, message: Json) -> list[Json]:
        content = message.get("content") or []
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        said = [SAID[part["type"]].apply(f"{path}[{i}]", part) for i, part in enumerate(content)]
        if message.get("refusal"):
            said.append({"type": "refusal", "refusal": message["refusal"]})
        return said

    def called(self, call_id: str, function: Json) -> None:
        """A call of a function."""
        self.made.append({**function, "type": "function_call", "call_id": call_id})

    def called_function(self, _: str, call: Json) -> None:
        """A call of a function that has an id."""
        self.called(call["id"], call["function"])

    def unknown(self, path: str, call: Json) -> None:
        """A call of a kind that the contract does not know."""
        unknown(path, call)

    def called_custom(self, _: str, call: Json) -> None:
        """A call of a tool with free-form input."""
        self._custom.add(call["id"])
        self.made.append({**call["custom"], "type": "custom_tool_call", "call_id": call["id"]})

    def returned(self, path: str, message: Json) -> None:
        """What a call returned."""
        call_id = message["tool_call_id"]
        kind = "custom_tool_call_output" if call_id in self._custom else "function_call_output"
        output = self.content(f"{path}.content", message["content"])
        self.made.append({"type": kind, "call_id": call_id, "output": output})

    def returned_legacy(self, path: str, message: Json) -> None:
        """What the oldest call without an id returned."""
        if not self._legacy:
            raise InvalidRequest(f"{path}: there is no function_call before it.", param=path)
        output = message.get("content") or ""
        self.made.append({"type": "function_call_output", "call_id": self._legacy.pop(0), "output": output})


# -- parts ---------------------------------------------------------------------------------------------------------


def unknown(path: str, _: Json) -> Json:
    """A kind of tool, call or part that the contract does not know.

    Raises:
        InvalidRequest: always.
    """
    raise InvalidRequest(f"{path}.type: there is no such kind here.", param=f"{path}.type")


def _text(_: str, part: Json) -> Json:
    return {"type": "input_text", "text": part["text"]}


def _image(_: str, part: Json) -> Json:
    image = part["image_url"]
    return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"}


def _audio(_: str, part: Json) -> Json:
    return {"type": "input_audio", "input_audio": part["input_audio"]}


def _file(_: str, part: Json) -> Json:
    return {"type": "input_file", **part["file"]}


def _said_text(_: str, part: Json) -> Json:
    return {"type": "output_text", "text": part["text"], "annotations": []}


def _said_refusal(_: str, part: Json) -> Json:
    return {"type": "refusal", "refusal": part["refusal"]}


PartRule: TypeAlias = Rule[Callable[[str, Json], Json]]

PARTS: Mapping[str, PartRule] = {
    "text": Rule(How.NATIVE, _text),
    "image_url": Rule(How.NATIVE, _image),
    "input_audio": Rule(How.NATIVE, _audio),
    "file": Rule(How.NATIVE, _file),
    "unknown": Rule(How.REFUSED, unknown, "only a Chat server of its own kind knows it"),
}
SAID: Mapping[str, PartRule] = {
    "text": Rule(How.NATIVE, _said_text),
    "refusal": Rule(How.NATIVE, _said_refusal),
}

# -- roles and calls -----------------------------------------------------------------------------------------------

MessageRule: TypeAlias = Rule[Callable[[Items, str, Json], None]]

MESSAGES: Mapping[str, MessageRule] = {
    "system": Rule(How.NATIVE, Items.message, "without a name"),
    "developer": Rule(How.NATIVE, Items.message, "without a name"),
    "user": Rule(How.NATIVE, Items.message, "without a name"),
    "assistant": Rule(How.NATIVE, Items.assistant, "items of reasoning, text and calls"),
    "tool": Rule(How.NATIVE, Items.returned, "the output of a call"),
    "function": Rule(How.EMULATED, Items.returned_legacy, "the output of the oldest call without one"),
}
CALLS: Mapping[str, MessageRule] = {
    "function": Rule(How.NATIVE, Items.called_function),
    "custom": Rule(How.NATIVE, Items.called_custom),
    "unknown": Rule(How.REFUSED, Items.unknown, "only a Chat server of its own kind knows it"),
}
