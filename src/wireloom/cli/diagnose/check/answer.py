"""One answer of a deployment, and the frames of its event stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wireloom.wire.json import Json

DONE = "[DONE]"
LOSS_HEADER = "x-wireloom-loss"
_LINE_END = re.compile("\r\n|\n|\r")


class Frame(NamedTuple):
    """One server-sent event.

    name: of its `event` line, None without one; data: of its `data` lines; whole: whether an empty line ends it.
    """

    name: str | None
    data: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one request.

    operation: id of the operation; request: method and path; sent: the JSON that was sent, or None; headers: names in
    lower case; body: bytes, after decompression.
    """

    operation: str
    request: str
    sent: Any
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def streamed(self) -> bool:
        """Whether the answer is an event stream."""
        return self.media_type == "text/event-stream"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def lost(self) -> frozenset[str]:
        """Paths of the request that the deployment declares it could not honour."""
        items = self.headers.get(LOSS_HEADER, "").split(",")
        return frozenset(item.partition(";")[0].strip() for item in items if item.strip())

    def json(self) -> Any:
        """The body as JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def object(self) -> Json:
        """The body as a JSON object, empty if it is none."""
        found = self.json()
        return found if isinstance(found, dict) else {}

    @property
    def error(self) -> Json:
        """The error object of a refusal, empty without one."""
        found = self.object.get("error")
        return found if isinstance(found, dict) else {}


def frames(text: str) -> Iterator[Frame]:
    """Return the frames of an event stream, comments left out.

    text: the whole stream. Only line feeds and carriage returns end a line, as the specification of server-sent events
    requires; the text of a model may hold other characters that Python takes for line ends.
    """
    name: str | None = None
    data: list[str] = []
    *lines, rest = _LINE_END.split(text.removeprefix("\ufeff"))
    for line in lines:
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            continue
        if data:
            yield Frame(name, "\n".join(data))
        name, data = None, []
    if rest.startswith("data:"):
        data.append(rest.removeprefix("data:").removeprefix(" "))
    if data:
        yield Frame(name, "\n".join(data), whole=False)


def events(text: str) -> list[Json]:
    """Return the JSON objects of an event stream in order; other values are left out."""
    found = []
    for frame in frames(text):
        if frame.data == DONE:
            continue
        try:
            event = json.loads(frame.data)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found
