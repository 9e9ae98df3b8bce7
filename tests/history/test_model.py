"""Both stores against a model made of plain dictionaries: three principals, branches, budgets, expiry, contexts held."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.history.conftest import Clock, conversation, item, record
from wireloom.history.base import Full, Gone, Record
from wireloom.history.memory import Memory
from wireloom.history.sqlite import Sqlite

PRINCIPALS = st.sampled_from(["ada", "ada", "ada", "bob", "eve"])
RESPONSES = [f"r{n}" for n in range(20)]
CONVERSATIONS = [f"c{n}" for n in range(3)]
PICK = st.integers(0, 29)
PIECES = st.lists(
    st.tuples(st.sampled_from("uvwxyz"), st.text("aé", max_size=40)).map(lambda made: item(*made)), max_size=3
)
METADATA = st.dictionaries(st.sampled_from("abc"), st.text("xyé", max_size=5), max_size=2)
TTL, MAX_SESSIONS, MAX_BYTES = 150, 5, 2000

Json = dict[str, Any]


def identifier(piece: bytes) -> str:
    return str(json.loads(piece)["id"])


class Model:
    """What a store is to do, in the plainest way: everything is looked for in lists.

    A session has `items` (of a conversation: numbered entries with the response they were kept with) and `turns`; a
    deleted turn stays in the list, and counts as there while a turn that is alive follows it.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sessions: list[Json] = []
        self.numbers = 0

    def live(self, session: Json) -> bool:
        return bool(session["held"]) or self.clock.time - session["used"] <= TTL

    def sweep(self) -> None:
        self.sessions = [session for session in self.sessions if self.live(session)]

    def find(self, principal: str, kind: str, name: str | None) -> tuple[Json, Json] | None:
        for session in self.sessions:
            if session["principal"] != principal or not self.live(session):
                continue
            if kind == "conversation" and session["conversation"] is not None and session["id"] == name:
                session["used"] = self.clock.time
                return session, {}
            for turn in session["turns"]:
                if kind == "response" and turn["alive"] and turn["id"] == name:
                    session["used"] = self.clock.time
                    return session, turn
        return None

    def there(self, session: Json) -> list[Json]:
        """The turns of which anything is stored."""
        needed: list[Json] = []
        for turn in session["turns"]:
            step = turn if turn["alive"] else None
            while step is not None:
                needed.append(step)
                step = step["previous"]
        return [
            turn
            for turn in session["turns"]
            if any(turn is one for one in needed) or turn["until"] is not None
        ]

    def entries(self, session: Json) -> list[Json]:
        return [*session["items"], *(entry for turn in self.there(session) for entry in turn["entries"])]

    def size(self, session: Json) -> int:
        bodies = sum(len(turn["body"]) for turn in session["turns"] if turn["alive"])
        metadata = session["conversation"]
        written = (
            0
            if metadata is None
            else len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
        )
        return bodies + written + sum(len(entry["item"]) for entry in self.entries(session))

    def context(self, session: Json, turn: Json) -> list[Json]:
        if turn["until"] is not None:
            return [entry for entry in session["items"] if entry["number"] <= turn["until"]]
        before = self.context(session, turn["previous"]) if turn["previous"] else []
        return [*before, *turn["entries"]]

    def outputs(self, session: Json, turn: Json) -> list[Json]:
        return [e for e in self.context(session, turn) if e["turn"] is turn and e["side"] == "output"]

    def made(self, pieces: Sequence[bytes], side: str, turn: Json | None = None) -> list[Json]:
        entries = []
        for piece in pieces:
            self.numbers += 1
            entries.append({"number": self.numbers, "item": piece, "side": side, "turn": turn})
        return entries

    def room(self, session: Json, added: int, others: int) -> str | None:
        """Evict what has to go; or say `full`."""
        if self.size(session) + added > MAX_BYTES:
            return "full"
        rest = sorted((one for one in self.sessions if one is not session), key=lambda one: one["used"])
        total = sum(map(self.size, rest)) + self.size(session) + added
        number, chosen = len(rest) + others, []
        for one in rest:
            if number <= MAX_SESSIONS and total <= MAX_BYTES:
                break
            if not one["held"]:
                chosen.append(one)
                number, total = number - 1, total - self.size(one)
        if number > MAX_SESSIONS or total > MAX_BYTES:
            return "full"
        self.sessions = [one for one in self.sessions if not any(one is gone for gone in chosen)]
        return None

    def session(self, principal: str, name: str, metadata: Json | None) -> Json:
        return {
            "principal": principal,
            "id": name,
            "used": self.clock.time,
            "conversation": metadata,
            "items": [],
            "turns": [],
            "held": [],
        }


class Stores(RuleBasedStateMachine):
    """Does the same in both stores and in the model, one second after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.model = Model(self.clock)
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "history.sqlite3")
        self.memory = Memory(ttl_seconds=TTL, max_sessions=MAX_SESSIONS, max_bytes=MAX_BYTES, now=self.clock)
        self.sqlite = self.opened()
        self.held: list[tuple[Json, object, list[Any]]] = []

    def opened(self) -> Sqlite:
        return Sqlite(
            self.path, ttl_seconds=TTL, max_sessions=MAX_SESSIONS, max_bytes=MAX_BYTES, now=self.clock
        )

    def teardown(self) -> None:
        self.check_all()
        self.loop.run_until_complete(self.sqlite.aclose())
        self.loop.close()
        self.folder.cleanup()

    def ask(self, method: str, *arguments: Any) -> Any:
        """What both stores answer, which is one and the same; the clock goes on."""
        answers = [self._one(getattr(store, method)(*arguments)) for store in (self.memory, self.sqlite)]
        plain = [
            (answer.session, list(answer.items)) if hasattr(answer, "session") else answer
            for answer in answers
        ]
        assert plain[0] == plain[1], method
        self.latest = answers
        self.clock.time += 1
        return plain[0]

    def _one(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self.loop.run_until_complete(work)
        except Gone:
            return "gone"
        except Full:
            return "full"
        except ValueError:
            return "taken"

    @initialize(metadata=METADATA, pieces=PIECES, held=st.booleans())
    def furnish(self, metadata: Json, pieces: list[bytes], held: bool) -> None:
        """Begin where there is something to read and to delete."""
        for principal in ("ada", "bob"):
            self.begin(principal, "c1", metadata, pieces)
            for name, previous, talk in (
                ("r1", None, None),
                ("r2", "r1", None),
                ("r3", "r2", None),
                ("r4", "r2", None),
                ("r5", None, "c1"),
                ("r6", "r5", None),
            ):
                new = record(name, previous, conversation=talk, inputs=pieces, outputs=pieces[:1])
                expected = self.kept(principal, new)
                assert self.ask("keep", principal, new) == expected
            self.context(principal, 1, held)
            self.dialogue(principal, 1, held)

    @rule(
        principal=PRINCIPALS,
        name=st.sampled_from(RESPONSES),
        previous=st.none() | PICK,
        talk=st.none() | PICK,
        inputs=PIECES,
        outputs=PIECES,
    )
    def keep(
        self,
        principal: str,
        name: str,
        previous: int | None,
        talk: int | None,
        inputs: list[bytes],
        outputs: list[bytes],
    ) -> None:
        follows = None if previous is None else self.a_response(principal, previous)
        within = None if talk is None or follows else self.a_conversation(principal, talk)
        new = record(name, follows, conversation=within, inputs=inputs, outputs=outputs)
        expected = self.kept(principal, new)
        assert self.ask("keep", principal, new) == expected

    def a_response(self, principal: str, pick: int) -> str:
        """A name: mostly of a response that is there or was deleted, else of another's or of none."""
        turns = [
            turn["id"]
            for session in self.model.sessions
            for turn in session["turns"]
            if session["principal"] == principal or pick > 26
        ]
        return turns[pick % len(turns)] if turns and pick else RESPONSES[0]

    def a_conversation(self, principal: str, pick: int) -> str:
        names = [
            session["id"]
            for session in self.model.sessions
            if session["conversation"] is not None and (session["principal"] == principal or pick > 26)
        ]
        return names[pick % len(names)] if names and pick else CONVERSATIONS[0]

    def kept(self, principal: str, new: Record) -> str | None:
        model = self.model
        model.sweep()
        before = model.find(principal, "response", new.previous) if new.previous else None
        talk = model.find(principal, "conversation", new.conversation) if new.conversation else None
        if (new.previous and not before) or (new.conversation and not talk):
            return "gone"
        if any(
            turn["id"] == new.id
            for session in model.sessions
            if session["principal"] == principal
            for turn in model.there(session)
        ):
            return "taken"
        fresh = before is None and talk is None
        session = before[0] if before else talk[0] if talk else model.session(principal, new.id, None)
        added = len(new.response) + sum(map(len, [*new.inputs, *new.outputs]))
        if model.room(session, added, 1) == "full":
            return "full"
        turn: Json = {"id": new.id, "alive": True, "body": new.response, "until": None, "entries": []}
        turn["previous"] = before[1] if before else None
        entries = [*model.made(new.inputs, "input", turn), *model.made(new.outputs, "output", turn)]
        if talk:
            session["items"] += entries
            turn["until"] = max((entry["number"] for entry in session["items"]), default=0)
        else:
            turn["entries"] = entries
        session["turns"].append(turn)
        session["used"] = self.clock.time
        if fresh:
            model.sessions.append(session)
        return None

    @rule(principal=PRINCIPALS, name=st.sampled_from(CONVERSATIONS), metadata=METADATA, pieces=PIECES)
    def begin(self, principal: str, name: str, metadata: Json, pieces: list[bytes]) -> None:
        model = self.model
        model.sweep()
        expected = None
        taken = any(
            (one["principal"], one["id"]) == (principal, name) and one["conversation"] is not None
            for one in model.sessions
        )
        session = model.session(principal, name, metadata)
        if taken:
            expected = "taken"
        elif model.room(session, sum(map(len, pieces)), 1) == "full":
            expected = "full"
        else:
            session["items"] = model.made(pieces, "input")
            model.sessions.append(session)
        assert self.ask("begin", principal, conversation(name, **metadata), pieces) == expected

    @rule(principal=PRINCIPALS, pick=PICK, pieces=PIECES)
    def add(self, principal: str, pick: int, pieces: list[bytes]) -> None:
        name = self.a_conversation(principal, pick)
        self.model.sweep()
        expected: Any = False
        if found := self.model.find(principal, "conversation", name):
            expected = self.model.room(found[0], sum(map(len, pieces)), 1) or True
            if expected is True:
                found[0]["items"] += self.model.made(pieces, "input")
        assert self.ask("add", principal, name, pieces) == expected

    @rule(principal=PRINCIPALS, pick=PICK, metadata=METADATA)
    def rename(self, principal: str, pick: int, metadata: Json) -> None:
        name = self.a_conversation(principal, pick)
        self.model.sweep()
        expected: Any = None
        if found := self.model.find(principal, "conversation", name):
            old, found[0]["conversation"] = found[0]["conversation"], metadata
            if self.model.room(found[0], 0, 1) == "full":
                found[0]["conversation"], expected = old, "full"
            else:
                expected = conversation(name, **metadata)
        assert self.ask("rename", principal, name, metadata) == expected

    @rule(principal=PRINCIPALS, pick=PICK, piece=st.sampled_from("uvwxyz"))
    def drop(self, principal: str, pick: int, piece: str) -> None:
        name = self.a_conversation(principal, pick)
        expected = False
        if found := self.model.find(principal, "conversation", name):
            left = [entry for entry in found[0]["items"] if identifier(entry["item"]) != piece]
            expected = len(left) < len(found[0]["items"])
            found[0]["items"] = left
        assert self.ask("drop", principal, name, piece) == expected

    @rule(principal=PRINCIPALS, pick=PICK)
    def end(self, principal: str, pick: int) -> None:
        name = self.a_conversation(principal, pick)
        found = self.model.find(principal, "conversation", name)
        if found:
            self.model.sessions = [one for one in self.model.sessions if one is not found[0]]
        assert self.ask("end", principal, name) == bool(found)

    @rule(principal=PRINCIPALS, pick=PICK)
    def forget(self, principal: str, pick: int) -> None:
        name = self.a_response(principal, pick)
        found = self.model.find(principal, "response", name)
        if found:
            found[1]["alive"] = False
            left = self.model.there(found[0]) or found[0]["conversation"] is not None
            self.model.sessions = [one for one in self.model.sessions if left or one is not found[0]]
        assert self.ask("forget", principal, name) == bool(found)

    @rule(principal=PRINCIPALS, pick=PICK, hold=st.booleans())
    def context(self, principal: str, pick: int, hold: bool) -> None:
        name = self.a_response(principal, pick)
        found = self.model.find(principal, "response", name)
        expected = found and (found[0]["id"], [entry["item"] for entry in self.model.context(*found)])
        assert self.ask("context", principal, name) == expected
        self.hold(found, hold)

    @rule(principal=PRINCIPALS, pick=PICK, hold=st.booleans())
    def dialogue(self, principal: str, pick: int, hold: bool) -> None:
        name = self.a_conversation(principal, pick)
        found = self.model.find(principal, "conversation", name)
        expected = found and (name, [entry["item"] for entry in found[0]["items"]])
        assert self.ask("dialogue", principal, name) == expected
        self.hold(found, hold)

    def hold(self, found: tuple[Json, Json] | None, hold: bool) -> None:
        if found and hold:
            token = object()
            found[0]["held"].append(token)
            self.held.append((found[0], token, self.latest))
        self.latest = []

    @rule(which=st.integers(0, 9))
    def release(self, which: int) -> None:
        if which < len(self.held):
            session, token, _ = self.held.pop(which)
            session["held"].remove(token)

    @rule(principal=PRINCIPALS, pick=PICK)
    def read(self, principal: str, pick: int) -> None:
        self.read_response(principal, self.a_response(principal, pick))

    def read_response(self, principal: str, name: str) -> None:
        found = self.model.find(principal, "response", name)
        kept = self.ask("response", principal, name)
        inputs = self.ask("inputs", principal, name)
        if found is None:
            assert kept is inputs is None
            return
        found[0]["used"] = self.clock.time - 1
        outputs = self.model.outputs(*found)
        assert (kept.response, list(kept.outputs)) == (found[1]["body"], [entry["item"] for entry in outputs])
        assert inputs == [
            entry["item"]
            for entry in self.model.context(*found)
            if not any(entry is output for output in outputs)
        ]

    @rule(principal=PRINCIPALS, pick=PICK)
    def read_conversation(self, principal: str, pick: int) -> None:
        name = self.a_conversation(principal, pick)
        found = self.model.find(principal, "conversation", name)
        expected = found and conversation(name, **found[0]["conversation"])
        assert self.ask("conversation", principal, name) == expected

    @rule(principal=PRINCIPALS, wanted=st.lists(st.sampled_from("uvwxyz"), max_size=3))
    def read_items(self, principal: str, wanted: list[str]) -> None:
        newest: dict[str, tuple[Json, Json]] = {}
        for session in self.model.sessions:
            if session["principal"] == principal and self.model.live(session):
                for entry in self.model.entries(session):
                    name = identifier(entry["item"])
                    if name in wanted and (name not in newest or newest[name][1]["number"] < entry["number"]):
                        newest[name] = session, entry
        for session, _ in newest.values():
            session["used"] = self.clock.time
        assert self.ask("items", principal, wanted) == {
            name: entry["item"] for name, (_, entry) in newest.items()
        }

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.clock.time += seconds

    @rule()
    def reopen(self) -> None:
        """What is held ends with the process; what is stored does not."""
        if not self.held:
            self.loop.run_until_complete(self.sqlite.aclose())
            self.model.sweep()
            self.sqlite = self.opened()

    def check_all(self) -> None:
        for principal in ("ada", "bob", "eve"):
            for name in RESPONSES:
                self.read_response(principal, name)
            for pick in range(3):
                self.read_conversation(principal, pick)
                self.dialogue(principal, pick, False)
            self.read_items(principal, list("uvwxyz"))


Stores.TestCase.settings = settings(
    max_examples=80, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStores = Stores.TestCase
