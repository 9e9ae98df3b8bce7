"""docs/migrate.md, from the table of the tools that wireloom takes the place of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wireloom.config import Settings
from wireloom.config.tools import TOOLS
from wireloom.config.words import Tool, Word

INTRODUCTION = """# From another tool to wireloom

Put `wireloom as` in front of the command line that you have:

| before | now |
| --- | --- |
| `codex-relay --port 4446` | `wireloom as codex-relay --port 4446` |
| `codex-api-proxy start --fast` | `wireloom as codex-api-proxy start --fast` |
| `uvicorn app.main:app` of codex-openai-proxy | `wireloom as codex-openai-proxy`, in the folder with its `.env` |
| `codex-gateway init`, `codex-gateway` | `wireloom as codex-gateway init`, `wireloom as codex-gateway` |

Flags, variables, files and defaults then mean what they mean to that tool; a flag stands over a variable, that over
the tool's file, that over its default. What it has no word for is set as ever, by `WIRELOOM_<NAME>` or the config file.
Where the tool asked clients for no key, none is asked for on loopback, with a warning; other addresses need one. The
checks of `host` and `origin` stay ([service](service.md)).

Plain `wireloom serve` hears `CODEX_RELAY_*`, `CODEX_PROXY_*` and `CODEX_GATEWAY_*` as well, below its own variables; the
names without a prefix (`HOST`, `PORT`, `LOG_LEVEL`, `CODEX_MODEL`, ...) only where `API_KEYS` or `CODEX_PATH` is set.
"""
Table = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]


def page(table: Table) -> str:
    """The page.

    Args:
        table: writes a table of Markdown.
    """
    return INTRODUCTION + "".join(_tool(tool, table) for tool in TOOLS)


def _tool(tool: Tool, table: Table) -> str:
    tests = f"tests/e2e/test_{tool.name.replace('-', '_')}_features.py"
    parts = [
        f"\n## {tool.name}\n\nFrom its version {tool.version}. Each row is shown by a test in `{tests}`.\n\n"
    ]
    if tool.actions:
        parts.append(
            table(("command", "what it does"), iter((f"`{k}`", v) for k, v in tool.actions.items())) + "\n"
        )
    head = ("flag", "variable", "key in its file", "default", "setting of wireloom")
    parts.append(table(head, (_word(word) for word in tool.words)))
    features = ((feature.what, feature.how, f"`{feature.shown}`") for feature in tool.features)
    parts.append("\n" + table(("feature", "here", "test"), features))
    superseded = ((each.what, each.instead, each.why, f"`{each.shown}`") for each in tool.superseded)
    parts.append("\nNot repeated:\n\n" + table(("what", "instead", "why", "test"), superseded))
    return "".join(parts)


def _word(word: Word) -> tuple[str, ...]:
    flag = f"{word.flag}/--no-{word.flag[2:]}" if word.flag and word.no else word.flag
    shown = [f"`{name}`" if name else "" for name in (flag, word.variable, word.key)]
    default = (
        "" if word.default is None else f"`{str(word.default).lower() if word.switch else word.default}`"
    )
    if word.setting is None:
        return (*shown, default, f"none: {word.told}")
    setting = f"`{word.setting}`" if word.setting in Settings.model_fields else ""
    return (*shown, default, ": ".join(filter(None, (setting, word.told))))
