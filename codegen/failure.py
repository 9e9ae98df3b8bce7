"""Failures of the compiler as sentences."""

from __future__ import annotations

import traceback
from pathlib import Path

FOLDER = Path(__file__).parent


def sentence(error: Exception, failed: str = "the contracts do not compile") -> str:
    """An error in one line, with the place in `codegen/` where a contract was not as expected.

    Args:
        error: what was raised.
        failed: what did not work because of it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent == FOLDER]
    place = f" (codegen/{Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    kind = "" if type(error).__module__.startswith("codegen") else f"{type(error).__name__}: "
    return f"{failed}: {kind}{message}{place}"
