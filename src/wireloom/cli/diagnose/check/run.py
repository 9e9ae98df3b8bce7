"""The run of a check: which contract, which model, which cases; and nothing passes unseen."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from wireloom.cli.diagnose.check.bounds import Bounds, Budget, OutOfBounds
from wireloom.cli.diagnose.check.cases import chat, conversations, gateway, responses, stored
from wireloom.cli.diagnose.check.cases.base import FACES, Broken, Case, NotRun, Probe, Skipped
from wireloom.cli.diagnose.check.contract import Contract, release
from wireloom.cli.diagnose.check.deployment import Client, Deployment, Limited, NoAnswer, fetch
from wireloom.cli.diagnose.check.report import Report, Result, State, joined
from wireloom.cli.diagnose.check.rules import lists
from wireloom.cli.options import Failure

# In this order: cases that others need come first, deletion comes last.
CASES: tuple[Case, ...] = (
    *gateway.CASES,
    *responses.CASES,
    *chat.CASES,
    *conversations.CASES,
    *stored.CASES,
)
COUNTED_FACES = ("responses", "chat")
"""Faces of which at least one case has to run."""
MALFORMED = (KeyError, TypeError, AttributeError, IndexError, ValueError)
"""Errors of a case where an answer has another form than it reads."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The choices of one check.

    model: that is asked, the first of the list if None; backend: whose model, where there are several; face: see `FACES`;
    served: whether the contract that the deployment serves is the measure; keyless: whether it asks clients for no key on
    purpose; only: labels of the cases that run, with the cases that they need; None for all.
    """

    model: str | None = None
    backend: str | None = None
    face: str = "all"
    served: bool = False
    keyless: bool = False
    only: Collection[str] | None = None


def chosen(cases: Sequence[Case], plan: Plan) -> list[Case]:
    """Return the cases of a plan, in order."""
    wanted = [case for case in cases if case.face in FACES[plan.face] and not (case.keyed and plan.keyless)]
    if plan.only is None:
        return wanted
    labels = {case.label for case in wanted if case.label in plan.only}
    while True:
        needed = {name for case in wanted if case.label in labels for name in case.needs}
        more = labels | {case.label for case in wanted if needed & set(case.keeps)}
        if more == labels:
            return [case for case in wanted if case.label in labels]
        labels = more


class Check:
    """One check of one deployment.

    client: with the deployment's URL as its base; key: that is sent, or None; bounds: how much may be sent; clock: returns
    seconds that only grow; sleep: waits for seconds.

    Raises:
        Failure: there is no deployment, no contract or no model to check.
    """

    def __init__(
        self,
        client: Client,
        key: str | None,
        plan: Plan,
        bounds: Bounds,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.plan = plan
        self.mark = secrets.token_hex(8)
        self.budget = Budget(bounds, clock)
        own = release()
        served = _served(client)
        if plan.served and isinstance(served, str):
            raise Failure(
                f"{client.base_url}: {served} Without --served-contract this release's is the measure."
            )
        self.contract = served if plan.served and isinstance(served, Contract) else own
        self.report = Report(str(client.base_url).rstrip("/"), _named(plan, self.contract, own))
        self.report.differs = _differences(own, served)
        self.deployment = Deployment(client, self.contract, key, self.budget, sleep)
        self.model = self._model()
        self._probe = Probe(self.deployment, self.model, plan.backend, self.mark, plan.keyless)

    def cases(self) -> None:
        """Run the cases; the report gets a result for each."""
        for case in chosen(CASES, self.plan):
            self.report.results.append(self._case(case))

    def close(self) -> Report:
        """Delete everything stored, and judge whether enough was looked at."""
        self.deployment.tidy()
        report = self.report
        report.results += self._unknown()
        report.results += _unseen(report.results, self.plan)
        report.requests, report.tokens = self.budget.requests, self.budget.tokens
        report.seconds = self.budget.seconds
        return report

    def _case(self, case: Case) -> Result:
        operation = self.contract.operations.get(case.operation)
        path = f"{operation.method} {operation.path}" if operation else ""
        result = Result(case.label, path, face=case.face)
        if operation is None:
            result.state, result.told = "skipped", "The served contract has no such operation."
            return result
        probe, begun = self._probe, self.budget.seconds
        probe.requests = 0
        found: list[str] = []
        try:
            for sentence in case.run(probe):
                found.append(sentence)  # sentences before an error count too
            result.state = "passed"
        except Skipped as reason:
            result.state, result.told = "skipped", str(reason)
        except (NotRun, OutOfBounds, Limited) as reason:
            result.told = str(reason)
        except (Broken, NoAnswer) as reason:
            found.append(str(reason))
        except MALFORMED as error:
            found.append(f"an answer has not the form that is read here ({type(error).__name__}: {error})")
        found = [*probe.take(), *found]
        if found:
            result.state, result.told = "failed", joined(found)
        result.requests, result.seconds = probe.requests, self.budget.seconds - begun
        return result

    def _model(self) -> str:
        """The name of the model that is asked."""
        plan = self.plan
        prefix = f"{plan.backend}/" if plan.backend else ""
        if plan.model is not None:
            return plan.model if plan.model.startswith(prefix) else prefix + plan.model
        found: list[str] = []
        if "listModels" in self.contract.operations:
            try:
                found = [str(each) for each in lists.ids(self.deployment.call("listModels").object)]
            except (Limited, NoAnswer, OutOfBounds):
                found = []
        named = [each for each in found if each.startswith(prefix)]
        if not named and plan.backend:
            raise Failure(
                f"The deployment lists no model {prefix}...; --model names one that it has all the same."
            )
        # Without any the cases that ask a model fail by name, and the others still run.
        return named[0] if named else ""

    def _unknown(self) -> Iterator[Result]:
        """A result for each operation of the contract that has no case."""
        if self.plan.face != "all" or self.plan.only is not None:
            return
        known = {case.operation for case in CASES}
        for name, operation in self.contract.operations.items():
            if name not in known:
                reason = "This release's check has no case for the operation."
                state: State = "skipped" if self.plan.served else "failed"
                yield Result(name, f"{operation.method} {operation.path}", state, told=reason)


def _served(client: Client) -> Contract | str:
    """The contract that a deployment serves, or a sentence why there is none.

    Raises:
        Failure: the deployment cannot be reached.
    """
    try:
        answer = fetch(client, "/openapi.json")
    except NoAnswer as error:
        raise Failure(f"{client.base_url} cannot be reached: {error}.") from error
    if not answer.ok:
        return f"/openapi.json is answered with {answer.status}, so no contract is served."
    try:
        return Contract(answer.json())
    except ValueError as error:
        return f"/openapi.json holds no contract: {error}."


def _named(plan: Plan, contract: Contract, own: Contract) -> str:
    if plan.served:
        return f"held to the contract that it serves (version {contract.version})"
    return f"held to the contract of this release (version {own.version})"


def _differences(own: Contract, served: Contract | str) -> list[str]:
    if isinstance(served, str):
        return [served]
    return [f"The contract that it serves differs: {each}." for each in own.differences(served)]


def _unseen(results: Iterable[Result], plan: Plan) -> Iterator[Result]:
    """A result that is no pass for each face of which nothing was looked at, and one if nothing was at all."""
    known = list(results)
    looked_at = [result for result in known if result.state in ("passed", "failed")]
    if not looked_at:
        yield Result("contract", "", "failed", told="No operation of the contract was checked.")
    if plan.only is not None:
        return
    for face in COUNTED_FACES:
        if face not in FACES[plan.face] or any(result.face == face for result in looked_at):
            continue
        # Where the bounds were too narrow, the deployment is not at fault.
        late = any(result.face == face and result.state == "not run" for result in known)
        yield Result(face, "", "not run" if late else "failed", told=f"No case of the face {face} ran.")
