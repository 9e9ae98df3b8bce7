"""What a model says, on its way from the reader of an upstream's answer into the stream.

    text ----> Fragments --> Markup --> Fence --> stream.text
    thought -> Fragments ------ '---------------> stream.reasoning

Everything that servers are known for is undone here, once for all wires: snapshots and copies, markup in the text,
one thought in two places, a fence around JSON. A plain fragment passes with a few comparisons.
"""

from __future__ import annotations

from collections.abc import Callable

from wireloom.translate.answer.call_markup import Written
from wireloom.translate.answer.fence import Fence
from wireloom.translate.answer.markup import Markup
from wireloom.translate.answer.markup_tokens import MarkupRules
from wireloom.translate.answer.meant_call import Meant
from wireloom.translate.answer.recovered import recovered
from wireloom.translate.answer.repeats import SHORTEST, Echo, Fragments
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json

TAGS = "tags"
"""The channel of thoughts that stand in the text."""
SUMMARY = "summary_text"
"""The channel of a summary that the upstream makes of its thoughts."""


class Speech:
    """The text and the thoughts of one answer.

    Args:
        stream: what is spoken to.
        tools: the tools of the request.
        rules: what counts as markup.
        lost: receives what was undone, in words for the log.
        json: whether the answer was asked for as JSON, so that a fence around it comes off.
        hold: whether text waits for `let_go`, since the answer may be asked for again.

    Attributes:
        clean: text of fewer than `SHORTEST` characters without a `SPECIAL` one may go to the stream by itself.
        starts_inside: whether the answer showed that answers of this model begin inside a thought; None where it did
            not show either.
    """

    def __init__(
        self,
        stream: ResponseStream,
        tools: Tools,
        rules: MarkupRules,
        lost: list[str],
        *,
        json: bool = False,
        hold: bool = False,
    ) -> None:
        self._stream = stream
        self._tools = tools
        self._rules = rules
        self._json = json
        self._waiting: list[str] | None = [] if hold else None
        self._begin()
        self._reasoning: Callable[[str], None] = stream.reasoning
        self._thought: list[str] = []
        self._thoughts = Fragments(self._reason, self.thought_text)
        self._channel: str | None = None
        self._echoes: dict[str, Echo] = {}
        self._known: list[Json] = []  # of the tokens of text that is held back
        self._withdrawn: tuple[str, list[Written]] = ("", [])
        self.clean = False
        self._lost = lost
        self.starts_inside: bool | None = None

    def _begin(self) -> None:
        self._fence = Fence(self._emit) if self._json else None
        emit = self._emit if self._fence is None else self._fence.feed
        self._markup = Markup(self._rules, emit, self._think_in_tags, self.said, self._are_calls)
        self._texts = Fragments(self._markup.feed, self.said, self._cleaned)
        self.clean = False

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def text(self, content: str) -> None:
        """Take text of the answer."""
        if self.clean and len(content) < SHORTEST and "<" not in content and "[" not in content:
            self._stream.text(content)
        else:
            self._texts.feed(content)
            self._look()

    def text_with_logprobs(self, content: str, known: list[Json]) -> None:
        """Take text whose tokens come with their probabilities; those of a thought have no place.

        Args:
            content: the text; empty where the tokens end within a character.
            known: one object for each token, as the contract has it in a text part.
        """
        if self.clean and len(content) < SHORTEST and "<" not in content and "[" not in content:
            self._stream.text_with_logprobs(content, known)
            return
        self._known = [*known] if self._markup.thinking else self._known + known
        self._texts.feed(content)
        self._look()

    def thought(self, content: str, channel: str) -> None:
        """Take a piece of a thought.

        Args:
            content: the piece.
            channel: where it stood; what a second channel repeats is said once.
        """
        if self._thoughts.plain and channel == self._channel and len(content) < SHORTEST:
            self._reason(content)
        elif content:
            self._markup.pause()
            self._think(channel, content)

    def said(self) -> str:
        """The text of the answer so far, with what waits."""
        return self._stream.answer_text() + "".join(self._waiting or ())

    def begin_again(self) -> None:
        """Drop the text that waits: another answer follows in place of it."""
        self._waiting = []
        self._begin()

    def let_go(self) -> None:
        """Emit the text that waits, and all that follows at once."""
        waiting, self._waiting = self._waiting, None
        for text in waiting or ():
            self._emit(text)

    def thought_text(self) -> str:
        """All that was said in thought, as far as one channel said it."""
        return "".join(self._thought)

    def whole_text(self, content: str) -> bool:
        """Take all of the text, as a closing object has it.

        Returns:
            False where it differs from what was said.
        """
        return self._texts.whole(content)

    def release(self) -> None:
        """Another part or item follows: emit what is held back."""
        self._texts.release()
        self._thoughts.release()
        self._markup.release()
        self.settle()

    def interrupt(self) -> None:
        """A call of the answer's own follows: emit what is held back."""
        self._texts.release()
        if not self._withdrawn[0]:
            self._withdrawn = self._markup.withdraw()
        self._markup.release()
        self.settle()

    def close(self, called: list[str], *, whole: bool) -> list[Meant]:
        """The answer is over.

        Args:
            called: names of the calls that the answer has.
            whole: False where it was cut.

        Returns:
            The calls that stood in the text.
        """
        if self.clean and not self._withdrawn[0] and not self._thoughts.holds:
            self._note([])
            return []
        self._texts.release(ended=True)
        self._thoughts.release(ended=True)
        written = self._markup.close(whole=whole and not called)
        calls = (recovered(self._tools, written) if written else None) or []
        self._put_back(called)
        self.settle()
        self._note(calls)
        return calls

    # -- pieces --------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See whether the next fragment can pass as it is."""
        fenced = self._fence is not None and not self._fence.plain
        waits = self._waiting is not None
        self.clean = self._markup.plain and self._texts.plain and not (fenced or waits or self._known)
        if not self.clean:
            self._thoughts.plain = False  # a thought that follows has to let go of what is held

    def _emit(self, text: str) -> None:
        if self._waiting is not None:
            self._waiting.append(text)
            return
        if self._echoes:
            self._close_echoes()
        if self._known:
            known, self._known = self._known, []
            self._stream.text_with_logprobs(text, known)
        else:
            self._stream.text(text)

    def _reason(self, text: str) -> None:
        self._thought.append(text)
        self._reasoning(text)

    def _cleaned(self, text: str) -> str:
        """What is said of a text with markup in it."""
        pieces: list[str] = []
        markup = Markup(self._rules, pieces.append, lambda _: None, lambda: "".join(pieces))
        markup.feed(text)
        markup.close(whole=True)
        return "".join(pieces)

    def _verb(self, channel: str) -> Callable[[str], None]:
        return self._stream.summary if channel == SUMMARY else self._stream.reasoning

    def _think_in_tags(self, text: str) -> None:
        self._think(TAGS, text)

    def _think(self, channel: str, text: str) -> None:
        if self._channel is None:
            self._channel = channel
            self._reasoning = self._verb(channel)
        if channel == self._channel:
            self._thoughts.feed(text)
            return
        echo = self._echoes.get(channel)
        if echo is None:
            echo = self._echoes[channel] = Echo(self.thought_text, self._verb(channel))
        echo.feed(text)
        self.clean = False

    def settle(self) -> None:
        """Emit what is held of text and thoughts whose form is known."""
        self._close_echoes()
        if self._fence is not None:
            self._fence.close()
        if self._known and not self._markup.thinking:
            self._stream.text_with_logprobs("", self._known)
        self._known = []
        self.clean = False

    def _close_echoes(self) -> None:
        echoes, self._echoes = self._echoes, {}
        for echo in echoes.values():
            echo.close()
            if echo.repeated:
                self._repair("a thought that stood in two places was read once")

    def _are_calls(self, written: list[Written]) -> bool:
        return recovered(self._tools, written) is not None

    def _put_back(self, called: list[str]) -> None:
        """Say markup of calls as text, unless the answer has made the same calls itself."""
        text, written = self._withdrawn
        calls = recovered(self._tools, written) if written else None
        if calls and {call.flat_name for call in calls} <= set(called):
            self._repair("markup of a call that the answer makes itself was left out of the text")
        elif text:
            self._stream.text(text)

    def _note(self, calls: list[Meant]) -> None:
        for call in calls:
            self._repair(f"a call of {call.flat_name} that stood in the text as markup was read as a call")
            self._lost += call.notes
        if self._markup.refused:
            self._repair("markup of calls in the text was left as text")
        if self._texts.repeated or self._thoughts.repeated:
            self._repair("text that came twice was read once")
        if self._fence is not None and self._fence.removed:
            self._repair("a Markdown fence around the JSON was taken off")
        if self._markup.stray:
            self.starts_inside = True
            self._repair("the answer began inside a thought, and its closing tag was left out")
        if self._markup.unclosed:
            self.starts_inside = False
            self._repair("the answer did not begin inside a thought, so all of it was read as text")

    def _repair(self, words: str) -> None:
        if words not in self._lost:
            self._lost.append(words)
