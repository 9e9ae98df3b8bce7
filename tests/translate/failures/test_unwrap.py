"""The reason of a failure is found in whatever it is wrapped in; what is no failure is none."""

import json
from typing import Any

import pytest

from wireloom.translate.failures import upstream_error
from wireloom.translate.failures.answered import holds_answer
from wireloom.translate.failures.bodies import LONGEST_TEXT
from wireloom.translate.failures.unwrap import complains, read

INNER = {"error": {"message": "'additionalProperties' is required", "type": "invalid_request_error"}}


def router(raw: Any, message: str = "Provider returned error", **more: Any) -> dict[str, Any]:
    return {
        "error": {"message": message, "code": 400, "metadata": {"raw": raw, "provider_name": "P", **more}}
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (router(json.dumps(INNER)), "Provider returned error (P): 'additionalProperties' is required"),
        (router(INNER), "Provider returned error (P): 'additionalProperties' is required"),
        (router("upstream timed out"), "Provider returned error (P): upstream timed out"),
        (router("<html><title>Bad gateway</title></html>"), "Provider returned error (P): Bad gateway"),
        (router(json.dumps(INNER), INNER["error"]["message"]), "'additionalProperties' is required (P)"),
        (router(None), "Provider returned error (P)"),
        (router('{"cut'), 'Provider returned error (P): {"cut'),
        ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "insufficient balance"),
        ({"errorMessage": "no"}, "no"),
        ({"msg": "no", "code": 500}, "no"),
        ({"error": {"message": json.dumps(INNER)}}, "'additionalProperties' is required"),
        ({"error": json.dumps(INNER)}, "'additionalProperties' is required"),
        ({"errors": [{"message": "a"}, {"message": "b"}, {"message": "a"}]}, "a; b"),
        ({"errors": ["a"]}, "a"),
        ({"code": "500", "message": "boom A"}, "boom A"),
        ({"success": False, "error_code": 17, "error_msg": "daily limit"}, "daily limit"),
        ({"Message": "no", "Code": "AccessDenied"}, "no"),
        ({"Response": {"Error": {"Code": "LimitExceeded", "Message": "no"}}}, "no"),
        ({"fault": {"faultstring": "no", "detail": {"errorcode": "x"}}}, "no"),
        ({"__type": "ValidationException", "message": "no"}, "no"),
        ({"type": "error", "error": {"type": "api_error", "message": "no"}, "request_id": "r"}, "no"),
        ({"error": "Unauthorized", "message": "Token expired"}, "Unauthorized: Token expired"),
        ({"detail": {"error": {"message": "no"}}}, "no"),
        (
            {"detail": [{"loc": ["body", "messages", 0], "msg": "field required", "input": "secret prompt"}]},
            "body.messages.0: field required",
        ),
        ({"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": "wait"}, "wait"),
        (
            {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "no"}},
            "no",
        ),
        ({"error": True, "message": "no"}, "no"),
        ([[{"error": {"message": "no"}}]], "no"),
        ({"error": {"error": {"error": {"message": "no"}}}}, "no"),
    ],
)
def test_the_words_are_found(body: Any, message: str) -> None:
    assert read(json.dumps(body).encode()).message == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"upstream request timeout", "upstream request timeout"),
        (b"error code: 1015\n", "error code: 1015"),
        (b"a\n  b", "a b"),
        (b"x" * 2000, "x" * LONGEST_TEXT),
        (
            b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>",
            "Reduce your rate",
        ),
        (b"<s:Envelope><s:Fault><faultstring>no</faultstring></s:Fault></s:Envelope>", "no"),
        (b'data: {"error": {"message": "no"}}\n\n', "no"),
        (b'event: error\ndata: {"message": "no"}', "no"),
        (b'{"cut', None),
        (b"<html><body>canary</body></html>", None),
        (b"<!DOCTYPE html><title>t</title>", None),
        (b"\x00\x01", None),
        (b"", None),
    ],
)
def test_a_body_that_is_no_json(body: bytes, message: str | None) -> None:
    assert read(body).message == message


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"error": {"code": 429, "type": "too_many_requests"}}, None, 429),
        ({"error": {"code": "x", "type": "y"}}, "x", None),
        ({"type": "error", "error": {"type": "y"}}, "y", None),
        ({"error": {"message": json.dumps({"error": {"code": "inner"}}), "code": "outer"}}, "inner", None),
        ({"code": "Client specified an invalid argument", "error": "no"}, None, None),
        ({"error": {"message": "no", "http_code": "503"}}, None, 503),
        ({"statusCode": 404, "message": "no"}, None, 404),
        ({"error": {"code": True}}, None, None),
    ],
)
def test_the_code_and_the_status_are_found(body: Any, code: str | None, status: int | None) -> None:
    found = read(json.dumps(body).encode())
    assert (found.code, found.status) == (code, status)


def test_no_depth_is_too_much() -> None:
    deep: Any = {"message": "no"}
    for _ in range(200):
        deep = {"error": deep}
    assert read(json.dumps(deep).encode()).message is None
    assert read(b"[" * 100_000).message is None


@pytest.mark.parametrize(
    "body",
    [
        router(json.dumps({"error": {"message": "bad key sk-abcdef123456 and my-own-secret-key-0123"}})),
        {"base_resp": {"status_code": 1, "status_msg": "bad key sk-abcdef123456"}},
        {"errors": [{"message": "Bearer abc.def.ghi is bad"}]},
        {"detail": "my-own-secret-key-0123 is bad"},
    ],
)
def test_keys_are_hidden_in_every_form(body: Any) -> None:
    found = upstream_error(400, json.dumps(body).encode(), secret="my-own-secret-key-0123")
    assert "***" in found.message
    assert not any(part in found.message for part in ("abcdef", "abc.def", "my-own"))


def test_keys_are_hidden_in_texts_and_titles() -> None:
    assert upstream_error(400, b"bad key sk-abcdef123456").message == "bad key ***"
    page = upstream_error(502, b"<html><title>no sk-abcdef123456</title></html>")
    assert page.message == 'The upstream answered 502 with an HTML page titled "no ***".'


@pytest.mark.parametrize(
    "value",
    [
        {"error": {"message": "no"}},
        {"errors": ["no"]},
        {"object": "error", "message": "no"},
        {"type": "error"},
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no"}},
        {"success": False},
        {"message": "no"},
        {"code": "500", "message": "no"},
        {"type": "server_error", "message": "no"},
        {"detail": [{"msg": "no"}]},
        {"msg": "no", "code": 1},
    ],
)
def test_what_is_a_failure(value: Any) -> None:
    assert complains(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"choices": []},
        {"choices": [], "usage": {}},
        {"error": None, "id": "x"},
        {"error": {}},
        {"base_resp": {"status_code": 0, "status_msg": "success"}, "choices": []},
        {"type": "ping"},
        {"type": "status", "message": "searching"},
        {"code": 200, "message": "ok"},
        {"code": 0, "msg": "success", "data": None},
        {"message": {"role": "assistant", "content": "x"}, "done": True},
        {"object": "list", "data": []},
        [],
        "error",
        None,
    ],
)
def test_what_is_no_failure(value: Any) -> None:
    assert not complains(value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"choices": [{"message": {"content": "x"}}]}, True),
        ({"choices": [{"message": {"content": None, "tool_calls": [{}]}}]}, True),
        ({"choices": [{"message": {"content": ""}}]}, False),
        ({"choices": [{"message": {"content": "x"}}], "error": {"message": "no"}}, False),
        ({"choices": [{"message": {"content": "x"}, "error": {"message": "no"}}]}, False),
        ({"choices": []}, False),
        ({"choices": [None, 5]}, False),
        ({"object": "response", "status": "completed", "output": [{}]}, True),
        ({"object": "response", "status": "incomplete", "output": [{}]}, True),
        ({"object": "response", "status": "failed", "output": [{}]}, False),
        ({"object": "response", "status": "completed", "output": []}, False),
        ({"message": "no"}, False),
        ([], False),
    ],
)
def test_an_answer_with_the_status_of_a_failure(value: Any, found: bool) -> None:
    assert holds_answer(json.dumps(value).encode()) is found
