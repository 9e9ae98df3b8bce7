"""The tables of what models and servers write in place of a clean answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from wireloom.translate.answer.arguments import REPAIRS
from wireloom.translate.answer.dialects import ANSWER_OPENERS, CALLS, END_TOKENS, ENDS_WITH_S, THOUGHTS
from wireloom.translate.answer.repeats import SHORTEST
from wireloom.translate.answer.tool_names import LEAKS, SPELLINGS
from wireloom.translate.chat_upstream.chunk import FAILED
from wireloom.translate.chat_upstream.rest import COUNTS, ROWS
from wireloom.translate.hub.endings import INCOMPLETE
from wireloom.translate.tools.patch_text import PATCH_FORMS

Table: TypeAlias = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]

MARKUP = """
## Markup in the text

A server without a parser for a model's template leaves its tags in the text. Over both wires, streamed or whole, the
gateway reads them; what may still become a tag is held back, never more than the longest opener.

**Thoughts** at the beginning of an answer, where the profile has `think_tags`. A closing tag that no opener came before ends
a thought where the profile has `answers_in_thought`; elsewhere it is left out, and the next answers of the model are read
as ones that begin inside a thought.

"""

ANSWERS = """
These open the answer itself and are left out:

"""

MARKED_CALLS = """
**Calls**, where the profile has `recover_calls` (all have, unless they say otherwise). Text is a call only at the
beginning of a line, outside code, quotations and indented blocks, if it is complete, its tool was offered, its arguments
fit the schema of that tool, nothing but calls follows, and the answer has no call of its own. Everything else stays text,
and the log says so. An answer that is nothing but the JSON of a call of an offered tool is one too.

"""

ENDS = """
**End tokens** come off the end of a text. `</s>` does for models whose name has one of: `{models}`; a profile adds others
with `end_tokens`.

"""

NAMES = """
## Calls

The name of a call means the one offered tool that it can mean, else it stays as it is. Pieces of templates come off:

"""

SPELLED = """
Other spellings of an offered tool:

"""

ARGUMENTS = """
Arguments that are one JSON object stay as they are. Others are read where one meaning is possible:

"""

PATCHES = """
The free input of `apply_patch` is found in:

"""

TWICE = f"""
## Said twice

Nothing shorter than {SHORTEST} characters counts as said twice.

| form | what the client gets |
| --- | --- |
| a closing fragment with all of the text, which came in several | the text once |
| fragments of which each begins with all before it, twice at least | the new part of each |
| a `message` with all of the text at the end | the new part of it |
| one thought in two fields, or in a field and in tags | the thought once |
| one reasoning as summary and as text | the one that came first |
| a call again, under another index or with its name and id in each fragment | one call |

"""

MEMBERS = """
## Members that the contract does not have

Each member of a chunk, a choice, a delta or a call that is not in the contract and not here is a loss: in the log, and in
`x-wireloom-loss` of an answer in one piece. A member without a value is none.

"""

COUNTED = """
The usage is read under these names, also beside `usage`:

"""

REASONS = """
## Why an answer ended

Words are compared without regard to case; another word is a proper end. An answer with as many tokens as were allowed is
cut whatever its word says, and `stop` beside calls is `tool_calls`.

"""

SILENT = """
## What a server ignores in silence

A complete answer is compared with the request; what it does not keep is reported, and the answer goes on: a tool that had
to be called, the form and the schema of JSON, probabilities of tokens, `stop`, `n`. An answer that says nothing (no text,
no call, no refusal, no picture; end tokens and white space say nothing) is an error, `upstream_empty`: status 502, and
`server_error` to the Codex CLI, which asks again. With `retry_empty` in the profile the gateway asks once more itself.

"""


def _code(text: str) -> str:
    return f"`` {text} ``"


def markup(table: Table) -> str:
    """Tags in the text."""
    thoughts = ((_code(tag.opener), _code(tag.closer), tag.source) for tag in THOUGHTS)
    openers = ((_code(opener), source) for opener, source in ANSWER_OPENERS.items())
    calls = (
        (
            row.name,
            _code(row.opener),
            _code(row.closer) if row.closer else "the end of the answer",
            row.source,
        )
        for row in CALLS
    )
    ends = ((_code(token), source) for token, source in END_TOKENS.items())
    return "".join(
        (
            MARKUP,
            table(("opener", "closer", "written by"), thoughts),
            ANSWERS,
            table(("opener", "written by"), openers),
            MARKED_CALLS,
            table(("dialect", "opener", "closer", "written by"), calls),
            ENDS.format(models=ENDS_WITH_S.pattern.replace("|", ", ")),
            table(("token", "written by"), ends),
        )
    )


def calls(table: Table) -> str:
    """Names and arguments of calls."""
    leaks = ((row.name, _code(row.example), row.source) for row in LEAKS)
    spellings = ((row.name, _code(row.offered), _code(row.example), row.source) for row in SPELLINGS)
    repairs = ((row.name, _code(row.example), row.source) for row in REPAIRS)
    patches = ((name, _code(example), source) for name, example, source in PATCH_FORMS)
    return "".join(
        (
            NAMES,
            table(("what comes off", "such as", "source"), leaks),
            SPELLED,
            table(("spelling", "offered as", "written as", "source"), spellings),
            ARGUMENTS,
            table(("form", "such as", "source"), repairs),
            PATCHES,
            table(("form", "such as", "source"), patches),
        )
    )


def twice(_: Table) -> str:
    """What comes more than once."""
    return TWICE


def members(table: Table) -> str:
    """Members that servers add."""
    rows = (
        (place, f"`{name}`", row.use.value, row.source)
        for place, known in ROWS.items()
        for name, row in known.items()
    )
    counts = ((f"`{name}`", ", ".join(f"`{other}`" for other in others)) for name, others in COUNTS.items())
    head = ("stands in", "member", "what becomes of it", "sent by")
    return MEMBERS + table(head, rows) + COUNTED + table(("count", "other names"), counts)


def endings(table: Table) -> str:
    """Words for an end, and what of an answer is compared with its request."""
    proper = (
        (f"`{word}`", "completed" if why is None else f"incomplete, {why}")
        for word, why in INCOMPLETE.items()
    )
    failed = ((f"`{word}`", f"an error, {code}") for word, (code, _) in FAILED.items())
    rows = iter([*proper, *failed])
    return REASONS + table(("word", "the answer"), rows) + SILENT
