"""Valid requests that schemathesis makes from the contract, within the bounds, with nothing left behind."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir
from schemathesis import Case, GenerationMode
from schemathesis.checks import positive_data_acceptance
from schemathesis.core.failures import Failure as Finding
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.errors import SchemathesisError
from schemathesis.specs.openapi.checks import ignored_auth

from wireloom.cli.diagnose.acceptance import acceptable
from wireloom.cli.diagnose.check.answer import Answer
from wireloom.cli.diagnose.check.bounds import ASKING, OutOfBounds
from wireloom.cli.diagnose.check.cases.base import FACES, FEW_TOKENS, MARK, WORD
from wireloom.cli.diagnose.check.deployment import AGENT, ANSWER_SECONDS
from wireloom.cli.diagnose.check.report import Result, joined
from wireloom.cli.diagnose.check.rules import chat_stream, stream
from wireloom.cli.diagnose.check.run import Check
from wireloom.wire.json import Json

# More than any answer has: each event is looked at, the connection never cut.
MAX_EVENTS = 100_000
# Members of generated requests that are sent to live models: they change nothing of the answer.
HARMLESS = ("user", "safety_identifier", "prompt_cache_key")

Prepare: TypeAlias = "Callable[[Fuzz, Case[Any]], None]"
Look: TypeAlias = Callable[[str, Json], list[str]]
After: TypeAlias = "Callable[[Fuzz, Any], None]"


class Wrong(Exception):
    """An answer breaks a rule."""


class Fuzz:
    """Sends generated requests to the deployment of a check.

    check: whose contract, model, key and bounds hold; wide: whether models are asked all that the contract allows.
    """

    def __init__(self, check: Check, *, wide: bool) -> None:
        self.wide = wide
        self.model = check.model
        self.mark = check.mark
        self.responses: list[str] = []
        self.conversations: list[str] = []
        self.items: list[str] = []
        self._budget = check.budget
        self._url = check.report.url
        self._session = requests.Session()
        key = check.deployment.key
        self._headers = {"user-agent": AGENT} | ({"authorization": f"Bearer {key}"} if key else {})
        # The check that stands in for the first knows declared refusals; without a key none can be missed.
        self._excluded = [positive_data_acceptance, *([ignored_auth] if check.plan.keyless else [])]
        self.schema = schemathesis.openapi.from_dict(check.contract.document)
        self.schema.config.update(base_url=self._url)
        self.schema.config.max_stream_events = MAX_EVENTS
        # The key is always sent, and one at a time.
        self.schema.config.generation.update(with_security_parameters=False)

    def send(self, operation: str, case: Case[Any], after: After | None = None) -> Any:
        """Send a request, and hold its answer to the contract.

        after: receives an answer that is no refusal before it is judged, so that everything stored is deleted in any case.

        Raises:
            Wrong: the answer breaks a rule.
            OutOfBounds: the request may not be sent.
        """
        self._budget.take(asks=operation in ASKING)
        try:
            timeout = min(ANSWER_SECONDS, max(self._budget.left, 1.0))
            response = case.call(session=self._session, headers=self._headers, timeout=timeout)
            if after is not None and response.status_code < 300:
                with suppress(ValueError, KeyError, TypeError):  # an answer of another form fails below
                    after(self, response.json())
            self._spend(operation, case, response)
            case.validate_response(response, headers=self._headers, excluded_checks=self._excluded)
        except FailureGroup as group:
            raise Wrong("\n".join(_sentence(each) for each in group.exceptions)) from group
        except requests.RequestException as error:
            raise Wrong(f"There was no whole answer: {type(error).__name__}") from error
        if response.status_code >= 400:
            refused = response.json()["error"]
            if not acceptable(response.status_code, refused, case.body):
                raise Wrong(f"A valid request was refused with {response.status_code}: {json.dumps(refused)}")
        return response

    def _spend(self, operation: str, case: Case[Any], response: Any) -> None:
        heads = {name.lower(): values[0] for name, values in response.headers.items()}
        body = case.body if isinstance(case.body, dict) else None
        self._budget.spend(Answer(operation, "", body, response.status_code, heads, response.content))

    def tidy(self) -> None:
        """Delete everything stored that is still there, whatever the bounds."""
        with suppress(requests.RequestException):
            for kind, names in (("responses", self.responses), ("conversations", self.conversations)):
                for name in names:
                    url = f"{self._url}/v1/{kind}/{name}"
                    self._session.delete(url, headers=self._headers, timeout=ANSWER_SECONDS)
        self._session.close()


def _sentence(finding: BaseException) -> str:
    if isinstance(finding, Finding):
        return f"{finding.title}: {finding.message}".strip()
    return f"{type(finding).__name__}: {finding}"


# -- how requests are made safe for a live system ----------------------------------------------------------------


def _body(case: Case[Any]) -> Json:
    """A copy of a generated body; one that may be left out is an empty object then."""
    return dict(case.body) if isinstance(case.body, dict) else {}


def _plain(_: Fuzz, __: Case[Any]) -> None:
    """As it was generated."""


def _known_model(fuzz: Fuzz, case: Case[Any]) -> None:
    case.path_parameters["model"] = fuzz.model


def _alone(case: Case[Any]) -> Json:
    """A generated body without the context that it names, which is nowhere."""
    body = _body(case)
    context = [body.pop(name, None) for name in ("previous_response_id", "conversation")]
    # With a context the contract allows inputs that mean nothing alone.
    return body if context == [None, None] else body | {"input": WORD}


def _respond(fuzz: Fuzz, case: Case[Any], *, stream: bool, store: bool) -> None:
    body = _alone(case)
    body.pop("background", None)
    if not fuzz.wide:
        body = {name: body[name] for name in HARMLESS if name in body}
        body |= {"input": WORD, "max_output_tokens": FEW_TOKENS}
    case.body = body | {
        "model": fuzz.model,
        "stream": stream,
        "store": store,
        "metadata": {MARK: fuzz.mark},
    }


def _stored(fuzz: Fuzz, case: Case[Any]) -> None:
    _respond(fuzz, case, stream=False, store=True)


def _whole(fuzz: Fuzz, case: Case[Any]) -> None:
    _respond(fuzz, case, stream=False, store=False)


def _streamed(fuzz: Fuzz, case: Case[Any]) -> None:
    _respond(fuzz, case, stream=True, store=False)


def _chat(fuzz: Fuzz, case: Case[Any], *, stream: bool) -> None:
    body = _body(case)
    if not fuzz.wide:
        body = {name: body[name] for name in HARMLESS if name in body}
        body["messages"] = [{"role": "user", "content": WORD}]
    case.body = body | {"model": fuzz.model, "stream": stream}


def _chat_whole(fuzz: Fuzz, case: Case[Any]) -> None:
    _chat(fuzz, case, stream=False)


def _chat_streamed(fuzz: Fuzz, case: Case[Any]) -> None:
    _chat(fuzz, case, stream=True)


def _counted(fuzz: Fuzz, case: Case[Any]) -> None:
    asked: Json = _alone(case) if fuzz.wide else {"input": WORD}
    case.body = asked | {"model": fuzz.model}


def _begun(fuzz: Fuzz, case: Case[Any]) -> None:
    body = _body(case)
    case.body = body | {"metadata": {MARK: fuzz.mark}}


def _of_stored(fuzz: Fuzz, case: Case[Any]) -> None:
    """Name something that was stored before, or something that is nowhere, which has to be refused."""
    for name, known in (
        ("response_id", fuzz.responses),
        ("conversation_id", fuzz.conversations),
        ("item_id", fuzz.items),
    ):
        if name in case.path_parameters:
            case.path_parameters[name] = known[-1] if known else f"none_{fuzz.mark}"
    case.query.pop("after", None)


def _updated(fuzz: Fuzz, case: Case[Any]) -> None:
    _of_stored(fuzz, case)
    case.body = {"metadata": {MARK: fuzz.mark}}


def _keep(names: str) -> After:
    def keep(fuzz: Fuzz, answered: Any) -> None:
        getattr(fuzz, names).append(answered["id"])

    return keep


def _keep_items(fuzz: Fuzz, answered: Any) -> None:
    fuzz.items += [item["id"] for item in answered["data"] if item.get("id")]


def _forget(names: str) -> After:
    def forget(fuzz: Fuzz, _: Any) -> None:
        del getattr(fuzz, names)[-1:]

    return forget


def _responses_stream(text: str, _: Json) -> list[str]:
    return stream.read(text)[0]


def _chat_stream(text: str, sent: Json) -> list[str]:
    return chat_stream.read(text, sent, answers=False)[0]


class Run:
    """How an operation is fuzzed.

    face: of the operation; prepare: makes a generated request safe; name: of the variation, empty without one; look:
    yields the rules that a stream breaks; after: keeps something of an answer; once: whether one request is enough.
    """

    def __init__(
        self,
        face: str,
        prepare: Prepare = _plain,
        name: str = "",
        *,
        look: Look | None = None,
        after: After | None = None,
        once: bool = False,
    ) -> None:
        self.face = face
        self.prepare = prepare
        self.name = name
        self.look = look
        self.after = after
        self.once = once


# In this order: creation first, deletion last.
RUNS: dict[str, tuple[Run, ...]] = {
    "about": (Run("gateway", once=True),),
    "health": (Run("gateway", once=True),),
    "ready": (Run("gateway", once=True),),
    "metrics": (Run("gateway", once=True),),
    "listModels": (Run("shared", once=True),),
    "retrieveModel": (Run("shared", _known_model, once=True),),
    "createResponse": (
        Run("responses", _stored, "stored", after=_keep("responses"), once=True),
        Run("responses", _whole, "whole"),
        Run("responses", _streamed, "streamed", look=_responses_stream),
    ),
    "getResponse": (Run("responses", _of_stored, once=True),),
    "listInputItems": (Run("responses", _of_stored),),
    "countInputTokens": (Run("responses", _counted),),
    "compactResponse": (Run("responses", _counted, once=True),),
    "createChatCompletion": (
        Run("chat", _chat_whole, "whole"),
        Run("chat", _chat_streamed, "streamed", look=_chat_stream),
    ),
    "createConversation": (Run("responses", _begun, after=_keep("conversations"), once=True),),
    "getConversation": (Run("responses", _of_stored, once=True),),
    "updateConversation": (Run("responses", _updated, once=True),),
    "createConversationItems": (Run("responses", _of_stored, after=_keep_items),),
    "listConversationItems": (Run("responses", _of_stored),),
    "getConversationItem": (Run("responses", _of_stored, once=True),),
    "deleteConversationItem": (Run("responses", _of_stored, once=True, after=_forget("items")),),
    "deleteConversation": (Run("responses", _of_stored, once=True, after=_forget("conversations")),),
    "deleteResponse": (Run("responses", _of_stored, once=True, after=_forget("responses")),),
}


def run(check: Check, *, wide: bool = False, examples: int = 3, number: int = 1) -> None:
    """Fuzz the deployment of a check; its report gets a result for each operation and each way to vary it.

    wide: whether models are asked all that the contract allows; examples: requests to each operation, one to those that
    ask a model unless wide; number: another one makes other requests.
    """
    try:
        fuzz = Fuzz(check, wide=wide)
    except SchemathesisError as error:
        reason = f"No requests can be made from the contract: {error}"
        check.report.results.append(Result("contract (fuzzed)", "", "failed", told=reason))
        return
    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            check.report.results += _operations(fuzz, check.plan.face, examples, number)
        finally:
            fuzz.tidy()


def _operations(fuzz: Fuzz, face: str, examples: int, number: int) -> Iterator[Result]:
    found = (each.ok() for each in fuzz.schema.get_all_operations() if isinstance(each, Ok))
    served = {operation.definition.raw["operationId"]: operation for operation in found}
    for name, runs in RUNS.items():
        for each in runs if name in served else ():
            if each.face not in FACES[face]:
                continue
            operation = served[name]
            label = f"{name} (fuzzed, {each.name})" if each.name else f"{name} (fuzzed)"
            result = Result(label, f"{operation.method.upper()} {operation.path}", face=each.face)
            asks_live = name in ASKING and not fuzz.wide
            count = 1 if each.once or asks_live else examples
            yield _run(fuzz, (name, operation), each, result, (count, number))


def _run(fuzz: Fuzz, target: tuple[str, Any], how: Run, result: Result, asked: tuple[int, int]) -> Result:
    begun = time.monotonic()
    name, operation = target
    try:
        for case in _cases(operation, *asked):
            how.prepare(fuzz, case)
            response = fuzz.send(name, case, how.after)
            result.requests += 1
            found = how.look(response.text, _body(case)) if how.look and response.status_code < 300 else []
            if found:
                raise Wrong("\n".join(found))
        result.state = "passed"
    except OutOfBounds as reason:
        result.told = str(reason)
    except Wrong as error:
        result.state, result.told = "failed", joined(str(error).splitlines())
    result.seconds = time.monotonic() - begun
    return result


def _cases(operation: Any, count: int, number: int) -> list[Case[Any]]:
    """Valid requests, made before any is sent: a failure is no reason to send one again."""
    made: list[Case[Any]] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def collect(case: Case[Any]) -> None:
        made.append(case)

    collect()
    return made[:count]
