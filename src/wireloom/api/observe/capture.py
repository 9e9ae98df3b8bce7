"""A request as it may be kept: cut, with counters for ids, fixed times and paths, and no credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

# Longer texts are cut to KEPT characters; what is a little longer than that is left whole.
LONGEST = 300
KEPT = 200
MASK = "<masked>"
KEY = "<test-key>"
SHORTEST_SECRET = 8

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_MADE_ID = re.compile(r"\b([a-z]{2,8})_[0-9a-f]{24,}\b")
_ID_PREFIX = re.compile(r"[A-Za-z]{1,12}(?=_)")
_CREDENTIAL = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf|nvapi)[-_][\w-]{12,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bglpat-[\w-]{16,}"
    r"|(?<=Bearer )[\w.~+/=-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
)
_SECRET_NAME = re.compile(
    r"authori[sz]ation|(?:^|[-_])auth(?:$|[-_])|cookie|secret|passw|credential|api[-_]?key|^x-.*key$|token$",
    re.IGNORECASE,
)
_SECRET_HEADERS = re.compile(r"account|organization|project|forwarded|real-ip|installation", re.IGNORECASE)
_PRIVATE_MEMBERS = frozenset({"latest_git_commit_hash", "user", "safety_identifier"})
_PRIVATE_OBJECTS = frozenset({"associated_remote_urls"})
_ID_MEMBERS = frozenset({"id", "call_id", "item_id", "response_id", "previous_response_id", "conversation"})
# What a test needs whole: a grammar.
_WHOLE_MEMBERS = frozenset({"definition"})
_AGENT = re.compile(r"(?P<name>codex_\S+) \((?P<system>[^)]*)\)(?P<terminal> [^\s(]+)?(?P<rest>.*)")

# What is fixed in every text: a pattern, and what stands in its place.
_FIXED: tuple[tuple[re.Pattern[str], str], ...] = (
    (_CREDENTIAL, KEY),
    (re.compile(r"<current_date>[^<]*"), "<current_date>2025-01-01"),
    (re.compile(r"<timezone>[^<]*"), "<timezone>Etc/UTC"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "2025-01-01T00:00:00Z"),
    (re.compile(r"(?<![\d.])1[6-9]\d{11}(?!\d)"), "1700000000000"),
    (re.compile(r"Chunk ID: \w+"), "Chunk ID: abc123"),
    (re.compile(r"Wall time: [\d.]+ seconds"), "Wall time: 0.1 seconds"),
)
_WORKSPACE = re.compile(r"<(?:cwd|root)>(/[^<\n]+)<")
_CODEX_HOME = re.compile(r"(/[^\s\"'`(<>]*?)/(?:skills/\.system|plugins/cache)\b")
_HOMES = re.compile(r"(?:/home|/Users)/[^/\s\"'`<>]+")
# Too common to stand for somebody's folder.
_COMMON = frozenset({"", "/home", "/root", "/tmp", "/Users", "/usr", "/var"})  # noqa: S108 - a name to leave alone


def cleaned(
    method: str, path: str, query: str, headers: Sequence[tuple[str, str]], body: Any
) -> dict[str, Any]:
    """One request in the form of a fixture.

    Args:
        method: HTTP method.
        path: path of the URL.
        query: what follows its question mark.
        headers: names and values in order.
        body: the decoded JSON, or None without one.
    """
    clean = _Cleaning([value for name, value in headers if _is_credential(name)], body)
    return {
        "method": method,
        "path": clean.text(path),
        "query": "&".join(clean.parameter(part) for part in query.split("&")) if query else "",
        "headers": {
            name: clean.header(name.lower(), value)
            for name, value in headers
            if name.lower() != "content-length"
        },
        "body": clean.value(body),
    }


def _is_credential(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


class _Cleaning:
    """The rules for one request: the same id has the same counter wherever it stands in it."""

    def __init__(self, credentials: Iterable[str], body: Any) -> None:
        words = {word for value in credentials for word in [value, *value.split()]}
        self._credentials = sorted((word for word in words if len(word) >= SHORTEST_SECRET), key=len)[::-1]
        self._uuids: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        texts = list(_texts(body))
        self._paths = _places(texts, _CODEX_HOME, "/codex-home") | _places(texts, _WORKSPACE, "/workspace")

    def header(self, name: str, value: str) -> str:
        """What may be kept of a header."""
        if name == "host":
            return "127.0.0.1:8000"
        if name == "sec-websocket-key":
            return "<random>"
        if name == "user-agent" and (agent := _AGENT.fullmatch(value)):
            return f"{agent['name']} (Linux; x86_64){' term' if agent['terminal'] else ''}{agent['rest']}"
        if _is_credential(name):
            scheme, space, _ = value.partition(" ")
            return f"{scheme} {KEY}" if space and scheme.isalpha() else KEY
        if _SECRET_HEADERS.search(name):
            return MASK
        return self._string(name, value)

    def parameter(self, part: str) -> str:
        """What may be kept of a parameter of the query."""
        name, equals, value = part.partition("=")
        return f"{self.text(name)}{equals}{MASK if _is_credential(name) else self.text(value)}"

    def value(self, value: Any, member: str = "") -> Any:
        """A JSON value that stands in a member of that name."""
        if isinstance(value, str):
            return self._string(member, value)
        if member in _PRIVATE_OBJECTS:
            return MASK
        if isinstance(value, list):
            return [self.value(each, member) for each in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(each, name) for name, each in value.items()}
        if type(value) is int and member.endswith(("_at", "_at_unix_ms")):
            return 1_700_000_000_000 if value > 10**12 else 1_700_000_000
        return value

    def _string(self, member: str, text: str) -> str:
        if member in _PRIVATE_MEMBERS or _is_credential(member):
            return MASK
        if member in _ID_MEMBERS and not _UUID.search(text):
            return self._id(text)
        inner = _inner(text)
        if inner is not None and (kept := self.value(inner)) != inner:
            # JSON within a string stays JSON: its own texts are cut.
            return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        clean = text if inner is not None else self.text(text)
        if len(clean) <= LONGEST or inner is not None or member in _WHOLE_MEMBERS:
            return clean
        return f"{clean[:KEPT]}...[trimmed {len(clean) - KEPT} chars]"

    def text(self, text: str) -> str:
        """A text without credentials, and with fixed ids, times and paths."""
        for credential in self._credentials:
            text = text.replace(credential, KEY)
        for path, place in self._paths.items():
            text = text.replace(path, place)
        for pattern, fixed in _FIXED:
            text = pattern.sub(fixed, text)
        text = _HOMES.sub("/home/user", text)
        text = _UUID.sub(lambda found: self._uuid(found[0].lower()), text)
        return _MADE_ID.sub(lambda found: self._id(found[0]), text)

    def _uuid(self, text: str) -> str:
        return self._uuids.setdefault(text, f"00000000-0000-7000-8000-{len(self._uuids) + 1:012d}")

    def _id(self, text: str) -> str:
        if text not in self._ids:
            self._ids[text] = self._next_id(text)
        return self._ids[text]

    def _next_id(self, text: str) -> str:
        found = _ID_PREFIX.match(text)
        prefix = found[0] if found else "id"
        same = sum(made.startswith(f"{prefix}_") for made in self._ids.values())
        return f"{prefix}_{same + 1}"


def _inner(text: str) -> Any:
    """The object in a text that is its JSON, else None."""
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _places(texts: Iterable[str], pattern: re.Pattern[str], place: str) -> dict[str, str]:
    """Paths that a pattern tells apart -> what stands for them, the longest first."""
    found = {path.rstrip("/") for text in texts for path in pattern.findall(text)} - _COMMON
    return dict.fromkeys(sorted(found, key=len, reverse=True), place)
