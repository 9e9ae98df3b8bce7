"""The messages of a Chat request while they are made: calls with their outputs, reasoning back in its place."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.conversation.hosted_calls import Trace
from wireloom.translate.conversation.notes import CONTINUE, LATER_INSTRUCTIONS, NO_OUTPUT, PICTURES_FOLLOW
from wireloom.translate.conversation.parts import PARTS, At
from wireloom.translate.options import Unseal
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.base import HistoryCall, Tools, flat_name
from wireloom.translate.tools.table import OUTPUTS
from wireloom.wire.json import Json


class ChatMessages:
    """The messages so far, and the assistant message that is still growing."""

    def __init__(self, tools: Tools, profile: Profile, losses: Losses, unseal: Unseal) -> None:
        self.tools = tools
        self.unseal = unseal
        self.profile = profile
        self.losses = losses
        self.at = At(profile, losses)
        self.messages: list[Json] = []
        self.assistant: Json | None = None
        self.last: Json | None = None
        """The assistant message that was closed last, as long as nobody else has spoken since."""
        self.reasoning: list[str] = []
        # Call id -> for each call, its outputs still to be placed. Some upstreams number calls anew each turn, so that
        # one id stands for several calls of a conversation: the first call takes the first output.
        self.outputs: dict[str, deque[list[tuple[str, Any]]]] = defaultdict(deque)

    # -- outputs follow the message that holds their calls, wherever the client put them --------------------------

    def collect_outputs(self, paths: Sequence[str], items: Sequence[Any]) -> None:
        """Find the output of each call, wherever it stands.

        Raises:
            InvalidRequest: one that names no call.
        """
        made: Counter[str] = Counter()
        for path, item in zip(paths, items, strict=True):
            if item.type == "custom_tool_call":
                made[item.call_id] += 1
            if item.type not in OUTPUTS:
                continue
            call_id, output = OUTPUTS[item.type].in_history(self.tools, item)
            if not call_id:
                raise InvalidRequest(f"{path}.call_id is missing.", param=f"{path}.call_id")
            placed = self.outputs[call_id]
            # A script in the CLI's code mode may say something more than once.
            if item.type == "custom_tool_call_output" and 0 < made[call_id] <= len(placed):
                placed[-1].append((path, output))
            else:
                placed.append([(path, output)])

    def check_outputs(self) -> None:
        """Make sure that each output had its call.

        Raises:
            InvalidRequest: one that had none.
        """
        for call_id, left in self.outputs.items():
            for (path, _), *_ in left:
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
        """More text of the assistant."""
        if self.assistant is not None and "tool_calls" in self.assistant:
            self.flush()
        message = self.turn()
        message["content"] = text if message["content"] is None else message["content"] + text

    def call(self, call: HistoryCall) -> None:
        """Append a call by the assistant, under its flat name."""
        offered = self.tools.flat_name(call.name, call.namespace)
        name = offered or flat_name(call.name, call.namespace, self.profile)
        self.turn().setdefault("tool_calls", []).append(
            {"id": call.call_id, "type": "function", "function": {"name": name, "arguments": call.arguments}}
        )

    def happened(self, path: str, call_id: str, trace: Trace) -> None:
        """A call that was carried out elsewhere, with what came of it."""
        self.outputs[call_id].appendleft([(path, trace.output)])
        self.call(HistoryCall(call_id, trace.name, None, trace.arguments))
        self.flush()
        taken = [url for url in trace.pictures if self.takes_picture(url)]
        if taken:
            self.user([{"type": "image_url", "image_url": {"url": url}} for url in taken])
        if len(taken) < len(trace.pictures):
            self.losses.add(path, "dropped", f"{self.profile.title} takes no such pictures")

    def takes_picture(self, url: str) -> bool:
        """Whether the upstream takes a picture in this form."""
        return self.profile.images and (self.profile.image_urls or url.startswith("data:"))

    def restore_state(self, path: str, state: Mapping[str, Any]) -> None:
        """Put what a provider keeps on its calls and on its last message back on them."""
        calls = {self.call_id(call_id): extra for call_id, extra in state.get("calls", {}).items()}
        for call in self._calls():
            if not calls:
                break
            extra = calls.pop(self.call_id(call["id"]), None)
            if extra is not None:
                call["extra_content"] = extra
        last = self.assistant or self.last
        takes_details = self.profile.reasoning_replay != "never"
        if last is not None and "message" in state:
            last["extra_content"] = state["message"]
        if last is not None and "details" in state and takes_details:
            last.pop(self.profile.reasoning_replay_field, None)
            last["reasoning_details"] = state["details"]
        if calls or (last is None and state.keys() - {"calls"}):
            self.losses.add(path, "dropped", "what it belongs to is not there", Severity.IMMATERIAL)
        elif "details" in state and not takes_details:
            reason = f"{self.profile.title} takes no reasoning back"
            self.losses.add(path, "dropped", reason, Severity.IMMATERIAL)

    def _calls(self) -> Iterator[Json]:
        """The calls so far, those of the latest message first."""
        for message in chain((self.assistant or {},), reversed(self.messages)):
            yield from message.get("tool_calls", ())

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
            told = [self.output(*each) for each in (waiting.popleft() if waiting else [("", NO_OUTPUT)])]
            call["id"] = self.call_id(call["id"])
            text = "\n".join(text for text, _ in told)
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
            pictures += [picture for _, seen in told for picture in seen]
        if pictures:
            self.user(pictures)
        self.last = message

    def _give_back_reasoning(self, message: Json) -> None:
        thought, self.reasoning = "".join(self.reasoning), []
        replay = self.profile.reasoning_replay
        if replay == "never" or (replay == "tool_calls" and "tool_calls" not in message):
            return
        if "reasoning_details" in message:
            return
        text = thought or self.profile.reasoning_placeholder
        if text is not None and (thought or "tool_calls" in message):
            message[self.profile.reasoning_replay_field] = text

    def end_turn(self) -> None:
        """Close the assistant message; what was thought before a message that never came is not the next one's."""
        self.flush()
        self.last = None
        self.reasoning = []

    # -- other messages ------------------------------------------------------------------------------------------

    def system(self, role: str, text: str) -> None:
        """Instructions, in whatever form the upstream takes them here."""
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
        """What a user says."""
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
                others.append(PARTS[part.type].apply(self.at, at, part))
        if others:
            self.losses.add(
                f"{path}.output", "changed", "pictures follow as a user message", Severity.IMMATERIAL
            )
            texts.append(PICTURES_FOLLOW)
        return "\n".join(texts), others
