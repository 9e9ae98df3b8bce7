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

    Attributes:
        plain: a fragment shorter than `SHORTEST` is what it seems to be.
        repeated: something was said twice.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._chunks: list[str] = []  # all that was said
        self.passed: Callable[[str], None] = self._chunks.append
        """Note a fragment that was said without passing through here."""
        self._held: list[str] = []  # snapshots that may be fragments still, or the copy
        self._snapshots = False
        self._begun = False
        self.plain = False
        self.repeated = False

    def feed(self, fragment: str) -> None:
        """Take a fragment."""
        if not fragment:
            return
        if self._snapshots:
            self._snapshot(fragment)
        elif not self.plain and self._extends(fragment):
            self._hold(fragment)
        else:
            self._fragment(fragment)

    def said(self) -> str:
        """All that was said."""
        return "".join(self._chunks)

    def release(self, *, ended: bool = False) -> None:
        """Say what is held back.

        Args:
            ended: whether the answer is over, so that a copy of all of it is one.
        """
        held, self._held = self._held, []
        if self._copied(held) and ended:
            self.repeated = True
            return
        for fragment in held:
            self._chunks.append(fragment)
            self._say(fragment)

    def whole(self, text: str) -> bool:
        """Take a text that says all of the answer, beside its fragments; say what is new in it.

        Returns:
            False where it says something else.
        """
        self.release(ended=True)
        said = "".join(self._chunks)
        if not text.startswith(said):
            return said.startswith(text)
        rest = text[len(said) :]
        if rest:
            self._chunks.append(rest)
            self._say(rest)
        return True

    # -- decisions -----------------------------------------------------------------------------------------------------

    def _extends(self, fragment: str) -> bool:
        """Whether a fragment begins with all that came before it."""
        last = self._held[-1] if self._held else "".join(self._chunks)
        return bool(last) and len(fragment) > len(last) and fragment.startswith(last)

    def _hold(self, fragment: str) -> None:
        self._held.append(fragment)
        if len(self._held) > 1 and len(fragment) >= SHORTEST:
            self._snapshots = self.repeated = True
            self._held.clear()
            self._snapshot(fragment)

    def _snapshot(self, fragment: str) -> None:
        said = "".join(self._chunks)
        rest = fragment[len(said) :] if fragment.startswith(said) else fragment
        if fragment != said and rest:
            self._chunks.append(rest)
            self._say(rest)

    def _fragment(self, fragment: str) -> None:
        self.release()
        if self._is_copy(fragment):
            self._held.append(fragment)
            self.plain = False
            return
        self.plain = self._begun
        self._begun = True
        self._chunks.append(fragment)
        self._say(fragment)

    def _is_copy(self, fragment: str) -> bool:
        """Whether a fragment is all that was said, in several fragments, once more."""
        if len(fragment) < SHORTEST or len(self._chunks) < 2 or not fragment.startswith(self._chunks[0]):
            return False
        return len(fragment) == sum(map(len, self._chunks)) and fragment == "".join(self._chunks)

    def _copied(self, held: list[str]) -> bool:
        return len(held) == 1 and self._is_copy(held[0])


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
