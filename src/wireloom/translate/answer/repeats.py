"""What an upstream says twice, said once: snapshots in place of fragments, a closing copy, one thought in two fields.

Nothing shorter than `SHORTEST` characters counts as said twice: a model may repeat a word.
"""

from __future__ import annotations

from collections.abc import Callable

SHORTEST = 20


class Fragments:
    """Fragments of one text: recognises snapshots, and a copy of all of it at the end.

    A snapshot begins with all that was said before. Two in a row that do, and that are long enough, show that a
    server sends snapshots; until then each is held back.

    Args:
        say: receives what is new.
        said: returns all that was said.
        cleaned: returns what is said of a whole text with markup in it.

    Attributes:
        plain: a fragment shorter than `SHORTEST` is what it seems to be, so that it need not pass through here.
        repeated: something was said twice.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        said: Callable[[], str],
        cleaned: Callable[[str], str] = str,
    ) -> None:
        self._say = say
        self._said = said
        self._cleaned = cleaned
        self._held: list[str] = []  # snapshots that may be fragments still, or the copy
        self._last = ""  # the only fragment so far, then nothing
        self._snapshots = False
        self._begun = False
        self._several = False  # whether the text came in more than one fragment
        self._head = ""  # the beginning of the text, once it is long enough
        self.plain = False
        self.repeated = False

    @property
    def holds(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def feed(self, fragment: str) -> None:
        """Take a fragment."""
        if not fragment:
            return
        if self._snapshots:
            self._snapshot(fragment)
        elif not self._several and self._extends(fragment):
            self._hold(fragment)
        else:
            self._fragment(fragment)

    def release(self, *, ended: bool = False) -> None:
        """Say what is held back.

        Args:
            ended: whether the answer is over, so that a copy of all of it is one.
        """
        held, self._held = self._held, []
        if ended and len(held) == 1 and self._is_copy(held[0]):
            self.repeated = True
            return
        for fragment in held:
            self._say(fragment)

    def whole(self, text: str) -> bool:
        """Take a text that says all of the answer, beside its fragments; say what is new in it.

        Returns:
            False where it says something else.
        """
        self.release(ended=True)
        said = self._said()
        if text.startswith(said):
            if text != said:
                self._say(text[len(said) :])
            return True
        return said.startswith(text) or self._cleaned(text).strip() == said.strip()

    # -- decisions -----------------------------------------------------------------------------------------------------

    def _extends(self, fragment: str) -> bool:
        """Whether a fragment begins with all that came before it."""
        return bool(self._last) and len(fragment) > len(self._last) and fragment.startswith(self._last)

    def _hold(self, fragment: str) -> None:
        before, self._last = self._last, fragment
        if not self._held:
            self._first = before
        self._held.append(fragment)
        if len(self._held) > 1 and len(fragment) >= SHORTEST:
            self._snapshots = self.repeated = True
            self._held.clear()
            self._last = self._first
            self._snapshot(fragment)

    def _snapshot(self, fragment: str) -> None:
        new = fragment[len(self._last) :] if fragment.startswith(self._last) else fragment
        if fragment.startswith(self._last):
            self._last = fragment
        else:
            self._last += fragment
        if new:
            self._say(new)

    def _fragment(self, fragment: str) -> None:
        self.release()
        if self._is_copy(fragment):
            self._held.append(fragment)
            self.plain = False
            return
        self.plain = self._several = self._begun
        self._begun = True
        self._last = "" if self._several else fragment
        self._say(fragment)

    def _is_copy(self, fragment: str) -> bool:
        """Whether a fragment is all that was said, in several fragments, once more."""
        if len(fragment) < SHORTEST or not self._several:
            return False
        if len(self._head) < SHORTEST:
            self._head = self._said()[:SHORTEST]
        if fragment.startswith(self._head):
            return fragment == self._said()
        return "<" in fragment and self._cleaned(fragment) == self._said()


class Echo:
    """A second source of the same words: what it repeats of the first is not said again.

    Args:
        said: returns all that the first source has said.
        say: receives what the first source has not said.
    """

    def __init__(self, said: Callable[[], str], say: Callable[[str], None]) -> None:
        self._said = said
        self._say = say
        self._heard = ""  # of the second source, while it says the same
        self._same = True
        self.repeated = False

    def feed(self, text: str) -> None:
        """Take more of the second source."""
        if not self._same:
            self._say(text)
            return
        self._heard += text
        said = self._said()
        if not said.startswith(self._heard) and not self._heard.startswith(said):
            self._same = False
            self._say(self._heard)

    def close(self) -> None:
        """Both sources have ended, or something else follows: say what the first did not."""
        if not self._same or not self._heard:
            return
        said = self._said()
        if len(self._heard) < SHORTEST or not (
            (said and self._heard.startswith(said)) or said.startswith(self._heard)
        ):
            self._say(self._heard)
        else:
            self.repeated = True
            self._say(self._heard[len(said) :])
        self._heard = ""
