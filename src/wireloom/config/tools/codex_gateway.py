"""codex-gateway: Chat Completions by `codex app-server`."""

from wireloom.config.words import Feature, Superseded, Tool, Word, effort, inbound

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
