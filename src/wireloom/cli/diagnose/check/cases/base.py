"""A case: one look at one operation; and the probe that it sends requests with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from wireloom.cli.diagnose.check.answer import Answer
from wireloom.cli.diagnose.check.deployment import Deployment
from wireloom.cli.diagnose.check.rules import errors, headers
from wireloom.cli.diagnose.check.rules.errors import Refusal
from wireloom.wire.json import Json

MARK = "wireloom_check"
"""Key of the metadata that marks everything the check stores."""
WORD = "Reply with the word ok."
FEW_TOKENS = 256
"""Limit of an answer: few, and enough for a model that thinks before it writes a word."""
TOO_FEW_TOKENS = 16
"""Limit that no whole answer to `LONG` reaches; the smallest that every provider takes."""
LONG = (
    "Write the numbers from one to sixty in words, one after another, separated by commas, "
    "and write nothing else before them or after them."
)
LONGER = f"{LONG} {LONG}"
NOTE = (
    "A note that asks for nothing: the sea was calm, the boats lay in the harbour, and the baker opened the shop "
    "at six in the morning, long before the first train left the station for the city on the other side of the bay."
)
"""Longer than any other request of the check except `LONGER`, so that it shows in the tokens that are read."""
TOOL_NAME = "look_up_city"
TOOL_PARAMETERS: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Name of the city."}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL_TASK = "Call the function look_up_city for the city Paris."
REFUSABLE = frozenset({400, 403, 422})
"""Statuses with which a model without tools, or without a parameter, refuses a request."""

Face: TypeAlias = Literal["responses", "chat", "shared", "gateway"]
FACES: Mapping[str, frozenset[str]] = {
    "responses": frozenset({"responses", "shared"}),
    "chat": frozenset({"chat", "shared"}),
    "all": frozenset({"responses", "chat", "shared", "gateway"}),
}
"""Value of `--face` -> faces of the cases that run."""


class Broken(Exception):
    """A case ends early, because the next step needs another answer; the message names the fault."""


class Skipped(Exception):
    """A case has nothing to look at, by the deployment's own declaration; the message gives the reason."""


class NotRun(Exception):
    """A case cannot run; the message gives the reason."""


@dataclass(slots=True)
class Probe:
    """Sends the requests of cases, and holds every answer to the rules that hold for all.

    deployment: where they go; model: that is asked; backend: name of the backend whose model that is, or None; mark: value
    of the metadata `MARK`; keyless: whether the deployment asks clients for no key on purpose.
    """

    deployment: Deployment
    model: str
    backend: str | None
    mark: str
    keyless: bool
    found: list[str] = field(default_factory=list)
    """Sentences about the answers since they were last taken."""
    requests: int = 0
    _kept: dict[str, Any] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def send(self, operation: str, body: Any = None, **more: Any) -> Answer:
        """Send a request, see `Deployment.call`; whatever the answer is, it has the form that the contract declares."""
        return self._looked_at(self.deployment.call(operation, body, **more), declared=True)

    def send_elsewhere(self, operation: str, method: str, url: str, **more: Any) -> Answer:
        """Send a request to a path or a method outside the contract, see `Deployment.send`.

        operation: under whose name the answer is looked at.
        """
        return self._looked_at(self.deployment.send(operation, method, url, **more), declared=False)

    def obtain(self, operation: str, body: Any = None, **more: Any) -> Answer:
        """Send a request that has to succeed.

        Raises:
            Broken: it does not.
        """
        answer = self.send(operation, body, **more)
        if not answer.ok:
            raise Broken(f"a valid request is {_refused(answer)}")
        return answer

    def attempt(self, operation: str, body: Any = None, **more: Any) -> Answer:
        """Send a request that not every model takes.

        Raises:
            Skipped: it is refused.
            Broken: it fails.
        """
        return self.taken(self.send(operation, body, **more))

    def taken(self, answer: Answer) -> Answer:
        """Return an answer to a request that not every model takes; see `attempt`."""
        if answer.status in REFUSABLE:
            raise Skipped(f"The model or its backend does not take such a request: {_refused(answer)}.")
        if not answer.ok:
            raise Broken(f"a valid request is {_refused(answer)}")
        return answer

    def refused(self, wanted: Refusal, operation: str, body: Any = None, **more: Any) -> Iterator[str]:
        """Send a request that has to be refused; yield how the refusal differs from the one wanted."""
        yield from errors.findings(self.send(operation, body, asks=False, **more), wanted)

    def keep(self, name: str, value: Any) -> None:
        """Keep something for later cases."""
        self._kept[name] = value

    def recall(self, name: str) -> Any:
        """Return something that an earlier case has kept.

        Raises:
            NotRun: there is nothing.
        """
        if name not in self._kept:
            raise NotRun(f"It needs {name}, which no case before it obtained.")
        return self._kept[name]

    def take(self) -> list[str]:
        """Return the sentences about the answers since the last call."""
        for answer in self.deployment.take_refused():
            self._looked_at(answer, declared=True)
        found, self.found = self.found, []
        return found

    @property
    def unknown_model(self) -> str:
        """The name of a model that is nowhere, of the backend that is asked."""
        name = f"none-{self.mark}"
        return name if self.backend is None else f"{self.backend}/{name}"

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of everything that is stored."""
        return {MARK: self.mark}

    def _looked_at(self, answer: Answer, *, declared: bool) -> Answer:
        self.requests += 1
        found = list(headers.findings(answer.headers, self._ids))
        if declared:
            found += self.deployment.contract.findings(answer)
            found += headers.streaming(answer)
        found += errors.form(answer)
        self.found += [f"{answer.request}: {sentence}" for sentence in found]
        return answer


Run: TypeAlias = Callable[[Probe], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Case:
    """One look at one operation.

    operation: its id; name: of the case, unique for the operation; face: of the operation; run: sends the requests and
    yields a sentence for each rule that is broken; needs: names of values that earlier cases keep; keeps: names of values
    that this one keeps; keyed: whether it is about keys, so that it means nothing where none is asked for.
    """

    operation: str
    name: str
    face: Face
    run: Run
    needs: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    keyed: bool = False

    @property
    def label(self) -> str:
        """The operation with the name of the case."""
        return f"{self.operation} ({self.name})" if self.name else self.operation


def _refused(answer: Answer) -> str:
    code, param = answer.error.get("code"), answer.error.get("param")
    if answer.status in (404, 405) and code in ("not_found", "method_not_allowed", None) and not param:
        return f"answered with {answer.status}: the deployment does not serve {answer.request}"
    named = f", {param}" if param else ""
    return f"refused with {answer.status} ({code}{named})"
