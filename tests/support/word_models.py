"""Scripted models that behave: they count words as tokens, keep to limits, call tools, or have one habit of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support import responses_turns as r
from tests.support.chat_turns import Json, Raw, Reply, ToolCall, Turn, Usage, closing, failure, opening

ChatModel = Callable[[Json], Reply]
CALL = ToolCall("call_1", "look_up_city", '{"city": "Paris"}')


def words(value: Any) -> list[str]:
    """The words of everything that is text in a value, with the space before them."""
    if isinstance(value, str):
        return re.findall(r"\s*\S+", value)
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [word for member in members for word in words(member)]


# -- Chat ------------------------------------------------------------------------------------------------------------


def plain(body: Json) -> Turn:
    """Answer in a few words, or call the first tool; cut where the limit says so."""
    prompt = len(words([message for message in body["messages"] if message["role"] != "system"])) + 20
    prompt += sum(len(words(message)) for message in body["messages"] if message["role"] == "system")
    prompt += len(words(body.get("tools") or []))
    if body.get("tools") and body["messages"][-1]["role"] != "tool":
        return Turn(tool_calls=[CALL], usage=Usage(prompt, 5))
    asked = words(body["messages"][-1].get("content"))
    text = ["ok", " ok"] if len(asked) < 20 else [" word"] * 60
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 1000
    kept = text[:limit]
    reason = "length" if len(text) > limit else "stop"
    return Turn(text="".join(kept), finish_reason=reason, usage=Usage(prompt, len(kept)))


def thinking(body: Json) -> Turn:
    """Think first: the thoughts count as what is written."""
    turn = plain(body)
    if turn.finish == "length":
        return turn
    used = turn.usage or Usage()
    counted = replace(used, completion=used.completion + 9, reasoning=9)
    return replace(turn, reasoning="Let me think about it.", usage=counted)


class UsageApart(Usage):
    """Counts reasoning beside what is written."""

    def as_json(self) -> Json:
        """Return the usage object, its total with the reasoning."""
        made = super().as_json()
        return made | {"total_tokens": made["total_tokens"] + self.reasoning}


def thinking_apart(body: Json) -> Turn:
    """Count the thoughts beside what is written."""
    turn = thinking(body)
    used = turn.usage or Usage()
    written = max(used.completion - used.reasoning, 1)
    return replace(turn, usage=UsageApart(used.prompt, written, reasoning=used.reasoning))


def exhausted(body: Json) -> Turn:
    """Think until the limit is reached, and say nothing."""
    turn = plain(body)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is None or turn.tool_calls:
        return turn
    prompt = turn.usage.prompt if turn.usage else 1
    counted = Usage(prompt, limit, reasoning=limit)
    return Turn(reasoning="Let me think. " * 20, finish_reason="length", usage=counted)


def heedless(body: Json) -> Turn:
    """Take no notice of limits."""
    return plain({**body, "max_completion_tokens": None, "max_tokens": None})


def refusing(body: Json) -> Turn:
    """Refuse to answer."""
    used = plain(body).usage
    return Turn(refusal="I will not.", usage=replace(used or Usage(), completion=3))


def without_tools(body: Json) -> Reply:
    """Refuse requests with tools."""
    if body.get("tools"):
        return failure(400, "This model does not support tools.", code="unsupported")
    return plain(body)


def talking(body: Json) -> Turn:
    """Answer in words although there are tools."""
    return plain({**body, "tools": None})


def counting_nothing(body: Json) -> Turn:
    """Tell the same usage whatever was asked."""
    return replace(plain(body), usage=Usage(11, 7))


def two_calls(body: Json) -> Turn:
    """Call the tool twice at once, with interleaved fragments and a sentence before them."""
    turn = plain(body)
    if not turn.tool_calls:
        return turn
    calls = [CALL, replace(CALL, id="call_2")]
    return replace(turn, text="Let me look.", tool_calls=calls, interleave=True)


def choosy(body: Json) -> Reply:
    """Know one model only."""
    if body["model"] != "scripted-model":
        return failure(404, f"no model {body['model']}", code="model_not_found", param="model")
    return plain(body)


def failing_for_others(body: Json) -> Reply:
    """Fail for any other model, as some servers do."""
    if body["model"] != "scripted-model":
        return failure(500, "no such model is loaded", kind="server_error")
    return plain(body)


def raw(change: Callable[[list[Json]], None]) -> Callable[[ChatModel], ChatModel]:
    """A habit in chunks: of models whose streams are spelt in another way."""

    def of(model: ChatModel) -> ChatModel:
        def answer(body: Json) -> Reply:
            turn = model(body)
            if not isinstance(turn, Turn) or not body.get("stream"):
                return turn
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            chunks = [
                chunk
                for part in (opening, closing)
                for chunk in part(turn, body["model"], 1, include_usage=usage)
            ]
            change(chunks)
            data = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
            return Raw(f"{data}data: [DONE]\n\n".encode(), headers={"content-type": "text/event-stream"})

        return answer

    return of


def usage_in_the_end(chunks: list[Json]) -> None:
    """Tell the usage in the chunk that ends the answer."""
    if chunks[-1].get("usage"):
        last = chunks.pop()
        chunks[-1]["usage"] = last["usage"]


def role_everywhere(chunks: list[Json]) -> None:
    """Tell the role in every delta."""
    for chunk in chunks:
        for choice in chunk["choices"]:
            choice["delta"]["role"] = "assistant"


def end_with_text(chunks: list[Json]) -> None:
    """End in the chunk of the last text."""
    at = next(number for number, chunk in enumerate(chunks) if chunk["choices"][0]["finish_reason"])
    end = chunks.pop(at)
    chunks[at - 1]["choices"][0]["finish_reason"] = end["choices"][0]["finish_reason"]


CHAT_MODELS: dict[str, ChatModel] = {
    "plain": plain,
    "thinking": thinking,
    "thinking apart": thinking_apart,
    "exhausted": exhausted,
    "heedless": heedless,
    "refusing": refusing,
    "without tools": without_tools,
    "talking": talking,
    "counting nothing": counting_nothing,
    "two calls": two_calls,
    "choosy": choosy,
    "failing for others": failing_for_others,
    "usage in the end": raw(usage_in_the_end)(plain),
    "role everywhere": raw(role_everywhere)(plain),
    "end with text": raw(end_with_text)(plain),
}


# -- Responses -------------------------------------------------------------------------------------------------------


def respond(body: Json) -> r.Answer:
    """Answer as `plain` does, over a Responses server's own events."""
    return _responses(body, ())


def respond_thinking(body: Json) -> r.Answer:
    """Think first, in the open and sealed."""
    thoughts = r.reasoning("Let me think.", summary=["A thought."], encrypted="sealed")
    return _responses(body, (thoughts,))


def respond_counting_nothing(body: Json) -> r.Answer:
    """Tell the same usage whatever was asked."""
    return _responses(body, (), usage=dict(r.USAGE))


def respond_without_tools(body: Json) -> r.Answer:
    """Refuse requests with tools."""
    if body.get("tools"):
        error = {
            "message": "no tools",
            "type": "invalid_request_error",
            "param": "tools",
            "code": "unsupported",
        }
        return r.Whole({"error": error}, 400)
    return respond(body)


def _responses(body: Json, before: tuple[Json, ...], **more: Any) -> r.Answer:
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    read = len(words(items)) + len(words(body.get("instructions"))) + 20
    last = items[-1]
    if body.get("tools") and last.get("type") != "function_call_output":
        answer, written, status = r.call("look_up_city", '{"city": "Paris"}'), 5, "completed"
    else:
        text = ["ok", " ok"] if len(words(last)) < 20 else [" word"] * 60
        limit = body.get("max_output_tokens") or 1000
        written, status = len(text[:limit]), "incomplete" if len(text) > limit else "completed"
        answer = r.message("".join(text[:limit]), status=status)
    usage = more.get("usage") or {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written + 3 * len(before),
        "output_tokens_details": {"reasoning_tokens": 3 * len(before)},
        "total_tokens": read + written + 3 * len(before),
    }
    details = {"reason": "max_output_tokens"} if status == "incomplete" else None
    repeated = {name: body[name] for name in ("tools", "metadata", "instructions") if body.get(name)}
    made = r.response([*before, answer], status, usage=usage, incomplete_details=details, **repeated)
    return r.Streamed(r.whole(*before, answer, terminal=made))


RESPONSES_MODELS: dict[str, Callable[[Json], r.Answer]] = {
    "plain": respond,
    "thinking": respond_thinking,
    "counting nothing": respond_counting_nothing,
    "without tools": respond_without_tools,
}
