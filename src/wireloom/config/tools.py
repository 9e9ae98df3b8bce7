"""The four tools that wireloom takes the place of: one table for the command line, the variables and docs/migrate.md."""

import os
from typing import Any

from wireloom.config.words import (
    Feature,
    Superseded,
    Tool,
    Word,
    effort,
    inbound,
    log_filter,
    names_of_json,
    sandbox,
    separated,
    several_keys,
    truth,
    upper_level,
)


def _relay_history(found: dict[str, Any]) -> dict[str, Any]:
    """The store of codex-relay: a kind and a folder in two words."""
    kind, folder = found.pop("history_store", None), found.pop("history_dir", ".codex-relay-history")
    if kind is not None:
        found["history"] = (
            "memory" if kind == "memory" else f"sqlite:{os.path.join(folder, 'history.sqlite3')}"
        )
    return found


def _proxy_engine(found: dict[str, Any]) -> dict[str, Any]:
    """codex-api-proxy limits one engine by its workers, the other by its concurrency; roots are the folder it works in."""
    workers = found.pop("workers", None)
    if found.get("backend") == "app-server" and workers is not None:
        found["max_concurrency"] = workers
    if "default_cwd" in found:
        found.setdefault("allowed_root", [found["default_cwd"]])
    return found


def _openai_proxy_host(found: dict[str, Any]) -> dict[str, Any]:
    """codex-openai-proxy listens everywhere; here only with a key."""
    host = found.pop("default_host", None)
    if host is not None and found.get("token"):
        found.setdefault("host", host)
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
            "`CODEX_RELAY_DISABLE_QUIRKS`",
            "read and without effect, with a warning",
            "what an upstream needs stands in its profile (`--provider`)",
            "test_what_has_no_effect_is_said",
        ),
    ),
    finish=_relay_history,
)

_PROXY_HOME = "~/.codex-api-proxy"
CODEX_API_PROXY = Tool(
    "codex-api-proxy",
    "0.1.1",
    (
        Word("host", "--host", "CODEX_PROXY_HOST", default="127.0.0.1"),
        Word("port", "--port", "CODEX_PROXY_PORT", default="8765"),
        Word("token", "--api-key", "CODEX_PROXY_API_KEY", read=inbound, told="the clients' key"),
        Word("codex_bin", "--codex-bin", "CODEX_PROXY_CODEX_BIN", default="codex"),
        Word("proxy", "--proxy", "CODEX_PROXY_PROXY"),
        Word("model", "--model", "CODEX_PROXY_MODEL"),
        Word("backend", "--engine", "CODEX_PROXY_ENGINE", default="exec"),
        Word(
            "workers",
            "--workers",
            "CODEX_PROXY_WORKERS",
            default="1",
            told="`max_concurrency` of the app-server engine",
        ),
        Word("max_queue_size", "--max-queue-size", "CODEX_PROXY_MAX_QUEUE_SIZE", default="64"),
        Word(
            "queue_timeout_seconds",
            "--queue-timeout-seconds",
            "CODEX_PROXY_QUEUE_TIMEOUT_SECONDS",
            default="30",
        ),
        Word("codex_home", "--app-server-codex-home", "CODEX_PROXY_APP_SERVER_CODEX_HOME"),
        Word(
            "codex_config",
            "--codex-config",
            "CODEX_PROXY_CODEX_CONFIGS",
            read=separated(";;"),
            repeatable=True,
        ),
        Word("ephemeral", "--ephemeral", "CODEX_PROXY_EPHEMERAL", read=truth, switch=True, default=True),
        Word("agent", "--agent", "CODEX_PROXY_AGENT", read=truth, switch=True, no=True, default=False),
        Word("fast", "--fast", None, read=truth, switch=True),
        Word("default_cwd", "--default-cwd", "CODEX_PROXY_DEFAULT_CWD"),
        Word(
            "allowed_root",
            "--allowed-root",
            "CODEX_PROXY_ALLOWED_ROOTS",
            read=separated(":"),
            repeatable=True,
        ),
        Word("timeout_seconds", "--timeout-seconds", "CODEX_PROXY_TIMEOUT_SECONDS", default="300"),
        Word("max_concurrency", "--max-concurrency", "CODEX_PROXY_MAX_CONCURRENCY", default="1"),
        Word("log_level", "--log-level", "CODEX_PROXY_LOG_LEVEL", read=upper_level, default="info"),
    ),
    actions={
        "serve": "serves in the foreground",
        "start": "in the background; with `--foreground` here",
        "restart": "with the last settings and those given over them",
        "stop": "ends it",
        "status": "tells whether it runs; `--verbose` shows the settings",
    },
    features=(
        Feature(
            "chat completions, streamed and not", "with real usage, tools and images", "test_chat_completions"
        ),
        Feature("`codex-local`", "the model's name here too", "test_chat_completions"),
        Feature(
            "/health, /ready, /metrics", "JSON counters with `Accept: application/json`", "test_endpoints"
        ),
        Feature("--api-key", "one key for clients", "test_api_key"),
        Feature("--engine app-server", "deltas while they come", "test_engine_app_server"),
        Feature("--fast", "low effort where a request does not say", "test_fast"),
        Feature("--codex-config", "over all other configuration", "test_codex_config"),
        Feature("--agent", "Codex may write into its folder", "test_agent"),
        Feature("metadata.cwd within --allowed-root", "others are refused", "test_allowed_roots"),
        Feature("--proxy", "for Codex alone", "test_proxy"),
        Feature("queue and its overflow", "429 with retry-after", "test_queue_overflow"),
        Feature("start, status, restart, stop", "the same words", "test_service"),
        Feature("restart with an override", "the rest stays", "test_service"),
        Feature("files 0600, keys hidden on the terminal", "whatever the umask", "test_service"),
        Feature("latency log", "one JSON line for each request, with its phases", "test_latency_log"),
        Feature("user's configuration, MCP servers, skills kept out", "a home of its own", "test_isolation"),
    ),
    superseded=(
        Superseded(
            "`--host` for other addresses without a key, with a warning",
            "is refused",
            "any machine that reaches it would spend the account",
            "test_other_addresses_need_a_key",
        ),
        Superseded(
            "`temperature` and the like accepted and ignored",
            "reported in `x-wireloom-loss`",
            "nothing is lost in silence",
            "test_ignored_parameters_are_reported",
        ),
        Superseded(
            "zero usage",
            "the tokens that Codex counts",
            "clients bill and compact by it",
            "test_chat_completions",
        ),
        Superseded(
            "several app-server processes (`--workers`)",
            "one process with as many turns at once",
            "it serves many turns at the same time",
            "test_engine_app_server",
        ),
        Superseded(
            "the lines `chat_completion_latency` and `chat_completion_first_sse`",
            "one line for each request, with `ms.first_event`, `ms.first_content` and the other phases",
            "it is the same for every backend; see [observing](observing.md)",
            "test_latency_log",
        ),
        Superseded(
            "`~/.codex-api-proxy/workspace` as the folder of Codex",
            "an empty one in the state folder",
            "it is Codex's alone, and 0700",
            "test_isolation",
        ),
    ),
    files={
        "pid": f"{_PROXY_HOME}/codex-api-proxy.pid",
        "log": f"{_PROXY_HOME}/codex-api-proxy.log",
        # That of the other tool has another form.
        "state": f"{_PROXY_HOME}/wireloom.state.json",
    },
    finish=_proxy_engine,
)

CODEX_OPENAI_PROXY = Tool(
    "codex-openai-proxy",
    "its README, seen in 2026",
    (
        Word(
            "token",
            None,
            "API_KEYS",
            "API_KEYS",
            read=several_keys,
            told="keys for clients, named key-1, key-2, ...",
        ),
        Word("host", "--host", "HOST", "HOST"),
        Word("port", "--port", "PORT", "PORT", default="8000"),
        Word("codex_bin", None, "CODEX_PATH", "CODEX_PATH", default="codex"),
        Word("model", None, "CODEX_MODEL", "CODEX_MODEL"),
        Word("log_level", None, "LOG_LEVEL", "LOG_LEVEL", read=upper_level, default="info"),
        Word(
            "agent",
            None,
            "CODEX_SANDBOX",
            "CODEX_SANDBOX",
            read=sandbox,
            told="workspace-write is `agent`; danger-full-access is refused",
        ),
        Word(None, "--workers", told="one process serves all; more are not needed"),
        Word(None, "--reload", switch=True, told="a matter of its development"),
    ),
    fixed={"backend": "exec", "default_host": "0.0.0.0"},  # noqa: S104 - only where there is a key, see finish
    actions={"serve": "serves; `.env` of the folder is read, the environment stands over it"},
    features=(
        Feature("chat completions, streamed and not", "with real usage", "test_chat_completions"),
        Feature("several API keys", "each of them opens it, others do not", "test_api_keys"),
        Feature("`.env`", "read from the folder", "test_dot_env"),
        Feature("/docs, /redoc", "without any other host", "test_documents"),
        Feature("Open WebUI", "a connection with the same address and key", "test_open_webui"),
        Feature("CODEX_MODEL, LOG_LEVEL, CODEX_PATH", "the same meaning", "test_variables"),
        Feature("CODEX_SANDBOX", "read-only, or workspace-write", "test_sandbox"),
    ),
    superseded=(
        Superseded(
            "0.0.0.0 by default",
            "127.0.0.1 unless `API_KEYS` is set",
            "any machine that reaches it would spend the account",
            "test_it_listens_elsewhere_only_with_keys",
        ),
        Superseded(
            "`danger-full-access`",
            "is refused",
            "any client could run anything on this machine",
            "test_sandbox",
        ),
        Superseded(
            "prompts on the command line of `codex`",
            "they go through a pipe",
            "the process list shows command lines to every user",
            "test_prompts_are_not_in_the_process_list",
        ),
        Superseded(
            "tokens split 80 to 20",
            "the tokens that Codex counts",
            "a guess is no count",
            "test_chat_completions",
        ),
        Superseded(
            "`gpt-5.2-codex` and `/opt/homebrew/bin/codex` where nothing is set",
            "the account's own default, and `codex` on the PATH",
            "both are of one time and one machine",
            "test_variables",
        ),
        Superseded(
            "`uvicorn --workers N`",
            "one process, with a warning",
            "one process serves as many requests as the account allows",
            "test_more_workers",
        ),
    ),
    finish=_openai_proxy_host,
)

CODEX_GATEWAY = Tool(
    "codex-gateway",
    "0.1.2",
    (
        Word("host", "--host", "CODEX_GATEWAY_HOST", "host", default="127.0.0.1"),
        Word("port", "--port", "CODEX_GATEWAY_PORT", "port", default="8000"),
        Word("token", "--token", "CODEX_GATEWAY_TOKEN", "token", read=inbound),
        Word("default_cwd", "--cwd", "CODEX_GATEWAY_CWD", "cwd"),
        Word(
            "*",
            "--reasoning-effort",
            "CODEX_GATEWAY_REASONING_EFFORT",
            "reasoning_effort",
            read=effort,
            told="the effort where a request does not say; low is `fast`",
        ),
    ),
    fixed={"backend": "app-server", "fast": True},
    actions={
        "serve": "serves",
        "init": "writes its config.json (0600) with a new token; `--force` over one that is there",
        "show": "prints three lines for an OpenAI SDK",
        "token": "prints the token",
        "env": "prints exports for a shell",
    },
    features=(
        Feature("models", "those of the account", "test_models"),
        Feature("chat completions, streamed and not", "with usage in both", "test_chat_completions"),
        Feature("history", "earlier messages as items of the thread", "test_history"),
        Feature("images", "data URLs and https", "test_images"),
        Feature("token always", "others are refused", "test_token"),
        Feature("init, show, token, env", "the same file, mode 0600", "test_setup"),
        Feature(
            "requests of the app-server are denied",
            "nobody is there to allow them",
            "test_nothing_is_allowed",
        ),
        Feature("--reasoning-effort", "low unless set", "test_reasoning_effort"),
    ),
    superseded=(
        Superseded(
            "a new token at each start where none is set",
            "one is made once and kept in wireloom's config file",
            "clients would have to be set up anew each time",
            "test_token_made_once",
        ),
        Superseded(
            "400 for tools, formats and limits",
            "tools and JSON schemas work; what Codex cannot do is reported or refused by name",
            "clients need them",
            "test_tools_and_formats",
        ),
    ),
    keyless=False,
)

TOOLS: tuple[Tool, ...] = (CODEX_RELAY, CODEX_API_PROXY, CODEX_OPENAI_PROXY, CODEX_GATEWAY)


def heard() -> tuple[Tool, ...]:
    """Return the tools whose variables plain `serve` reads: names without a prefix count only where they are meant."""
    meant = any(os.environ.get(name) for name in ("API_KEYS", "CODEX_PATH"))
    return tuple(tool for tool in TOOLS if meant or tool is not CODEX_OPENAI_PROXY)
