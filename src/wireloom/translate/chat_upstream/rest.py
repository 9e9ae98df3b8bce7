"""The members of a chunk that the contract does not know: found, and each with a rule for what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from wireloom_protocol import hot

from wireloom.wire.json import Json


class Use(Enum):
    """What becomes of a member."""

    THOUGHT = "read as a thought"
    MESSAGE = "read as the answer where nothing was said before"
    TEXT = "read as text where nothing was said before"
    PICTURES = "emitted as pictures"
    SOURCES = "emitted as sources of the text"
    COUNTS = "read as usage"
    NOTHING = "left out, since it says nothing of the answer"


@dataclass(frozen=True, slots=True)
class Row:
    """One member that servers add.

    Args:
        use: what becomes of it.
        source: who sends it.
    """

    use: Use
    source: str


@dataclass(frozen=True, slots=True)
class Other:
    """A member that the contract does not know.

    Args:
        place: `chunk`, `choice`, `delta`, `call`, `function` or `usage`.
        name: of the member.
        value: of the member.
        row: its rule, or None where the member is a loss.
        choice: number of the choice that it stands in.
    """

    place: str
    name: str
    value: Any
    row: Row | None
    choice: int = 0


def _nothing(source: str, *names: str) -> dict[str, Row]:
    return {name: Row(Use.NOTHING, source) for name in names}


ROWS: Mapping[str, Mapping[str, Row]] = {
    "chunk": {
        **_nothing("OpenRouter", "provider", "user_id"),
        **_nothing("vLLM", "prompt_logprobs", "prompt_token_ids", "kv_transfer_params", "prompt_text"),
        **_nothing("Azure", "prompt_filter_results", "prompt_annotations"),
        **_nothing("SGLang", "metadata", "sglext"),
        **_nothing("Kimi, Z.AI, Qwen", "request_id", "requestId", "created_at", "createdAt"),
        **_nothing("LM Studio", "stats", "model_info", "runtime"),
        **_nothing("llama.cpp", "__verbose", "prompt_progress", "return_progress"),
        **_nothing("Cerebras, Fireworks, Together", "time_info", "perf_metrics", "prompt", "warnings"),
        **_nothing("NVIDIA Dynamo", "nvext"),
        **_nothing("MiniMax", "base_resp", "input_sensitive", "output_sensitive", "input_sensitive_type"),
        **_nothing("MiniMax", "output_sensitive_type", "output_sensitive_int", "hasAudio"),
        **_nothing("Copilot", "copilot_usage", "copilot_references", "copilot_annotations"),
        **_nothing("LiteLLM", "hidden_params", "_hidden_params", "response_ms", "citations_metadata"),
        **_nothing("Perplexity", "images_metadata", "related_questions"),
        **_nothing(
            "Baseten, Bedrock, others",
            "type",
            "status",
            "trace",
            "trace_id",
            "amazon-bedrock-guardrailAction",
        ),
        "x_groq": Row(Use.COUNTS, "Groq, which counts in it"),
        "timings": Row(Use.COUNTS, "llama.cpp, which counts in it"),
        "usageMetadata": Row(Use.COUNTS, "Gemini's own counts"),
        "citations": Row(Use.SOURCES, "Perplexity, xAI"),
        "search_results": Row(Use.SOURCES, "Perplexity"),
        "web_search": Row(Use.SOURCES, "Z.AI"),
        "search_info": Row(Use.SOURCES, "Qwen"),
        "references": Row(Use.SOURCES, "Volcengine"),
        "message": Row(Use.MESSAGE, "Ollama's own form"),
        "images": Row(Use.PICTURES, "Perplexity"),
    },
    "choice": {
        **_nothing("OpenRouter", "native_finish_reason", "error"),
        **_nothing("vLLM", "stop_reason", "token_ids", "prompt_token_ids", "routed_experts"),
        **_nothing("SGLang", "matched_stop", "hidden_states"),
        **_nothing(
            "Azure, MiniMax", "content_filter_results", "content_filter_offsets", "content_filter_result"
        ),
        **_nothing("Together, Fireworks", "seed", "raw_output", "text_offset", "glyphs"),
        **_nothing("Bedrock, others", "type", "stop_sequence", "stopReason"),
        "message": Row(Use.MESSAGE, "servers that stream whole answers; MiniMax at the end"),
        "messages": Row(Use.MESSAGE, "MiniMax, a list with all that was said"),
        "text": Row(Use.TEXT, "the completions API"),
        "citations": Row(Use.SOURCES, "OpenAI-like search servers"),
        "images": Row(Use.PICTURES, "OpenRouter"),
    },
    "delta": {
        **_nothing("many", "id", "index", "object", "type", "name", "status", "phase", "finish_reason"),
        **_nothing("vLLM, SGLang", "token_ids", "prompt_token_ids", "hidden_states", "matched_stop"),
        **_nothing("MiniMax", "audio_content", "sender_name", "sender_type", "name_tag"),
        **_nothing("Copilot", "copilot_annotations", "padding", "context", "intermediate_output"),
        **_nothing(
            "Kimi, others", "usage", "model", "partial", "prefix", "reasoning_tokens", "cache_control"
        ),
        **_nothing("Copilot, whose signature of a thought nobody reads", "reasoning_opaque", "encrypted"),
        **_nothing("LiteLLM", "provider_specific_fields", "thinking_blocks"),
        "thinking": Row(Use.THOUGHT, "Ollama"),
        "thought": Row(Use.THOUGHT, "Gemini behind some servers"),
        "reasoning_text": Row(Use.THOUGHT, "Copilot"),
        "thinking_content": Row(Use.THOUGHT, "some Qwen and GLM servers"),
        "reasoningContent": Row(Use.THOUGHT, "Bedrock behind some servers"),
        "cot_summary": Row(Use.THOUGHT, "Copilot"),
        "text": Row(Use.TEXT, "servers that name the text otherwise"),
        "output_text": Row(Use.TEXT, "servers that name the text otherwise"),
        "images": Row(Use.PICTURES, "OpenRouter"),
        "image": Row(Use.PICTURES, "image models behind some servers"),
        "citations": Row(Use.SOURCES, "Perplexity, Cohere"),
        "search_results": Row(Use.SOURCES, "Perplexity"),
        "references": Row(Use.SOURCES, "Volcengine"),
    },
    "call": _nothing("many", "status", "name", "arguments", "thought_signature", "call_id", "provider"),
    "function": _nothing("many", "description", "thought_signature", "strict", "parameters", "id", "type"),
    "usage": {},
}
"""Place -> member -> what becomes of it."""

# Forms in which the places of a chunk are nested.
PLACES: Mapping[type, str] = {
    hot.CreateChatCompletionStreamResponse: "chunk",
    hot.CreateChatCompletionStreamResponseChoice: "choice",
    hot.ChatCompletionStreamResponseDelta: "delta",
    hot.ChatCompletionMessageToolCallChunk: "call",
    hot.ChatCompletionMessageToolCallChunkFunction: "function",
}


def has_unknown(error: msgspec.ValidationError) -> bool:
    """Whether decoding stopped at a member that the contract does not know."""
    return "unknown field" in str(error)


def read(data: bytes) -> tuple[hot.CreateChatCompletionStreamResponse, list[Other]]:
    """A chunk with members that the contract does not know, parted from them.

    Args:
        data: JSON of the chunk.

    Raises:
        msgspec.MsgspecError: the members that the contract knows are not what it says.
    """
    value = msgspec.json.decode(data)
    others: list[Other] = []
    known = _known(value, hot.CreateChatCompletionStreamResponse, others, 0)
    if isinstance(known, dict):
        _counts(known, others)
    return msgspec.convert(known, hot.CreateChatCompletionStreamResponse), others


def _known(value: Any, struct: type, others: list[Other], choice: int) -> Any:
    """What the contract knows of a value; the rest is added to `others`."""
    if isinstance(value, list):
        return [_known(each, struct, others, choice) for each in value]
    if not isinstance(value, dict):
        return value
    place, members = PLACES.get(struct, "usage"), _members(struct)
    if place == "choice":
        index = value.get("index")
        choice = index if type(index) is int else 0
    known: Json = {}
    for name, member in value.items():
        if name in members:
            inner = members[name]
            known[name] = member if inner is None else _known(member, inner, others, choice)
        elif member not in (None, "", [], {}):
            others.append(Other(place, name, member, ROWS[place].get(name), choice))
    return known


@cache
def _members(struct: type) -> Mapping[str, type | None]:
    """The members of a struct -> the struct in them, or None."""
    return {name: _struct_in(hint) for name, hint in get_type_hints(struct).items()}


def _struct_in(hint: Any) -> type | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next(filter(None, map(_struct_in, get_args(hint))), None)


# -- usage, in every form met --------------------------------------------------------------------------------------

# The contract's name of a count -> the names that it has elsewhere, in the usage or beside it.
COUNTS: Mapping[str, tuple[str, ...]] = {
    "prompt_tokens": (
        "input_tokens",
        "promptTokens",
        "inputTokens",
        "prompt_eval_count",
        "promptTokenCount",
        "prompt_n",
    ),
    "completion_tokens": (
        "output_tokens",
        "completionTokens",
        "outputTokens",
        "eval_count",
        "candidatesTokenCount",
        "predicted_n",
        "generated_tokens",
    ),
    "total_tokens": ("totalTokens", "totalTokenCount"),
}
DETAILS: Mapping[str, tuple[str, ...]] = {
    "prompt_tokens_details": ("input_tokens_details", "promptTokensDetails"),
    "completion_tokens_details": ("output_tokens_details", "completionTokensDetails"),
}


def _counts(chunk: Json, others: list[Other]) -> None:
    """Fill the usage of a chunk from where else it stands."""
    usage = chunk.get("usage")
    beside = {other.name: other.value for other in others if other.place == "usage"}
    if isinstance(usage, dict) and beside:
        chunk["usage"] = {**_named(beside), **usage}
    elif not usage:
        for other in others:
            found = _elsewhere(other)
            if found:
                chunk["usage"] = found


def _elsewhere(other: Other) -> Json:
    """The usage in a member that holds it, or nothing."""
    if other.row is None or other.row.use is not Use.COUNTS or not isinstance(other.value, dict):
        return {}
    inner = other.value.get("usage")
    return _named(inner if isinstance(inner, dict) else other.value)


def _named(counts: Json) -> Json:
    """Counts under the contract's names; what is no count is left out."""
    found: Json = {}
    for name, others in COUNTS.items():
        value = next(
            (counts[each] for each in (name, *others) if isinstance(counts.get(each), int | float)), None
        )
        if value is not None:
            found[name] = value
    for name, others in DETAILS.items():
        details = next((counts[each] for each in (name, *others) if isinstance(counts.get(each), dict)), None)
        if details is not None:
            found[name] = {
                key: value for key, value in details.items() if key in _DETAIL and _is_count(value)
            }
    return found


_DETAIL = frozenset({"cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_tokens"})


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float)
