"""Whatever is said in whatever order, the stream keeps to the grammar and tells all of it."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wireloom_protocol import responses as m

from tests.support import contract, cuts
from tests.support.grammar import Told, check, decode
from tests.support.streams import ERROR, USAGE, new_stream
from wireloom.translate.hub import events as response_events
from wireloom.translate.hub.relay import heartbeat, relay
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.free_input import unwrap, wrap
from wireloom.translate.tools.table import CALL_ITEMS
from wireloom.wire.sse import EventReader, encode

Json: TypeAlias = dict[str, Any]


def taken(stream: ResponseStream) -> list[Json]:
    return decode(encode(stream.take()))


def brief(events: list[Json]) -> list[str]:
    """The events after the opening ones without their common stem, with what they say."""
    said = ("delta", "text", "refusal", "arguments", "input", "code")
    return [
        " ".join(
            [event["type"].removeprefix("response."), *(repr(event[key]) for key in said if key in event)]
        )
        for event in events[2:]
    ]


# -- anything, in any order ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Say:
    """A text verb with its delta."""

    verb: Literal["text", "refusal", "reasoning"]
    delta: str


@dataclass(frozen=True)
class Begin:
    """A call; the first fragment of its arguments comes with it, the others with `More`."""

    kind: str
    fragments: tuple[str, ...]


@dataclass(frozen=True)
class More:
    """The next fragment of a call that has any left, chosen by number."""

    call: int


@dataclass(frozen=True)
class Spoken:
    """Text with the log probabilities of its tokens, which are its characters."""

    delta: str


@dataclass(frozen=True)
class Cite:
    """A source of the text so far."""

    url: str


@dataclass(frozen=True)
class Sign:
    """A verb without content."""

    verb: Literal["start", "heartbeat"]


Verb: TypeAlias = Say | Spoken | Cite | Begin | More | Sign
Ending: TypeAlias = Literal["completed", "incomplete", "failed"]
ITEM_TYPES = {"text": "message", "refusal": "message", "reasoning": "reasoning"}

# Kind of a published tool -> arguments of its function, and the fields that its call then has.
READABLE: dict[str, dict[str, Json]] = {
    "local_shell": {
        '{"command":["ls","-l"],"timeout_ms":5,"user":7}': {
            "type": "exec",
            "command": ["ls", "-l"],
            "env": {},
            "timeout_ms": 5,
        },
        '{"command":"ls","env":{"A":"b"},"working_directory":"/"}': {
            "type": "exec",
            "command": ["bash", "-lc", "ls"],
            "env": {"A": "b"},
            "working_directory": "/",
        },
    },
    "shell": {
        '{"commands":["ls",""],"timeout_ms":5}': {
            "commands": ["ls", ""],
            "timeout_ms": 5,
            "max_output_length": None,
        },
        '{"command":"ls"}': {"commands": ["ls"], "timeout_ms": None, "max_output_length": None},
    },
    "apply_patch": {
        '{"operation":{"type":"create_file","path":"a","diff":"+b"}}': {
            "type": "create_file",
            "path": "a",
            "diff": "+b",
        },
        '{"type":"delete_file","path":"a","diff":"?"}': {"type": "delete_file", "path": "a"},
    },
    "tool_search": {'{"query":"x"}': {"query": "x"}, "{}": {}},
}

texts = st.text(max_size=12)
objects = st.dictionaries(st.text(max_size=4), texts | st.integers() | st.none(), max_size=3)
broken = st.sampled_from(["", " ", '{"path": "/tm', "not JSON", '{"a": 1]'])


def fragments(arguments: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return arguments.flatmap(lambda said: cuts.anywhere(said, most=4)).map(tuple)


functions = fragments(objects.map(json.dumps) | objects.map(lambda value: f"{json.dumps(value)} \n") | broken)
inputs = fragments(texts.map(wrap) | broken)
verbs: st.SearchStrategy[Verb] = st.one_of(
    st.builds(Say, st.sampled_from(["text", "refusal", "reasoning"]), texts),
    st.builds(Spoken, texts),
    st.builds(Cite, texts),
    st.builds(Begin, st.just("function"), functions),
    st.builds(Begin, st.just("custom"), inputs),
    st.sampled_from(sorted(READABLE)).flatmap(
        lambda kind: st.builds(
            Begin, st.just(kind), fragments(st.sampled_from(sorted(READABLE[kind])) | broken)
        )
    ),
    st.builds(More, st.integers(0, 3)),
    st.builds(Sign, st.sampled_from(["start", "heartbeat"])),
)
plans = st.lists(verbs, max_size=25)
endings: st.SearchStrategy[Ending] = st.sampled_from(["completed", "incomplete", "failed"])


def partial_input(arguments: str) -> str:
    """What is known of the input in arguments that may be cut short, an escape that is cut as it stands."""
    for left in range(min(len(arguments), 13)):
        head, rest = arguments[: len(arguments) - left], arguments[len(arguments) - left :]
        try:
            value = json.loads(head + '"}')
        except ValueError:
            continue
        if isinstance(value, dict) and list(value) == ["input"]:
            known: str = value["input"]
            return known + rest.removesuffix('"')
    return unwrap(arguments)


@dataclass
class Said:
    """An item as it was said."""

    kind: str
    text: str = ""

    @property
    def type(self) -> str:
        """The type of the item that has to tell it."""
        if self.kind in READABLE and self.text.strip() not in READABLE[self.kind]:
            searched = self.kind == "tool_search" and not self.text.strip()
            return "tool_search_call" if searched else "function_call"
        calls = {"custom": "custom_tool_call", "function": "function_call"}
        return calls.get(self.kind, f"{self.kind}_call" if self.kind in READABLE else self.kind)

    @property
    def told(self) -> str:
        """What the client has to be told of a whole item."""
        if self.type == "custom_tool_call":
            return unwrap(self.text) if self.whole else partial_input(self.text)
        if self.type not in ("function_call", "message", "reasoning"):
            return json.dumps(READABLE[self.kind].get(self.text.strip(), {}))
        return self.text if self.type != "function_call" or self.text.strip() else "{}"

    @property
    def whole(self) -> bool:
        """Whether this is no call with arguments that are not JSON."""
        if self.kind in ("message", "reasoning"):
            return True
        try:
            json.loads(self.text)
        except ValueError:
            return False
        return True


SOURCE: Json = {"type": "url_citation", "url": "", "title": "", "start_index": 0, "end_index": 0}


def probability(token: str) -> Json:
    """The log probability of a token, as a text part has it."""
    rival: Json = {"token": "!", "logprob": -2.0, "bytes": [33]}
    return {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": [rival]}


SIGNS = {"start": ResponseStream.start, "heartbeat": heartbeat}


@dataclass
class Speaker:
    """Says a plan to a stream, and keeps what it said in the plainest form: items in order of their beginning."""

    stream: ResponseStream
    said: list[Said] = field(default_factory=list)
    calls: list[tuple[int, Said, list[str]]] = field(default_factory=list)
    tokens: list[Json] = field(default_factory=list)
    sources: list[Json] = field(default_factory=list)

    def say(self, verb: Verb) -> None:
        if isinstance(verb, Sign):
            SIGNS[verb.verb](self.stream)
        elif isinstance(verb, Say):
            self.text(ITEM_TYPES[verb.verb], verb.delta)
            getattr(self.stream, verb.verb)(verb.delta)
        elif isinstance(verb, Spoken):
            self.text("message", verb.delta)
            tokens = [probability(character) for character in verb.delta]
            self.tokens += tokens
            self.stream.text_with_logprobs(verb.delta, tokens)
        elif isinstance(verb, Cite):
            source = SOURCE | {"url": verb.url}
            if self.stream.annotate(source):
                self.sources.append(source)
        elif isinstance(verb, Begin):
            self.begin(verb)
        else:
            left = [call for call in self.calls if call[2]]
            if left:
                self.more(*left[verb.call % len(left)])

    def text(self, kind: str, delta: str) -> None:
        if delta:
            if not self.said or self.said[-1].kind != kind:
                self.said.append(Said(kind))
            self.said[-1].text += delta

    def begin(self, verb: Begin) -> None:
        key = len(self.calls)
        item = Said(verb.kind)
        self.said.append(item)
        self.calls.append((key, item, list(verb.fragments)))
        self.stream.call(key, f"call_{key}", "some_tool", make=CALL_ITEMS[verb.kind])
        self.more(*self.calls[-1])

    def more(self, key: int, item: Said, left: list[str]) -> None:
        delta = left.pop(0)
        item.text += delta
        self.stream.arguments(key, delta)

    def end(self, ending: Ending) -> None:
        if ending == "completed":
            self.stream.finish(USAGE)
        elif ending == "incomplete":
            self.stream.finish(None, "max_output_tokens")
        else:
            self.stream.fail(ERROR, "upstream_error")


def perform(
    plan: list[Verb], ending: Ending, *, summarise: bool, patient: bool
) -> tuple[Speaker, list[Json]]:
    """Say a plan; patient: take the events at the end alone, not after each verb."""
    speaker = Speaker(new_stream(summarise=summarise))
    sent = b""
    for verb in plan:
        speaker.say(verb)
        sent += b"" if patient else encode(speaker.stream.take())
    speaker.end(ending)
    heartbeat(speaker.stream)
    speaker.stream.start()
    speaker.stream.fail(ERROR, "server_error")
    sent += encode(speaker.stream.take())
    events = decode(sent)
    assert [json.loads(data) for data in EventReader().feed(sent)] == events
    return speaker, events


def compare(said: list[Said], told: Told, ending: Ending) -> None:
    """White space alone may be lost, and only after the arguments of a function."""
    assert [kind for kind, _ in told.items] == [item.type for item in said[: len(told.items)]]
    pairs = list(zip([text for _, text in told.items], said, strict=False))
    if ending == "failed":
        *pairs, last = pairs or [("", Said("message"))]
        assert last[1].told.lstrip().startswith(last[0].strip()) or last[1].text.startswith(last[0])
    elif ending == "incomplete":
        assert len(pairs) == len(said) or not pairs[-1][1].whole
        if pairs and not pairs[-1][1].text.strip():
            pairs.pop()
    else:
        assert len(pairs) == len(said)
    assert [text.strip() for text, _ in pairs] == [item.told.strip() for _, item in pairs]


@settings(max_examples=200, deadline=None)
@given(plans, endings, st.booleans())
def test_any_order_of_verbs_makes_a_stream_that_tells_all_of_it(
    plan: list[Verb], ending: Ending, summarise: bool
) -> None:
    speaker, events = perform(plan, ending, summarise=summarise, patient=False)
    told = check(events)
    compare(speaker.said, told, ending)
    assert told.logprobs == speaker.tokens[: len(told.logprobs)]
    assert told.annotations == speaker.sources[: len(told.annotations)]
    if ending == "completed":
        assert len(told.logprobs) == len(speaker.tokens)
        assert len(told.annotations) == len(speaker.sources)
    assert told.response["status"] == ending
    if ending == "incomplete" and told.response["output"]:
        last = told.response["output"][-1]
        assert last["status"] == ("completed" if last["type"] == "apply_patch_call" else "incomplete")


@settings(max_examples=50, deadline=None)
@given(plans, endings, st.booleans())
def test_every_event_is_one_of_the_contract(plan: list[Verb], ending: Ending, summarise: bool) -> None:
    _, events = perform(plan, ending, summarise=summarise, patient=False)
    assert [(event, wrong) for event in events if (wrong := contract.complaints(event))] == []
    assert [event for event in events if event.keys() != response_events.EMITTED[event["type"]]] == []


@settings(max_examples=50, deadline=None)
@given(plans, endings)
def test_an_event_does_not_change_after_it_was_written(plan: list[Verb], ending: Ending) -> None:
    _, at_once = perform(plan, ending, summarise=False, patient=False)
    _, later = perform(plan, ending, summarise=False, patient=True)
    assert later == at_once


# -- nothing at all ------------------------------------------------------------------------------------------------


def test_what_a_response_is_when_nothing_was_said() -> None:
    stream = new_stream()
    stream.finish(None)
    events = taken(stream)
    assert brief(events) == ["completed"]
    assert check(events).response["output"] == []


# -- calls at the same time ----------------------------------------------------------------------------------------


def test_of_two_calls_the_second_goes_on_as_soon_as_the_first_is_whole() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "add")
    stream.call(2, "call_2", "sub")
    stream.arguments(2, '{"b"')
    stream.arguments(1, '{"a":1}')
    assert brief(taken(stream)) == ["output_item.added", """function_call_arguments.delta '{"a":1}'"""]
    stream.arguments(2, ":2")
    assert brief([{}, {}, *taken(stream)]) == [
        """function_call_arguments.done '{"a":1}'""",
        "output_item.done",
        "output_item.added",
        """function_call_arguments.delta '{"b":2'""",
    ]
    stream.arguments(2, "}")
    assert brief([{}, {}, *taken(stream)]) == ["function_call_arguments.delta '}'"]


def test_text_behind_a_call_goes_on_as_soon_as_the_call_is_whole() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "add")
    stream.text("o")
    stream.arguments(1, "{}")
    stream.take()
    stream.text("k")
    assert brief([{}, {}, *taken(stream)])[-2:] == ["output_text.delta 'o'", "output_text.delta 'k'"]


@pytest.mark.parametrize("fragments", [[], [" "], ["", "\n"]])
def test_a_function_called_without_arguments_gets_an_empty_object(fragments: list[str]) -> None:
    stream = new_stream()
    stream.call(1, "call_1", "now")
    for fragment in fragments:
        stream.arguments(1, fragment)
    stream.finish(USAGE)
    (item,) = check(taken(stream)).response["output"]
    assert json.loads(item["arguments"]) == {}


def test_arguments_after_the_end_of_a_call_are_an_error() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "add")
    stream.arguments(1, "{}")
    stream.text("done")
    stream.arguments(1, " \n")
    with pytest.raises(ValueError, match="after the end"):
        stream.arguments(1, '{"a":1}')


def test_arguments_of_a_call_nobody_made_are_an_error() -> None:
    with pytest.raises(KeyError):
        new_stream().arguments(1, "{}")


# -- the ends ------------------------------------------------------------------------------------------------------


def test_a_response_cut_within_a_call_ends_with_that_call() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "add")
    stream.arguments(1, '{"a":')
    stream.text("behind it")
    stream.finish(USAGE, "max_output_tokens")
    response = check(taken(stream)).response
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [(item["status"], item["arguments"]) for item in response["output"]] == [("incomplete", '{"a":')]


def test_a_response_cut_after_a_call_keeps_the_call() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "add")
    stream.arguments(1, "{}")
    stream.text("half a sen")
    stream.finish(USAGE, "content_filter")
    response = check(taken(stream)).response
    assert [(item["type"], item["status"]) for item in response["output"]] == [
        ("function_call", "completed"),
        ("message", "incomplete"),
    ]


@pytest.mark.parametrize("said", ["", "half"])
def test_a_failure_says_so_and_leaves_open_what_is_open(said: str) -> None:
    stream = new_stream()
    stream.text(said)
    stream.fail(ERROR, "server_error")
    events = taken(stream)
    assert brief(events)[-2:] == ["error 'upstream_error'", "failed"]
    assert "output_item.done" not in brief(events)
    told = check(events)
    assert told.response["error"] == {"code": "server_error", "message": "It broke."}
    assert told.error == {"type": "error", "sequence_number": len(events) - 2, "error": ERROR} | {
        name: ERROR[name] for name in ("code", "message", "param")
    }


def test_a_heartbeat_opens_a_stream_and_then_repeats_what_there_is() -> None:
    stream = new_stream()
    heartbeat(stream)
    assert [event["type"] for event in taken(stream)] == ["response.created", "response.in_progress"]
    stream.call(1, "call_1", "now")
    stream.arguments(1, "{}")
    stream.text("and")
    stream.take()
    heartbeat(stream)
    (beat,) = taken(stream)
    assert beat["type"] == "response.in_progress"
    assert [item["type"] for item in beat["response"]["output"]] == ["function_call"]


# -- what an upstream with items of its own says -------------------------------------------------------------------


def test_parts_and_items_begin_where_the_upstream_begins_them() -> None:
    stream = new_stream()
    stream.text("one")
    stream.next_part()
    stream.text("two")
    stream.next_item()
    stream.text("three")
    stream.finish(USAGE)
    (first, second) = check(taken(stream)).response["output"]
    assert [part["text"] for part in first["content"]] == ["one", "two"]
    assert [part["text"] for part in second["content"]] == ["three"]


def test_items_that_wait_for_a_call_stay_apart() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "now")
    for text in ("one", "two"):
        stream.text(text)
        stream.next_item()
    stream.arguments(1, "{}")
    stream.finish(USAGE)
    assert [said for _, said in check(taken(stream)).items] == ["{}", "one", "two"]


def test_the_state_of_a_thought_stands_on_its_item() -> None:
    plain = new_stream()
    stream = ResponseStream(plain.response, plain.new_id, lambda: 0.0, seal=lambda state: json.dumps(state))
    stream.summary("hm")
    stream.attach_state({"encrypted": "a"})
    stream.text("so")
    stream.attach_state({"encrypted": "b"})
    stream.finish(USAGE)
    output: list[Any] = [*stream.response["output"]]
    first, _, last = output
    assert (first["summary"][0]["text"], first["encrypted_content"]) == ("hm", '{"encrypted": "a"}')
    assert (last["summary"], last["encrypted_content"]) == ([], '{"encrypted": "b"}')


def test_a_relayed_event_changes_nothing_but_its_number_and_what_the_response_is() -> None:
    stream = new_stream()
    relay(stream, {"type": "response.created", "response": {"id": "r", "status": "in_progress", "x": 1}})
    relay(stream, {"type": "vendor:thing", "sequence_number": 9, "response": {"not": "one"}})
    relay(stream, {"type": "response.output_item.done", "item": {"id": "i"}})
    heartbeat(stream)
    response: Any = stream.response
    assert response == {"id": "r", "status": "in_progress", "x": 1, "output": [{"id": "i"}]}
    relay(stream, {"type": "response.completed", "response": {"id": "r", "output": []}})
    relay(stream, {"type": "vendor:late"})
    events = taken(stream)
    assert [event["sequence_number"] for event in events] == [0, 1, 2, 3, 4]
    assert events[0]["response"]["output"] == []
    assert events[1]["response"] == {"not": "one"}
    assert events[3]["response"]["output"] == [{"id": "i"}]
    assert (stream.ended, response) == (True, {"id": "r", "output": []})


# -- the contract --------------------------------------------------------------------------------------------------


def test_every_event_of_the_contract_is_written_or_has_a_reason_never_to_be() -> None:
    known = contract.tags(m.ResponseStreamEvent)
    assert sorted(known ^ (response_events.EMITTED.keys() | response_events.NEVER.keys())) == []
    assert sorted(response_events.EMITTED.keys() & response_events.NEVER.keys()) == []
    assert all(response_events.NEVER.values())


def test_sources_are_numbered_and_stand_in_their_part() -> None:
    stream = new_stream()
    first, second = SOURCE | {"url": "a"}, SOURCE | {"url": "b"}
    assert not stream.annotate(first)
    stream.text("see")
    assert stream.annotate(first)
    stream.next_part()
    assert not stream.annotate(first)
    stream.text("these")
    assert stream.annotate(first)
    assert stream.annotate(second)
    stream.refusal("no")
    assert not stream.annotate(first)
    stream.finish(USAGE)
    events = taken(stream)
    added = [
        (event["content_index"], event["annotation_index"], event["annotation"], event["item_id"])
        for event in events
        if event["type"] == "response.output_text.annotation.added"
    ]
    item = stream.response["output"][0]["id"]
    assert added == [(0, 0, first, item), (1, 0, first, item), (1, 1, second, item)]
    parts = events[-1]["response"]["output"][0]["content"]
    assert [part.get("annotations") for part in parts] == [[first], [first, second], None]


def test_white_space_after_the_end_of_a_call_writes_nothing() -> None:
    stream = new_stream()
    stream.call(1, "c", "f")
    stream.arguments(1, "{}")
    stream.text("a")
    stream.take()
    stream.arguments(1, " \n")
    stream.arguments(1, "")
    assert stream.take() == []
    assert stream.arguments_of(1) == "{}"


def test_the_stream_knows_whether_it_holds_any_content() -> None:
    stream = new_stream()
    heartbeat(stream)
    assert (stream.has_output, stream.answer_text()) == (False, "")
    stream.reasoning("hm")
    stream.text("a")
    stream.text("b")
    stream.next_part()
    stream.refusal("no")
    assert (stream.has_output, stream.answer_text()) == (True, "ab")
    stream.text("c")
    stream.call(1, "c", "f")
    assert (stream.has_output, stream.answer_text()) == (True, "abc")
    relayed = new_stream()
    relay(relayed, {"type": "response.created", "response": {"output": []}})
    assert not relayed.has_output
    relay(relayed, {"type": "response.output_text.delta", "delta": "a"})
    assert relayed.has_output
