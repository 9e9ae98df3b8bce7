"""Names of OpenTelemetry's conventions for generative AI, which are in development: kept here with their version."""

CONVENTIONS = "0.1.0"
"""Release of open-telemetry/semantic-conventions-genai that the names are taken from."""

# Attributes.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
CONVERSATION_ID = "gen_ai.conversation.id"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - the name of an attribute
ERROR = "error.type"

# Attribute -> members of requests that say it, on either face. Stop sequences are the client's words, so they are not told.
REQUESTED = {
    "gen_ai.request.temperature": ("temperature",),
    "gen_ai.request.top_p": ("top_p",),
    "gen_ai.request.max_tokens": ("max_output_tokens", "max_completion_tokens", "max_tokens"),
    "gen_ai.request.seed": ("seed",),
    "gen_ai.request.frequency_penalty": ("frequency_penalty",),
    "gen_ai.request.presence_penalty": ("presence_penalty",),
    "gen_ai.request.choice.count": ("n",),
}

# Metrics, all of them histograms.
CLIENT_DURATION = "gen_ai.client.operation.duration"
CLIENT_TOKENS = "gen_ai.client.token.usage"
CLIENT_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
SERVER_DURATION = "gen_ai.server.request.duration"
SERVER_FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105 - the name of a metric
SERVER_PER_TOKEN = "gen_ai.server.time_per_output_token"  # noqa: S105 - the name of a metric

SECONDS = tuple(0.01 * 2**power for power in range(14))
"""Bounds of histograms of time."""
COUNTS = tuple(4.0**power for power in range(14))
"""Bounds of histograms of tokens."""
CHAT = "chat"

# Profiles that the conventions have another name for.
PROVIDERS = {
    "kimi": "moonshot_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
