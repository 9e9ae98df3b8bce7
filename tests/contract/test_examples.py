"""The examples of the contract: valid, complete, and what `wireloom serve --backend demo` really answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from codegen import select
from tests.support.gateway import Gateway
from wireloom.api.operations import CONTRACTS

pytestmark = pytest.mark.contract

PACKAGE = files("wireloom_protocol")
DOCUMENTS = {path: json.loads(PACKAGE.joinpath(name).read_bytes()) for path, name in CONTRACTS.items()}
DOCUMENT = DOCUMENTS["/openapi.json"]
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, method, operation in select.operations(DOCUMENT)
}
FAILURES = DOCUMENT["components"]["responses"]["Failure"]["content"]["application/json"]["examples"]
JSON, EVENTS = "application/json", "text/event-stream"
SECONDS = 30.0
KINDS = {"hello", "stream", "tool_call", "structured_output"}

# Members whose value is another one in each run: ids are compared by where they return, the others by their kind.
IDS = frozenset({"id", "item_id", "call_id", "first_id", "last_id"})
VARYING = frozenset(
    {"created_at", "completed_at", "created", "uptime_seconds", "encrypted_content", "message"}
)
VARYING |= {"base_instructions", "version", "usage"}
VARYING |= {"requests_total", "requests_ok", "requests_error", "requests_open"}
MAPS = frozenset({"errors_by_status", "tokens"})

# What creates comes first, what deletes comes last and begins with what stands deepest.
ORDER = ("post", "get", "delete")


def examples(content: Any, media: str = JSON) -> dict[str, Any]:
    found: dict[str, Any] = content.get(media, {}).get("examples", {})
    return found


def requests_of(operation: Any) -> dict[str, Any]:
    """Example name -> body."""
    content = operation.get("requestBody", {}).get("content", {})
    return {name: example["value"] for name, example in examples(content).items()}


def answers_of(operation: Any) -> dict[str, Any]:
    """Example name -> JSON of the answer."""
    content = operation["responses"]["200"]["content"]
    return {name: example["value"] for name, example in examples(content).items()}


def streams_of(operation: Any) -> dict[str, str]:
    """Example name -> the stream as it travels."""
    content = operation["responses"]["200"]["content"]
    return {name: example["serializedValue"] for name, example in examples(content, EVENTS).items()}


def events(text: str) -> list[tuple[str, Any]]:
    """The name and the data of each event of a stream."""
    found: list[tuple[str, Any]] = []
    for frame in text.removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.strip().splitlines())
        data = fields["data"]
        found.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found


# -- the document ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_has_examples(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    bodies, answers, streams = requests_of(operation), answers_of(operation), streams_of(operation)
    assert "hello" in answers
    assert ("hello" in bodies) is ("requestBody" in operation)
    if EVENTS in operation["responses"]["200"]["content"]:
        assert bodies.keys() - {"error"} == KINDS == answers.keys() | streams.keys()
    for parameter in operation.get("parameters", []):
        assert parameter["in"] != "path" or parameter["examples"].keys() == {"hello", "error"}


def placed(document: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each example of a document with its place and its schema."""
    for _, _, operation in select.operations(document):
        name = operation["operationId"]
        for parameter in operation.get("parameters", []):
            for key, example in parameter.get("examples", {}).items():
                yield f"{name}.{parameter['name']}.{key}", parameter["schema"], example["value"]
        for place in (operation.get("requestBody"), operation["responses"]["200"]):
            media = (place or {}).get("content", {}).get(JSON, {})
            for key, example in media.get("examples", {}).items():
                yield f"{name}.{key}", media["schema"], example["value"]
    media = document["components"]["responses"]["Failure"]["content"][JSON]
    for key, example in media["examples"].items():
        yield f"Failure.{key}", media["schema"], example["value"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_examples_keep_to_their_schemas(path: str) -> None:
    document = DOCUMENTS[path]
    whole = Draft202012Validator({"components": document["components"]})
    found = list(placed(document))
    faults = {
        place: error.message
        for place, schema, value in found
        for error in whole.evolve(schema=schema).iter_errors(value)
    }
    assert faults == {}
    assert len(found) > 50


@pytest.mark.parametrize("name", ["createResponse", "createChatCompletion"])
def test_streams_keep_to_the_schema_of_their_events(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    item = operation["responses"]["200"]["content"][EVENTS]["itemSchema"]
    payload = next(
        one["contentSchema"] for one in item["properties"]["data"]["anyOf"] if "contentSchema" in one
    )
    whole = Draft202012Validator({"components": DOCUMENT["components"]}).evolve(schema=payload)
    *found, last = events(streams_of(operation)["stream"])
    assert last[1] == "[DONE]"
    for _, data in found:
        whole.validate(data)


# -- the demo backend ------------------------------------------------------------------------------------------------


class Client:
    """Sends examples to a gateway; the ids of its answers stand for those of the examples from then on."""

    def __init__(self, gateway: Gateway) -> None:
        self._url = gateway.root_url
        self._key = {"authorization": f"Bearer {gateway.token}"}
        self.ids: dict[str, str] = {}

    def send(
        self, name: str, body: Any = None, *, example: str = "hello", key: bool = True
    ) -> httpx.Response:
        """Send a request of an operation, with the named example of each parameter in its path."""
        path, method, operation = OPERATIONS[name]
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                value = parameter["examples"][example]["value"]
                path = path.replace(f"{{{parameter['name']}}}", self.ids.get(value, value))
        headers = {"accept": JSON, **(self._key if key else {})}
        return httpx.request(method, self._url + path, json=body, headers=headers, timeout=SECONDS)

    def compare(self, expected: Any, found: Any, name: str = "") -> None:
        """Hold an answer to its example."""
        if name in IDS and isinstance(expected, str):
            assert self.ids.setdefault(expected, found) == found, name
        elif name in MAPS or (name in VARYING and not isinstance(expected, dict)):
            assert type(expected) is type(found), name
        elif isinstance(expected, dict):
            assert expected.keys() == found.keys(), name
            for key, value in expected.items():
                self.compare(value, found[key], key)
        elif isinstance(expected, list | tuple):
            assert len(expected) == len(found), name
            for value, other in zip(expected, found, strict=True):
                self.compare(value, other, name)
        else:
            assert expected == found, name


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Gateway(None, tmp_path_factory.mktemp("demo"), "--backend", "demo") as gateway:
        yield Client(gateway)


def in_order() -> list[str]:
    def rank(name: str) -> tuple[int, int]:
        path, method, _ = OPERATIONS[name]
        return ORDER.index(method), -len(path) if method == "delete" else len(path)

    return sorted(OPERATIONS, key=rank)


def test_the_demo_answers_as_the_examples_say(client: Client) -> None:
    """One test, because an answer of one operation has the ids that the next is asked for."""
    for name in in_order():
        _, _, operation = OPERATIONS[name]
        bodies, answers, streams = requests_of(operation), answers_of(operation), streams_of(operation)
        for example in answers:
            response = client.send(name, bodies.get(example))
            assert response.status_code == 200, (name, example, response.text)
            client.compare(answers[example], response.json())
        for example, expected in streams.items():
            response = client.send(name, bodies[example])
            client.compare(events(expected), events(response.text))


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_demo_refuses_as_the_examples_say(name: str, client: Client) -> None:
    """By an unknown id in the path where there is one, else by the body called error."""
    _, _, operation = OPERATIONS[name]
    if "error" in (bodies := requests_of(operation)):
        response = client.send(name, bodies["error"])
    elif any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        response = client.send(name, bodies.get("hello"), example="error")
    else:
        assert name in ("createChatCompletion", "listModels", "about", "health", "ready", "metrics")
        return
    assert response.status_code in (400, 404)
    assert kind(response.json()) in [kind(example["value"]) for example in FAILURES.values()]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_demo_asks_for_a_key_as_the_example_says(name: str, client: Client) -> None:
    _, _, operation = OPERATIONS[name]
    response = client.send(name, requests_of(operation).get("hello"), example="error", key=False)
    if operation.get("security") == []:
        assert response.status_code == 200
    else:
        assert (response.status_code, response.json()) == (401, FAILURES["missing_api_key"]["value"])


def kind(failure: Any) -> Any:
    """A failure without the words for people."""
    return {key: value for key, value in failure["error"].items() if key != "message"}
