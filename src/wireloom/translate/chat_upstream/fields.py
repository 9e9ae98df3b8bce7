"""What is read of a chunk of a Chat upstream, member by member."""

from __future__ import annotations

from collections.abc import Mapping

CHUNK_FIELDS: Mapping[str, Mapping[str, str]] = {
    "CreateChatCompletionStreamResponse": {
        "id": "ignored: the response has an id of its own",
        "object": "ignored: says nothing",
        "created": "ignored: the response has a time of its own",
        "model": "ignored: the response names the model that was asked for",
        "choices": "mapped",
        "usage": "mapped",
        "error": "mapped",
        "service_tier": "ignored: the tier asked for is echoed",
        "system_fingerprint": "ignored: no home in a response",
        "obfuscation": "ignored: padding",
        "moderation": "ignored: never asked for",
    },
    "CreateChatCompletionStreamResponseChoice": {
        "delta": "mapped",
        "finish_reason": "mapped",
        "index": "mapped",
        "logprobs": "mapped",
        "usage": "mapped",
    },
    "ChatCompletionStreamResponseDelta": {
        "content": "mapped",
        "refusal": "mapped",
        "reasoning_content": "mapped",
        "reasoning": "mapped",
        "reasoning_details": "mapped: text as reasoning; signatures sealed, and sent back",
        "tool_calls": "mapped",
        "function_call": "mapped",
        "annotations": "mapped",
        "audio": "mapped: its transcript, where no text comes",
        "extra_content": "emulated: sealed, and sent back with the message",
        "role": "ignored: always the assistant",
    },
    "ChatCompletionMessageToolCallChunk": {
        "index": "mapped",
        "id": "mapped",
        "function": "mapped",
        "type": "ignored: always a function",
        "custom": "ignored: only functions are offered",
        "extra_content": "emulated: sealed, and sent back with the call",
    },
    "CompletionUsage": {
        "prompt_tokens": "mapped",
        "completion_tokens": "mapped",
        "total_tokens": "mapped: else the sum",
        "prompt_tokens_details": "mapped",
        "completion_tokens_details": "mapped",
        "cached_tokens": "mapped",
        "prompt_cache_hit_tokens": "mapped",
        "prompt_cache_miss_tokens": "ignored: the rest of the prompt",
    },
    "CompletionUsagePromptTokensDetails": {
        "cached_tokens": "mapped",
        "cache_write_tokens": "mapped",
        "audio_tokens": "ignored: a response does not count them apart",
        "image_tokens": "ignored: a response does not count them apart",
        "text_tokens": "ignored: a response does not count them apart",
    },
    "CompletionUsageCompletionTokensDetails": {
        "reasoning_tokens": "mapped",
        "accepted_prediction_tokens": "ignored: a response does not count them apart",
        "audio_tokens": "ignored: a response does not count them apart",
        "rejected_prediction_tokens": "ignored: a response does not count them apart",
        "text_tokens": "ignored: a response does not count them apart",
    },
}
