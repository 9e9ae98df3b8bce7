"""What the process list shows of this process."""

import sys
from collections.abc import Iterable

import setproctitle


def hide(keys: Iterable[str]) -> None:
    """Show the command line without these keys."""
    shown = list(sys.argv)
    for key in sorted(keys, key=len, reverse=True):
        shown = [argument.replace(key, "(hidden)") for argument in shown]
    setproctitle.setproctitle(" ".join(shown))
