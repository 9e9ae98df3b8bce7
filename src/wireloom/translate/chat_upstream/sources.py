"""What an answer brings beside its words: pictures, sources of the text, sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from wireloom.wire.json import Json

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
# The members of a source that hold its address and its title.
_URLS = ("url", "link", "uri", "source", "href")
_TITLES = ("title", "name", "site_name")


def pictures(value: Any) -> Iterator[str | None]:
    """The pictures in a list of them: Base64 without the head of the data URL, or None for a web address.

    Args:
        value: a list of parts, of URLs or of objects with `url`, `b64_json` or `data`; or one of them.
    """
    for each in value if isinstance(value, list) else [value]:
        url = _picture_url(each)
        if url is None:
            continue
        head = _DATA_URL.match(url)
        if head is not None:
            yield url[head.end() :]
        else:
            yield None if re.match(r"https?://", url) else url


def _picture_url(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if not isinstance(value, dict):
        return None
    for name in ("image_url", "b64_json", "data", "url", "image", "result"):
        found = _picture_url(value.get(name))
        if found is not None:
            return found
    return None


def sources(value: Any) -> Iterator[Json]:
    """Sources of a text as annotations of the Responses contract, without their places.

    Args:
        value: a list of URLs or objects, or an object with such a list.
    """
    if isinstance(value, dict):
        inner = next((each for each in value.values() if isinstance(each, list)), None)
        value = inner if inner is not None else [value]
    for each in value if isinstance(value, list) else ():
        found = each if isinstance(each, dict) else {"url": each}
        nested = found.get("url_citation")
        found = nested if isinstance(nested, dict) else found
        url = next((found[name] for name in _URLS if isinstance(found.get(name), str) and found[name]), None)
        title = next((found[name] for name in _TITLES if isinstance(found.get(name), str)), "")
        if url is not None:
            yield {"type": "url_citation", "url": url, "title": title}


def placed(source: Json, number: int, text: str) -> Json:
    """A source at the mark of its number in a text, such as `[1]`, or at its beginning where there is none.

    Args:
        source: from `sources`.
        number: of the source, from 1.
        text: what was said.
    """
    mark = f"[{number}]"
    at = text.find(mark)
    start, end = (at, at + len(mark)) if at >= 0 else (0, 0)
    return {**source, "start_index": start, "end_index": end}


def citation(cited: Json) -> Json:
    """A source as a Responses annotation; some upstreams leave out where it belongs.

    Args:
        cited: the source as Chat has it.
    """
    return {
        "type": "url_citation",
        "url": str(cited.get("url", "")),
        "title": str(cited.get("title") or ""),
        "start_index": _position(cited.get("start_index")),
        "end_index": _position(cited.get("end_index")),
    }


def _position(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0
