"""Whatever the served contract allows is answered as the contract says, event by event."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.checks import positive_data_acceptance, response_schema_conformance
from schemathesis.core.failures import FailureGroup
from wireloom_protocol.operations import OPERATIONS as SERVED

from tests.contract.varied_upstream import MODEL, VariedUpstream
from tests.support.chat_grammar import events
from tests.support.gateway import Gateway
from wireloom.cli.diagnose.acceptance import acceptable
from wireloom.cli.diagnose.check.rules import stream

pytestmark = pytest.mark.contract

# The same examples everywhere unless a run asks for others, so that a failure here is a failure there.
SEED = int(os.environ.get("WIRELOOM_FUZZ_SEED", "1"))
# As many as cover the forms of a request; `nox -s fuzz` looks for what is rare.
EXAMPLES = int(os.environ.get("WIRELOOM_FUZZ_EXAMPLES", "30"))
SECONDS = 30.0
# More than any answer of the upstream gives: each event is looked at, the connection never cut.
MAX_EVENTS = 100_000
STREAM_TYPE = "text/event-stream"

Change: TypeAlias = "Callable[[Case[Any], Store], None]"


class Undeclared(AssertionError):
    """A valid request was refused for a reason that nothing declares."""


def acceptance(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Take the place of schemathesis's own check, which knows no declared refusals."""
    if response.status_code < 400:
        return
    error = response.json()["error"]
    if not acceptable(response.status_code, error, case.body):
        raise Undeclared(f"{response.status_code}: {error}")


@pytest.fixture(scope="module")
def schema(gateway: Gateway) -> schemathesis.BaseSchema:
    loaded = schemathesis.openapi.from_url(f"{gateway.root_url}/openapi.json")
    loaded.config.update(base_url=gateway.root_url)
    loaded.config.max_stream_events = MAX_EVENTS
    loaded.config.generation.update(
        with_security_parameters=False
    )  # the key is always sent, and one at a time
    return loaded


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


class Store:
    """Puts things into the gateway's store, and looks at what is there.

    Args:
        schema: the served contract.
        session: what requests go through.
        headers: the key.
    """

    def __init__(
        self, schema: schemathesis.BaseSchema, session: requests.Session, headers: dict[str, str]
    ) -> None:
        self._schema = schema
        self._session = session
        self._headers = headers
        self.turns = 0
        """How often the upstream was asked on the way."""

    def response(self) -> str:
        """The id of a response that is there."""
        self.turns += 1
        return self._made("/v1/responses", {"model": MODEL, "input": "hello"})

    def conversation(self) -> str:
        """The id of a conversation that is there, with an item."""
        return self._made("/v1/conversations", {"items": [{"role": "user", "content": "hello", "id": ITEM}]})

    def get(self, path: str, **parameters: str) -> Any:
        """What is there, after a look whether it keeps to the contract."""
        case = self._schema[path]["GET"].Case(path_parameters=parameters)
        response = case.call_and_validate(
            session=self._session,
            headers=self._headers,
            excluded_checks=[positive_data_acceptance],
            timeout=SECONDS,
        )
        assert response.status_code == 200, response.text
        return response.json()

    def _made(self, path: str, body: dict[str, Any]) -> str:
        case = self._schema[path]["POST"].Case(body=body, media_type="application/json")
        made: str = case.call(session=self._session, headers=self._headers, timeout=SECONDS).json()["id"]
        return made


ITEM = "my/item"


def unchanged(_: Case[Any], __: Store) -> None:
    """Leave a case as it was generated: what it names is nowhere."""


def continued(case: Case[Any], store: Store) -> None:
    """Let a request go on from something that is there, if it goes on from anything."""
    body = dict(body_of(case))
    if isinstance(body.get("previous_response_id"), str):
        body["previous_response_id"] = store.response()
        body.pop("conversation", None)
    elif isinstance(body.get("conversation"), str | dict):
        conversation = store.conversation()
        body["conversation"] = conversation if isinstance(body["conversation"], str) else {"id": conversation}
    case.body = body


def streamed(case: Case[Any], store: Store) -> None:
    continued(case, store)
    case.body = {**body_of(case), "stream": True}


def whole(case: Case[Any], store: Store) -> None:
    continued(case, store)
    case.body = {**body_of(case), "stream": False}


def chat_streamed(case: Case[Any], _: Store) -> None:
    case.body = {**body_of(case), "stream": True}


def chat_whole(case: Case[Any], _: Store) -> None:
    case.body = {**body_of(case), "stream": False}


def body_of(case: Case[Any]) -> dict[str, Any]:
    assert isinstance(case.body, dict)
    return case.body


def known_model(case: Case[Any], _: Store) -> None:
    case.path_parameters["model"] = MODEL


def stored(case: Case[Any], store: Store) -> None:
    """Name something that is there, and no page after something that is not."""
    parameters = case.path_parameters
    if "response_id" in parameters:
        parameters["response_id"] = store.response()
    if "conversation_id" in parameters:
        parameters["conversation_id"] = store.conversation()
    if "item_id" in parameters:
        parameters["item_id"] = ITEM
    case.query.pop("after", None)


# Among valid requests, those that ask for one form of answer, or for something that is there.
OF_STORED = (unchanged, stored)
CHANGES: dict[str, tuple[Change, ...]] = {
    "createResponse": (whole, streamed),
    "createChatCompletion": (chat_whole, chat_streamed),
    "countInputTokens": (continued,),
    "compactResponse": (continued,),
    "retrieveModel": (unchanged, known_model),
    **{operation: OF_STORED for _, path, operation, _ in SERVED if "_id}" in path},
}


def look_at_response(store: Store, response: Response) -> None:
    """What was answered is there to be looked up."""
    answered = response.json()
    if answered["store"]:
        assert store.get("/v1/responses/{response_id}", response_id=answered["id"]) == answered
        store.get("/v1/responses/{response_id}/input_items", response_id=answered["id"])


def look_at_conversation(store: Store, response: Response) -> None:
    """What a conversation began with is there to be looked up."""
    begun = response.json()
    assert store.get("/v1/conversations/{conversation_id}", conversation_id=begun["id"]) == begun
    store.get("/v1/conversations/{conversation_id}/items", conversation_id=begun["id"])


LOOKS: dict[str, Callable[[Store, Response], None]] = {
    "createResponse-whole": look_at_response,
    "createConversation-unchanged": look_at_conversation,
}
RUNS = [
    pytest.param(method, path, change, SEED + number, id=f"{operation}-{change.__name__}")
    for method, path, operation, _ in SERVED
    for number, change in enumerate(CHANGES.get(operation, (unchanged,)))
]
GENERATING = frozenset({"createResponse", "createChatCompletion"})


def generated(examples: int) -> settings:
    """How what is generated is run: so many examples, the same ones each time, none of them shrunk."""
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize(("method", "path", "change", "seed"), RUNS)
def test_valid_requests(
    method: str,
    path: str,
    change: Change,
    seed: int,
    schema: schemathesis.BaseSchema,
    session: requests.Session,
    gateway: Gateway,
    varied_upstream: VariedUpstream,
    report: list[str],
) -> None:
    operation = schema[path][method]
    headers = {"Authorization": f"Bearer {gateway.token}"}
    store = Store(schema, session, headers)
    look = LOOKS.get(f"{operation.definition.raw['operationId']}-{change.__name__}")
    before, sent, answered = len(varied_upstream.bodies), 0, 0

    @seeded(seed)
    @generated(EXAMPLES)
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def run(case: Case[Any]) -> None:
        nonlocal sent, answered
        change(case, store)
        sent += 1
        response = case.call_and_validate(
            session=session,
            headers=headers,
            additional_checks=[acceptance],
            excluded_checks=[positive_data_acceptance],
            timeout=SECONDS,
        )
        answered += response.status_code == 200
        if change is streamed and response.status_code == 200:
            check_end(response)
        if change is chat_streamed and response.status_code == 200:
            check_completion(response)
        if look is not None and response.status_code == 200:
            look(store, response)

    run()
    reached = len(varied_upstream.bodies) - before - store.turns
    name = f"{operation.definition.raw['operationId']} ({change.__name__})"
    report.append(
        f"{name}: {sent} examples, {answered} answered, {reached} reached the upstream; seed {seed}"
    )
    if operation.definition.raw["operationId"] in GENERATING:
        assert reached >= sent / 2, report[-1]
        assert answered >= reached, report[-1]
    if change is stored:
        assert answered >= sent / 2, report[-1]


def check_end(response: Response) -> None:
    """Check what no schema of single events can say: the grammar of the stream, to its end."""
    assert response.headers["content-type"][0].startswith(STREAM_TYPE)
    assert stream.read(response.text)[0] == []


def check_completion(response: Response) -> None:
    """Check how the stream of a chat completion ends; what the upstream says is passed on as it is."""
    assert response.headers["content-type"][0].startswith(STREAM_TYPE)
    assert any(choice["finish_reason"] for chunk in events(response.text) for choice in chunk["choices"])


# -- the judge itself ------------------------------------------------------------------------------------------------


def spoilt(text: str, spoil: Callable[[Any], None]) -> str:
    """A stream whose first delta event is changed."""
    events = text.split("\n\n")
    index = next(i for i, event in enumerate(events) if event.startswith("event: response.output_text.delta"))
    head, _, data = events[index].partition("data: ")
    value = json.loads(data)
    spoil(value)
    events[index] = f"{head}data: {json.dumps(value)}"
    return "\n\n".join(events)


def lose_delta(event: Any) -> None:
    del event["delta"]


def renumber(event: Any) -> None:
    event["sequence_number"] = "1"


def rename(event: Any) -> None:
    event["type"] = "response.unheard_of"


@pytest.mark.parametrize("spoil", [lose_delta, renumber, rename])
def test_a_wrong_event_is_noticed(
    spoil: Callable[[Any], None], schema: schemathesis.BaseSchema, gateway: Gateway
) -> None:
    body: Any = {"model": "m", "input": "hello", "stream": True}
    case = schema["/v1/responses"]["POST"].Case(body=body, media_type="application/json")
    headers = {"Authorization": f"Bearer {gateway.token}"}
    with httpx.Client(base_url=gateway.root_url, headers=headers, timeout=SECONDS) as client:
        response = client.post("/v1/responses", json=body)
        while "response.output_text.delta" not in response.text:  # the upstream has answers without text too
            response = client.post("/v1/responses", json=body)
    case.validate_response(response, headers=headers)
    wrong = httpx.Response(
        200,
        headers={"content-type": response.headers["content-type"]},
        text=spoilt(response.text, spoil),
        request=response.request,
    )
    wrong.elapsed = response.elapsed
    with pytest.raises(FailureGroup, match="event"):
        case.validate_response(wrong, headers=headers, checks=[response_schema_conformance])
