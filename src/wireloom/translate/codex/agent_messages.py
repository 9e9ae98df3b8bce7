"""The messages of a turn on their way to the client: at once, or as soon as it is known that their text may be shown.

A message begins, comes in deltas, ends with the provider's instruction for its display, and comes once more as a raw item.
A client that streams gets each delta when it comes. For a whole answer nothing leaves before the end of the message, so that
the text of a message that is hidden or blocked never leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from wireloom_protocol import app_server_hot as hot

from wireloom.translate.codex.answer_display import unknown_mode, withheld
from wireloom.wire.json import Json

Take: TypeAlias = Callable[[str, Json], None]

KIND = "agentMessage"
DELTA = "response.output_text.delta"
DONE = "response.output_item.done"
# Codex passes over parts of a kind that it does not know, so that a message which refuses never comes.
REFUSED = "The model refused. Codex does not pass on its words."


class AgentMessages:
    """The messages of a turn.

    Args:
        new_id: makes an id with a prefix.
        lost: takes a sentence for each part of the answer that is not passed on.
        streamed: whether the client gets deltas.
    """

    def __init__(self, new_id: Callable[[str], str], lost: list[str], *, streamed: bool) -> None:
        self.filtered: str | None = None
        """The words for the end of the response, where the provider blocks a message or hides one too late."""
        self._new_id = new_id
        self._lost = lost
        self._streamed = streamed
        self._instructed = False  # whether the provider withholds a message of this turn

    def begin_call(self, take: Take) -> None:
        """A model call begins; its messages may have the ids of those before.

        Args:
            take: takes an event of a Responses upstream: its type and its members.
        """
        self._take = take
        self._open: set[str] = set()  # ids of messages that have begun and are not complete
        self.flowing: set[str] = set()
        """Ids of messages of which the client has text; more of it goes straight to the client."""
        self._shown: set[str] = set()  # ids that are complete and not withheld
        self._withheld: set[str] = set()
        self._held: list[tuple[str, str, Json]] = []  # id, and type and members of an event

    def begin(self, item: hot.ThreadItem) -> None:
        """A message begins."""
        self._open.add(item.id or "")
        self._instruct(item)

    def delta(self, message_id: str, text: str | None) -> None:
        """More of a message's text."""
        self._pass(message_id, DELTA, {"item_id": message_id, "delta": text})

    def end(self, item: hot.ThreadItem) -> None:
        """A message is complete."""
        self._instruct(item)
        message_id = item.id or ""
        if message_id not in self._withheld:
            self._shown.add(message_id)
            self._release(message_id)

    def whole(self, message_id: str, json: Json) -> None:
        """The raw item of a message.

        Args:
            message_id: its id.
            json: the item.
        """
        self._open.discard(message_id)
        self._pass(message_id, DONE, {"item": json})

    def end_call(self) -> None:
        """A model call is over: pass on the held events, and a refusal for a message that began and never came."""
        self.release()
        if self._open:
            self._write({"type": "refusal", "refusal": REFUSED})
            self._lost.append("the words of a refusal")

    def end_turn(self, items: Iterable[hot.ThreadItem]) -> None:
        """A turn is over; its items repeat the last message, with an instruction that may have come before."""
        for item in items:
            if item.type == KIND and not self._instructed:
                self._instruct(item, over=True)

    def release(self) -> None:
        """Pass on the held events: no instruction comes any more."""
        self._release(None)

    def forget(self) -> None:
        """Drop the held events: the model call begins anew."""
        self._held.clear()
        self._open.clear()

    def _pass(self, message_id: str, kind: str, event: Json) -> None:
        if message_id in self._withheld:
            return
        if self._streamed or message_id in self._shown:
            self.flowing.add(message_id)
            self._take(kind, event)
        else:
            self._held.append((message_id, kind, event))

    def _release(self, message_id: str | None) -> None:
        """Pass on the held events of one message, or with None of all."""
        events, self._held = self._held, []
        for event in events:
            if message_id in (None, event[0]):
                self.flowing.add(event[0])
                self._take(event[1], event[2])
            else:
                self._held.append(event)

    def _instruct(self, item: hot.ThreadItem, *, over: bool = False) -> None:
        """Follow the provider's instruction for the display of a message.

        Args:
            item: the message.
            over: whether its model call is over, so that its text has left.
        """
        message_id = item.id or ""
        mode = unknown_mode(item)
        strange = f"an instruction for the display of a message, of mode {mode}"
        if mode is not None and strange not in self._lost:
            self._lost.append(strange)
        found = withheld(item)
        if found is None or message_id in self._withheld:
            return
        self._instructed = True
        self._withheld.add(message_id)
        sent = over or message_id in self.flowing
        self.flowing.discard(message_id)
        self._open.discard(message_id)
        self._held = [event for event in self._held if event[0] != message_id]
        self._lost.append(
            "a message that the provider withholds" + (", after its text had left" if sent else "")
        )
        if found.blocked:
            self._write({"type": "refusal", "refusal": found.words})
        elif not sent:
            self._write({"type": "output_text", "text": found.words})
        if found.blocked or sent:
            self.filtered = found.words

    def _write(self, part: Json) -> None:
        """A message of the gateway's own."""
        item = {"type": "message", "id": self._new_id("msg"), "role": "assistant", "content": [part]}
        self._take(DONE, {"item": item})
