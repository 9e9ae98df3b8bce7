"""What a server ignored in silence: what the request asked for, held against the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from wireloom.errors import EmptyAnswer
from wireloom.translate.answer.arguments import decoded
from wireloom.translate.answer.asked import Asked
from wireloom.translate.answer.schema_fit import fits
from wireloom.translate.hub.endings import CALLING


def says_nothing(*reasons: str | None) -> EmptyAnswer:
    """The error for a complete answer that says nothing.

    Args:
        reasons: why the model stopped, in the upstream's words.
    """
    named = any((reason or "").lower() in CALLING for reason in reasons)
    what = "named a call and sent none" if named else "sent no text, call or refusal"
    return EmptyAnswer(f"The upstream ended its answer and {what}.")


def ignored(asked: Asked, called: Sequence[str], text: Callable[[], str], *, logprobs: bool) -> Iterator[str]:
    """What of a request a complete answer does not keep, in words for the log.

    Args:
        asked: what the request asked for.
        called: names of the calls, as the upstream knows them.
        text: returns the text of the answer; called only where the request says something of it.
        logprobs: whether the probabilities of tokens came.
    """
    forced = asked.must_call
    if forced is not None and (forced not in called if forced else not called):
        missing = f"{forced[:100]} was not called" if forced else "no tool was called"
        yield f"the upstream ignored tool_choice: {missing}"
    if asked.logprobs and not logprobs and not called and text():
        yield "the upstream ignored logprobs: none came"
    if asked.json and not called:
        yield from _form(asked, text())
    if asked.stop and any(stop and stop in text() for stop in asked.stop):
        yield "the upstream ignored stop: the answer goes on behind it"


def fault_of_form(asked: Asked, text: str) -> str | None:
    """What is wrong with an answer that should be JSON, as a sentence for the model; None where nothing is.

    Args:
        asked: what the request asked for.
        text: the answer.
    """
    value = decoded(text)
    if value is None and text.strip() != "null":
        return "Your answer is not valid JSON."
    if asked.schema is not None and not fits(asked.schema, value):
        return "Your answer does not fit the JSON schema."
    return None


def _form(asked: Asked, text: str) -> Iterator[str]:
    """What is wrong with an answer that should be JSON."""
    value = decoded(text)
    if value is None and text.strip() != "null":
        yield "the upstream ignored the form of the answer: it is no JSON"
    elif asked.schema is not None and not fits(asked.schema, value):
        yield "the upstream ignored the schema of the answer: it does not fit"
