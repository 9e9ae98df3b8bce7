"""codex-api-proxy: Chat Completions by the local Codex CLI."""

from typing import Any

from wireloom.config.words import (
    Feature,
    Superseded,
    Tool,
    Word,
    inbound,
    separated,
    truth,
    upper_level,
)


def _proxy_engine(found: dict[str, Any]) -> dict[str, Any]:
    """codex-api-proxy limits one engine by its workers, the other by its concurrency; roots are the folder it works in."""
    workers = found.pop("workers", None)
    if found.get("backend") == "app-server" and workers is not None:
        found["max_concurrency"] = workers
    if "default_cwd" in found:
        found.setdefault("allowed_root", [found["default_cwd"]])
    return found


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
        Feature("--codex-bin, --model, --log-level", "the same meaning", "test_fast"),
        Feature("--timeout-seconds", "then 504, and the process ends", "test_timeout"),
        Feature("--max-concurrency", "one at a time unless set", "test_concurrency"),
        Feature("--ephemeral", "Codex keeps no record of a thread", "test_ephemeral"),
        Feature("--pid-file, --log-file, --state-file", "elsewhere", "test_files_elsewhere"),
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
            "tools, formats and images left out",
            "they work, on both engines",
            "clients need them",
            "test_tools_and_formats",
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
