"""The four tools that wireloom takes the place of: a table for each, the source of the command line and docs/migrate.md."""

import os

from wireloom.config.tools.codex_api_proxy import CODEX_API_PROXY
from wireloom.config.tools.codex_gateway import CODEX_GATEWAY
from wireloom.config.tools.codex_openai_proxy import CODEX_OPENAI_PROXY
from wireloom.config.tools.codex_relay import CODEX_RELAY
from wireloom.config.words import Tool

__all__ = ["CODEX_API_PROXY", "CODEX_GATEWAY", "CODEX_OPENAI_PROXY", "CODEX_RELAY", "TOOLS", "heard"]

TOOLS: tuple[Tool, ...] = (CODEX_RELAY, CODEX_API_PROXY, CODEX_OPENAI_PROXY, CODEX_GATEWAY)


def heard() -> tuple[Tool, ...]:
    """Return the tools whose variables plain `serve` reads: names without a prefix count only where they are meant."""
    meant = any(os.environ.get(name) for name in ("API_KEYS", "CODEX_PATH"))
    return tuple(tool for tool in TOOLS if meant or tool is not CODEX_OPENAI_PROXY)
