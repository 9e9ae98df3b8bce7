"""How upstreams report each kind of failure: codes first, then words; the first row that fits decides.

A row of codes alone is believed with nearly every status, because nobody writes such a code into a prompt. A row of words
looks at the message of an error alone, and only with the statuses that the server sends it with.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wireloom.translate.failures.kinds import ANY, BUSY, REFUSED, UNSAID, Kind, Row

CONTEXT, QUOTA, RATE, OVERLOAD = Kind.CONTEXT, Kind.QUOTA, Kind.RATE, Kind.OVERLOAD
CONTENT, KEY, MODEL = Kind.CONTENT, Kind.KEY, Kind.MODEL

OPENAI = "platform.openai.com/docs/guides/error-codes"
ANTHROPIC = "docs.anthropic.com/en/api/errors"
GEMINI = "ai.google.dev/gemini-api/docs/troubleshooting"
ZAI = "docs.z.ai/api-reference/api-code"
MINIMAX = "platform.minimax.io/docs/api-reference/errorcode"
DASHSCOPE = "help.aliyun.com/zh/model-studio/error-code"
KIMI = "platform.moonshot.ai/docs/api/chat"
OPENROUTER = "openrouter.ai/docs/api-reference/errors"
VOLCENGINE = "www.volcengine.com/docs/82379/1299023"
SILICONFLOW = "docs.siliconflow.com/en/faqs/error-code"
BEDROCK = "docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html"
AZURE = "learn.microsoft.com/azure/ai-foundry/openai/reference"
GROQ = "console.groq.com/docs/errors"
DEEPSEEK = "api-docs.deepseek.com/quick_start/error_codes"
MISTRAL = "docs.mistral.ai/api"
QIANFAN = "cloud.baidu.com/doc/WENXINWORKSHOP/s/tlmyncueh"
OVERFLOWS = "earendil-works/pi packages/ai/src/utils/overflow.ts"
LITELLM = "BerriAI/litellm#21647"
COPILOT = "anomalyco/opencode packages/llm/src/provider-error.ts"

# A parameter that sets the size of the context is no complaint about the conversation.
_OVER = r"exceed|too (?:long|large|many|big)|(?:longer|larger|more) than|reduce|overflow|beyond|does not fit|is full"
_KEYLESS = frozenset((UNSAID, 400, 401, 403))
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

CODES: Sequence[Row] = (
    Row(CONTEXT, "OpenAI", OPENAI, ANY, r"(?:string_above_max_length|context_length_exceeded)"),
    Row(CONTEXT, "llama.cpp", "ggml-org/llama.cpp tools/server", ANY, "exceed_context_size_error"),
    Row(CONTEXT, "Z.AI", ZAI, ANY, "1261"),
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
    Row(CONTEXT, "Anthropic, Fireworks", ANTHROPIC, _FULL, words=r"(?:prompt|input) is too long\b"),
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
    Row(CONTEXT, "xAI", OVERFLOWS, _FULL, words=r"maximum prompt length is \d"),
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
        words=r"exceeds (?:the )?max(?:imum)? (?:allowed )?(?:input|prompt|sequence) (?:length|tokens)",
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
        words=r"api key not valid|(?:invalid|incorrect|expired) (?:api|access) ?(?:key|token)|"
        r"api[ _]key (?:is )?(?:invalid|expired|incorrect)"
        r"|missing or invalid api key|login fail",
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

ROWS: Sequence[Row] = (*TOO_LARGE, *CODES, *WORDS)
"""All rows, in the order in which they are tried."""


def kind_of(
    status: int, codes: Collection[tuple[str, str]], message: str, *, delayed: bool = False
) -> Kind | None:
    """The kind of a failure, or None where no row fits.

    Args:
        status: HTTP status of the answer, or `UNSAID`.
        codes: see `Row.fits`.
        message: the failure's words.
        delayed: whether the failure names a delay.
    """
    rows = (row for row in ROWS if row.fits(status, codes, message, delayed=delayed))
    return next((row.kind for row in rows), None)
