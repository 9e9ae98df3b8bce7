"""The reason of a failure, taken out of whatever it is wrapped in: objects in objects, JSON in texts, XML, event streams."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wireloom.translate.failures.bodies import is_markup, is_page, of_xml, page_title, plain
from wireloom.wire.sse import EventReader

DEEPEST = 8
"""Objects within each other that are looked into."""
MOST_DETAILS = 4
"""Entries at most of a list of reasons that are put into words."""

MESSAGES = (
    "message",
    "detail",
    "msg",
    "errormsg",
    "errormessage",
    "statusmsg",
    "faultstring",
    "errordescription",
    "description",
    "reason",
    "title",
)
"""Names of the members that hold words, the best first; in lower case, without `_` and `-`."""
WRAPPERS = (
    "error",
    "errors",
    "baseresp",
    "fault",
    "response",
    "lasterror",
    "statusdetails",
    "innererror",
    "originalerror",
    "exception",
)
"""Names of the members that hold the failure as an object, a list or JSON in a text."""
RAW = ("raw", "body", "rawresponse")
"""Names of the members of `metadata` that hold the answer of another server as it came."""
CODES = ("code", "errorcode", "errcode", "statuscode", "type", "errortype")
"""Names of the members that hold a code, the best first."""
BESIDES = ("status", "reason", "httpcode", "httpstatus")
"""Names of further members by which a failure is recognised, although no client gets to know them."""
NO_CODE = frozenset({"", "error", "failed", "fault"})
"""Words in the place of a code that name no reason."""
GOOD = frozenset({"", "0", "200", "ok", "success", "none", "20000"})
"""Codes, in lower case, of an answer in which nothing failed."""
BARE = frozenset(
    {
        *MESSAGES,
        *CODES,
        *BESIDES,
        *("param", "object", "data", "success", "timestamp", "path", "requestid", "traceid", "id", "request"),
    }
)
"""Names of the members that an object may have which is nothing but a failure."""
# Some put a sentence in the place of a code.
_CODE = re.compile(r"[\w.:#/-]{1,100}")
_FAILING = re.compile(r"err|exception|fail|fault|limit|invalid|denied|overload|unavailable|exceeded")


@dataclass(frozen=True, slots=True)
class Said:
    """A failure as the upstream reports it.

    Args:
        message: its words, or None without any.
        code: the upstream's word for the reason, or None; never an HTTP status.
        param: the parameter at fault, or None.
        status: the HTTP status that the body names, or None.
        codes: name of the object -> code in lower case, for all that the failure holds.
    """

    message: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None
    codes: frozenset[tuple[str, str]] = frozenset()


def read(body: bytes) -> Said:
    """The failure in a body of any form.

    Args:
        body: the bytes of an answer, or of the data of an event.
    """
    value = value_of(body)
    if value is not None:
        return within(value)
    text = body.decode(errors="replace").strip()
    if is_markup(text):
        return _of_markup(text)
    if text.startswith(("data:", "event:")):
        return _of_events(body)
    return Said(message=plain(text))


def within(value: Any, member: str = "") -> Said:
    """The failure in a JSON value.

    Args:
        value: of any form.
        member: name of the member that holds it, in lower case and without `_`.
    """
    found = _Found()
    message = found.look(value, member, 0)
    return Said(
        message=message,
        code=next(iter(found.named), None),
        param=found.param,
        status=found.status,
        codes=frozenset(found.codes),
    )


def complains(value: Any) -> bool:
    """Whether a JSON value of an answer with status 200 is a failure, or holds one."""
    if not isinstance(value, dict):
        return False
    members = _members(value)
    if members.get("error") or members.get("errors") or members.get("success") is False:
        return True
    if "error" in (value.get("object"), value.get("type"), value.get("status")):
        return True
    base = members.get("baseresp")
    if isinstance(base, dict) and str(base.get("status_code") or "").lower() not in GOOD:
        return True
    return members.keys() <= BARE and _is_bare(members)


def _is_bare(members: Mapping[str, Any]) -> bool:
    """Whether an object of the members of a failure alone is one, and no note on the progress."""
    kind = members.get("type")
    if isinstance(kind, str) and not _FAILING.search(kind.lower()):
        return False
    codes = [str(members[name]).lower() for name in CODES if members.get(name) is not None]
    return any(members.get(name) for name in MESSAGES[:7]) and all(code not in GOOD for code in codes)


def value_of(body: bytes | str) -> Any:
    """The JSON value of a body, or None where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return None


def is_status(code: str) -> bool:
    """Whether a code is the HTTP status of a failure, in digits."""
    return code.isdecimal() and len(code) == len("400") and 400 <= int(code) <= 599


@dataclass(slots=True)
class _Found:
    """What one failure holds, gathered from the outside to the inside."""

    named: list[str] = field(default_factory=list)
    codes: list[tuple[str, str]] = field(default_factory=list)
    param: str | None = None
    status: int | None = None

    def look(self, value: Any, member: str, depth: int) -> str | None:
        """Gather what a value holds; returns its words."""
        if depth > DEEPEST:
            return None
        if isinstance(value, str):
            return self._text(value, member, depth)
        if isinstance(value, list):
            return self._list(value, member, depth)
        return self._object(value, member, depth) if isinstance(value, dict) else None

    def _text(self, text: str, member: str, depth: int) -> str | None:
        """A text, which may be JSON, a page or an event stream itself."""
        start = text.lstrip()[:1]
        if start in ("{", "["):
            value = value_of(text)
            return (self.look(value, member, depth + 1) if value is not None else None) or text
        if is_page(text):
            return page_title(text) or "an HTML page"
        return (of_xml(text, MESSAGES)[0] if start == "<" else None) or text or None

    def _list(self, values: list[Any], member: str, depth: int) -> str | None:
        """A list of failures, of which each may say something else."""
        told = (self.look(value, member, depth + 1) for value in values[:MOST_DETAILS])
        return "; ".join(dict.fromkeys(filter(None, told))) or None

    def _object(self, value: dict[str, Any], member: str, depth: int) -> str | None:
        members = _members(value)
        inner = self._wrapped(members, depth)
        own = self._words(members, member, depth)
        self._coded(members, member)
        located = _place(members.get("loc"))
        if own and located:
            own = f"{located}: {own}"
        metadata = members.get("metadata")
        if isinstance(metadata, dict):
            return self._relayed(own, _members(metadata), depth) or inner
        return _joined(inner, own)

    def _wrapped(self, members: Mapping[str, Any], depth: int) -> str | None:
        """The words of the object that holds the failure proper."""
        for name in WRAPPERS:
            found = members.get(name)
            if found and (words := self.look(found, name, depth + 1)):
                return words
        return None

    def _words(self, members: Mapping[str, Any], member: str, depth: int) -> str | None:
        given = [members[name] for name in MESSAGES if members.get(name)]
        told = (self.look(each, member, depth + 1) for each in given)
        words = next(filter(None, told), None)
        objects = (each for each in given if isinstance(each, dict | list))
        return words or next((msgspec.json.encode(each).decode() for each in objects), None)

    def _coded(self, members: Mapping[str, Any], member: str) -> None:
        """Note the codes of an object; those of the objects in it stand before them."""
        named = [word for name in CODES if (word := _word(members.get(name))) is not None]
        more = [word for name in BESIDES if (word := _word(members.get(name))) is not None]
        self.param = self.param or _word(members.get("param"))
        details = members.get("details")
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict) and isinstance(detail.get("reason"), str):
                more.append(detail["reason"])
        for word in (*named, *more):
            if is_status(word):
                self.status = self.status or int(word)
            elif word.lower() not in NO_CODE:
                self.codes.append((member, word.lower().rpartition("#")[2]))
        best = next((word for word in named if word.lower() not in NO_CODE), "")
        if "loc" not in members and not is_status(best) and _CODE.fullmatch(best):
            self.named.append(best)

    def _relayed(self, own: str | None, metadata: Mapping[str, Any], depth: int) -> str | None:
        """The words of a router, and after them those of the server that it asked, with the name of it."""
        raw = next((metadata[name] for name in RAW if metadata.get(name)), None)
        inner = self.look(raw, "error", depth + 1) if raw is not None else None
        provider = metadata.get("providername")
        name = f" ({provider})" if isinstance(provider, str) and provider else ""
        if inner is None:
            return f"{own}{name}" if own else None
        if own and (own in inner or inner in own):
            return f"{max(own, inner, key=len)}{name}"
        return f"{own or 'The provider reports'}{name}: {inner}"


def _joined(inner: str | None, own: str | None) -> str | None:
    """The words of an object and of the failure in it, each once."""
    if inner is None or own is None or own in inner:
        return inner or own
    return own if inner in own else f"{inner}: {own}"


def _members(value: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an object under names in which spelling makes no difference."""
    return {str(name).lower().replace("_", "").replace("-", ""): member for name, member in value.items()}


def _place(location: Any) -> str | None:
    """The place of a FastAPI entry, such as `body.messages.0`."""
    return ".".join(map(str, location)) if isinstance(location, list) and location else None


def _word(value: Any) -> str | None:
    """A code, whether it is a text or a number."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)


# -- bodies that are no JSON ---------------------------------------------------------------------------------------


def _of_markup(text: str) -> Said:
    """The failure in XML; a page is none."""
    message, code = of_xml(text, MESSAGES)
    return Said(message=message, code=code, codes=frozenset({("error", code.lower())} if code else ()))


def _of_events(body: bytes) -> Said:
    """The failure in a body that is an event stream."""
    wire = EventReader()
    for data in (*wire.feed(body), *wire.close()):
        value = value_of(data)
        if complains(value):
            return within(value)
    return Said()


def texts(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Name and value of every member of a JSON value, the outer ones first; JSON in texts is looked into.

    Args:
        value: of any form.
        depth: how far within the failure it stands.
    """
    if depth > DEEPEST:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        value = value_of(value)
    if isinstance(value, dict):
        yield from value.items()
        for member in value.values():
            yield from texts(member, depth + 1)
    elif isinstance(value, list):
        for member in value[:MOST_DETAILS]:
            yield from texts(member, depth + 1)
