"""Cases of the Chat face: whole and streamed completions, usage, calls, limits, refusals."""

from __future__ import annotations

from collections.abc import Iterator

from wireloom.cli.diagnose.check.answer import Answer
from wireloom.cli.diagnose.check.cases.base import (
    LONG,
    LONGER,
    REFUSABLE,
    TOO_FEW_TOKENS,
    TOOL_NAME,
    TOOL_PARAMETERS,
    TOOL_TASK,
    WORD,
    Broken,
    Case,
    Probe,
    Skipped,
)
from wireloom.cli.diagnose.check.cases.responses import QUESTION, refused_model, task
from wireloom.cli.diagnose.check.rules import chat, chat_stream, errors
from wireloom.wire.json import Json

CREATE = "createChatCompletion"
WHOLE, STREAMED, CALLS = "a whole completion", "a streamed completion", "the calls of a completion"
TOOL: Json = {"type": "function", "function": {"name": TOOL_NAME, "parameters": TOOL_PARAMETERS}}
WITH_USAGE: Json = {"stream": True, "stream_options": {"include_usage": True}}


def body(probe: Probe, text: str, **more: object) -> Json:
    """Return a request for a short answer. A limit goes only where it is looked at: upstreams spell it in two ways."""
    return {"model": probe.model, "messages": [{"role": "user", "content": text}], **more}


def finished(answer: Answer) -> Iterator[str]:
    """Yield the faults of a completion, streamed or whole."""
    if answer.sent.get("stream"):
        found, _ = chat_stream.read(answer.text, answer.sent, answer.lost)
        yield from found
    else:
        yield from chat.findings(answer.object, answer.sent, answer.lost)


def whole(probe: Probe) -> Iterator[str]:
    """A whole completion."""
    answer = probe.obtain(CREATE, body(probe, WORD))
    probe.keep(WHOLE, answer.object)
    yield from finished(answer)


def streamed(probe: Probe) -> Iterator[str]:
    """A streamed completion with its usage."""
    answer = probe.obtain(CREATE, body(probe, WORD, **WITH_USAGE))
    found, reading = chat_stream.read(answer.text, answer.sent, answer.lost)
    probe.keep(STREAMED, reading.made)
    yield from found


def plain_stream(probe: Probe) -> Iterator[str]:
    """A streamed completion without usage."""
    yield from finished(probe.obtain(CREATE, body(probe, WORD, stream=True)))


def alike(probe: Probe) -> Iterator[str]:
    """Whole and streamed completions are of one model, each with an id of its own."""
    yield from chat.differences(probe.recall(WHOLE), probe.recall(STREAMED))


def remembered(probe: Probe) -> Iterator[str]:
    """A conversation in the request: all of its messages are read."""
    history = [
        {"role": "user", "content": task(probe)},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": QUESTION},
    ]
    answer = probe.obtain(CREATE, body(probe, QUESTION) | {"messages": history})
    yield from finished(answer)
    read, before = read_tokens(answer.object), read_tokens(probe.recall(WHOLE))
    if read is None or before is None or read > before:
        return
    control = read_tokens(probe.obtain(CREATE, body(probe, f"{LONGER} {WORD}")).object)
    if control is None or control <= before:
        raise Skipped("The tokens that are counted do not depend on the input, so they show no context.")
    yield f"the messages before the last are not read: {read} tokens with them, {before} for one longer message"


def read_tokens(made: Json) -> int | None:
    """Return the tokens that were read for a completion, None where that is unknown."""
    used = made.get("usage")
    read = used.get("prompt_tokens") if isinstance(used, dict) else None
    return read if type(read) is int else None


def called(probe: Probe) -> Iterator[str]:
    """A streamed call of a function."""
    probe.keep(CALLS, None)
    answer = probe.attempt(CREATE, body(probe, TOOL_TASK, tools=[TOOL], **WITH_USAGE))
    found, reading = chat_stream.read(answer.text, answer.sent, answer.lost)
    yield from found
    for call in reading.calls:
        if call["name"] != TOOL_NAME:
            yield f"a function named {call['name']!r} is called, which is not offered"
    if reading.calls:
        probe.keep(CALLS, reading.calls)


def returned(probe: Probe) -> Iterator[str]:
    """The answer to the output of a function."""
    calls = probe.recall(CALLS)
    if calls is None:
        raise Skipped("The model has called no function.")
    made = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in calls
    ]
    outputs = [{"role": "tool", "tool_call_id": call["id"], "content": "Paris is sunny."} for call in calls]
    asked = body(probe, TOOL_TASK, tools=[TOOL])
    asked["messages"] += [{"role": "assistant", "content": None, "tool_calls": made}, *outputs]
    yield from finished(probe.attempt(CREATE, asked))


def cut(probe: Probe) -> Iterator[str]:
    """A streamed completion that its limit cuts off."""
    yield from _limited(probe, WITH_USAGE)


def cut_whole(probe: Probe) -> Iterator[str]:
    """A whole completion that its limit cuts off."""
    yield from _limited(probe, {})


def _limited(probe: Probe, more: Json) -> Iterator[str]:
    for name in chat.LIMITS:
        answer = probe.send(CREATE, body(probe, LONG, **{name: TOO_FEW_TOKENS}, **more))
        if answer.status not in REFUSABLE:
            break
    if answer.status in REFUSABLE:
        raise Skipped("The upstream takes no limit (max_completion_tokens, max_tokens).")
    if not answer.ok:
        raise Broken(f"a valid request is refused with {answer.status} ({answer.error.get('code')})")
    found = list(finished(answer))
    yield from found
    if not found and answer.lost & set(chat.LIMITS):
        raise Skipped("The backend takes no limit (it is declared lost).")


# -- refusals --------------------------------------------------------------------------------------------------------


def no_key(probe: Probe) -> Iterator[str]:
    """A request without a key."""
    yield from probe.refused(errors.NO_KEY, CREATE, body(probe, WORD), key="")


def wrong_key(probe: Probe) -> Iterator[str]:
    """A request with an unknown key."""
    yield from probe.refused(errors.WRONG_KEY, CREATE, body(probe, WORD), key=f"none-{probe.mark}")


def wrong_type(probe: Probe) -> Iterator[str]:
    """Messages that are a text."""
    wanted = errors.Refusal(400, "invalid_type", "messages")
    yield from probe.refused(wanted, CREATE, body(probe, WORD) | {"messages": WORD})


def no_messages(probe: Probe) -> Iterator[str]:
    """A request without messages."""
    wanted = errors.Refusal(400, "missing_required_parameter", "messages")
    yield from probe.refused(wanted, CREATE, {"model": probe.model})


def no_json(probe: Probe) -> Iterator[str]:
    """A body that is no JSON."""
    yield from probe.refused(errors.NO_JSON, CREATE, b'{"model": ')


def no_method(probe: Probe) -> Iterator[str]:
    """A method that the path has not."""
    answer = probe.send_elsewhere(CREATE, "GET", "/v1/chat/completions")
    yield from errors.findings(answer, errors.NO_METHOD)


def unknown_model(probe: Probe) -> Iterator[str]:
    """A model that is nowhere; some upstreams answer for any name."""
    answer = probe.send(CREATE, body(probe, WORD) | {"model": probe.unknown_model})
    yield from refused_model(answer)


CASES = (
    Case(CREATE, "whole", "chat", whole, keeps=(WHOLE,)),
    Case(CREATE, "stream", "chat", streamed, keeps=(STREAMED,)),
    Case(CREATE, "stream without usage", "chat", plain_stream),
    Case(CREATE, "whole and stream", "chat", alike, needs=(WHOLE, STREAMED)),
    Case(CREATE, "history", "chat", remembered, needs=(WHOLE,)),
    Case(CREATE, "function call", "chat", called, keeps=(CALLS,)),
    Case(CREATE, "function output", "chat", returned, needs=(CALLS,)),
    Case(CREATE, "cut", "chat", cut),
    Case(CREATE, "cut, whole", "chat", cut_whole),
    Case(CREATE, "no key", "chat", no_key, keyed=True),
    Case(CREATE, "wrong key", "chat", wrong_key, keyed=True),
    Case(CREATE, "wrong type", "chat", wrong_type),
    Case(CREATE, "no messages", "chat", no_messages),
    Case(CREATE, "no JSON", "chat", no_json),
    Case(CREATE, "wrong method", "chat", no_method),
    Case(CREATE, "unknown model", "chat", unknown_model),
)
