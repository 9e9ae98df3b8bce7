"""Which paths and methods there are, and which keys open them, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from wireloom_protocol.operations import OPERATIONS as SERVED

from tests.contract.varied_upstream import MODEL
from tests.support.gateway import TOKEN, Gateway
from wireloom.api.operations import ASSETS_PATH, CONTRACT_PATH

pytestmark = pytest.mark.contract

SECONDS = 30.0
BEARER = {"authorization": f"Bearer {TOKEN}"}
ASK = {"model": "m", "input": "hello"}
ITEM = "my/item"
BODIES: Mapping[str, Any] = {
    "createResponse": ASK,
    "countInputTokens": ASK,
    "compactResponse": ASK,
    "createChatCompletion": {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
    "createConversation": {},
    "updateConversation": {"metadata": {}},
    "createConversationItems": {"items": []},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OPERATIONS = [pytest.param(*operation, id=operation[2]) for operation in SERVED]
STORED = [pytest.param(*operation, id=operation[2]) for operation in SERVED if "_id}" in operation[1]]
PAGES = (CONTRACT_PATH, "/docs", "/redoc", f"{ASSETS_PATH}/swagger-ui.css")
PATHS = sorted({path for _, path, _, _ in SERVED} | {*PAGES})


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.root_url, timeout=SECONDS) as client:
        yield client


def leading_somewhere(client: httpx.Client, path: str) -> str:
    """A path with its parameters filled in by what has just been made."""
    found = {"model": MODEL, "item_id": ITEM}
    if "{response_id}" in path:
        found["response_id"] = client.post("/v1/responses", json=ASK, headers=BEARER).json()["id"]
    if "{conversation_id}" in path:
        items = [{"role": "user", "content": "hello", "id": ITEM}]
        begun = client.post("/v1/conversations", json={"items": items}, headers=BEARER)
        found["conversation_id"] = begun.json()["id"]
    return path.format(**found)


def call(client: httpx.Client, method: str, path: str, operation: str, **headers: str) -> httpx.Response:
    found = leading_somewhere(client, path)
    return client.request(method, found, json=BODIES.get(operation), headers=headers)


def check_error(response: httpx.Response, status: int, code: str) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]


# -- paths and methods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "operation", "secured"), OPERATIONS)
def test_every_operation_is_served(
    method: str, path: str, operation: str, secured: bool, client: httpx.Client
) -> None:
    response = call(client, method, path, operation, **BEARER)
    assert response.status_code == 200
    assert response.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_refused_with_those_there_are(path: str, client: httpx.Client) -> None:
    found = leading_somewhere(client, path)
    answers = {method: client.request(method, found, headers=BEARER) for method in METHODS}
    served = {method for method, response in answers.items() if response.status_code != 405}
    assert served
    assert ("HEAD" in served) == ("GET" in served)
    for method in set(METHODS) - served:
        response = answers[method]
        assert set(response.headers["allow"].split(", ")) == served - {"HEAD"}
        assert response.headers["content-type"] == "application/json"
        if method != "HEAD":
            check_error(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/response",
        "/v1/responses/resp_1/cancel",
        "/v1/conversations/conv_1/responses",
        "/v1/responses;a=1",
        "/V1/models",
        "/v2/models",
        "/v1/chat/completions/chatcmpl-1",
        "/v1/completions",
        "/openapi.yaml",
        "/openapi-3.0.json",
        f"{ASSETS_PATH}/other.js",
        f"{ASSETS_PATH}/..%2f..%2fapp.py",
        "/%ff",
        "/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_there_is_nothing_else(method: str, path: str, client: httpx.Client) -> None:
    response = client.request(method, path, headers=BEARER)
    if path.startswith(f"{ASSETS_PATH}/other") and method != "GET":
        check_error(response, 405, "method_not_allowed")
    else:
        check_error(response, 404, "not_found")


@pytest.mark.parametrize("model", ["unheard-of", "a/b/c", "%2e%2e", "%00", "m" * 3000])
def test_models_that_are_not_there(model: str, client: httpx.Client) -> None:
    response = client.get(f"/v1/models/{model}", headers=BEARER)
    check_error(response, 404, "model_not_found")
    assert response.json()["error"]["param"] == "model"


@pytest.mark.parametrize(
    "name", ["unheard-of", "%00", "%ff", "a%0ab", "x" * 3000, "' or 1=1 --", "{response_id}"]
)
@pytest.mark.parametrize(("method", "path", "operation", "secured"), STORED)
def test_stored_things_that_are_not_there(
    method: str, path: str, operation: str, secured: bool, name: str, client: httpx.Client
) -> None:
    found = path.format(response_id=name, conversation_id=name, item_id=name)
    response = client.request(method, found, json=BODIES.get(operation), headers=BEARER)
    check_error(response, 404, "not_found")


# -- keys ------------------------------------------------------------------------------------------------------------

OTHER = "another-key"
NO_KEY, WRONG_KEY = "missing_api_key", "invalid_api_key"

# Headers of a request, and the code of the refusal, None where they open the gateway.
KEYS: list[tuple[str, Mapping[str, str], str | None]] = [
    ("bearer", BEARER, None),
    ("bearer in other letters", {"authorization": f"bEARER {TOKEN}"}, None),
    ("bearer with more space", {"authorization": f"Bearer   {TOKEN}"}, None),
    ("x-api-key", {"x-api-key": TOKEN}, None),
    ("both, equal", {**BEARER, "x-api-key": TOKEN}, None),
    ("x-api-key beside Basic", {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": TOKEN}, None),
    ("none", {}, NO_KEY),
    ("bearer alone", {"authorization": "Bearer"}, NO_KEY),
    ("empty x-api-key", {"x-api-key": ""}, NO_KEY),
    ("Basic", {"authorization": "Basic dXNlcjpwYXNz"}, NO_KEY),
    ("key without a scheme", {"authorization": TOKEN}, NO_KEY),
    ("wrong bearer", {"authorization": f"Bearer {OTHER}"}, WRONG_KEY),
    ("wrong x-api-key", {"x-api-key": OTHER}, WRONG_KEY),
    ("key of another case", {"x-api-key": TOKEN.upper()}, WRONG_KEY),
    ("part of the key", {"x-api-key": TOKEN[:-1]}, WRONG_KEY),
    ("more than the key", {"x-api-key": f"{TOKEN}x"}, WRONG_KEY),
    ("both wrong", {"authorization": f"Bearer {OTHER}", "x-api-key": OTHER}, WRONG_KEY),
]


@pytest.mark.parametrize(("method", "path", "operation", "secured"), OPERATIONS)
@pytest.mark.parametrize(("headers", "code"), [pytest.param(h, c, id=name) for name, h, c in KEYS])
def test_keys(
    headers: Mapping[str, str],
    code: str | None,
    method: str,
    path: str,
    operation: str,
    secured: bool,
    client: httpx.Client,
) -> None:
    response = call(client, method, path, operation, **headers)
    if code is None or not secured:
        assert response.status_code == 200
        return
    check_error(response, 401, code)
    assert response.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in response.text
    assert OTHER not in response.text


@pytest.mark.parametrize("path", PAGES)
def test_pages_need_no_key(path: str, client: httpx.Client) -> None:
    assert client.get(path).status_code == 200
