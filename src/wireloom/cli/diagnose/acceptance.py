"""What an answer to a valid request has to be, beyond what the contract's schemas say."""

import re
from collections.abc import Mapping
from typing import Any

from wireloom.translate.refusals import declared

# Refusals of what no schema can say: what is there already, and what does not belong there.
_STORED = (("not_found", r"\w+_id"), ("item_not_found", "after"), ("item_not_found", r"items\[\d+\]\.id"))
_REFUSED_ITEMS = (("unsupported_item", r"items\[\d+\]\.type"), ("invalid_value", r"items\[\d+\]\.id"))


def acceptable(status: int, error: Mapping[str, Any], request: Any) -> bool:
    """Return whether a valid request may be refused in this way: for a declared reason.

    status: HTTP status; error: the error object; request: the request's JSON.
    """
    known = any(
        error["code"] == code and re.fullmatch(param, error["param"] or "")
        for code, param in (*_STORED, *_REFUSED_ITEMS)
    )
    return status in (400, 404) and (known or declared(error, request))
