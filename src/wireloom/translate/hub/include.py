"""The words of `include` that more than one protocol has rules for."""

from __future__ import annotations

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED_REASONING = "reasoning.encrypted_content"
