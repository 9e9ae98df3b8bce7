"""How upstreams report each kind of failure: codes first, then words; the first row that fits decides."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from wireloom.translate.failures.codes import CODES
from wireloom.translate.failures.kinds import Kind, Row
from wireloom.translate.failures.words import TOO_LARGE, WORDS

ROWS: Sequence[Row] = (*TOO_LARGE, *CODES, *WORDS)
"""All rows, in the order in which they are tried."""

# A sentence in quotes, which may be a part of what was asked. Of a full context and of the model's name servers report
# in quotes too, and with words that nobody asks in.
_QUOTED = re.compile(r"(?<!\w)(?:'[^'\n]*\s[^'\n]*'|\"[^\"\n]*\s[^\"\n]*\")(?!\w)")
_QUOTABLE = frozenset({Kind.CONTEXT, Kind.MODEL})


def kind_of(
    status: int, codes: Collection[tuple[str, str]], message: str, *, delayed: bool = False
) -> Kind | None:
    """The kind of a failure, or None where no row fits.

    Args:
        status: HTTP status of the answer, or `UNSAID`.
        codes: see `Row.fits`.
        message: the failure's words.
        delayed: whether the failure names a delay.
    """
    spoken = _QUOTED.sub("", message)
    for row in ROWS:
        if row.fits(status, codes, message if row.kind in _QUOTABLE else spoken, delayed=delayed):
            return row.kind
    return None
