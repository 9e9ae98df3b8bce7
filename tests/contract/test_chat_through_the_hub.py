"""Whatever Chat request the served contract allows is answered as it says, also where the backend speaks Responses.

The Responses server behind the gateway is another gateway, which stands before the varied Chat upstream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given
from hypothesis import seed as seeded
from schemathesis import Case, GenerationMode
from schemathesis.checks import positive_data_acceptance

from tests.contract.test_schemathesis import (
    EXAMPLES,
    MAX_EVENTS,
    SECONDS,
    SEED,
    acceptance,
    body_of,
    check_completion,
    generated,
)
from tests.contract.varied_upstream import VariedUpstream
from tests.support.gateway import Gateway
from wireloom.translate.chat_face.request import FIELDS
from wireloom.translate.rules.loss import How

pytestmark = pytest.mark.contract

REFUSED = {name for name, rule in FIELDS.items() if rule.how is How.REFUSED}
HELLO = {"role": "user", "content": "hello"}


def spoken(body: dict[str, Any]) -> dict[str, Any]:
    """A request in which something is said: one whose every text is empty has nothing to pass on."""
    return {**body, "messages": [*body["messages"], HELLO]}


def coherent(body: dict[str, Any]) -> dict[str, Any]:
    """A request without what is refused and what no schema can make fit: outputs of calls, and choices of tools."""
    kept = {name: each for name, each in body.items() if name not in REFUSED}
    kept = {name: each for name, each in kept.items() if name not in ("tool_choice", "function_call")}
    messages = [taken(message) for message in body["messages"] if message["role"] not in ("tool", "function")]
    form = kept.get("response_format") or {}
    if form.get("type") == "json_schema":
        given = form["json_schema"]
        named = {**given, "schema": given.get("schema") or {"type": "object"}}
        kept["response_format"] = {**form, "json_schema": named}
    return {**kept, "messages": messages}


def taken(message: dict[str, Any]) -> dict[str, Any]:
    """A message without sound and files, which the profile of the varied upstream does not take."""
    kept = {name: each for name, each in message.items() if name != "audio"}
    if isinstance(kept.get("content"), list):
        parts = [part for part in kept["content"] if part.get("type") not in ("input_audio", "file")]
        kept["content"] = parts or "nothing"
    return kept


@pytest.fixture(scope="module")
def outer(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("outer")
    flags = ("--upstream-wire", "responses", "--log-level", "warning")
    with Gateway(gateway.base_url, home, *flags, api_key=gateway.token) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_valid_requests(
    stream: bool, outer: Gateway, varied_upstream: VariedUpstream, report: list[str]
) -> None:
    schema = schemathesis.openapi.from_url(f"{outer.root_url}/openapi.json")
    schema.config.update(base_url=outer.root_url)
    schema.config.max_stream_events = MAX_EVENTS
    schema.config.generation.update(with_security_parameters=False)
    operation = schema["/v1/chat/completions"]["POST"]
    before, sent, answered = len(varied_upstream.bodies), 0, 0

    with requests.Session() as session:

        @seeded(SEED)
        @generated(EXAMPLES)
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def run(case: Case[Any]) -> None:
            nonlocal sent, answered
            sent += 1
            body = coherent(body_of(case))
            case.body = {**spoken(body), "stream": stream}
            response = case.call_and_validate(
                session=session,
                headers={"Authorization": f"Bearer {outer.token}"},
                additional_checks=[acceptance],
                excluded_checks=[positive_data_acceptance],
                timeout=SECONDS,
            )
            answered += response.status_code == 200
            if stream and response.status_code == 200:
                check_completion(response)

        run()
    reached = len(varied_upstream.bodies) - before
    report.append(
        f"createChatCompletion through the hub: {sent} examples, {answered} answered, {reached} reached"
    )
    assert answered >= sent / 4, report[-1]
    assert reached >= answered, report[-1]
