"""The deployment: requests within the bounds, a wait where a 429 asks for one, everything stored deleted in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from wireloom.cli.diagnose.check.answer import Answer, events
from wireloom.cli.diagnose.check.bounds import ASKING, Budget, OutOfBounds
from wireloom.cli.diagnose.check.contract import Contract
from wireloom.cli.diagnose.check.rules import headers as header_rules

Client: TypeAlias = httpx.Client

AGENT = "wireloom-check"
ANSWER_SECONDS = 60.0
"""For one answer at most."""
SHORTEST_SECONDS = 1.0
"""For one answer, when the time of the check is nearly over."""
DEFAULT_WAIT = 1
"""Seconds to wait after a 429 without a `retry-after`."""
LONGEST_WAIT = 15.0
"""Seconds that the check waits at most for one 429, and tries again."""
TRIES = 3
STORES = {"createResponse": "responses", "createConversation": "conversations"}
"""Operation -> path under which its stored object is found by id."""


class Limited(Exception):
    """The deployment refuses a request because of a limit of the key, also after a wait."""


class NoAnswer(Exception):
    """A request got no whole answer; the message gives the reason."""


class Deployment:
    """A deployment, reached over HTTP.

    client: with the deployment's URL, without the version, as its base; contract: where its operations are; key: that is
    sent, or None; budget: how much may be sent; sleep: waits for seconds.
    """

    def __init__(
        self,
        client: Client,
        contract: Contract,
        key: str | None,
        budget: Budget,
        sleep: Callable[[float], None],
    ) -> None:
        self.contract = contract
        self.key = key
        self.budget = budget
        self._client = client
        self._sleep = sleep
        self._stored: dict[tuple[str, str], None] = {}
        self._refused: list[Answer] = []

    def call(
        self,
        operation: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        asks: bool | None = None,
    ) -> Answer:
        """Send a request to an operation of the contract.

        body: JSON, or bytes that go out as they are; path: values of the names in the path, in order; key: another than the
        deployment's, empty for none; asks: whether a model is asked, by the operation where it is None.

        Raises:
            OutOfBounds: the request may not be sent.
            Limited: the key's limit is reached.
            NoAnswer: there is no whole answer.
        """
        where = self.contract.operations[operation]
        url = where.url(path or {})
        asking = operation in ASKING if asks is None else asks
        return self.send(
            operation, where.method, url, body, query=query, headers=headers, key=key, asks=asking
        )

    def send(
        self,
        operation: str,
        method: str,
        url: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        asks: bool = False,
    ) -> Answer:
        """Send a request to any path; see `call`. Waits and tries again where the answer is a 429."""
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent_headers = self._headers(key, with_body=content is not None) | dict(headers or {})
        request = self._client.build_request(
            method, url, content=content, params=dict(query or {}) or None, headers=sent_headers
        )
        for attempt in range(TRIES):
            self.budget.take(asks=asks)
            answer = self._answer(operation, request, None if isinstance(body, bytes) else body)
            self._remember(answer)
            self.budget.spend(answer)
            if answer.status != 429:
                return answer
            self._refused.append(answer)
            if attempt == TRIES - 1 or not self._wait(answer):
                break
        raise Limited(f"{request.method} {url} is refused with 429 ({answer.error.get('code')}).")

    def take_refused(self) -> list[Answer]:
        """Return the refusals with 429 since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def tidy(self) -> None:
        """Delete everything stored that is still there, whatever the bounds."""
        for kind, name in self._stored:
            url = f"/v1/{kind}/{quote(name, safe='')}"
            try:
                self._client.delete(url, headers=self._headers(None, with_body=False))
            except httpx.HTTPError:
                return

    def _headers(self, key: str | None, *, with_body: bool) -> dict[str, str]:
        token = self.key if key is None else key
        made = {"user-agent": AGENT}
        if with_body:
            made["content-type"] = "application/json"
        return made | ({"authorization": f"Bearer {token}"} if token else {})

    def _answer(self, operation: str, request: httpx.Request, sent: Any) -> Answer:
        seconds = min(ANSWER_SECONDS, self.budget.left)
        request.extensions["timeout"] = httpx.Timeout(max(seconds, SHORTEST_SECONDS)).as_dict()
        body = bytearray()
        try:
            got = self._client.send(request, stream=True)
            try:
                for piece in got.iter_bytes():
                    body += piece
                    self._in_time()
            finally:
                got.close()
        except httpx.HTTPError as error:
            if isinstance(error, httpx.TimeoutException):
                self._in_time()
            raise NoAnswer(f"there is no whole answer ({type(error).__name__})") from error
        name = f"{request.method} {request.url.path}"
        heads = {each.lower(): value for each, value in got.headers.items()}
        return Answer(operation, name, sent, got.status_code, heads, bytes(body))

    def _in_time(self) -> None:
        """An answer that the bounds cut off is no fault of the deployment."""
        if self.budget.left == 0.0:
            raise OutOfBounds(f"--max-seconds {self.budget.bounds.seconds:g} is reached within an answer.")

    def _wait(self, answer: Answer) -> bool:
        """Wait as long as a 429 asks; whether that was short enough to try again."""
        asked = header_rules.seconds(answer.headers.get(header_rules.RETRY_AFTER))
        seconds = float(DEFAULT_WAIT if asked is None else asked)
        if seconds > min(LONGEST_WAIT, self.budget.left):
            return False
        self._sleep(seconds)
        return True

    def _remember(self, answer: Answer) -> None:
        """Keep the ids of stored objects, before the answer is judged."""
        kind = STORES.get(answer.operation)
        unstored = isinstance(answer.sent, dict) and answer.sent.get("store") is False
        if kind is None or not answer.ok or unstored:
            return
        for found in events(answer.text) if answer.streamed else [answer.object]:
            response = found.get("response")
            name = (response if isinstance(response, dict) else found).get("id")
            if isinstance(name, str) and name:
                self._stored[kind, name] = None


def client(url: str) -> Client:
    """Return a client for a deployment.

    url: without the version.
    """
    return httpx.Client(base_url=url, timeout=ANSWER_SECONDS, headers={"user-agent": AGENT})


def fetch(client: Client, path: str) -> Answer:
    """Return a deployment's answer to a GET without a key.

    Raises:
        NoAnswer: the deployment cannot be reached.
    """
    try:
        got = client.get(path)
    except httpx.HTTPError as error:
        raise NoAnswer(f"there is no whole answer ({type(error).__name__}: {error})") from error
    return Answer(path, f"GET {path}", None, got.status_code, dict(got.headers), got.content)
