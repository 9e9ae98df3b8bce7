"""Bodies of failures that are no JSON: pages, XML, texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_TEXT = 500
"""Characters at most of a body that is a text of its own."""
_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)
_TAGGED = re.compile(r"<(?:\w+:)?(message|faultstring|detail|reason|title)\b[^<>]*>([^<]+)<", re.IGNORECASE)
_CODED = re.compile(r"<(?:\w+:)?(?:code|faultcode|type)\b[^<>]*>([^<]+)<", re.IGNORECASE)
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|h1|center)\b", re.IGNORECASE | re.DOTALL
)
_MARKUP = re.compile(r"<[!?A-Za-z]")
_SPACE = re.compile(r"\s+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\ufffd]")
LONGEST_TITLE = 100


def is_page(text: str) -> bool:
    """Whether a text is a page for people."""
    return _HTML.match(text) is not None


def page_title(text: str) -> str | None:
    """The title of a page, on one line and cut, or None without any."""
    found = _TITLE.search(text)
    return (_SPACE.sub(" ", found[1]).strip()[:LONGEST_TITLE] or None) if found else None


def is_markup(text: str) -> bool:
    """Whether a text is a page or XML."""
    return _MARKUP.match(text) is not None


def of_xml(text: str, names: Sequence[str]) -> tuple[str | None, str | None]:
    """The words and the code of a failure in XML; a page has neither.

    Args:
        text: the XML.
        names: names of the elements with words, the best first.
    """
    if is_page(text):
        return None, None
    tagged = {found[1].lower(): found[2].strip() for found in _TAGGED.finditer(text)}
    message = next((tagged[name] for name in names if tagged.get(name)), None)
    code = _CODED.search(text)
    return plain(message or ""), code[1].strip() if code else None


def plain(text: str) -> str | None:
    """Words for people in a body without any form: on one line and cut; none where it is broken JSON or no text."""
    if text in ("", "null") or text.startswith(("{", "[")) or _UNPRINTABLE.search(text):
        return None
    return _SPACE.sub(" ", text)[:LONGEST_TEXT]
