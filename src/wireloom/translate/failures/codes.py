"""Codes of failures. One alone is believed with nearly every status, because nobody writes such a code into a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from wireloom.translate.failures.kinds import ANY, BUSY, REFUSED, UNSAID, Kind, Row
from wireloom.translate.failures.sources import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    COPILOT,
    DASHSCOPE,
    DEEPSEEK,
    GEMINI,
    GROQ,
    KIMI,
    LITELLM,
    MINIMAX,
    MISTRAL,
    OPENAI,
    QIANFAN,
    SILICONFLOW,
    VOLCENGINE,
    ZAI,
)

CONTEXT, QUOTA, RATE, OVERLOAD, CONTENT, KEY, MODEL = (
    Kind.CONTEXT,
    Kind.QUOTA,
    Kind.RATE,
    Kind.OVERLOAD,
    Kind.CONTENT,
    Kind.KEY,
    Kind.MODEL,
)

_KEYLESS = frozenset((UNSAID, 400, 401, 403))
_NAMED = frozenset((UNSAID, 400, 403, 404, 422))

CODES: Sequence[Row] = (
    Row(CONTEXT, "OpenAI", OPENAI, ANY, r"(?:string_above_max_length|context_length_exceeded)"),
    Row(CONTEXT, "llama.cpp", "ggml-org/llama.cpp tools/server", ANY, "exceed_context_size_error"),
    Row(CONTEXT, "Z.AI", ZAI, ANY, "1261"),
    Row(CONTEXT, "Anthropic", ANTHROPIC, REFUSED, "request_too_large"),
    Row(CONTEXT, "GitHub Copilot", COPILOT, ANY, "model_max_prompt_tokens_exceeded"),
    Row(
        CONTEXT,
        "others",
        LITELLM,
        ANY,
        r"(?:model_|max_)?context_(?:window|length|size)(?:_limit)?_exceeded|context_?windowexceedederror"
        r"|tokens_too_long|prompt_too_long|input_too_long|max_context_length",
    ),
    Row(QUOTA, "OpenAI", OPENAI, ANY, "insufficient_quota|billing_(?:hard_limit_reached|not_active)"),
    Row(QUOTA, "DeepSeek, OpenRouter", DEEPSEEK, ANY, "insufficient_(?:balance|credits?|funds)(?:_error)?"),
    Row(QUOTA, "Kimi", KIMI, ANY, "exceeded_current_quota_error"),
    Row(QUOTA, "Anthropic", ANTHROPIC, ANY, "billing_error"),
    Row(QUOTA, "Z.AI", ZAI, ANY, "1113|1304|130[89]|1310"),
    Row(QUOTA, "MiniMax", MINIMAX, ANY, "1008"),
    Row(QUOTA, "MiniMax", MINIMAX, ANY, "2056", member="baseresp"),
    Row(QUOTA, "DashScope", DASHSCOPE, ANY, r"arrearage|allocationquota\.freetieronly"),
    Row(QUOTA, "Volcengine", VOLCENGINE, ANY, "accountoverdueerror|quotaexceeded|setlimitexceeded"),
    Row(QUOTA, "Qianfan", QIANFAN, ANY, "account_overdue|insufficient_account_balance"),
    Row(QUOTA, "SiliconFlow", SILICONFLOW, ANY, "30001"),
    Row(QUOTA, "GitHub Copilot", COPILOT, ANY, "quota_exceeded|payment_required"),
    Row(QUOTA, "ChatGPT", "openai/codex codex-rs/core", ANY, "usage_limit_reached|usage_not_included"),
    Row(
        OVERLOAD,
        "Kimi",
        KIMI,
        BUSY,
        r"engine_overloaded(?:_error)?|server_overloaded(?:_error)?|overloaded(?:_error)?",
    ),
    Row(OVERLOAD, "Anthropic", ANTHROPIC, BUSY, "overloaded_error"),
    Row(
        OVERLOAD, "Volcengine", VOLCENGINE, BUSY, r"serveroverloaded|(?:internalservice\.)?serviceunavailable"
    ),
    Row(OVERLOAD, "Groq", GROQ, BUSY, "capacity_exceeded|over_capacity"),
    Row(OVERLOAD, "SiliconFlow", SILICONFLOW, BUSY, "5050[35]|50603"),
    Row(OVERLOAD, "Z.AI", ZAI, BUSY, "1312"),
    Row(
        OVERLOAD,
        "Bedrock",
        BEDROCK,
        BUSY,
        "(?:serviceunavailable|modelnotready|modeltimeout)exception",
    ),
    Row(OVERLOAD, "others", OPENAI, BUSY, "server_is_overloaded|service_unavailable(?:_error)?"),
    Row(CONTENT, "OpenAI", OPENAI, ANY, "content_policy_violation|moderation_blocked"),
    Row(CONTENT, "Azure", AZURE, ANY, "content_filter|responsibleaipolicyviolation"),
    Row(CONTENT, "DashScope", DASHSCOPE, ANY, r"data_?inspection_?failed"),
    Row(CONTENT, "Z.AI", ZAI, ANY, "130[01]"),
    Row(CONTENT, "MiniMax", MINIMAX, ANY, "102[67]"),
    Row(
        CONTENT,
        "Volcengine",
        VOLCENGINE,
        ANY,
        r"(?:input|output)?(?:text|image|video)?sensitivecontentdetected(?:\..+)?|inputtextriskdetection"
        r"|outputtextriskdetection",
    ),
    Row(CONTENT, "Gemini", GEMINI, ANY, "safety|prohibited_content|blocklist|recitation"),
    Row(CONTENT, "others", LITELLM, ANY, r"content_blocked|sensitive_check_error|content_moderation\w*"),
    Row(KEY, "MiniMax", MINIMAX, ANY, "1004|2049", member="baseresp"),
    Row(KEY, "Gemini", GEMINI, _KEYLESS, "api_key_invalid|api_key_expired"),
    Row(
        KEY,
        "OpenAI, DashScope",
        OPENAI,
        _KEYLESS,
        r"invalid_?api_?key|authentication_?error|invalid_iam_token|unauthenticated|invalid_authentication\w*"
        r"|unrecognizedclientexception|invalidsignatureexception|expiredtokenexception",
    ),
    Row(KEY, "Z.AI", ZAI, frozenset((UNSAID, 401)), "100[0-4]", member="error"),
    Row(MODEL, "OpenAI", OPENAI, _NAMED, "model_not_found|model_not_available"),
    Row(MODEL, "Mistral", MISTRAL, _NAMED, "invalid_model|modelnotfound"),
    Row(MODEL, "Z.AI", ZAI, _NAMED, "1211"),
    Row(MODEL, "SiliconFlow", SILICONFLOW, _NAMED, "20012"),
    Row(MODEL, "Azure", AZURE, _NAMED, "deploymentnotfound|modelnotfoundexception"),
    Row(MODEL, "Volcengine", VOLCENGINE, _NAMED, r"invalidendpointormodel(?:\.\w+)?|modelnotopen"),
    Row(MODEL, "GitHub Copilot", COPILOT, _NAMED, "model_not_supported"),
    Row(RATE, "MiniMax", MINIMAX, ANY, "1002|1039|1041|2045", member="baseresp"),
    Row(RATE, "Z.AI", ZAI, ANY, "130[235]|1313"),
    Row(RATE, "DashScope", DASHSCOPE, ANY, r"throttling(?:\.\w+)*|limit_?requests|limit_?burst_?rate"),
    Row(
        RATE,
        "Volcengine",
        VOLCENGINE,
        ANY,
        r"ratelimitexceeded(?:\..+)?|(?:account|model|endpoint|request)\w*(?:ratelimit|[rt]pm|burst)\w*exceeded",
    ),
    Row(RATE, "Qianfan", QIANFAN, ANY, r"(?:rpm|tpm|qps)_(?:rate_)?limit_(?:exceeded|reached)"),
    Row(
        RATE,
        "Bedrock",
        BEDROCK,
        ANY,
        "(?:throttling|toomanyrequests|servicequotaexceeded|limitexceeded)exception",
    ),
)
