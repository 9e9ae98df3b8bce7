"""Turns that wait for the outputs of a client's tools, between one request of the client's and the next."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from wireloom.backends.codex.thread import Thread
from wireloom.translate.codex.app_server_reader import Pending
from wireloom.translate.codex.app_server_request import Plan
from wireloom.wire.json import Json

LIFETIME_SECONDS = 600.0
MOST = 256
# Members of an item that say nothing of what was said.
UNSAID = ("id", "status", "phase")


@dataclass(frozen=True, slots=True)
class Suspended:
    """A turn that waits.

    Args:
        principal: whose it is.
        thread: its thread.
        pending: call id -> the call, all of which have to be answered.
        before: digest of the settings and of what had been said before the turn.
        length: how many items that was.
        said: the text that the turn has added.
        due: time of the loop after which it is given up.
    """

    principal: str
    thread: Thread
    pending: Mapping[str, Pending]
    before: bytes
    length: int
    said: str
    due: float


class SuspendedTurns:
    """The turns that wait, oldest first.

    Args:
        lifetime: seconds after which one is given up.
        most: how many there are at most; one more gives up the oldest.
    """

    def __init__(self, lifetime: float = LIFETIME_SECONDS, most: int = MOST) -> None:
        self._lifetime = lifetime
        self._most = most
        self._turns: dict[str, Suspended] = {}  # by the first of its call ids
        self._by_call: dict[str, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._turns)

    def keep(
        self, principal: str, thread: Thread, pending: Mapping[str, Pending], plan: Plan, said: str
    ) -> None:
        """Keep a turn until its calls are answered.

        Args:
            principal: whose it is.
            thread: its thread.
            pending: the calls.
            plan: of the request that it answered.
            said: the text that it has added.
        """
        while len(self._turns) >= self._most:
            self._give_up(next(iter(self._turns)))
        told = _told(plan.items)
        due = asyncio.get_running_loop().time() + self._lifetime
        before = _digest(plan, told)
        key = next(iter(pending))
        self._turns[key] = Suspended(principal, thread, pending, before, len(told), said, due)
        self._by_call |= dict.fromkeys(pending, key)
        self._wait()

    def claim(self, principal: str, plan: Plan) -> tuple[Suspended, list[Json]] | None:
        """The turn that a request goes on with, which is then the request's, and the outputs for it.

        Args:
            principal: who asks.
            plan: of the request.

        Returns:
            None where no turn waits for exactly what the request brings, after exactly what had been said.
        """
        told = _told(plan.items)
        key = next((self._by_call.get(str(item.get("call_id"))) for item in reversed(told)), None)
        if key is None:
            return None
        found = self._turns[key]
        if found.principal != principal:
            return None
        outputs = _outputs(found, told)
        if outputs is None or _digest(plan, told[: found.length]) != found.before:
            return None
        self._forget(key)
        return (found, outputs) if found.thread.alive else None

    def give_up_all(self) -> None:
        """Wait for nothing any more."""
        for key in list(self._turns):
            self._give_up(key)
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self, key: str) -> None:
        self._turns[key].thread.leave()
        self._forget(key)

    def _forget(self, key: str) -> None:
        turn = self._turns.pop(key)
        for call_id in turn.pending:
            self._by_call.pop(call_id, None)

    def _wait(self) -> None:
        """Set the one timer for the oldest turn; all live equally long."""
        if self._timer is None and self._turns:
            oldest = next(iter(self._turns.values()))
            self._timer = asyncio.get_running_loop().call_at(oldest.due, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for key in [key for key, turn in self._turns.items() if turn.due <= now]:
            self._give_up(key)
        self._wait()


def _told(items: list[Json]) -> list[Json]:
    """What a client has to send again the same; reasoning it may leave out."""
    return [item for item in items if item["type"] != "reasoning"]


def _digest(plan: Plan, told: list[Json]) -> bytes:
    """What a turn depends on: settings and tools, which are fixed when it begins, and what had been said."""
    plain = [_plain(item) for item in told]
    return hashlib.sha256(msgspec.json.encode([plan.start, plan.turn, plain], order="sorted")).digest()


def _plain(item: Json) -> Json:
    said = {name: value for name, value in item.items() if name not in UNSAID}
    content = said.get("content")
    if isinstance(content, list):
        said["content"] = [
            {name: value for name, value in part.items() if name not in ("annotations", "logprobs")}
            for part in content
        ]
    return said


def _outputs(turn: Suspended, told: list[Json]) -> list[Json] | None:
    """The outputs of a turn's calls, where what follows its beginning is what it said, they, and nothing else."""
    added = told[turn.length :]
    calls = [item for item in added if item["type"] == "function_call"]
    outputs = [item for item in added if item["type"] == "function_call_output"]
    messages = [item for item in added if item["type"] == "message"]
    if len(calls) + len(outputs) + len(messages) != len(added):
        return None
    if {item["call_id"] for item in calls} != turn.pending.keys() or len(calls) != len(turn.pending):
        return None
    if {item["call_id"] for item in outputs} != turn.pending.keys() or len(outputs) != len(turn.pending):
        return None
    if not all(_same(turn.pending[item["call_id"]], item) for item in calls):
        return None
    if any(item["role"] != "assistant" for item in messages):
        return None
    said = "".join(part.get("text", "") for item in messages for part in item["content"])
    # A client may leave out what was said beside the calls.
    return outputs if not said.strip() or _words(said) == _words(turn.said) else None


def _words(text: str) -> str:
    """A text without white space, of which a face may put some between two messages."""
    return "".join(text.split())


def _same(pending: Pending, call: Json) -> bool:
    if call["name"] != pending.name:
        return False
    if call["arguments"] == pending.arguments:
        return True
    try:
        return bool(msgspec.json.decode(call["arguments"]) == msgspec.json.decode(pending.arguments))
    except msgspec.MsgspecError:
        return False
