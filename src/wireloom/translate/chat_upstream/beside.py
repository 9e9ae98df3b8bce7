"""Members of an answer that the contract does not know, emitted where the Responses API has a place for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wireloom.translate.answer.speech import Speech
from wireloom.translate.chat_upstream.rest import Other, Use
from wireloom.translate.chat_upstream.sources import pictures, placed, sources
from wireloom.translate.hub.stream import ResponseStream
from wireloom.wire.json import Json

# Content parts that mark a place in the text and say nothing: Mistral's numbers of sources.
MARKS = frozenset({"reference"})


class Beside:
    """Emits what stands beside the words of one answer.

    Args:
        stream: receives pictures and sources.
        speech: receives thoughts and text.
        lost: receives what could not be emitted, in words for the log.
    """

    def __init__(self, stream: ResponseStream, speech: Speech, lost: list[str]) -> None:
        self._stream = stream
        self._speech = speech
        self._sources: list[Json] = []
        self._cited = 0
        self._messages: list[str] = []  # whole texts that may repeat what was said
        self._transcript: list[str] = []
        self._pictures: list[str] = []
        self._lost = lost
        self.calls: list[tuple[str, Json]] = []
        """Ids and functions of the calls in whole messages, which may repeat the calls before them."""

    @property
    def spoken(self) -> bool:
        """Whether there is something to say yet."""
        return bool(self._messages or self._transcript or self.calls)

    def take(self, other: Other) -> None:
        """Take a member that the contract does not know."""
        if other.row is not None:
            self._TAKES[other.row.use](self, other)
        elif other.place != "usage":
            self._lose(f"the member {other.name[:60]!r} of a {other.place}")

    def sound(self, audio: Any) -> None:
        """Take the audio of a delta: the transcript is text, the sound has no place."""
        transcript = audio.get("transcript") if isinstance(audio, dict) else None
        if isinstance(transcript, str):
            self._transcript.append(transcript)
        if isinstance(audio, dict) and audio.get("data"):
            self._lose("the sound of the answer")

    def part(self, part: Json) -> None:
        """Take a content part that is neither text nor thought."""
        kind = str(part.get("type"))[:60]
        if "image" in kind:
            self._picture(part)
        elif kind not in MARKS:
            self._lose(f"a content part of type {kind}")

    def cite(self) -> None:
        """Emit the sources so far, while the text that they belong to is open."""
        said = self._stream.answer_text()
        for number in range(self._cited, len(self._sources)):
            if not self._stream.annotate(placed(self._sources[number], number + 1, said)):
                break
            self._cited = number + 1

    def say(self) -> None:
        """The answer is over: say what a whole message alone said."""
        if not self.spoken:
            return
        for text in self._messages or ["".join(self._transcript)]:
            if text and not self._speech.whole_text(text):
                self._lose("a closing message that differs from the text before it")

    def close(self) -> None:
        """All of the text was said: emit sources and pictures."""
        if not self._sources and not self._pictures:
            return
        self.cite()
        if self._cited < len(self._sources):
            urls = ", ".join(source["url"][:200] for source in self._sources[self._cited :][:5])
            self._lose(f"sources of the text, since it had ended: {urls}")
        for picture in self._pictures:
            self._stream.picture(picture)

    # -- members, by what becomes of them ------------------------------------------------------------------------------

    def _nothing(self, other: Other) -> None:
        """Says nothing of the answer."""

    def _thought(self, other: Other) -> None:
        if isinstance(other.value, str):
            self._speech.thought(other.value, other.name)
        elif isinstance(other.value, dict):
            self._speech.thought(str(other.value.get("content") or other.value.get("text") or ""), other.name)

    def _message(self, other: Other) -> None:
        for message in other.value if isinstance(other.value, list) else [other.value]:
            if isinstance(message, dict):
                self._whole_message(message)
            elif isinstance(message, str):
                self._messages.append(message)

    def _whole_message(self, message: Json) -> None:
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        thought = message.get("reasoning_content") or message.get("reasoning") or message.get("thinking")
        if isinstance(thought, str):
            self._speech.thought(thought, "message")
        if isinstance(content, str) and content:
            self._messages.append(content)
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                self.calls.append((str(call.get("id") or ""), function))

    def _text(self, other: Other) -> None:
        if isinstance(other.value, str):
            self._speech.text(other.value)

    def _picture(self, value: Any) -> None:
        for picture in pictures(value):
            if picture is None:
                self._lose("a picture that is a web address")
            elif picture not in self._pictures:
                self._pictures.append(picture)

    def _source(self, other: Other) -> None:
        known = {source["url"] for source in self._sources}
        self._sources += [source for source in sources(other.value) if source["url"] not in known]

    def _lose(self, words: str) -> None:
        if words not in self._lost:
            self._lost.append(words)

    _TAKES: Mapping[Use, Callable[[Beside, Other], None]] = {
        Use.NOTHING: _nothing,
        Use.COUNTS: _nothing,
        Use.THOUGHT: _thought,
        Use.MESSAGE: _message,
        Use.TEXT: _text,
        Use.PICTURES: lambda beside, other: beside._picture(other.value),
        Use.SOURCES: _source,
    }
