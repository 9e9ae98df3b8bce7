"""Cases of the Responses face: whole and streamed answers, context, calls, limits, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wireloom.cli.diagnose.check.answer import Answer
from wireloom.cli.diagnose.check.cases.base import (
    FEW_TOKENS,
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
from wireloom.cli.diagnose.check.rules import errors, response, stream, usage
from wireloom.wire.json import Json

CREATE = "createResponse"
# Names of the values that cases keep for later ones.
WHOLE, STREAMED, CONTINUED = "a whole answer", "a streamed answer", "a continued answer"
CALL, UNSTORED = "a call", "an answer that is not stored"
INSTRUCTIONS = "Be brief."
LONGER_INSTRUCTIONS = (
    "Be brief. Use plain words, no lists, no tables and no code. Do not repeat the question, do not explain the answer, "
    "do not ask for anything, and do not add a greeting or a farewell."
)
QUESTION = "Which word?"
"""Shorter than the request that it continues, so that its context shows in the tokens that are read."""
TOOL: Json = {"type": "function", "name": TOOL_NAME, "parameters": TOOL_PARAMETERS, "strict": False}


def task(probe: Probe) -> str:
    """Return the input of the first request: a word to remember, and an answer of one word."""
    return f"Remember the word {secret(probe)}. {WORD}"


def secret(probe: Probe) -> str:
    """Return the word to remember, another one for each run."""
    return f"w{probe.mark[:6]}"


def body(probe: Probe, text: Any, **more: Any) -> Json:
    """Return a request for a short answer that is not stored by default."""
    made = {"model": probe.model, "input": text, "max_output_tokens": FEW_TOKENS, "store": False}
    return made | {"metadata": probe.metadata} | more


def finished(answer: Answer) -> Iterator[str]:
    """Yield the faults of a response, streamed or whole."""
    made = answer.object
    if answer.sent.get("stream"):
        found, made = stream.read(answer.text)
        yield from found
        if not made:
            return
    yield from response.findings(made, answer.sent, answer.lost)


def made_by(answer: Answer) -> Json:
    """Return the finished response of an answer, streamed or whole."""
    return stream.read(answer.text)[1] if answer.sent.get("stream") else answer.object


def whole(probe: Probe) -> Iterator[str]:
    """A whole answer, stored."""
    answer = probe.obtain(CREATE, body(probe, task(probe), store=True, instructions=INSTRUCTIONS))
    probe.keep(WHOLE, answer.object)
    yield from finished(answer)


def streamed(probe: Probe) -> Iterator[str]:
    """A streamed answer, stored."""
    asked = body(probe, task(probe), store=True, instructions=INSTRUCTIONS, stream=True)
    answer = probe.obtain(CREATE, asked)
    made = made_by(answer)
    if made:
        probe.keep(STREAMED, made)
    yield from finished(answer)


def alike(probe: Probe) -> Iterator[str]:
    """Whole and streamed answers have the same structure."""
    yield from response.differences(probe.recall(WHOLE), probe.recall(STREAMED))


def continued(probe: Probe) -> Iterator[str]:
    """A request that goes on from a stored response has its context."""
    before = stored(probe, WHOLE)
    asked = body(probe, QUESTION, store=True, instructions=INSTRUCTIONS, previous_response_id=before["id"])
    answer = probe.obtain(CREATE, asked)
    made = answer.object
    probe.keep(CONTINUED, made)
    yield from finished(answer)
    if secret(probe) not in "".join(response.texts(made)):
        yield from reads_more(probe, made, before, "previous_response_id brings no context")


def instructed(probe: Probe) -> Iterator[str]:
    """Longer instructions; the answer is not stored."""
    answer = probe.obtain(CREATE, body(probe, task(probe), instructions=LONGER_INSTRUCTIONS))
    probe.keep(UNSTORED, answer.object)
    yield from finished(answer)
    yield from reads_more(probe, answer.object, probe.recall(WHOLE), "longer instructions change nothing")


def reads_more(probe: Probe, more: Json, less: Json, otherwise: str) -> Iterator[str]:
    """Yield where the model has read no more tokens for one response than for another with less context.

    otherwise: the fault, in words.

    Raises:
        Skipped: the tokens that are counted do not depend on the input, so they show nothing.
    """
    read, before = read_tokens(more), read_tokens(less)
    if read is None or before is None or read > before:
        return
    control = probe.obtain(CREATE, body(probe, LONGER, max_output_tokens=TOO_FEW_TOKENS)).object
    longer = read_tokens(control)
    shorter = read_tokens(probe.recall(WHOLE))
    if longer is None or shorter is None or longer <= shorter:
        raise Skipped("The tokens that are counted do not depend on the input, so they show no context.")
    yield f"{otherwise}: {read} tokens are read with it, {before} without"


def read_tokens(made: Json) -> int | None:
    """Return the tokens that were read for a response, None where that is unknown."""
    used = made.get("usage")
    read = used.get("input_tokens") if isinstance(used, dict) else None
    return read if type(read) is int else None


def stored(probe: Probe, name: str) -> Json:
    """Return a response that an earlier case has kept.

    Raises:
        NotRun: there is none.
        Skipped: the deployment declares that nothing is stored.
    """
    made: Json = probe.recall(name)
    if not response.stored(made):
        raise Skipped("The deployment stores nothing (store is false in its answer).")
    return made


def called(probe: Probe) -> Iterator[str]:
    """A streamed call of a function."""
    asked = body(probe, TOOL_TASK, tools=[TOOL], stream=True)
    probe.keep(CALL, None)
    answer = probe.attempt(CREATE, asked)
    made = made_by(answer)
    yield from finished(answer)
    found = [item for item in response.items(made) if item.get("type") == "function_call"]
    for item in found:
        if item.get("name") != TOOL_NAME:
            yield f"a function named {item.get('name')!r} is called, which is not offered"
        if not item.get("call_id"):
            yield "the call has no call_id"
    if found:
        probe.keep(CALL, made)


def returned(probe: Probe) -> Iterator[str]:
    """The answer to the output of a function."""
    before = probe.recall(CALL)
    if before is None:
        raise Skipped("The model has called no function.")
    items = response.items(before)
    outputs = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "Paris is sunny."}
        for item in items
        if item.get("type") == "function_call"
    ]
    history = [{"role": "user", "content": TOOL_TASK}, *items, *outputs]
    answer = probe.attempt(CREATE, body(probe, history, tools=[TOOL]))
    yield from finished(answer)
    yield from reads_more(probe, answer.object, before, "the call and its output are not read")


def cut(probe: Probe) -> Iterator[str]:
    """A streamed answer that its limit cuts off."""
    asked = body(probe, LONG, stream=True, max_output_tokens=TOO_FEW_TOKENS)
    yield from _limited(probe.attempt(CREATE, asked))


def cut_whole(probe: Probe) -> Iterator[str]:
    """A whole answer that its limit cuts off."""
    yield from _limited(probe.attempt(CREATE, body(probe, LONG, max_output_tokens=TOO_FEW_TOKENS)))


def _limited(answer: Answer) -> Iterator[str]:
    found = list(finished(answer))
    yield from found
    if not found and response.LIMIT in answer.lost:
        raise Skipped("The backend takes no limit (max_output_tokens is declared lost).")


def counted(probe: Probe) -> Iterator[str]:
    """The tokens of an input: more for a longer one."""
    short, long = (
        probe.obtain("countInputTokens", {"model": probe.model, "input": text}).object.get("input_tokens")
        for text in (WORD, f"{WORD} {LONG}")
    )
    if type(short) is not int or type(long) is not int or short < 1:
        yield f"input_tokens is {short!r}, {long!r} for a longer input"
    elif long <= short:
        yield f"input_tokens is {short}, and {long} for a longer input"


def compacted(probe: Probe) -> Iterator[str]:
    """A conversation that is summed up."""
    answer = probe.send("compactResponse", {"model": probe.model, "input": WORD})
    if answer.error.get("code") == "upstream_incomplete":
        raise Skipped("The model writes no summary.")
    made = probe.taken(answer).object
    found = [item for item in response.items(made) if item.get("type") == "compaction"]
    if not found:
        raise Broken("output holds no item of type compaction")
    if not found[-1].get("encrypted_content"):
        yield "the compaction has no encrypted_content"
    if not made.get("id"):
        yield f"id is {made.get('id')!r}"
    yield from usage.findings(made.get("usage"), usage.RESPONSES, wrote=True)


# -- refusals --------------------------------------------------------------------------------------------------------


def no_key(probe: Probe) -> Iterator[str]:
    """A request without a key."""
    yield from probe.refused(errors.NO_KEY, CREATE, body(probe, WORD), key="")


def wrong_key(probe: Probe) -> Iterator[str]:
    """A request with an unknown key."""
    yield from probe.refused(errors.WRONG_KEY, CREATE, body(probe, WORD), key=f"none-{probe.mark}")


def wrong_type(probe: Probe) -> Iterator[str]:
    """An input that is a number."""
    wanted = errors.Refusal(400, "invalid_type", "input")
    yield from probe.refused(wanted, CREATE, body(probe, 7))


def no_json(probe: Probe) -> Iterator[str]:
    """A body that is no JSON."""
    yield from probe.refused(errors.NO_JSON, CREATE, b'{"model": ')


def no_method(probe: Probe) -> Iterator[str]:
    """A method that the path has not."""
    answer = probe.send_elsewhere(CREATE, "PUT", "/v1/responses", body=body(probe, WORD))
    yield from errors.findings(answer, errors.NO_METHOD)


def unknown_model(probe: Probe) -> Iterator[str]:
    """A model that is nowhere; some upstreams answer for any name."""
    answer = probe.send(CREATE, body(probe, WORD) | {"model": probe.unknown_model})
    yield from refused_model(answer)
    if answer.ok:
        yield from finished(answer)


def refused_model(answer: Answer) -> Iterator[str]:
    """Yield the faults of an answer to a request for an unknown model."""
    if answer.ok or answer.error.get("type") == "upstream_error":
        return
    if answer.status not in (*REFUSABLE, 404):
        yield f"the status is {answer.status}, not 404"
    wanted = "permission_error" if answer.status == 403 else "invalid_request_error"
    if answer.error.get("type") != wanted:
        yield f"error.type is {answer.error.get('type')!r}, not {wanted!r}"


def unknown_previous(probe: Probe) -> Iterator[str]:
    """A response to go on from that is nowhere."""
    asked = body(probe, WORD, previous_response_id=f"resp_none{probe.mark}")
    yield from probe.refused(errors.NO_PREVIOUS, CREATE, asked)


def unknown_conversation(probe: Probe) -> Iterator[str]:
    """A conversation to go on from that is nowhere."""
    asked = body(probe, WORD, conversation=f"conv_none{probe.mark}")
    yield from probe.refused(errors.NO_CONTEXT, CREATE, asked)


CASES = (
    Case(CREATE, "whole", "responses", whole, keeps=(WHOLE,)),
    Case(CREATE, "stream", "responses", streamed, keeps=(STREAMED,)),
    Case(CREATE, "whole and stream", "responses", alike, needs=(WHOLE, STREAMED)),
    Case(CREATE, "continued", "responses", continued, needs=(WHOLE,), keeps=(CONTINUED,)),
    Case(CREATE, "instructions", "responses", instructed, needs=(WHOLE,), keeps=(UNSTORED,)),
    Case(CREATE, "function call", "responses", called, keeps=(CALL,)),
    Case(CREATE, "function output", "responses", returned, needs=(WHOLE, CALL)),
    Case(CREATE, "cut", "responses", cut),
    Case(CREATE, "cut, whole", "responses", cut_whole),
    Case("countInputTokens", "", "responses", counted),
    Case("compactResponse", "", "responses", compacted),
    Case(CREATE, "no key", "responses", no_key, keyed=True),
    Case(CREATE, "wrong key", "responses", wrong_key, keyed=True),
    Case(CREATE, "wrong type", "responses", wrong_type),
    Case(CREATE, "no JSON", "responses", no_json),
    Case(CREATE, "wrong method", "responses", no_method),
    Case(CREATE, "unknown model", "responses", unknown_model),
    Case(CREATE, "unknown previous response", "responses", unknown_previous),
    Case(CREATE, "unknown conversation", "responses", unknown_conversation),
)
