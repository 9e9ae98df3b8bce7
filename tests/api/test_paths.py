"""A path at which nothing is served names the one that is probably meant."""

from __future__ import annotations

import httpx
import pytest

from tests.support.live import gateway


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/chat/completion", "There is no /v1/chat/completion here; did you mean /v1/chat/completions?"),
        ("/v1/completions", "There is no /v1/completions here; did you mean /v1/chat/completions?"),
        ("/v1/response", "There is no /v1/response here; did you mean /v1/responses?"),
        ("/metric", "There is no /metric here; did you mean /metrics?"),
        ("/v1/embeddings", "There is no /v1/embeddings here."),
        ("/" + "x" * 300, f"There is no /{'x' * 199} here."),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_path_that_is_not_served(method: str, path: str, words: str) -> None:
    async with gateway("http://127.0.0.1:9/v1") as base, httpx.AsyncClient() as client:
        response = await client.request(method, f"{base}{path}")
    assert response.status_code == 404
    assert response.json()["error"] == {
        "message": words,
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
