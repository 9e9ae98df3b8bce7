"""Breakages of refusals and of headers."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.breakages import spoiling as s
from tests.support.breakages.spoiling import Breakage, Json, Reply, Spoil, header, status
from tests.support.threaded import KEY


def row(name: str, case: str, says: str, where: s.Where, spoil: Spoil | None = None, **more: Any) -> Breakage:
    return Breakage(name, "errors and headers", case, says, where, spoil, **more)


def known(request: httpx.Request, body: Json) -> tuple[httpx.URL, Json]:
    """Let everybody in: the proxy has a key of its own."""
    request.headers["authorization"] = f"Bearer {KEY}"
    return request.url, body


def repaired(body: Json) -> None:
    """Take a wrong input for no input."""
    body["input"] = "ok"


def error(**members: Any) -> Spoil:
    """Change members of error objects."""

    def spoil(reply: Reply) -> None:
        if reply.status >= 400:
            value = reply.json
            value["error"].update(members)
            reply.json = value

    return spoil


def body(value: Any) -> Spoil:
    """Refuse with another body."""

    def spoil(reply: Reply) -> None:
        if reply.status >= 400:
            reply.json = value

    return spoil


def page(reply: Reply) -> None:
    if reply.status >= 400:
        reply.body = b"<html><body>Not Found</body></html>"
        reply.headers["content-type"] = "text/html"


def succeed(reply: Reply) -> None:
    if reply.status >= 400:
        reply.status = 200


def limited(wait: str | None) -> Any:
    error = {"message": "Slow.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
    heads = {} if wait is None else {"retry_after": wait}
    return s.answered({"error": error}, 429, **heads)


def first(answer: Any) -> Any:
    """Answer the first request without asking the gateway."""
    seen: list[int] = []

    def spoil(reply: Reply) -> None:
        if not seen:
            seen.append(1)
            made = answer(httpx.Request(reply.method, f"http://a{reply.path}"))
            reply.status, reply.headers, reply.body = made.status, made.headers, made.body

    return spoil


def torn(_: httpx.Request) -> Reply:
    raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


NO_KEY, WRONG_KEY = "listModels (no key)", "listModels (wrong key)"
CHAT_KEY, RESPOND_KEY = "createChatCompletion (no key)", "createResponse (wrong key)"
UNKNOWN, UNKNOWN_MODEL = "getResponse (unknown)", "retrieveModel (unknown)"
WRONG_TYPE, NO_JSON = "createResponse (wrong type)", "createChatCompletion (no JSON)"
WRONG_PATH, WRONG_METHOD = "listModels (wrong path)", "listModels (wrong method)"

BREAKAGES = (
    row("401 becomes 403", NO_KEY, "status is 403", s.MODELS, status(403)),
    row("401 of a wrong key becomes 403", WRONG_KEY, "status is 403", s.MODELS, status(403)),
    row("401 becomes 500 on Chat", CHAT_KEY, "status is 500", s.CHAT, status(500)),
    row("everybody lists models", NO_KEY, "status is 200", s.MODELS, ask=known),
    row("everybody asks models", RESPOND_KEY, "status is 200", s.RESPOND, ask=known),
    row("everybody chats", CHAT_KEY, "status is 200", s.CHAT, ask=known),
    row("everybody reads what is stored", "getResponse (no key)", "status is 200", s.STORED, ask=known),
    row("no challenge", NO_KEY, "www-authenticate", s.MODELS, header("www-authenticate", None)),
    row(
        "a wrong key is said to be missing", WRONG_KEY, "error.code", s.MODELS, error(code="missing_api_key")
    ),
    row("404 becomes 500", UNKNOWN, "status is 500", s.STORED, status(500)),
    row("404 becomes 400", UNKNOWN, "status is 400", s.STORED, status(400)),
    row("404 becomes 200", UNKNOWN, "status is 200", s.STORED, succeed),
    row("404 of a model becomes 500", UNKNOWN_MODEL, "status is 500", s.MODEL, status(500)),
    row(
        "404 of a conversation becomes 410",
        "getConversation (deleted)",
        "status is 410",
        s.CONVERSATION,
        status(410),
    ),
    row("404 of an item becomes 500", "getConversationItem (unknown)", "status is 500", s.ITEM, status(500)),
    row("400 becomes 422", WRONG_TYPE, "status is 422", s.RESPOND, status(422)),
    row("400 becomes 500", NO_JSON, "status is 500", s.CHAT, status(500)),
    row("a wrong input is accepted", WRONG_TYPE, "status is 200", s.RESPOND, ask=s.asked(repaired)),
    row(
        "a wrong limit is accepted",
        "listConversationItems (wrong limit)",
        "status is 200",
        s.ITEMS,
        ask=s.query_without("limit"),
    ),
    row(
        "a wrong place is accepted",
        "listConversationItems (wrong after)",
        "status is 200",
        s.ITEMS,
        ask=s.query_without("after"),
    ),
    row(
        "an unknown response to go on from is 404",
        "createResponse (unknown previous response)",
        "status is 404",
        s.RESPOND,
        status(404),
    ),
    row(
        "an unknown response to go on from is ignored",
        "createResponse (unknown previous response)",
        "status is 200",
        s.RESPOND,
        ask=s.asked(lambda sent: sent.pop("previous_response_id", None)),
    ),
    row(
        "an unknown conversation is ignored",
        "createResponse (unknown conversation)",
        "status is 200",
        s.RESPOND,
        ask=s.asked(lambda sent: sent.pop("conversation", None)),
    ),
    row(
        "missing messages are another fault",
        "createChatCompletion (no messages)",
        "error.code",
        s.CHAT,
        error(code="invalid_value"),
    ),
    row("no parameter", WRONG_TYPE, "error.param is None", s.RESPOND, error(param=None)),
    row("another parameter", WRONG_TYPE, "error.param is 'model'", s.RESPOND, error(param="model")),
    row("another code", UNKNOWN_MODEL, "error.code is", s.MODEL, error(code="not_found")),
    row("no code", UNKNOWN, "error.code is None", s.STORED, error(code=None)),
    row("another type", UNKNOWN, "error.type is", s.STORED, error(type="server_error")),
    row("no message", UNKNOWN, "error.message is ''", s.STORED, error(message="")),
    row("an error that is a text", UNKNOWN, "no error object", s.STORED, body({"error": "not found"})),
    row("a detail in place of an error", UNKNOWN, "no error object", s.STORED, body({"detail": "Not Found"})),
    row("a page in place of an error", WRONG_PATH, "no error object", ("GET", "/v1/none.*"), page),
    row("an unknown path is 200", WRONG_PATH, "status is 200", ("GET", "/v1/none.*"), succeed),
    row("a wrong method is 404", WRONG_METHOD, "status is 404", ("DELETE", "/v1/models"), status(404)),
    row(
        "a wrong method without allow", WRONG_METHOD, "allow", ("DELETE", "/v1/models"), header("allow", None)
    ),
    row(
        "an operation that is not served",
        "countInputTokens",
        "does not serve",
        s.COUNT,
        instead=s.answered(
            {
                "error": {
                    "message": "No.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "not_found",
                }
            },
            404,
        ),
    ),
    row("an answer that breaks off", "listModels", "no whole answer", s.MODELS, instead=torn),
    row(
        "a redirect",
        "health",
        "status 307",
        ("GET", "/health"),
        instead=s.answered({}, 307, location="/healthz"),
    ),
    row("no request id", "listModels", "x-request-id", s.ANY, header("x-request-id", None)),
    row(
        "one request id for all",
        "retrieveModel (listed)",
        "another answer had",
        s.ANY,
        header("x-request-id", "req_1"),
    ),
    row("no request id of refusals", UNKNOWN, "x-request-id", s.STORED, header("x-request-id", None)),
    row(
        "no request id of streams",
        "createResponse (stream)",
        "x-request-id",
        s.RESPOND,
        header("x-request-id", None),
    ),
    row("JSON as a page", "listModels", "content-type", s.MODELS, header("content-type", "text/html")),
    row("no content type", "listModels", "content-type", s.MODELS, header("content-type", None)),
    row("a wait that is no number", "retrieveModel (listed)", "retry-after", s.MODEL, first(limited("soon"))),
    row("a negative wait", "retrieveModel (listed)", "retry-after", s.MODEL, first(limited("-1"))),
    row("a wait of years", "retrieveModel (listed)", "retry-after", s.MODEL, first(limited("99999999"))),
    row(
        "a loss that names nothing",
        "createResponse (whole)",
        "x-wireloom-loss",
        s.RESPOND,
        header("x-wireloom-loss", "yes"),
    ),
)
