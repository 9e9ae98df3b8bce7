"""codex-relay: the Codex CLI in front of a Chat Completions server."""

import os
from typing import Any

from wireloom.config.words import Feature, Superseded, Tool, Word, log_filter, names_of_json


def _relay_history(found: dict[str, Any]) -> dict[str, Any]:
    """The store of codex-relay: a kind and a folder in two words."""
    kind, folder = found.pop("history_store", None), found.pop("history_dir", ".codex-relay-history")
    if kind is not None:
        found["history"] = (
            "memory" if kind == "memory" else f"sqlite:{os.path.join(folder, 'history.sqlite3')}"
        )
    return found


CODEX_RELAY = Tool(
    "codex-relay",
    "0.3.1 and 0.5.8",
    (
        Word("port", "--port", "CODEX_RELAY_PORT", default="4444"),
        Word("host", "--bind", "CODEX_RELAY_BIND", default="127.0.0.1"),
        Word("upstream", "--upstream", "CODEX_RELAY_UPSTREAM", default="https://openrouter.ai/api/v1"),
        Word("api_key", "--api-key", "CODEX_RELAY_API_KEY", told="the upstream's key"),
        Word("model_map", "--model-map", "CODEX_RELAY_MODEL_MAP"),
        Word("tool_denylist", "--tool-denylist", "CODEX_RELAY_TOOL_DENYLIST"),
        Word("extra_params", "--upstream-extra-params", "CODEX_RELAY_UPSTREAM_EXTRA_PARAMS"),
        Word("drop_params", "--drop-upstream-params", "CODEX_RELAY_DROP_PARAMS", read=names_of_json),
        Word("session_ttl_hours", "--session-ttl-hours", "CODEX_RELAY_SESSION_TTL_HOURS", default="168"),
        Word("max_sessions", "--max-sessions", "CODEX_RELAY_MAX_SESSIONS", default="256"),
        Word(
            "max_session_memory_mb",
            "--max-session-memory-mb",
            "CODEX_RELAY_MAX_SESSION_MEMORY_MB",
            default="512",
        ),
        Word(
            "history_store",
            "--history-store",
            "CODEX_RELAY_HISTORY_STORE",
            default="memory",
            told="`history`; `disk` is an SQLite file in the folder",
        ),
        Word("history_dir", "--history-dir", "CODEX_RELAY_HISTORY_DIR", told="the folder of that file"),
        Word(
            "record",
            "--record-corpus",
            "CODEX_RELAY_RECORD_CORPUS",
            told="one file for each request, cut and cleaned",
        ),
        Word("log_level", None, "RUST_LOG", read=log_filter, told="the level of the filter"),
        Word(None, "--model-template", told="the catalogue has neutral instructions of its own"),
        Word(None, None, "CODEX_RELAY_DISABLE_QUIRKS", told="what an upstream needs stands in its profile"),
    ),
    fixed={"backend": "chat"},
    actions={
        "serve": "serves, and prints the upstream's models",
        "print-config": "with `--print-config`: the block for Codex, as `wireloom config codex`; `--model-catalog FILE` "
        "writes the catalogue",
    },
    features=(
        Feature("streaming", "events in the contract's order, each with its number", "test_streaming"),
        Feature("tool calls", "deltas are put together; arguments stream on", "test_tool_calls"),
        Feature("parallel tool calls", "one assistant message upstream", "test_parallel_tool_calls"),
        Feature(
            "reasoning across turns",
            "carried by the client, sealed; and by the store",
            "test_reasoning_across_turns",
        ),
        Feature(
            "previous_response_id", "from the store, also after a restart with `disk`", "test_history_on_disk"
        ),
        Feature(
            "model list",
            "`GET /v1/models`, and printed at the start",
            "test_the_upstreams_models_at_the_start",
        ),
        Feature("model map", "the answer keeps the name that was asked for", "test_model_map"),
        Feature("tool denylist", "flattened names of namespaces count as well", "test_tool_denylist"),
        Feature("extra and dropped parameters", "merged over the request, left out of it", "test_parameters"),
        Feature("--print-config", "points at the gateway, never at the upstream", "test_print_config"),
        Feature("--model-catalog", "written from what the upstream lists", "test_model_catalog"),
        Feature("bounds of sessions", "count, age and memory", "test_bounds_of_sessions"),
        Feature("debug log", "names of tools and nothing of what was said", "test_debug_log"),
        Feature("`from codex_relay import start`", "`from wireloom import start`", "test_python_start"),
        Feature(
            "sub-agents", "their tools are kept, each agent its own conversation", "test_sub_agent_tools"
        ),
        Feature(
            "namespaces of tools",
            "`<namespace>-<tool>` for the model, restored in its calls",
            "test_namespaces",
        ),
        Feature("custom tools as functions", "apply_patch writes files", "test_custom_tools"),
        Feature("reasoning as summaries", "from both names that servers use", "test_reasoning_is_shown"),
        Feature("`<think>` in the text", "is reasoning", "test_thinking_in_tags"),
        Feature("usage", "with cached and reasoning tokens", "test_usage"),
        Feature("effort and images", "sent on", "test_effort_and_images"),
        Feature("calls without a name", "are an error", "test_calls_without_a_name_are_refused"),
        Feature("a stream without its last mark", "is mended", "test_a_missing_end_is_mended"),
        Feature("--bind", "`--host`", "test_bind"),
        Feature("http and https upstreams alone", "others are refused", "test_other_schemes_are_refused"),
    ),
    superseded=(
        Superseded(
            "`[model_properties]` in the printed configuration",
            "`model_catalog_url`, from which Codex reads every model and its abilities",
            "Codex 0.169 ignores `model_properties`",
            "test_print_config",
        ),
        Superseded(
            "no key for clients on other addresses",
            "an address that other machines reach needs a token (`WIRELOOM_TOKEN`)",
            "whoever reaches it spends the upstream's key",
            "test_other_addresses_need_a_token",
        ),
        Superseded(
            "history as JSON files in `sessions/`, `reasoning/` and `turns/`",
            "one SQLite file; `wireloom history` looks into it",
            "it is written whole or not at all, and does not grow with the square of a conversation",
            "test_history_on_disk",
        ),
        Superseded(
            "`--record-corpus` as JSONL of finished turns",
            "a folder with one file for each request, cut and cleaned of keys",
            "what is recorded can be used as a test, and shown to others after a look",
            "test_record_corpus",
        ),
        Superseded(
            "calls of tools that nobody declared are dropped",
            "they are told as they came",
            "the client answers that there is no such tool, and the model goes on",
            "test_calls_of_no_tool_are_told",
        ),
        Superseded(
            "`CODEX_RELAY_DISABLE_QUIRKS`",
            "read and without effect, with a warning",
            "what an upstream needs stands in its profile (`--provider`)",
            "test_what_has_no_effect_is_said",
        ),
    ),
    finish=_relay_history,
)
