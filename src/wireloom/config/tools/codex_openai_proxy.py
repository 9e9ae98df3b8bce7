"""codex-openai-proxy: Chat Completions by `codex exec`, set up in `.env`."""

from typing import Any

from wireloom.config.words import Feature, Superseded, Tool, Word, sandbox, several_keys, upper_level


def _openai_proxy_host(found: dict[str, Any]) -> dict[str, Any]:
    """codex-openai-proxy listens everywhere; here only with a key."""
    host = found.pop("default_host", None)
    if host is not None and found.get("token"):
        found.setdefault("host", host)
    return found


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
