"""The grammar of a chat completion's stream, and what a client reads out of it."""

import json
from dataclasses import dataclass, field
from typing import Any

from wireloom_protocol import chat

from tests.support.grammar import BrokenStream

Json = dict[str, Any]
HEAD = ("id", "object", "created", "model")


@dataclass(slots=True)
class ToldCompletion:
    """What a stream said."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Json] = field(default_factory=list)
    function_call: Json | None = None
    finish_reason: str | None = None
    usage: Json | None = None
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    error: Json | None = None
    deltas: list[Json] = field(default_factory=list)
    model: str = ""


def events(text: str) -> list[Json]:
    """Return the chunks of a stream, which has to end as the contract says; comments are passed over."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    if not text.endswith("\n\n") or blocks[-1] != "data: [DONE]":
        raise BrokenStream(f"the stream does not end with [DONE]: {text[-100:]!r}")
    for block in blocks:
        if not block.startswith("data: ") or "\n" in block:
            raise BrokenStream(f"no event of a chat completion: {block!r}")
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]


def check(chunks: list[Json], *, include_usage: bool = False, relayed: bool = False) -> ToldCompletion:
    """Return what chunks say; raise ``BrokenStream`` where they break the contract.

    An answer that is ``relayed`` may end in the same chunk in which it says something.
    """
    told = ToldCompletion()
    heads = set()
    for chunk in chunks:
        if "error" in chunk:
            if chunk is not chunks[-1] or not chunk["error"].get("message"):
                raise BrokenStream("an error is the last event, and says why")
            told.error = chunk["error"]
            return told
        chat.CreateChatCompletionStreamResponse.model_validate(chunk)
        heads.add(tuple(chunk[name] for name in HEAD))
        if chunk["object"] != "chat.completion.chunk" or len(heads) > 1:
            raise BrokenStream(f"chunks of different completions: {heads}")
        told.model = chunk["model"]
        _take(told, chunk, include_usage=include_usage, relayed=relayed)
    if told.finish_reason is None:
        raise BrokenStream("there is no finish reason")
    for index, call in enumerate(told.calls):
        if not call.get("id") or call.get("type") not in ("function", "custom"):
            raise BrokenStream(f"call {index} has no id or type: {call}")
    if include_usage != (told.usage is not None):
        raise BrokenStream("usage is told where it was not asked for, or not where it was")
    return told


def _take(told: ToldCompletion, chunk: Json, *, include_usage: bool, relayed: bool) -> None:
    if told.usage is not None:
        raise BrokenStream("something follows the usage")
    if not chunk["choices"]:
        if not include_usage or told.finish_reason is None or not chunk["usage"]:
            raise BrokenStream(f"a chunk that says nothing: {chunk}")
        told.usage = chunk["usage"]
        return
    if ("usage" in chunk) != include_usage or chunk.get("usage") is not None:
        raise BrokenStream("before the last chunk usage is null where it was asked for, else absent")
    (choice,) = chunk["choices"]
    if told.finish_reason is not None or choice["index"] != 0:
        raise BrokenStream(f"more than one end, or answer: {choice}")
    delta = choice["delta"]
    if ("role" in delta) != (not told.deltas) or delta.get("role", "assistant") != "assistant":
        raise BrokenStream(f"the role comes first, and once: {delta}")
    told.deltas.append(delta)
    told.finish_reason = choice["finish_reason"]
    if told.finish_reason is not None and delta and not relayed:
        raise BrokenStream("the end says nothing else")
    told.text += delta.get("content") or ""
    told.reasoning += delta.get("reasoning_content") or ""
    told.refusal += delta.get("refusal") or ""
    told.annotations += delta.get("annotations") or ()
    told.logprobs += (choice.get("logprobs") or {}).get("content") or ()
    for fragment in delta.get("tool_calls") or ():
        _call(told.calls, fragment)
    if "function_call" in delta:
        told.function_call = _merged(told.function_call or {}, delta["function_call"])


def _call(calls: list[Json], fragment: Json) -> None:
    index = fragment["index"]
    if index > len(calls):
        raise BrokenStream(f"a gap before call {index}")
    if index == len(calls):
        calls.append({})
    known = calls[index]
    if known and ("id" in fragment or "type" in fragment):
        raise BrokenStream("the id and the type of a call come first, and once")
    for name, value in fragment.items():
        if name in ("function", "custom"):
            known[name] = _merged(known.get(name, {}), value)
        elif name != "index":
            known[name] = value


def _merged(known: Json, more: Json) -> Json:
    if "name" in known and "name" in more:
        raise BrokenStream("the name of a call comes once")
    return {name: known.get(name, "") + more.get(name, "") for name in {**known, **more}}
