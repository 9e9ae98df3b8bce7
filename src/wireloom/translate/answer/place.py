"""Where in a text a piece of markup stands: only what begins a line, outside code and quotes, can be meant as markup."""

from __future__ import annotations

import re

# The beginning of a fenced block, in Markdown; four spaces more and the line is code by itself.
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_INDENT = 3
# Marks that open and close a quotation alike.
_MARKS = ('"""', "'''")


def begins_line(text: str) -> bool:
    """Whether what follows a text begins a line that is neither indented as code nor a quotation.

    Args:
        text: all that was said before.
    """
    line = text.rpartition("\n")[2]
    return not line.strip(" ") and len(line) <= _INDENT


def in_code(text: str) -> bool:
    """Whether what follows a text stands in a fenced block, or in code within a line.

    Args:
        text: all that was said before.
    """
    return _open_fence(text) is not None or _is_odd(_outside_fences(text).rpartition("\n\n")[2], "`")


def quoted(text: str) -> bool:
    """Whether what follows a text stands in a quotation that the text has opened.

    Args:
        text: all that was said before.
    """
    paragraph = text.rpartition("\n\n")[2]
    marked = any(_is_odd(text, mark) for mark in _MARKS) or _is_odd(paragraph, '"')
    return (
        marked or paragraph.count("“") > paragraph.count("”") or paragraph.count("«") > paragraph.count("»")
    )


def _open_fence(text: str) -> str | None:
    """The marks of the fence that is open at the end of a text, or None."""
    return _fences(text)[0]


def _outside_fences(text: str) -> str:
    """The end of a text, from the last fenced block on."""
    return text[_fences(text)[1] :]


def _fences(text: str) -> tuple[str | None, int]:
    """The marks of the fence that is open at the end of a text, or None, and where the last fence stands."""
    fence: str | None = None
    end = 0
    for match in _FENCE.finditer(text):
        end = match.end()
        if fence is None:
            fence = match[1]
        elif match[1][0] == fence[0] and len(match[1]) >= len(fence):
            fence = None
    return fence, end


def _is_odd(text: str, mark: str) -> bool:
    return text.count(mark) % 2 == 1
