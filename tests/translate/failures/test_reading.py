"""Failures of upstreams, whatever their form, become one kind of error with the right status and code."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wireloom.errors import UpstreamError, UpstreamLimited, UpstreamRefused
from wireloom.translate.failures.reading import LONGEST, upstream_error

SILENCE = "The upstream answered 400 without saying why."


def error(message: str = "It broke.", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        (error("no", code="bad", param="tools", type="x"), "no", "bad", "tools"),
        (error("no", code=None, type="bad"), "no", "bad", None),
        (error("no", code=1234), "no", "1234", None),
        (error("no", code=True, type=""), "no", "upstream_error", None),
        ({"error": "no"}, "no", "upstream_error", None),
        ({"error": {"detail": "no"}}, "no", "upstream_error", None),
        ({"error": {"msg": "no"}}, "no", "upstream_error", None),
        ({"error": {"message": {"why": "no"}}}, '{"why":"no"}', "upstream_error", None),
        ({"error": None, "message": "no", "code": "bad"}, "no", "bad", None),
        ({"object": "error", "message": "no", "type": "bad", "param": "n"}, "no", "bad", "n"),
        ({"message": "no"}, "no", "upstream_error", None),
        ({"detail": "no"}, "no", "upstream_error", None),
        ({"detail": [{"loc": ["body"], "msg": "no"}]}, "body: no", "upstream_error", None),
        ([error("no", code=1234, status="BAD")], "no", "1234", None),
        ("no", "no", "upstream_error", None),
        ({}, SILENCE, "upstream_error", None),
        ({"error": {}}, SILENCE, "upstream_error", None),
        ([], SILENCE, "upstream_error", None),
        (None, "The upstream answered 400 with no JSON.", "upstream_error", None),
        (7, SILENCE, "upstream_error", None),
    ],
)
def test_every_form_of_an_error_is_read(body: Any, message: str, code: str, param: str | None) -> None:
    found = upstream_error(400, json.dumps(body).encode())
    assert (found.message, found.code, found.param, found.status) == (message, code, param, 400)


@pytest.mark.parametrize(
    ("body", "kind", "form"),
    [
        (b"", "", "with an empty body"),
        (b" \n", "application/json", "with an empty body"),
        (b"<html>secret</html>", "", "with HTML"),
        (b"secret", "text/html", "with HTML"),
        (b"\x00secret", "text/plain", "with text/plain"),
        (b"\x00secret", "a b/\nc", "with no JSON"),
        (b'{"secret', "application/json", "with no JSON"),
        (
            b"<html><title>Bad gateway | Cloudflare</title>secret",
            "",
            'with an HTML page titled "Bad gateway | Cloudflare"',
        ),
        (b"\xff", "", "with no JSON"),
        (b"[" * 100_000, "", "with no JSON"),
    ],
)
def test_what_is_no_json_is_not_repeated(body: bytes, kind: str, form: str) -> None:
    found = upstream_error(500, body, kind=kind)
    assert found.message == found.cause == f"The upstream answered 500 {form}."
    assert (found.code, found.status) == ("upstream_error", 500)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, error("The model `x` does not exist or you do not have access to it.", code="model_not_found")),
        (403, error("Project does not have access to model `x`", code="model_not_found")),
        (400, error("Model Not Exist", type="invalid_request_error", code="invalid_request_error")),
        (404, error("Not found the model x or Permission denied", type="resource_not_found_error")),
        (400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}),
        (400, error("x is not a valid model ID", code=400)),
        (404, error("No endpoints found for x.", code=404)),
        (400, error("Unknown Model, please check the model code.", code="1211")),
        (404, error("The model `x` does not exist.", type="NotFoundError", code=404)),
        (404, error("model 'x' not found", type="not_found_error")),
        (404, {"error": 'model "x" not found, try pulling it first'}),
        (404, error("The model x does not exist or your team t does not have access to it.")),
        (404, [error("models/x is not found for API version v1beta", code=404)]),
        (404, error("Model not found, inaccessible, and/or not deployed")),
        (200, error("model 'x' not found", code=404)),
    ],
)
def test_an_unknown_model_in_each_provider_s_words(status: int, body: Any) -> None:
    found = upstream_error(status, json.dumps(body).encode())
    assert (type(found), found.status, found.code, found.param) == (
        UpstreamRefused,
        404,
        "model_not_found",
        "model",
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model does not support images"),
        (400, "messages[0]: the tool call was not found"),
        (404, "Not Found"),
        (500, "model 'x' not found"),
    ],
)
def test_what_is_no_unknown_model(status: int, message: str) -> None:
    assert upstream_error(status, json.dumps(error(message)).encode()).code != "model_not_found"


def test_an_input_that_a_moderator_stopped_is_no_matter_of_the_key() -> None:
    found = upstream_error(403, json.dumps(error("Your input was flagged by moderation")).encode())
    assert (found.status, found.code) == (403, "content_policy_violation")


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "found"),
    [
        (400, error(), UpstreamRefused, "upstream_error", 400),
        (401, error(), UpstreamRefused, "upstream_unauthorized", 401),
        (401, error(code="invalid_api_key"), UpstreamRefused, "upstream_unauthorized", 401),
        (402, error(code="x"), UpstreamLimited, "insufficient_quota", 429),
        (403, error(), UpstreamRefused, "upstream_forbidden", 403),
        (404, error(), UpstreamRefused, "upstream_not_found", 404),
        (413, error(), UpstreamRefused, "upstream_error", 413),
        (422, error(), UpstreamRefused, "upstream_error", 422),
        (429, error(), UpstreamLimited, "rate_limit_exceeded", 429),
        (429, error(code="tokens"), UpstreamLimited, "tokens", 429),
        (429, error(code="insufficient_quota"), UpstreamLimited, "insufficient_quota", 429),
        (403, error(type="insufficient_balance"), UpstreamLimited, "insufficient_quota", 429),
        (500, error(), UpstreamError, "upstream_error", 500),
        (503, error(code="overloaded"), UpstreamError, "server_is_overloaded", 503),
        (529, error(), UpstreamError, "upstream_error", 529),
        (200, error(), UpstreamError, "upstream_error", 502),
        (200, error(code=404), UpstreamRefused, "upstream_not_found", 404),
        (200, error(code="503"), UpstreamError, "upstream_error", 503),
        (200, error(code=7), UpstreamError, "7", 502),
        (200, error(code="rate_limit_exceeded"), UpstreamLimited, "rate_limit_exceeded", 429),
        (200, error(code="insufficient_quota"), UpstreamLimited, "insufficient_quota", 429),
        (200, error(code="context_length_exceeded"), UpstreamRefused, "context_length_exceeded", 400),
        (400, error(code="context_length_exceeded"), UpstreamRefused, "context_length_exceeded", 400),
        (
            400,
            error("This model's maximum context length is 8"),
            UpstreamRefused,
            "context_length_exceeded",
            400,
        ),
        (413, error("too many input tokens"), UpstreamRefused, "context_length_exceeded", 413),
        (422, error("the prompt is too long"), UpstreamRefused, "context_length_exceeded", 422),
        (
            400,
            error("exceeds the available context size", code=400),
            UpstreamRefused,
            "context_length_exceeded",
            400,
        ),
        (500, error("maximum context"), UpstreamError, "upstream_error", 500),
        (400, error("the text of the context is odd"), UpstreamRefused, "upstream_error", 400),
    ],
)
def test_status_and_code(status: int, body: Any, kind: type, code: str, found: int) -> None:
    caught = upstream_error(status, json.dumps(body).encode())
    assert (type(caught), caught.code, caught.status) == (kind, code, found)


@pytest.mark.parametrize(("status", "kept"), [(429, 7.0), (402, 7.0), (503, 7.0), (400, None)])
def test_the_wait_an_upstream_asks_for_is_kept(status: int, kept: float | None) -> None:
    assert upstream_error(status, b"{}", 7.0).retry_after == kept


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("bad key sk-proj-abcDEF123_-", "bad key ***"),
        ("bad key: gsk_abcdef123456.", "bad key: ***"),
        ("header Bearer abc.def/ghi= is bad", "header *** is bad"),
        ("my own s3cret is bad", "my own *** is bad"),
        ("masked sk-****abcd is bad", "masked *** is bad"),
        ("the skill sk-1 and keyboard", "the skill sk-1 and keyboard"),
        ("Your api key: ****-bad is invalid", "Your api key: *** is invalid"),
        ("key abcd****wxyz is bad", "key *** is bad"),
    ],
)
def test_keys_are_not_repeated(message: str, shown: str) -> None:
    assert upstream_error(401, json.dumps(error(message)).encode(), secret="s3cret").message == shown


def test_the_end_of_a_long_key_is_not_repeated() -> None:
    body = json.dumps(error("The key that ends in wxyz is bad; see wxy and lastwxyz")).encode()
    assert upstream_error(401, body, secret="0123456789abcdefwxyz").message == (
        "The key that ends in *** is bad; see wxy and lastwxyz"
    )


def test_a_long_message_is_cut() -> None:
    assert upstream_error(500, json.dumps(error("x" * 5000)).encode()).message == "x" * LONGEST


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "type", "param"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(values, st.sampled_from([200, 400, 402, 404, 429, 500]))
def test_any_body_makes_an_error(body: Any, status: int) -> None:
    found = upstream_error(status, json.dumps(body).encode())
    assert 400 <= found.status < 600
    assert found.body() | {"message": "", "param": None} == {
        "message": "",
        "type": found.type,
        "param": None,
        "code": found.code,
    }
    assert isinstance(found.message, str)
    assert found.code
