"""A line of the config file with a mark below what is wrong in it; keys are never shown."""

import re

from wireloom.config.files.toml import Position, names
from wireloom.providers import Profile

# Names whose values are shown; the value of any other may be a key, were it only by a slip of the finger.
SHOWN = frozenset(
    [
        "host",
        "port",
        "model",
        "no_auth",
        "log_level",
        "otel",
        "log_content",
        "default_backend",
        "strict",
        "seal_key_file",
        "session_ttl_hours",
        "max_sessions",
        "max_session_memory_mb",
        "heartbeat_seconds",
        "allowed_host",
        "allowed_origin",
        "receive_timeout_seconds",
        "drain_seconds",
        "max_body_mb",
        "record",
        "backend",
        "upstream_wire",
        "provider",
        "upstream",
        "upstream_ca",
        "upstream_key_header",
        "api_key_file",
        "pass_key",
        "model_map",
        "tool_denylist",
        "drop_params",
        "max_concurrency",
        "max_queue_size",
        "queue_timeout_seconds",
        "timeout_seconds",
        "idle_timeout_seconds",
        "codex_bin",
        "codex_home",
        "agent",
        "fast",
        "default_cwd",
        "allowed_root",
        "ephemeral",
        "app_server_url",
        "key_file",
        "backends",
        "models",
        "requests_per_minute",
        "to",
        "spread",
        "context_window",
        "modalities",
        "efforts",
        "verbosity",
        "apply_patch",
        "web_search",
        "tool_search",
        "base_instructions_file",
        "base",
        *(Profile.model_fields.keys() - {"api_key_env", "extra_body"}),
    ]
)
# Names of variables are shown where they look like one: in their place some people write the key itself.
_VARIABLES = frozenset({"api_key_env", "app_server_token_env", "key_env"})
_VARIABLE = re.compile(r"""\s*["'][A-Z][A-Z0-9_]*["']?\s*(?:#.*)?""")
# Tables whose keys are names of the user's own, and whose values are names too.
_NAMES = frozenset({"routes", "model_map", "models"})
_ASSIGNMENT = re.compile(r"""^\s*(?P<name>(?:[\w.-]|"[^"]*"|'[^']*')+)\s*=""")
_CUT = "..."


def is_variable(name: str) -> bool:
    """Return whether a text looks like the name of a variable, and not like a key that was written in its place."""
    return re.fullmatch(r"[A-Z][A-Z0-9_]*", name) is not None


def excerpt(text: str, position: Position, *, key_alone: bool = False) -> str:
    """Return a line of a config file, with its number and a mark below the place.

    key_alone: show the key without its value.
    """
    lines = text.split("\n")
    line = lines[position.line - 1].rstrip()
    number = str(position.line)
    shown = line
    if key_alone or not _may_be_shown(lines, position.line - 1):
        shown = _key_of(line)
    column, length = position.column, position.length
    if shown != line and column > len(shown) - len(_CUT):
        column = len(shown) - len(shown.lstrip()) + 1
        length = max(len(shown.partition("=")[0].strip()), 1)
    margin = " " * len(number)
    # A tab is as wide in the second line as in the first.
    before = re.sub(r"[^\t]", " ", shown[: column - 1]).ljust(column - 1)
    mark = "^" * max(1, min(length, len(shown) + 1 - column))
    return f"  {number} | {shown}\n  {margin} | {before}{mark}"


def _key_of(line: str) -> str:
    found = _ASSIGNMENT.match(line)
    return f"{found[0]} {_CUT}" if found else _CUT


def _may_be_shown(lines: list[str], index: int) -> bool:
    """Whether a line holds nothing that could be a key."""
    line = lines[index].strip()
    if line.startswith("["):
        return True
    while index >= 0 and not _ASSIGNMENT.match(lines[index]):
        index -= 1
        if index >= 0 and lines[index].lstrip().startswith("["):
            return False
    if index < 0 or "@" in line:
        return False
    key, _, value = lines[index].partition("=")
    path = (*_table(lines, index), *names(key))
    if path[0] in _NAMES:
        return True
    if "{" in line:
        return False
    if path[-1] in SHOWN:
        return True
    return path[-1] in _VARIABLES and _VARIABLE.fullmatch(value) is not None


def _table(lines: list[str], index: int) -> tuple[str, ...]:
    for line in reversed(lines[:index]):
        if line.startswith("["):
            return names(line.strip("[]").split("#")[0])
    return ()
