"""The page of what servers are known to send, from the tables that read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from docs import dialects_of_answers as answers
from wireloom.translate.failures.delays import HEADERS, LONGEST, MEMBERS, RESETS, WORDS, Form
from wireloom.translate.failures.kinds import ANY, CODES, KEPT, REFUSED, STATUSES, UNSAID, Kind, Row
from wireloom.translate.failures.table import ROWS

Table: TypeAlias = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]

INTRODUCTION = """\
# Dialects

Servers that speak the same API say the same things in different ways. These tables are the ones that the gateway reads
them with; each row names the server, and where the row comes from.
"""

FAILURES = """
## Failures

The first row that fits decides. A code is compared as a whole, without regard to case; words are looked for in the message
of an error alone. "None" is a failure inside an answer that names no status. The reason is taken out of its wrappers first:
`error`, `errors`, `detail`, `base_resp`, `fault`, `metadata.raw`, JSON in a text, XML, an event stream, a text; of a page
only the title is repeated.

"""

KINDS = """
The client gets, for each kind:

"""

DELAYS = """
## Delays

A failure that waiting helps with gets `retry-after` from the first of these that names a delay of more than 0 and at most
{longest:g} seconds: headers, then the body, then its words. A header of a limit counts only where nothing of the limit
remains, or with status 429. Dates and times since the epoch are read by the gateway's clock.

"""


def page(table: Table) -> str:
    """The page.

    Args:
        table: writes a table of Markdown.
    """
    sections = (_section(name, SECTIONS[name](table)) for name in SECTIONS)
    return INTRODUCTION + "".join(sections)


def _section(name: str, text: str) -> str:
    """A part of the page between marks, so that parts can be found by their name."""
    return f"\n<!-- {name} -->\n{text}\n<!-- /{name} -->\n"


def failures(table: Table) -> str:
    """The rows by which failures are recognised."""
    head = ("kind", "server", "statuses", "code", "words", "source")
    kinds = ("kind", "status", "code")
    return FAILURES + table(head, map(_row, ROWS)) + KINDS + table(kinds, _kinds())


def _row(row: Row) -> tuple[str, ...]:
    code = _code(row.codes) + (f" in `{row.member}`" if row.member else "")
    words = _code(row.words) + (" with a delay" if row.delayed else "")
    return row.kind.value, row.server, _statuses(row.statuses), code, words, row.source


def _code(pattern: str) -> str:
    return f"`` {pattern} ``" if pattern else ""


def _statuses(statuses: frozenset[int]) -> str:
    """Statuses as people read them."""
    text = ", ".join(map(str, sorted(statuses - {UNSAID})))
    if statuses >= ANY - REFUSED:
        text = "any" if statuses >= ANY else "any but those of a refused request"
    return f"{text}; none" if UNSAID in statuses else text


def _kinds() -> Iterator[tuple[str, ...]]:
    for kind in Kind:
        kept = ", ".join(map(str, KEPT[kind]))
        status = f"{STATUSES[kind]}, or the upstream's {kept}" if kept else str(STATUSES[kind])
        yield kind.value, status, f"`{CODES.get(kind, 'upstream_unauthorized')}`"


def delays(table: Table) -> str:
    """The places in which a delay is found."""
    parts: tuple[tuple[str, tuple[Form, ...]], ...] = (
        ("header", tuple(HEADERS.values())),
        ("member of the body", tuple(MEMBERS.values())),
        ("words", tuple(form for form, _ in WORDS)),
        ("header of a limit", RESETS),
    )
    rows = (
        (kind, f"`{form.place}`", f"`{form.example}`", form.server) for kind, forms in parts for form in forms
    )
    return DELAYS.format(longest=LONGEST) + table(("where", "name", "such as", "server"), rows)


SECTIONS: Mapping[str, Callable[[Table], str]] = {
    "markup": answers.markup,
    "calls": answers.calls,
    "twice": answers.twice,
    "members": answers.members,
    "endings": answers.endings,
    "failures": failures,
    "delays": delays,
}
"""Every part of the page, in order -> what writes it."""
