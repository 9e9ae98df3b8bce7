"""What `wireloom check` does: valid requests from the served contract, within bounds, and nothing left behind."""

from __future__ import annotations

import json
import secrets
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
from schemathesis.errors import SchemathesisError
from schemathesis.specs.openapi.checks import ignored_auth

from wireloom.api.operations import contract
from wireloom.cli.acceptance import acceptable, completes, ends_well
from wireloom.cli.check import Bounds, Report, Result
from wireloom.cli.options import Failure

AGENT = "wireloom-check"
MARK = "wireloom_check"
SECONDS = 60.0
# More than any answer has: each event is looked at, the connection never cut.
MAX_EVENTS = 100_000
WORD = "Reply with the word ok."
# Few, and enough for a model that thinks before it says a word.
FEW_TOKENS = 256
# Members of generated requests that are sent to live models: they change nothing of the answer.
HARMLESS = ("user", "safety_identifier", "prompt_cache_key")

Json: TypeAlias = dict[str, Any]
Prepare: TypeAlias = "Callable[[Check, Case[Any]], None]"
Look: TypeAlias = Callable[[str], bool]
After: TypeAlias = "Callable[[Check, Any], None]"


class OutOfBounds(Exception):
    """Nothing more may be sent."""


class Wrong(Exception):
    """An answer is not what it has to be."""


class Check:
    """One check of a deployment.

    url: without the version; token: what it is sent, or None; model: what is asked, None for the first that is listed;
    bounds: how much may be sent; wide: whether models are asked all that the contract allows; keyless: whether clients
    are asked for no key on purpose.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        model: str | None,
        bounds: Bounds,
        *,
        wide: bool = False,
        keyless: bool = False,
    ) -> None:
        self.url = url
        self.bounds = bounds
        self.wide = wide
        self.model = model or ""
        self.mark = secrets.token_hex(8)
        self.responses: list[str] = []
        self.conversations: list[str] = []
        self.items: list[str] = []
        self._session = requests.Session()
        self._headers = {"user-agent": AGENT} | (
            {} if token is None else {"authorization": f"Bearer {token}"}
        )
        # The check that stands in for the first knows declared refusals; without a key none can be missed.
        self._excluded = [positive_data_acceptance, *([ignored_auth] if keyless else [])]
        self._sent = 0
        self._until = time.monotonic() + bounds.seconds

    def load(self) -> Any:
        """The contract that is served; raises ``Failure`` where there is none."""
        try:
            loaded = schemathesis.openapi.from_url(
                f"{self.url}/openapi.json", headers=self._headers, timeout=SECONDS
            )
        except (SchemathesisError, requests.RequestException) as error:
            raise Failure(
                f"{self.url}/openapi.json: there is no contract to check against: {error}"
            ) from error
        loaded.config.update(base_url=self.url)
        loaded.config.max_stream_events = MAX_EVENTS
        # The key is always sent, and one at a time.
        loaded.config.generation.update(with_security_parameters=False)
        return loaded

    def send(self, case: Case[Any], after: After | None = None) -> Any:
        """Send a request, and hold its answer to the contract; raises ``Wrong`` and ``OutOfBounds``.

        after: is told of an answer that is no refusal before it is judged, so that what was stored is deleted in any case.
        """
        if self._sent >= self.bounds.requests or time.monotonic() > self._until:
            raise OutOfBounds
        self._sent += 1
        try:
            response = case.call(session=self._session, headers=self._headers, timeout=SECONDS)
            if after is not None and response.status_code < 300:
                with suppress(ValueError, KeyError, TypeError):  # what has another form fails below
                    after(self, response.json())
            case.validate_response(response, headers=self._headers, excluded_checks=self._excluded)
        except FailureGroup as group:
            raise Wrong("\n".join(_told(each) for each in group.exceptions)) from group
        except requests.RequestException as error:
            raise Wrong(f"There was no whole answer: {type(error).__name__}") from error
        if response.status_code >= 400:
            refused = response.json()["error"]
            if not acceptable(response.status_code, refused, case.body):
                raise Wrong(f"A valid request was refused with {response.status_code}: {json.dumps(refused)}")
        return response

    def get(self, path: str) -> Json:
        """Something that is there."""
        response = self._session.get(f"{self.url}{path}", headers=self._headers, timeout=SECONDS)
        found: Json = response.json() if response.ok else {}
        return found

    def tidy(self) -> None:
        """Delete what is left of what was stored, whatever the bounds."""
        for kind, names in (("responses", self.responses), ("conversations", self.conversations)):
            for name in names:
                self._session.delete(f"{self.url}/v1/{kind}/{name}", headers=self._headers, timeout=SECONDS)
        self._session.close()


def _told(finding: BaseException) -> str:
    if isinstance(finding, Finding):
        return f"{finding.title}: {finding.message}".strip()
    return f"{type(finding).__name__}: {finding}"


# -- how requests are made safe for a live system ----------------------------------------------------------------


def _body(case: Case[Any]) -> Json:
    """A copy of a generated body; one that may be left out is an empty object then."""
    return dict(case.body) if isinstance(case.body, dict) else {}


def _plain(_: Check, __: Case[Any]) -> None:
    """As it was generated."""


def _known_model(check: Check, case: Case[Any]) -> None:
    case.path_parameters["model"] = check.model


def _respond(check: Check, case: Case[Any], *, stream: bool, store: bool) -> None:
    body = _body(case)
    for name in ("background", "previous_response_id", "conversation"):
        body.pop(name, None)
    if not check.wide:
        body = {name: body[name] for name in HARMLESS if name in body}
        body |= {"input": WORD, "max_output_tokens": FEW_TOKENS}
    case.body = body | {
        "model": check.model,
        "stream": stream,
        "store": store,
        "metadata": {MARK: check.mark},
    }


def _stored(check: Check, case: Case[Any]) -> None:
    _respond(check, case, stream=False, store=True)


def _whole(check: Check, case: Case[Any]) -> None:
    _respond(check, case, stream=False, store=False)


def _streamed(check: Check, case: Case[Any]) -> None:
    _respond(check, case, stream=True, store=False)


def _chat(check: Check, case: Case[Any], *, stream: bool) -> None:
    body = _body(case)
    if not check.wide:
        body = {name: body[name] for name in HARMLESS if name in body}
        body["messages"] = [{"role": "user", "content": WORD}]
    case.body = body | {"model": check.model, "stream": stream}


def _chat_whole(check: Check, case: Case[Any]) -> None:
    _chat(check, case, stream=False)


def _chat_streamed(check: Check, case: Case[Any]) -> None:
    _chat(check, case, stream=True)


def _counted(check: Check, case: Case[Any]) -> None:
    body = _body(case)
    for name in ("previous_response_id", "conversation"):
        body.pop(name, None)
    asked: Json = body if check.wide else {"input": WORD}
    case.body = asked | {"model": check.model}


def _begun(check: Check, case: Case[Any]) -> None:
    body = _body(case)
    case.body = body | {"metadata": {MARK: check.mark}}


def _of_stored(check: Check, case: Case[Any]) -> None:
    """Name something that the check has stored; where there is none, it has to be told so."""
    for name, known in (
        ("response_id", check.responses),
        ("conversation_id", check.conversations),
        ("item_id", check.items),
    ):
        if name in case.path_parameters:
            case.path_parameters[name] = known[-1] if known else f"none_{check.mark}"
    case.query.pop("after", None)


def _updated(check: Check, case: Case[Any]) -> None:
    _of_stored(check, case)
    case.body = {"metadata": {MARK: check.mark}}


def _keep(names: str) -> After:
    def keep(check: Check, answered: Any) -> None:
        getattr(check, names).append(answered["id"])

    return keep


def _keep_items(check: Check, answered: Any) -> None:
    check.items += [item["id"] for item in answered["data"] if item.get("id")]


def _forget(names: str) -> After:
    def forget(check: Check, _: Any) -> None:
        del getattr(check, names)[-1:]

    return forget


class Run:
    """How an operation is checked.

    name: what is varied, empty where that is nothing; prepare: makes a generated request safe; look: whether the text of
    an answer ends as it has to; after: what is kept of an answer; once: whether one request is enough.
    """

    def __init__(
        self,
        prepare: Prepare = _plain,
        name: str = "",
        *,
        look: Look | None = None,
        after: After | None = None,
        once: bool = False,
    ) -> None:
        self.prepare = prepare
        self.name = name
        self.look = look
        self.after = after
        self.once = once


# In this order: what is there is made first and deleted last.
RUNS: dict[str, tuple[Run, ...]] = {
    "health": (Run(once=True),),
    "ready": (Run(once=True),),
    "metrics": (Run(once=True),),
    "listModels": (Run(once=True),),
    "retrieveModel": (Run(_known_model, once=True),),
    "createResponse": (
        Run(_stored, "stored", after=_keep("responses"), once=True),
        Run(_whole, "whole"),
        Run(_streamed, "streamed", look=ends_well),
    ),
    "getResponse": (Run(_of_stored, once=True),),
    "listInputItems": (Run(_of_stored),),
    "countInputTokens": (Run(_counted),),
    "compactResponse": (Run(_counted, once=True),),
    "createChatCompletion": (Run(_chat_whole, "whole"), Run(_chat_streamed, "streamed", look=completes)),
    "createConversation": (Run(_begun, after=_keep("conversations"), once=True),),
    "getConversation": (Run(_of_stored, once=True),),
    "updateConversation": (Run(_updated, once=True),),
    "createConversationItems": (Run(_of_stored, after=_keep_items),),
    "listConversationItems": (Run(_of_stored),),
    "getConversationItem": (Run(_of_stored, once=True),),
    "deleteConversationItem": (Run(_of_stored, once=True, after=_forget("items")),),
    "deleteConversation": (Run(_of_stored, once=True, after=_forget("conversations")),),
    "deleteResponse": (Run(_of_stored, once=True, after=_forget("responses")),),
}


def run(
    url: str,
    token: str | None,
    model: str | None,
    bounds: Bounds,
    *,
    wide: bool = False,
    keyless: bool = False,
    seed: int = 1,
) -> Report:
    """Check the deployment at a URL.

    See `Check` for the parameters; seed: another one makes other requests. Raises ``Failure`` where there is no contract.
    """
    check = Check(url, token, model, bounds, wide=wide, keyless=keyless)
    schema = check.load()
    same = json.loads(contract()) == schema.raw_schema
    report = Report(url, "the contract of this version" if same else "a contract of another version")
    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            listed = check.get("/v1/models").get("data") or [{"id": ""}]
            check.model = check.model or listed[0]["id"]
            report.results += _operations(check, schema, seed)
        finally:
            check.tidy()
    return report


def _operations(check: Check, schema: Any, number: int) -> Iterator[Result]:
    served = {found.ok().definition.raw["operationId"]: found.ok() for found in schema.get_all_operations()}
    for name in [*RUNS, *(name for name in served if name not in RUNS)]:
        if name not in served:
            continue
        path = f"{served[name].method.upper()} {served[name].path}"
        if name not in RUNS:
            yield Result(name, path, "skipped", told="This version of the check does not know the operation.")
        for each in RUNS.get(name, ()):
            label = f"{name} ({each.name})" if each.name else name
            yield _run(check, served[name], each, Result(label, path), number)


def _run(check: Check, operation: Any, how: Run, result: Result, number: int) -> Result:
    begun = time.monotonic()
    try:
        for case in _cases(operation, 1 if how.once else check.bounds.examples, number):
            how.prepare(check, case)
            response = check.send(case, how.after)
            result.requests += 1
            well = response.status_code < 300
            if well and how.look is not None and not how.look(response.text):
                raise Wrong("The stream has not the end that it must have.")
        result.state = "passed"
    except OutOfBounds:
        result.told = "The bounds were reached (--max-requests, --max-seconds)."
    except Wrong as error:
        result.state, result.told = "failed", str(error)
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
