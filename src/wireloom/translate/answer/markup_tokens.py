"""What counts as markup in an answer: the rules for one, and the tokens that are looked for under these rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import msgspec

from wireloom.translate.answer.dialects import (
    ANSWER_OPENERS,
    CALLS,
    END_TOKENS,
    ENDING_S,
    ENDS_WITH_S,
    THOUGHTS,
    CallMarkup,
)

# Characters of which every opener, closer and end token in the middle of a text begins with one.
SPECIAL = ("<", "[")
FIRST = frozenset("<[◁")
"""Characters of which every opener at the beginning of an answer begins with one."""
MARK = re.compile(r"[<\[◁]")
SPECIAL_MARK = re.compile(r"[<\[]")


class MarkupRules(msgspec.Struct, frozen=True):
    """What counts as markup in one answer.

    Args:
        thoughts: whether tags at the beginning of an answer enclose a thought.
        inside: whether the answer begins inside a thought, since the template has written the opening tag.
        offered: names of the tools that a call in the text may be of; without any, no text is a call.
        bare: whether an answer that is nothing but JSON of a call is one.
        ends: tokens that end an answer of this model besides those of the table.
    """

    thoughts: bool = True
    inside: bool = False
    offered: frozenset[str] = frozenset()
    bare: bool = True
    ends: tuple[str, ...] = ()


NO_RULES = MarkupRules()
"""The rules of an upstream of which nothing is known, for a request without tools."""


@lru_cache(maxsize=1000)
def own_ends(model: str) -> tuple[str, ...]:
    """The end tokens of a model that are words of other texts, so that they count for it alone.

    Args:
        model: its name upstream.
    """
    return (ENDING_S,) if ENDS_WITH_S.search(model) else ()


CLOSERS: Mapping[str, tuple[str, ...]] = {tag.opener: (tag.closer,) for tag in THOUGHTS}
ALL_CLOSERS = tuple(dict.fromkeys(tag.closer for tag in THOUGHTS))
# Closing tags that are left out where no thought was opened; the others are end tokens too, or words of no text.
STRAY = tuple(each for each in ALL_CLOSERS if each not in END_TOKENS and each[0] in SPECIAL)
BY_OPENER: Mapping[str, CallMarkup] = {row.opener: row for row in CALLS}
LONGEST = max(map(len, (*BY_OPENER, *END_TOKENS, *STRAY)))
"""Characters of the longest token in the middle of a text."""
# What the closing tag of a thought is quoted with, or goes on as a sentence about it.
NAMED_BEFORE = re.compile(r"[`'\"“(]$")
NAMED_AFTER = re.compile(r"[`'\"”),.;:]|[ \t]+\S")


def _alternatives(tokens: Iterable[str]) -> str:
    return "|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True))


def first_of(text: str, tokens: Iterable[str]) -> tuple[int, str | None]:
    """The first of some tokens in a text, with its place; None where there is none."""
    found = [(text.find(token), token) for token in tokens if token in text]
    return min(found) if found else (-1, None)


def overlap_of(text: str, tokens: Iterable[str]) -> int:
    """How many characters at the end of a text may be the beginning of one of a few tokens."""
    longest = max(len(token) for token in tokens)
    for position in range(max(0, len(text) - longest + 1), len(text)):
        if any(token.startswith(text[position:]) for token in tokens):
            return len(text) - position
    return 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What is looked for in the texts of answers with the same rules.

    Args:
        ends: tokens that come off the end.
        calls: openers of calls.
        openers: openers of thoughts, and of the answer itself.
        beginnings: all texts that are the beginning of an opener, and not one.
        search: finds the first token in the middle of a text.
        prefixes: all texts that are the beginning of such a token.
        blank: returns the length of end tokens and white space at the beginning of a text.
    """

    ends: tuple[str, ...]
    calls: tuple[str, ...]
    openers: tuple[str, ...]
    beginnings: frozenset[str]
    search: Callable[[str], re.Match[str] | None]
    prefixes: frozenset[str]
    blank: Callable[[str], int]


@cache
def tokens_of(thoughts: bool, calls: bool, more_ends: tuple[str, ...]) -> Tokens:
    """The tokens of answers with some rules.

    Args:
        thoughts: see `MarkupRules`.
        calls: whether any tool is offered.
        more_ends: see `MarkupRules.ends`.
    """
    ends = (*END_TOKENS, *more_ends)
    call_openers = tuple(BY_OPENER) if calls else ()
    openers = (*(CLOSERS if thoughts else ()), *ANSWER_OPENERS)
    tokens = (*ends, *STRAY, *call_openers)
    ending = re.compile(rf"(?:{_alternatives(ends)}|\s)*")

    def blank(text: str) -> int:
        match = ending.match(text)
        return 0 if match is None else match.end()

    return Tokens(
        ends=ends,
        calls=call_openers,
        openers=openers,
        beginnings=_prefixes((*openers, *call_openers)),
        search=re.compile(_alternatives(tokens)).search,
        prefixes=_prefixes(tokens),
        blank=blank,
    )


def _prefixes(tokens: Iterable[str]) -> frozenset[str]:
    return frozenset(token[:size] for token in tokens for size in range(1, len(token)))


def without_ends(text: str, ends: tuple[str, ...]) -> str:
    """A text without the end tokens behind it."""
    text = text.rstrip()
    while text.endswith(ends):
        text = next(text.removesuffix(end) for end in ends if text.endswith(end)).rstrip()
    return text
