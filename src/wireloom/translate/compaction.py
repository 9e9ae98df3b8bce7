"""A conversation summed up: the request that asks the model for it, and the stream whose whole answer is the summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wireloom_protocol import responses as m

from wireloom.errors import UpstreamError
from wireloom.translate.hub.endings import Incomplete
from wireloom.translate.hub.stream import ResponseStream
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies

TRIGGER = "compaction_trigger"
PROMPT = """\
Sum up this conversation for whoever goes on with it and can read nothing of it but your summary. Say, as far as there
is something to say:
- what the user wants, in the user's own terms, and what has been agreed or ruled out;
- what was done and what came of it: files, commands, decisions, findings, with exact names, paths and values;
- what is true now: the state of the work, and errors that are not mended yet;
- what comes next, step by step.
Leave out what no longer matters. Write the summary and nothing else, and call no tools."""


def asked(body: m.CreateResponse) -> bool:
    """Whether a request asks for a compaction: its last item says so."""
    return isinstance(body.input, list) and bool(body.input) and body.input[-1].type == TRIGGER


def request(body: m.CreateResponse) -> m.CreateResponse:
    """The request that asks the model for a summary: the same conversation, without tools or a form of answer."""
    assert isinstance(body.input, list)
    last = m.MessageItemParam(type="message", role="user", content=PROMPT)
    told = [item for item in body.input[:-1] if item.type != "additional_tools"]
    changed: dict[str, Any] = {"input": [*told, last]}
    changed |= dict.fromkeys(("tools", "tool_choice", "text", "parallel_tool_calls"))
    return body.model_copy(update=changed)


class CompactionStream(ResponseStream):
    """A stream whose one item is the sealed summary; what else a model says is not told.

    Args:
        response: see `ResponseStream`.
        new_id: see `ResponseStream`.
        now: see `ResponseStream`.
        seal: closes the summary.
    """

    def __init__(
        self,
        response: replies.Response,
        new_id: Callable[[str], str],
        now: Callable[[], float],
        seal: Callable[[Json], str],
    ) -> None:
        super().__init__(response, new_id, now)
        self._summary: list[str] = []
        self._close_summary = seal
        self.text = self._summary.append
        self.refusal = _unheard  # so that there is no summary, which is a failure
        self.reasoning = _unheard
        self.summary = _unheard

    @property
    def has_output(self) -> bool:
        """See `ResponseStream.has_output`."""
        return any(self._summary)

    def answer_text(self) -> str:
        """See `ResponseStream.answer_text`."""
        return "".join(self._summary)

    def text_with_logprobs(self, delta: str, logprobs: list[Json]) -> None:
        """See `ResponseStream.text_with_logprobs`."""
        self._summary.append(delta)

    def call(self, key: object, call_id: str, name: str, **_: Any) -> None:
        """See `ResponseStream.call`: no tool is offered, so nobody could answer."""

    def arguments(self, key: object, delta: str) -> None:
        """See `ResponseStream.arguments`."""

    def arguments_of(self, key: object) -> str:
        """See `ResponseStream.arguments_of`."""
        return ""

    def arguments_complete(self, key: object) -> bool:
        """See `ResponseStream.arguments_complete`."""
        return True

    def annotate(self, annotation: Json) -> bool:
        """See `ResponseStream.annotate`: a summary has no place for sources."""
        return True

    def append_state(self, state: Json) -> None:
        """See `ResponseStream.append_state`: the state ends with the conversation that is summed up."""

    def says_something(self) -> bool:
        """See `ResponseStream.says_something`: whether there is a summary is for the end to say."""
        return True

    def finish(self, usage: replies.ResponseUsage | None, incomplete: Incomplete | None = None) -> None:
        """See `ResponseStream.finish`.

        Raises:
            UpstreamError: there is no whole summary.
        """
        summary = "".join(self._summary).strip()
        if incomplete is not None or not summary:
            raise UpstreamError(
                "The model gave no whole summary of the conversation.", code="upstream_incomplete"
            )
        sealed = self._close_summary({"summary": summary})
        self.whole_item({"id": self.new_id("cmp"), "type": "compaction", "encrypted_content": sealed})
        super().finish(usage)


def _unheard(_: str) -> None:
    """What is thought on the way to a summary is no part of it."""
