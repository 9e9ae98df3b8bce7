"""The patch in what a model sends to a tool that takes one: fences, commands and heredocs around it are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

PATCH_TOOLS = frozenset({"apply_patch"})
"""Names of the tools with free-form input that take a patch, and nothing else."""
BEGIN = "*** Begin Patch"
END = "*** End Patch"
PATCH_FORMS: tuple[tuple[str, str, str], ...] = (
    ("a command list", '["apply_patch","*** Begin Patch\\n..."]', "openai/codex#35361"),
    ("a command", '{"command":["apply_patch","*** Begin Patch\\n..."]}', "openai/codex#17899"),
    (
        "a shell with a heredoc",
        '["bash","-lc","apply_patch <<\'EOF\'\\n*** Begin Patch\\n..."]',
        "openai/codex#3382",
    ),
    ("another member", '{"patch":"*** Begin Patch\\n..."}', "openai/codex#17899"),
    ("a Markdown fence", "```\\n*** Begin Patch\\n...\\n```", "answers of small models"),
    ("encoded twice", '"{\\"input\\":\\"*** Begin Patch...\\"}"', "tailcallhq/forgecode#2764"),
    ("bare text", "*** Begin Patch\\n...", "openai/codex#17899"),
)
"""Forms in which models send a patch: name, example, source."""

# Quotation marks of a shell -> what does not stand for itself within them.
SPECIAL: Mapping[str, str] = {"'": "'", '"': '"\\$'}
_PATCH = re.compile(r"\*\*\* Begin Patch.*?\n\*\*\* End Patch", re.DOTALL)
_END = re.compile(r"\n\*\*\* End Patch")
# Behind a patch: the end of a fence, of a heredoc, of a command.
_LITTER = re.compile(r"[\s`'\")\]}]*(?:EOF|PATCH|END)?[\s`'\")\]}]*\Z")


def patch_in(text: str) -> str | None:
    """The one patch in a text; None where there is none, or more than one."""
    found = _PATCH.search(text) if text.count(BEGIN) == 1 else None
    if found is None:
        return None
    quoted = text[: found.start()][-1:]
    is_escaped = quoted in SPECIAL and any(letter in found[0] for letter in SPECIAL[quoted])
    return None if is_escaped else found[0]


def patch_in_json(value: Any) -> str | None:
    """The one patch among all texts in a JSON value; None where there is none, or more than one."""
    texts = [text for text in _texts(value, 0) if BEGIN in text]
    return patch_in(texts[0]) if len(texts) == 1 else None


def _patch_of(text: str) -> str | None:
    """The one patch in a text, which may be JSON itself."""
    if text.lstrip()[:1] in ("{", "[", '"'):
        with suppress(msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            return patch_in_json(msgspec.json.decode(text))
    return patch_in(text)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict) and depth < 8:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth + 1)


class PatchText:
    """Takes the patch out of a text while it arrives.

    A text that begins with a patch is passed on as it comes, up to the patch's end. Any other text is held back: at
    its end it is the patch in it, or all of it where it holds no patch, or several.
    """

    def __init__(self) -> None:
        self._begun = ""
        """What was passed on before it was known whether the text begins with a patch."""
        self._is_patch: bool | None = None
        self._line = ""
        """The end of what was passed on, in which the patch's last line may begin."""
        self._held: list[str] = []
        self._over = False

    def feed(self, text: str) -> str:
        """Take more of the text; return what is passed on."""
        if not text:
            return ""
        if self._is_patch is None:
            begun = (self._begun + text).lstrip()
            if begun.startswith(BEGIN):
                self._is_patch = True
            elif not BEGIN.startswith(begun):
                self._is_patch = False
            else:
                self._begun = begun
        if self._is_patch is False or self._over:
            return self._behind(text)
        return self._inside(text)

    def close(self) -> str:
        """The text has ended; return the rest that is passed on."""
        held, self._held = "".join(self._held), []
        if self._is_patch:
            is_litter = bool(held.strip()) and _LITTER.match(held) is not None
            return held[: len(held) - len(held.lstrip())] if is_litter else held
        found = None if self._begun else _patch_of(held)
        return held if found is None else found

    def _behind(self, text: str) -> str:
        if self._over and not self._held and not text.strip():
            return text
        self._held.append(text)
        return ""

    def _inside(self, text: str) -> str:
        known = self._line + text
        end = _END.search(known)
        if end is None:
            self._line = known[-len(END) :]
            return text
        self._over = True
        taken = end.end() - len(self._line)
        return text[:taken] + self._behind(text[taken:])
