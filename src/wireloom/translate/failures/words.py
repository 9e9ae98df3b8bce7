"""Words of failures: looked for in the message of an error alone, with the statuses that the server sends it with."""

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
    OPENAI,
    OPENROUTER,
    OVERFLOWS,
    SILICONFLOW,
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

# A parameter that sets the size of the context is no complaint about the conversation.
_OVER = r"exceed|too (?:long|large|many|big)|(?:longer|larger|more) than|reduce|overflow|beyond|does not fit|is full"
_POOR = frozenset((UNSAID, 400, 401, 402, 403, 429, 500, 503))
_LIMITED = frozenset((UNSAID, 429, 500, 503))
_FILTERED = frozenset((UNSAID, 400, 403, 422, 451, 500))
_NAMED = frozenset((UNSAID, 400, 403, 404, 422))
_FULL = REFUSED | {500}

# A request that no wait makes smaller, although the code is that of a rate; before all codes.
TOO_LARGE: Sequence[Row] = (
    Row(
        CONTEXT,
        "Groq, OpenAI",
        GROQ,
        REFUSED | {429},
        words=r"request too large for\b.{0,400}(?:tokens per|\bTPM\b)|(?:please )?reduce your message size",
    ),
)

WORDS: Sequence[Row] = (
    # -- the conversation is too long -------------------------------------------------------------------------------
    Row(
        CONTEXT,
        "OpenAI, vLLM, OpenRouter",
        OPENAI,
        REFUSED,
        words=r"maximum context|exceeds? the (?:model'?s? |available )+(?:maximum )?(?:context|input|prompt|token limit)"
        rf"|context[ _](?:length|window|size)(?=[\s\S]*(?:{_OVER}))|(?:{_OVER})[\s\S]*context[ _](?:length|window|size)",
    ),
    Row(
        CONTEXT,
        "Cohere, Bedrock",
        "docs.cohere.com/reference/errors",
        REFUSED,
        words=r"too many (?:input )?tokens",
    ),
    Row(
        CONTEXT,
        "llama.cpp, LM Studio",
        "ggml-org/llama.cpp tools/server",
        _FULL,
        words=r"context size has been exceeded|exceeds the available context|greater than the context length"
        r"|when (?:the )?context (?:the )?overflows",
    ),
    Row(
        CONTEXT,
        "Anthropic, Fireworks",
        ANTHROPIC,
        _FULL,
        words=r"(?:prompt|input) is too long\b|exceeds? (?:the )?context limit",
    ),
    Row(CONTEXT, "Kimi", KIMI, _FULL, words=r"exceeded model token limit"),
    Row(CONTEXT, "DashScope", DASHSCOPE, _FULL, words=r"range of (?:the )?input length should be"),
    Row(
        CONTEXT,
        "Gemini",
        GEMINI,
        _FULL,
        words=r"input token count\b.{0,80}(?:exceeds the maximum|supports up to)",
    ),
    Row(CONTEXT, "Z.AI", ZAI, _FULL, words=r"prompt exceeds max(?:imum)? length|prompt tokens? too long"),
    Row(
        CONTEXT,
        "xAI",
        OVERFLOWS,
        _FULL,
        words=r"maximum prompt length is \d|but the configured context (?:size|length) is",
    ),
    Row(CONTEXT, "Mistral", LITELLM, _FULL, words=r"too large for model with \d+ maximum context"),
    Row(CONTEXT, "MiniMax", MINIMAX, _FULL, words=r"context window exceeds limit"),
    Row(
        CONTEXT,
        "Together, TGI",
        "huggingface/text-generation-inference router/src/validation.rs",
        _FULL,
        words=r"`inputs` (?:tokens \+ `max_new_tokens` must be|must have less than)",
    ),
    Row(
        CONTEXT,
        "SGLang",
        "sgl-project/sglang tokenizer_manager.py",
        _FULL,
        words=r"(?:is )?longer than the (?:model'?s|maximum) (?:context|model) length",
    ),
    Row(
        CONTEXT,
        "Cerebras, OpenAI",
        OVERFLOWS,
        _FULL,
        words=r"reduce the length of (?:the|your) (?:messages|prompt|input)",
    ),
    Row(
        CONTEXT,
        "Ollama",
        OVERFLOWS,
        _FULL,
        words=r"prompt (?:is )?too long|input length\b.{0,40}exceeds .{0,20}context"
        r"|input is larger than the (?:maximum )?context",
    ),
    Row(
        CONTEXT,
        "GitHub Copilot",
        COPILOT,
        _FULL,
        words=r"prompt token count of \d+ exceeds the limit|tokens in request more than max tokens allowed",
    ),
    Row(
        CONTEXT,
        "SiliconFlow, DeepSeek",
        SILICONFLOW,
        _FULL,
        words=r"length of prompt_?tokens .{0,40}must be less than|total tokens .{0,60}exceed max message tokens",
    ),
    Row(
        CONTEXT,
        "Poolside, NVIDIA",
        "earendil-works/pi#4943",
        _FULL,
        words=r"exceeds (?:the )?max(?:imum)? (?:allowed )?(?:input|prompt|sequence) (?:length|tokens)"
        r"|(?:input|prompt|messages) exceeds? (?:the )?max(?:imum)? (?:allowed )?(?:number of )?tokens"
        r"|token limit exceeded",
    ),
    Row(CONTEXT, "Perplexity", LITELLM, _FULL, words=r"length of all messages is too long"),
    # -- the account ------------------------------------------------------------------------------------------------
    Row(
        RATE,
        "Gemini",
        GEMINI,
        frozenset((UNSAID, 429)),
        "resource_exhausted",
        words="exceeded your current quota",
        delayed=True,
    ),
    Row(
        QUOTA,
        "OpenAI, DashScope, Gemini",
        OPENAI,
        _POOR,
        words=r"exceeded your current quota|check your plan and billing",
    ),
    Row(
        QUOTA,
        "MiniMax, DeepSeek, Z.AI",
        DEEPSEEK,
        _POOR,
        words=r"(?:insufficient|not enough|no) (?:account )?(?:balance|credits?|funds)\b"
        r"|balance (?:is )?(?:insufficient|not enough)"
        r"|account is in arrears|insufficient_?quota|insufficient quota",
    ),
    Row(QUOTA, "Anthropic", ANTHROPIC, _POOR, words=r"credit balance is too low"),
    Row(
        QUOTA,
        "OpenRouter",
        OPENROUTER,
        _POOR,
        words=r"requires (?:at least |more )\S* ?credits|(?:out of|add more) credits",
    ),
    Row(
        QUOTA,
        "xAI, Gemini, Together",
        GEMINI,
        _POOR,
        words=r"(?:credits|prepayment credits|free tier) .{0,60}(?:depleted|exhausted)|used all available credits"
        r"|(?:monthly )?spend(?:ing)? (?:limit|cap)|credit limit exceeded",
    ),
    Row(QUOTA, "DashScope", DASHSCOPE, _POOR, words=r"account is in good standing|overdue.payment"),
    # -- a filter ---------------------------------------------------------------------------------------------------
    Row(
        CONTENT,
        "OpenRouter, OpenAI",
        OPENROUTER,
        frozenset((403,)),
        words=r"moderation|flagged|content policy",
    ),
    Row(
        CONTENT,
        "Azure, OpenAI",
        AZURE,
        _FILTERED,
        words=r"content management policy|(?:violat\w+|against) .{0,30}(?:content|usage) polic|safety system",
    ),
    Row(
        CONTENT,
        "DashScope, Z.AI, MiniMax",
        DASHSCOPE,
        _FILTERED,
        words=r"may contain inappropriate content|(?:unsafe or )?sensitive content|new_sensitive|content exists risk"
        r"|(?:input|prompt|content|output) .{0,20}(?:was|were|is|been) flagged|content[ _]filter",
    ),
    # -- the key ----------------------------------------------------------------------------------------------------
    Row(
        KEY,
        "Gemini, OpenAI, MiniMax",
        GEMINI,
        frozenset((UNSAID, 400, 401)),
        words=r"^.{0,40}(?:api key not valid|(?:invalid|incorrect|expired) (?:api|access) ?(?:key|token)|"
        r"api[ _]key (?:is )?(?:invalid|expired|incorrect)"
        r"|missing or invalid api key|login fail)",
    ),
    # -- the model --------------------------------------------------------------------------------------------------
    Row(
        MODEL,
        "DeepSeek, Z.AI, Mistral, OpenRouter, Kimi, Fireworks",
        DEEPSEEK,
        _NAMED,
        words=r"\bmodel (?:does )?not exist|\bunknown model\b|\binvalid model(?: identifier)?\b|is not a valid model"
        r"|no endpoints found for|not found the model|\bmodel not found",
    ),
    Row(
        MODEL,
        "OpenAI, Groq, xAI, vLLM, Ollama, Gemini",
        OPENAI,
        _NAMED,
        words=r"\bmodels?[ /:]+[\"'`]?\S+?[\"'`]?,? (?:does not exist|(?:is |was )?not found)",
    ),
    # -- the pace ---------------------------------------------------------------------------------------------------
    Row(
        OVERLOAD,
        "Kimi, OpenAI",
        KIMI,
        BUSY,
        words=r"(?:engine|model|server|service)s? (?:is|are)? ?(?:currently )?(?:temporarily )?overloaded",
    ),
    Row(
        OVERLOAD,
        "DeepSeek, SiliconFlow, xAI, DashScope",
        DEEPSEEK,
        BUSY - {429},
        # The reason phrase of a status is no word of the server's.
        words=r"(?:server|system|service) is (?:too |currently |temporarily )*(?:busy|at capacity|unavailable)"
        r"|no available (?:instance|worker|server|channel)|\bcapacity\b|no healthy upstream|\boverloaded\b"
        r"|(?<!\b503 )service (?:temporarily )?unavailable",
    ),
    Row(
        RATE,
        "OpenAI, Groq, Azure, SiliconFlow",
        OPENAI,
        _LIMITED,
        words=r"rate[ _-]?limit|too many requests|\b[TR]P[MD]\b|tokens per (?:minute|day)|requests per (?:minute|day)"
        r"|throttl|quota exceeded for|high traffic",
    ),
    Row(RATE, "Bedrock", BEDROCK, frozenset((UNSAID, 429)), words=r"too many tokens, please wait"),
    Row(RATE, "Gemini", GEMINI, ANY, "resource_exhausted"),
    Row(RATE, "OpenAI, Anthropic", OPENAI, ANY - REFUSED | {UNSAID}, "rate_limit_(?:exceeded|error)"),
)
