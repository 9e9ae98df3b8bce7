"""The messages of a Chat request while they are made: calls with their outputs, reasoning back in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.conversation.hosted_calls import Trace
from wireloom.translate.conversation.notes import NO_OUTPUT, PICTURES_FOLLOW, STRAY_OUTPUT
from wireloom.translate.conversation.pairs import Pairs
from wireloom.translate.conversation.parts import PARTS, At
from wireloom.translate.options import Unseal
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.base import HistoryCall, Tools, flat_name
from wireloom.translate.tools.table import CALLS, OUTPUTS
from wireloom.wire.json import Json

Returned: TypeAlias = tuple[int, str, Any]
"""An output of a call: the position and the path of its item, and its text or content parts."""


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
        self.position = 0
        """Of the item that is translated."""
        self._calls: dict[int, HistoryCall] = {}
        """Position of a call -> the call."""
        self._returned: dict[int, list[Returned]] = {}
        """Position of a call -> its outputs."""
        self.strays: dict[int, Any] = {}
        """Position of an output that has no call -> what it holds."""
        self._due: list[list[Returned]] = []
        """The outputs of the calls of the growing message."""
        self._apart = False
        """Whether a thought or a call came after the text of the growing message."""

    # -- outputs follow the message that holds their calls, wherever the client put them --------------------------

    def collect_outputs(self, paths: Sequence[str], items: Sequence[Any]) -> None:
        """Find the output of each call, wherever it stands.

        Of a function's outputs the last one counts, as where a step was tried again. A script in the CLI's code mode,
        which is a custom tool, may return something more than once.

        Raises:
            InvalidRequest: one that names no call; under `strict` also one that has none, or that is not the last.
        """
        found: dict[int, Any] = {}
        ids: dict[int, str] = {}
        calls: dict[str, int] = {}
        returned = self._returned
        plain = True
        for position, item in enumerate(items):
            kind = item.type
            if kind in CALLS:
                self._calls[position] = call = CALLS[kind].in_history(item)
                plain = plain and call.call_id not in calls
                calls[call.call_id] = position
            elif kind in OUTPUTS:
                call_id, output = OUTPUTS[kind].in_history(self.tools, item)
                if not call_id:
                    param = f"{paths[position]}.call_id"
                    raise InvalidRequest(f"{param} is missing.", param=param)
                ids[position], found[position] = call_id, output
                of_call = calls.get(call_id)
                if of_call is None or of_call in returned:
                    plain = False
                else:
                    returned[of_call] = [(position, paths[position], output)]
        if not plain or len(returned) < len(self._calls):
            self._pair(paths, items, ids, found)

    def _pair(
        self, paths: Sequence[str], items: Sequence[Any], ids: Mapping[int, str], found: Mapping[int, Any]
    ) -> None:
        """Find the outputs of calls where some are missing, given twice or of a call that is not there."""
        pairs: Pairs[int] = Pairs()
        for position, item in enumerate(items):
            if position in self._calls:
                pairs.call(position, self._calls[position].call_id)
            elif position in ids:
                pairs.output(position, ids[position])
            elif item.type == "message" and item.role == "user":
                pairs.turn()
        pairs.close()
        for of_call, outputs in pairs.outputs.items():
            kept = outputs if items[of_call].type == "custom_tool_call" else outputs[-1:]
            self._returned[of_call] = [(at, paths[at], found[at]) for at in kept]
            for at in outputs[: -len(kept)] if kept else ():
                self.losses.add(paths[at], "dropped", "a later output of the same call takes its place")
            if not outputs:
                self.losses.add(paths[of_call], "changed", "the call had no output", Severity.IMMATERIAL)
        self.strays = {at: found[at] for at in pairs.strays}

    def stray(self, path: str) -> None:
        """Send an output that has no call as a marked message of the user.

        Raises:
            InvalidRequest: under `strict`.
        """
        reason = "no call has this output: sent as a marked user message"
        self.losses.add(f"{path}.call_id", "changed", reason)
        text, pictures = self.output(path, self.strays[self.position])
        self.user([{"type": "text", "text": STRAY_OUTPUT + text}, *pictures])

    # -- the growing assistant message ---------------------------------------------------------------------------

    def turn(self) -> Json:
        """The assistant message that text and calls are added to."""
        if self.assistant is None:
            self.assistant = {"role": "assistant", "content": None}
        return self.assistant

    def say(self, text: str) -> None:
        """More text of the assistant."""
        if self._due and self._all_returned():
            self.flush()
        message = self.turn()
        before = message["content"]
        if before is None:
            message["content"] = text
        else:
            message["content"] = f"{before}\n\n{text}" if self._apart else before + text
        self._apart = False

    def _all_returned(self) -> bool:
        """Whether outputs of the growing message's calls stand before this item, and none behind it."""
        positions = [position for outputs in self._due for position, _, _ in outputs]
        return bool(positions) and max(positions) < self.position

    def think(self, thought: str) -> None:
        """What the assistant thought within its turn."""
        self.reasoning.append(thought)
        self._apart = True

    def recorded(self) -> None:
        """Append the call of this item, with the outputs that the conversation holds."""
        self.call(self._calls[self.position], self._returned[self.position])

    def call(self, call: HistoryCall, outputs: list[Returned]) -> None:
        """Append a call by the assistant, under its flat name.

        Args:
            call: the call.
            outputs: what it returned.
        """
        self._due.append(outputs)
        self._apart = True
        offered = self.tools.flat_name(call.name, call.namespace)
        name = offered or flat_name(call.name, call.namespace, self.profile)
        self.turn().setdefault("tool_calls", []).append(
            {"id": call.call_id, "type": "function", "function": {"name": name, "arguments": call.arguments}}
        )

    def happened(self, path: str, call_id: str, trace: Trace) -> None:
        """A call that was carried out elsewhere, with what came of it."""
        self.call(
            HistoryCall(call_id, trace.name, None, trace.arguments), [(self.position, path, trace.output)]
        )
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
        calls = dict(state.get("calls", {}))
        for call in self._calls_so_far():
            if not calls:
                break
            extra = calls.pop(call["id"], None)
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

    def _calls_so_far(self) -> Iterator[Json]:
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
        due, self._due, self._apart = self._due, [], False
        pictures: list[Json] = []
        for call, outputs in zip(message.get("tool_calls", ()), due, strict=True):
            told = [self.output(path, value) for _, path, value in outputs] or [(NO_OUTPUT, [])]
            text = "\n".join(text for text, _ in told)
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
            pictures += [picture for _, seen in told for picture in seen]
        if pictures:
            self.user(pictures)
        self.last = message

    def _give_back_reasoning(self, message: Json) -> None:
        thought, self.reasoning = "\n\n".join(filter(None, self.reasoning)), []
        replay = self.profile.reasoning_replay
        if replay == "never" or (replay == "tool_calls" and "tool_calls" not in message):
            return
        if "reasoning_details" in message:
            return
        if thought:
            message[self.profile.reasoning_replay_field] = thought

    def end_turn(self) -> None:
        """Close the assistant message; what was thought before a message that never came is not the next one's."""
        self.flush()
        self.last = None
        self.reasoning = []

    # -- other messages ------------------------------------------------------------------------------------------

    def system(self, role: str, text: str) -> None:
        """Instructions."""
        self.end_turn()
        self.messages.append({"role": role, "content": text})

    def user(self, parts: list[Json]) -> None:
        """What a user says."""
        self.end_turn()
        plain = len(parts) == 1 and parts[0]["type"] == "text"
        self.messages.append({"role": "user", "content": parts[0]["text"] if plain else parts})

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
                taken = PARTS[part.type].apply(self.at, at, part)
                if taken["type"] == "text":
                    texts.append(taken["text"])
                else:
                    others.append(taken)
        if others:
            self.losses.add(
                f"{path}.output", "changed", "pictures follow as a user message", Severity.IMMATERIAL
            )
            texts.append(PICTURES_FOLLOW)
        return "\n".join(texts), others
