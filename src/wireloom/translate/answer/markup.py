"""Text in fragments read into thoughts, answer and calls, by the table of dialects.

What may still become markup is held back, never more than the longest opener; a call is held until it is complete.

    BEFORE --opener of a thought--> THOUGHT --closer--> AFTER --text--> TEXT --opener of a call--> CALLS
       '----------- text -----------------------------------------------^  '----- end token ----> END

A call is one only at the beginning of a line, outside code and quotations, if it is whole and nothing but calls
follows it: the text may repeat what a web page says, and that must never run a tool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wireloom.translate.answer import call_markup, place
from wireloom.translate.answer.call_markup import Written
from wireloom.translate.answer.dialects import ANSWER_OPENERS, THOUGHTS
from wireloom.translate.answer.markup_tokens import (
    ALL_CLOSERS,
    BY_OPENER,
    CLOSERS,
    FIRST,
    LONGEST,
    MARK,
    NAMED_AFTER,
    NAMED_BEFORE,
    SPECIAL_MARK,
    STRAY,
    MarkupRules,
    first_of,
    overlap_of,
    tokens_of,
    without_ends,
)

# So many openers that stand where no call can begin are a text about markup.
MOST_TRIES = 100
# A block that is larger is no call that a model writes.
LARGEST_CALL = 4 * 1024 * 1024

# Where the reader is; numbers, since a member of an enumeration is hashed in Python.
_BEFORE, _THOUGHT, _AFTER, _TEXT, _CALLS, _END = range(6)


class Markup:
    """Reads the text of one answer.

    Args:
        rules: what counts as markup.
        text: receives pieces of the answer.
        thought: receives pieces of thoughts.
        said: returns all that `text` has received so far.
        accept: tells whether calls are ones that the request allows; without it all are.

    Attributes:
        plain: nothing is held, and nothing but a `SPECIAL` character can change how text is read.
        stray: a closing tag came that no thought had opened.
        refused: markup of calls was passed on as text.
        unclosed: the answer began inside a thought that had no end.
    """

    def __init__(
        self,
        rules: MarkupRules,
        text: Callable[[str], None],
        thought: Callable[[str], None],
        said: Callable[[], str],
        accept: Callable[[list[Written]], bool] = bool,
    ) -> None:
        self._rules = rules
        self._text = text
        self._thought = thought
        self._said = said
        self._accept = accept
        self._tries = 0
        self._buffer = ""
        self._begun = False  # whether the open thought has any text
        self._closers = ALL_CLOSERS
        self._tokens = tokens = tokens_of(rules.thoughts, bool(rules.offered), rules.ends)
        self._ends = tokens.ends
        self._openers = tokens.calls
        self._lead = ""  # white space before the calls that an answer begins with
        self._mode = _BEFORE
        self._opened = False
        self._thinking: list[str] = []  # the thought that the answer began with, until it is closed
        self._written: list[Written] = []
        self._closed = 0  # length of the calls in the buffer that are complete
        self.plain = False
        self.stray = False
        self.refused = False
        self.unclosed = False
        if rules.inside:
            self._mode = _THOUGHT

    def feed(self, fragment: str) -> None:
        """Take more of the text."""
        self._buffer += fragment
        while self._STEPS[self._mode](self):
            pass
        self.plain = self._mode is _TEXT and not self._buffer

    def release(self) -> None:
        """Emit what is held back, now that something else than text follows."""
        if self._mode is _CALLS:
            self._no_calls()
            self.feed("")
        rest, self._buffer = self._buffer, ""
        if self._mode is _END:
            self._mode = _TEXT
        elif self._mode is _THOUGHT:
            self._think(rest)
        elif self._mode is _TEXT and rest.rstrip(" \t") in STRAY and self._is_stray(""):
            self.stray = True
        elif self._mode is not _AFTER:
            self._say(rest)

    @property
    def thinking(self) -> bool:
        """Whether the last text was that of a thought, so that no text of the answer is held."""
        return self._mode in (_THOUGHT, _AFTER)

    def pause(self) -> None:
        """A thought comes in a field of its own: no tag goes on behind it, and the answer does not begin inside one."""
        if self._mode is _TEXT and self._buffer:
            self.release()
        if self._mode is _THOUGHT and not self._begun and not self._opened:
            self._mode = _BEFORE

    def withdraw(self) -> tuple[str, list[Written]]:
        """Take back the calls that are held, now that the answer has a call of its own: their text, and the calls."""
        if self._mode is not _CALLS:
            return "", []
        calls = self._last_calls()
        text, self._buffer = self._lead + self._buffer, ""
        self._lead = ""
        self._mode = _TEXT
        return text, calls

    def close(self, *, whole: bool) -> list[Written]:
        """The answer is over.

        Args:
            whole: False where it was cut, so that a call in it may be half of one.

        Returns:
            The calls in the text.
        """
        found = self._last_calls() if whole and self._mode in (_CALLS, _BEFORE) else []
        if found:
            self._buffer = ""
            return found
        self.release()
        if self._rules.inside and self._mode is _THOUGHT and whole and not self._said():
            # The template did not open a thought this time, so this was the answer.
            self.unclosed = True
            self._say("".join(self._thinking))
        return []

    # -- steps; each returns whether another one may follow -----------------------------------------------------------

    def _before(self) -> bool:
        start = self._buffer.lstrip()
        if not start or start in self._tokens.beginnings:
            return False
        known = start[0] in FIRST
        opener = next(filter(start.startswith, self._tokens.openers), None) if known else None
        if opener is None:
            return self._before_text(start)
        self._buffer = start[len(opener) :]
        self._opened = True
        if opener in ANSWER_OPENERS:
            self._mode = _AFTER
        else:
            self._begin_thought(CLOSERS[opener])
        return True

    def _before_text(self, start: str) -> bool:
        """The answer begins without a thought: with text, or with calls."""
        if start.startswith(self._openers):
            self._lead = self._buffer[: len(self._buffer) - len(start)]
            self._buffer = start
        elif self._may_be_bare(start):
            return False
        self._mode = _TEXT
        return True

    def _begin_thought(self, closers: tuple[str, ...]) -> None:
        self._closers = closers
        self._begun = False
        self._mode = _THOUGHT

    def _thought_step(self) -> bool:
        if not self._begun and not self._begin_to_think():
            return False
        marked = MARK.search(self._buffer) is not None
        at, closer = first_of(self._buffer, self._closers) if marked else (-1, None)
        if closer is None:
            keep = overlap_of(self._buffer, self._closers) if marked else 0
            cut = len(self._buffer) - keep
            thought, self._buffer = self._buffer[:cut], self._buffer[cut:]
            self._think(thought)
            return False
        self._think(self._buffer[:at])
        self._thinking.clear()
        self._buffer = self._buffer[at + len(closer) :]
        self._opened = True
        self._mode = _AFTER
        return True

    def _begin_to_think(self) -> bool:
        """Leave out line ends before a thought, and an opening tag although the template has written one."""
        self._buffer = self._buffer.lstrip("\n")
        if self._rules.inside and not self._opened:
            start = self._buffer.lstrip()
            if not start or self._may_become(start, CLOSERS):
                return False
            opener = next(filter(start.startswith, CLOSERS), None)
            if opener is not None:
                self._opened = True
                self._closers = CLOSERS[opener]
                self._buffer = start[len(opener) :].lstrip("\n")
        self._begun = self._buffer != ""
        return self._begun

    def _after(self) -> bool:
        self._buffer = self._buffer.lstrip("\n")
        if not self._buffer or self._may_become(self._buffer, ANSWER_OPENERS):
            return False
        opener = next((each for each in ANSWER_OPENERS if self._buffer.startswith(each)), None)
        if opener is None:
            self._mode = _TEXT
        else:
            self._buffer = self._buffer[len(opener) :]
        return True

    def _text_step(self) -> bool:
        if not SPECIAL_MARK.search(self._buffer):
            text, self._buffer = self._buffer, ""
            self._say(text)
            return False
        match = self._tokens.search(self._buffer)
        if match is None:
            cut = len(self._buffer) - self._held_end()
            text, self._buffer = self._buffer[:cut], self._buffer[cut:]
            self._say(text)
            return False
        self._say(self._buffer[: match.start()])
        self._buffer = self._buffer[match.start() :]
        token = match[0]
        if token in self._openers and not self.refused and self._may_call():
            self._mode = _CALLS
            return True
        self._lead = ""
        if token in self._ends:
            self._mode = _END
            return True
        if token in STRAY and self._buffer.rstrip(" \t") == token:
            return False  # what follows decides
        if token in STRAY and self._is_stray(self._buffer[len(token) :]):
            self.stray = True
            self._buffer = self._buffer[len(token) :]
            self._mode = _AFTER
            return True
        self._say(token)
        self._buffer = self._buffer[len(token) :]
        return True

    def _end_step(self) -> bool:
        """End tokens, and white space among them, come off the end; before more text they are text."""
        length = self._tokens.blank(self._buffer)
        rest = self._buffer[length:]
        if not rest or self._may_become(rest, self._ends):
            return False
        if self._may_become(rest, (*self._openers, *ANSWER_OPENERS)):
            return False
        opener = next((each for each in ANSWER_OPENERS if rest.startswith(each)), None)
        if opener is not None:  # another part of the same answer
            self._buffer = rest[len(opener) :]
            self._mode = _AFTER
        elif rest.startswith(self._openers) and not self.refused:
            self._buffer = rest
            self._mode = _CALLS
        else:
            self._say(self._buffer[:length])
            self._buffer = rest
            self._mode = _TEXT
        return True

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _calls_step(self) -> bool:
        """Take what is complete; anything but calls, white space and end tokens makes it all text."""
        while True:
            rest = self._buffer[self._closed :]
            self._closed += self._tokens.blank(rest) if self._written else 0
            rest = self._buffer[self._closed :]
            if not rest or self._may_become(rest, (*BY_OPENER, *self._ends)):
                return False
            row = next((row for opener, row in BY_OPENER.items() if rest.startswith(opener)), None)
            if row is None:
                return self._no_calls()
            if row.closer is None:
                return False  # the end of the answer is the end of the call
            at = rest.find(row.closer)
            if at < 0:
                return False if len(rest) < LARGEST_CALL else self._no_calls()
            end = at + len(row.closer)
            calls = row.parse(rest[:end] if row.keeps_opener else rest[len(row.opener) : at])
            if calls is None or not self._accept(calls):
                return self._no_calls()
            self._written += calls
            self._closed += end

    def _last_calls(self) -> list[Written]:
        """The calls of an answer that has ended, or none where it holds anything else."""
        rest = self._buffer[self._closed :]
        if self._mode is _BEFORE:
            return self._accepted(call_markup.bare(rest)) if self._may_be_bare(rest.lstrip()) else []
        rest = without_ends(rest, self._ends)
        row = next((row for opener, row in BY_OPENER.items() if rest.startswith(opener)), None)
        if rest and (row is None or row.closer is not None):
            return []
        if not rest or row is None:
            return self._written
        last = self._accepted(row.parse(rest[len(row.opener) :].strip()))
        return [*self._written, *last] if last else []

    def _accepted(self, calls: list[Written] | None) -> list[Written]:
        return calls if calls and self._accept(calls) else []

    def _may_be_bare(self, start: str) -> bool:
        """Whether an answer may be nothing but a call as JSON; it is held while it can be one."""
        if not (self._rules.offered and self._rules.bare) or len(start) > LARGEST_CALL:
            return False
        return call_markup.may_be_bare(start, self._rules.offered)

    def _may_call(self) -> bool:
        self._tries += 1
        if self._tries > MOST_TRIES:
            self.refused = True
            return False
        said = self._said()
        return place.begins_line(said) and not place.in_code(said) and not place.quoted(said)

    def _no_calls(self) -> bool:
        """What was held as calls is text, and no later markup of this answer is a call."""
        opener = next(each for each in self._openers if self._buffer.startswith(each))
        size = self._closed or len(opener)
        self._say(self._lead + self._buffer[:size])
        self._buffer = self._buffer[size:]
        self._lead = ""
        self._written.clear()
        self._closed = 0
        self.refused = True
        self._mode = _TEXT
        return True

    # -- pieces --------------------------------------------------------------------------------------------------------

    def _is_stray(self, rest: str) -> bool:
        """Whether a closing tag ends a thought that the template opened, rather than being named in a sentence."""
        if not self._rules.thoughts or self._opened or self.stray or NAMED_AFTER.match(rest):
            return False
        said = self._said()
        opened = any(tag.opener in said for tag in THOUGHTS)
        return not (opened or NAMED_BEFORE.search(said) or place.in_code(said))

    def _think(self, piece: str) -> None:
        if piece:
            if self._rules.inside:
                self._thinking.append(piece)
            self._thought(piece)

    def _say(self, piece: str) -> None:
        if piece:
            self._text(piece)

    def _held_end(self) -> int:
        """How many characters at the end of the text may be the beginning of a token."""
        text = self._buffer
        for mark in SPECIAL_MARK.finditer(text, max(0, len(text) - LONGEST)):
            if text[mark.start() :] in self._tokens.prefixes:
                return len(text) - mark.start()
        return 0

    @staticmethod
    def _may_become(text: str, tokens: Iterable[str]) -> bool:
        """Whether a text is the beginning of a token, and not yet one."""
        return any(len(text) < len(token) and token.startswith(text) for token in tokens)

    _STEPS: tuple[Callable[[Markup], bool], ...] = (
        _before,
        _thought_step,
        _after,
        _text_step,
        _calls_step,
        _end_step,
    )
