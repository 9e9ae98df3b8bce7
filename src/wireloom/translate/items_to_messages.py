"""Input items of a Responses request as the messages of a Chat request: every text kept, in order."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate import tools as t
from wireloom.translate.loss import Losses, Severity, refused

Json: TypeAlias = dict[str, Any]

NO_OUTPUT = "[no output was recorded for this call]"
LATER_INSTRUCTIONS = "[instructions]\n"
CONTINUE = "Understood."


def messages(
    instructions: str | None, items: str | Sequence[Any], tools: t.Tools, profile: Profile, losses: Losses
) -> list[Json]:
    """Translate the conversation.

    Args:
        instructions: the request's instructions, which lead.
        items: the request's input, a text or a list of items.
        tools: the request's tools as they were flattened, for the names of calls.
        profile: what the upstream takes.
        losses: where what is left out is noted.

    Raises:
        InvalidRequest: an item that cannot be carried and must not be left out.
    """
    build = _Build(tools, profile, losses)
    if instructions:
        build.system("system", instructions)
    if isinstance(items, str):
        build.messages.append({"role": "user", "content": items})
        return build.messages
    build.collect_outputs(items)
    for index, item in enumerate(items):
        ITEMS[item.type](build, f"input[{index}]", item)
    build.flush()
    build.check_outputs()
    if not build.messages:
        raise refused("input", "it holds nothing that can be said in Chat Completions", "unsupported_item")
    return build.messages


class _Build:
    """The messages so far, and the assistant message that is still growing."""

    def __init__(self, tools: t.Tools, profile: Profile, losses: Losses) -> None:
        self.tools = tools
        self.profile = profile
        self.losses = losses
        self.messages: list[Json] = []
        self.assistant: Json | None = None
        self.reasoning: list[str] = []
        # Call id -> outputs still to be placed. Some upstreams number calls anew each turn, so that one id
        # stands for several calls of a conversation: the first call takes the first output.
        self.outputs: dict[str, deque[tuple[str, Any]]] = defaultdict(deque)

    # -- outputs follow the message that holds their calls, wherever the client put them --------------------------

    def collect_outputs(self, items: Sequence[Any]) -> None:
        for index, item in enumerate(items):
            if item.type in OUTPUTS:
                path = f"input[{index}]"
                if not item.call_id:
                    raise InvalidRequest(f"{path}.call_id is missing.", param=f"{path}.call_id")
                self.outputs[item.call_id].append((path, item.output))

    def check_outputs(self) -> None:
        for call_id, left in self.outputs.items():
            for path, _ in left:
                raise InvalidRequest(
                    f"{path}: no call {call_id!r} comes before this output.", param=f"{path}.call_id"
                )

    # -- the growing assistant message ---------------------------------------------------------------------------

    def turn(self) -> Json:
        """The assistant message that text and calls are added to."""
        if self.assistant is None:
            self.assistant = {"role": "assistant", "content": None}
        return self.assistant

    def say(self, text: str) -> None:
        if self.assistant is not None and "tool_calls" in self.assistant:
            self.flush()
        message = self.turn()
        message["content"] = text if message["content"] is None else message["content"] + text

    def call(self, call_id: str, name: str, namespace: str | None, arguments: str) -> None:
        flat = self.tools.flat_name(name, namespace) or t.flat_name(name, namespace, self.profile)
        self.turn().setdefault("tool_calls", []).append(
            {"id": call_id, "type": "function", "function": {"name": flat, "arguments": arguments}}
        )

    def flush(self) -> None:
        """Close the assistant message and let the outputs of its calls follow."""
        message, self.assistant = self.assistant, None
        if message is None:
            return
        self._give_back_reasoning(message)
        self.messages.append(message)
        pictures: list[Json] = []
        for call in message.get("tool_calls", []):
            waiting = self.outputs.get(call["id"])
            path, output = waiting.popleft() if waiting else ("", NO_OUTPUT)
            call["id"] = self.call_id(call["id"])
            text, seen = self.output(path, output)
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
            pictures += seen
        if pictures:
            self.user(pictures)

    def _give_back_reasoning(self, message: Json) -> None:
        thought, self.reasoning = "".join(self.reasoning), []
        replay = self.profile.reasoning_replay
        if replay == "never" or (replay == "tool_calls" and "tool_calls" not in message):
            return
        text = thought or self.profile.reasoning_placeholder
        if text is not None and (thought or "tool_calls" in message):
            message[self.profile.reasoning_replay_field] = text

    def end_turn(self) -> None:
        """Close the assistant message; what was thought before a message that never came is not the next one's."""
        self.flush()
        self.reasoning = []

    # -- other messages ------------------------------------------------------------------------------------------

    def system(self, role: str, text: str) -> None:
        self.end_turn()
        role = role if self.profile.developer_role else "system"
        last = self.messages[-1] if self.messages else None
        if last is None or self.profile.system_anywhere:
            self.messages.append({"role": role, "content": text})
        elif last["role"] in ("system", "developer"):
            if last["role"] == role:
                last["content"] += f"\n\n{text}"
            else:
                self.messages.append({"role": role, "content": text})
        else:
            self.user([{"type": "text", "text": LATER_INSTRUCTIONS + text}])

    def user(self, parts: list[Json]) -> None:
        self.end_turn()
        if self.messages and self.messages[-1]["role"] == "tool" and not self.profile.user_after_tool:
            self.messages.append({"role": "assistant", "content": CONTINUE})
        plain = len(parts) == 1 and parts[0]["type"] == "text"
        content = parts[0]["text"] if plain else parts or ""
        self.messages.append({"role": "user", "content": content})

    def call_id(self, call_id: str) -> str:
        """The id as the upstream takes it; the same id gives the same one each time."""
        pattern = self.profile.call_id_pattern
        if pattern is None or re.fullmatch(pattern, call_id):
            return call_id
        return hashlib.sha256(call_id.encode()).hexdigest()[:9]

    def output(self, path: str, output: Any) -> tuple[str, list[Json]]:
        """What a call returned: its text, and the pictures that Chat takes only from a user."""
        if isinstance(output, str):
            return output, []
        texts, others = [], []
        for index, part in enumerate(output):
            at = f"{path}.output[{index}]"
            if part.type == "input_text":
                texts.append(part.text)
            else:
                others.append(PARTS[part.type](self, at, part))
        if others:
            self.losses.add(
                f"{path}.output", "changed", "pictures follow as a user message", Severity.IMMATERIAL
            )
            texts.append("[see the next user message]")
        return "\n".join(texts), others


# -- parts of user messages ----------------------------------------------------------------------------------------


def _text(_: _Build, __: str, part: Any) -> Json:
    return {"type": "text", "text": part.text}


def _image(build: _Build, path: str, part: Any) -> Json:
    if not build.profile.images:
        raise refused(path, f"{build.profile.title} takes no images", "unsupported_content")
    if part.image_url is None:
        raise refused(f"{path}.file_id", "files live at the provider that stores them", "unsupported_content")
    if not build.profile.image_urls and not part.image_url.startswith("data:"):
        raise refused(
            f"{path}.image_url",
            f"{build.profile.title} takes images as data URLs only",
            "unsupported_content",
        )
    image: Json = {"url": part.image_url}
    detail = getattr(part, "detail", None)
    if detail in ("low", "high", "auto") and build.profile.image_detail:
        image["detail"] = detail
    elif detail not in (None, "auto"):
        build.losses.add(f"{path}.detail", "dropped", "no such level of detail upstream")
    return {"type": "image_url", "image_url": image}


def _file(build: _Build, path: str, part: Any) -> Json:
    if not build.profile.files:
        raise refused(path, f"{build.profile.title} takes no files", "unsupported_content")
    if part.file_data is None:
        raise refused(path, "only files given as file_data can be carried", "unsupported_content")
    file: Json = {"file_data": part.file_data}
    if part.filename is not None:
        file["filename"] = part.filename
    return {"type": "file", "file": file}


def _audio(build: _Build, path: str, part: Any) -> Json:
    if not build.profile.audio:
        raise refused(path, f"{build.profile.title} takes no audio", "unsupported_content")
    return {"type": "input_audio", "input_audio": part.input_audio.model_dump(exclude_unset=True)}


def _refusal(_: _Build, __: str, part: Any) -> Json:
    return {"type": "text", "text": part.refusal}


PARTS: Mapping[str, Callable[[_Build, str, Any], Json]] = {
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}


# -- items ---------------------------------------------------------------------------------------------------------


def _message(build: _Build, path: str, item: m.MessageItemParam) -> None:
    content = item.content
    parts: list[Json]
    if isinstance(content, str):
        parts = [{"type": "text", "text": content}]
    elif len(content) == 1 and content[0].type in ("input_text", "output_text"):  # nearly every message
        parts = [{"type": "text", "text": content[0].text}]
    else:
        parts = [PARTS[part.type](build, f"{path}.content[{i}]", part) for i, part in enumerate(content)]
    if item.role == "user":
        build.user(parts)
        return
    for index, part in enumerate(parts):
        if part["type"] != "text":
            raise refused(f"{path}.content[{index}]", f"a message of role {item.role} holds text only")
    text = "".join(part["text"] for part in parts)
    if item.role == "assistant":
        build.say(text)
    else:
        build.system(item.role, text)


def _function_call(build: _Build, _: str, item: m.FunctionToolCall) -> None:
    build.call(item.call_id, item.name, item.namespace, item.arguments)


def _custom_call(build: _Build, _: str, item: m.CustomToolCall) -> None:
    build.call(item.call_id, item.name, item.namespace, t.wrap(item.input))


def _output(build: _Build, _: str, __: Any) -> None:
    """Placed behind its call; calls that come after it were made in the light of it, so not at the same time."""
    build.flush()


def _reasoning(build: _Build, path: str, item: m.ReasoningItemParam) -> None:
    if build.assistant is not None:
        build.flush()
    parts = item.content or item.summary
    if parts and build.profile.reasoning_replay == "never":
        reason = f"{build.profile.title} takes no reasoning back"
        build.losses.add(path, "dropped", reason, Severity.IMMATERIAL)
    build.reasoning.append("\n\n".join(part.text for part in parts))
    if not parts:
        build.losses.add(path, "dropped", "sealed by another server", Severity.IMMATERIAL)


def _hosted(build: _Build, path: str, item: Any) -> None:
    build.losses.add(path, "dropped", f"{item.type} happened inside another provider")


def _refused(build: _Build, path: str, item: Any) -> None:
    raise refused(f"{path}.type", f"items of type {item.type} are not translated", "unsupported_item")


def _reference(build: _Build, path: str, item: m.ItemReferenceParam) -> None:
    raise InvalidRequest(
        f"{path}: no item {item.id!r} is stored here.", code="item_not_found", param=f"{path}.id"
    )


OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})

ITEMS: Mapping[str, Callable[[_Build, str, Any], None]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
    "web_search_call": _hosted,
    "file_search_call": _hosted,
    "code_interpreter_call": _hosted,
    "image_generation_call": _hosted,
    "mcp_list_tools": _hosted,
    "mcp_call": _hosted,
    "mcp_approval_request": _hosted,
    "mcp_approval_response": _hosted,
    "item_reference": _reference,
    "additional_tools": _refused,
    "tool_search_call": _refused,
    "tool_search_output": _refused,
    "local_shell_call": _refused,
    "local_shell_call_output": _refused,
    "shell_call": _refused,
    "shell_call_output": _refused,
    "apply_patch_call": _refused,
    "apply_patch_call_output": _refused,
    "computer_call": _refused,
    "computer_call_output": _refused,
    "compaction": _refused,
    "compaction_trigger": _refused,
    "program": _refused,
    "program_output": _refused,
}
REFUSED = frozenset(kind for kind, rule in ITEMS.items() if rule is _refused)
"""Types of items that refuse a request."""
