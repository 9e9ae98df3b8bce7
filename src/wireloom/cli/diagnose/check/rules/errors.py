"""Refusals: the exact status, and the error object with its type, code, parameter and message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wireloom.cli.diagnose.check.answer import Answer

MEMBERS = ("message", "type", "param", "code")
TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    429: "rate_limit_error",
}
"""Status of a refusal of the gateway's own -> the type of its error object."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a request has to be refused.

    status: exactly; code: of the error object; param: path of the parameter at fault, None where none is.
    """

    status: int
    code: str
    param: str | None = None


NO_KEY = Refusal(401, "missing_api_key")
WRONG_KEY = Refusal(401, "invalid_api_key")
NO_PATH = Refusal(404, "not_found")
NO_METHOD = Refusal(405, "method_not_allowed")
NO_JSON = Refusal(400, "invalid_json")
NO_MODEL = Refusal(404, "model_not_found", "model")
NO_RESPONSE = Refusal(404, "not_found", "response_id")
NO_CONVERSATION = Refusal(404, "not_found", "conversation_id")
NO_ITEM = Refusal(404, "not_found", "item_id")
NO_PREVIOUS = Refusal(400, "previous_response_not_found", "previous_response_id")
NO_CONTEXT = Refusal(400, "conversation_not_found", "conversation")


def form(answer: Answer) -> Iterator[str]:
    """Yield the faults of a refusal's error object, whatever the refusal is about."""
    if answer.status < 400:
        return
    error = answer.error
    if not error:
        yield f"the refusal with status {answer.status} has no error object"
        return
    for name in MEMBERS:
        if name not in error:
            yield f"the error object has no {name}"
    for name in ("message", "type", "code"):
        if not isinstance(error.get(name), str) or not error[name]:
            yield f"error.{name} is {error.get(name)!r}"


def findings(answer: Answer, wanted: Refusal) -> Iterator[str]:
    """Yield how a refusal differs from the one that there has to be."""
    if answer.status != wanted.status:
        yield f"the status is {answer.status}, not {wanted.status}"
    error = answer.error
    expected = {"type": TYPES[wanted.status], "code": wanted.code, "param": wanted.param}
    for name, value in expected.items():
        if error.get(name) != value:
            yield f"error.{name} is {error.get(name)!r}, not {value!r}"
    if wanted.status == 401 and "www-authenticate" not in answer.headers:
        yield "the header www-authenticate is missing"
    if wanted.status == 405 and not answer.headers.get("allow"):
        yield "the header allow is missing"
