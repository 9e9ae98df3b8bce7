"""What a client, the log, the list of models and the readiness say of an upstream that fails: real servers, real sockets."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.live import Handler, answer, gateway, raw
from wireloom.backends.http.server import Server

FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "canary-prompt"},
    "chat/completions": {"messages": [{"role": "user", "content": "canary-prompt"}]},
}
HTML = b"<html><title>Not here</title></html>"
BEGUN = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
Line = dict[str, Any]


def sends(data: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return handler


def says(status: int, body: Any, headers: str = "") -> Handler:
    return sends(
        answer(json.dumps(body).encode(), status=f"{status} No", kind="application/json", headers=headers)
    )


def page(status: int) -> Handler:
    return sends(answer(HTML, status=f"{status} Page", kind="text/html; charset=utf-8"))


def goes_silent(data: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(60)

    return handler


async def ask(base: str, face: str = "responses", *, stream: bool = False) -> httpx.Response:
    body = {**FACES[face], "model": "m", "stream": stream}
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{base}/v1/{face}", json=body)


def message_of(response: httpx.Response) -> str:
    """The message of a failure, as an HTTP error or as the last event of a stream."""
    if response.headers["content-type"] == "application/json":
        return str(response.json()["error"]["message"])
    told = [
        json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if "message" in line
    ]
    return str(next(each["error"]["message"] for each in told if each.get("error")))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Line]]:
    """The fields of the lines that requests have left."""
    caplog.set_level(logging.DEBUG, logger="wireloom.request")
    return lambda: [vars(record) for record in caplog.records if hasattr(record, "outcome")]


# -- an address at which something else answers ----------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_a_page_where_the_version_is_missing(
    face: str, stream: bool, lines: Callable[[], list[Line]]
) -> None:
    async with raw(page(404)) as (url, _):
        root = url.removesuffix("/v1")
        async with gateway(root, provider="deepseek", api_key="k") as base:
            response = await ask(base, face, stream=stream)
    words = f'DeepSeek answered 404 with an HTML page titled "Not here" to POST {root}/{face.replace("responses", "chat/completions")}.'
    assert message_of(response) == f"{words} Should --upstream end in /v1?"
    assert (response.status_code, response.json()["error"]["code"]) == (404, "upstream_not_found")
    (line,) = lines()
    assert line["cause"] == message_of(response)
    assert (line["levelno"], line["outcome"]) == (logging.WARNING, "failed")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("", "Should --upstream end in /v1?"),
        ("/api", "Should --upstream end in /v1?"),
        ("/v1", "Is --upstream the base URL of its API?"),
        ("/api/paas/v4", "Is --upstream the base URL of its API?"),
        ("/v1beta/openai", "Is --upstream the base URL of its API?"),
        ("/v1/chat/completions", "Should --upstream end before /chat/completions?"),
    ],
)
async def test_the_hint_looks_at_the_path(path: str, hint: str) -> None:
    async with raw(page(404)) as (url, _), gateway(url.removesuffix("/v1") + path) as base:
        assert message_of(await ask(base)).endswith(f"/chat/completions. {hint}")


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (says(404, {"detail": "Not Found"}), "404 to POST {asked}: Not Found. Should --upstream end in /v1?"),
        (says(404, {"error": {"message": "no such deployment"}}), "404 to POST {asked}: no such deployment"),
        (says(400, {"error": {"message": "top_p is odd"}}), "400 to POST {asked}: top_p is odd"),
        (says(500, {}), "500 without saying why to POST {asked}."),
        (page(502), '502 with an HTML page titled "Not here" to POST {asked}.'),
        (
            page(200),
            '200 with an HTML page titled "Not here" to POST {asked}. Is --upstream the base URL of its API?',
        ),
        (
            sends(answer(b"busy", status="503 No", kind="text/plain")),
            "503 to POST {asked}: busy",
        ),
        (
            says(301, {}, "location: https://u:p@example.com/v1/x?key=canary\r\n"),
            "301 to POST {asked}. It redirects to https://example.com/v1/x, which is not followed: "
            "set --upstream to where it points.",
        ),
    ],
)
async def test_what_came_back_is_told(handler: Handler, words: str) -> None:
    async with raw(handler) as (url, _):
        root = url.removesuffix("/v1")
        async with gateway(root, provider="deepseek", api_key="k") as base:
            response = await ask(base)
    told = f"DeepSeek answered {words.format(asked=f'{root}/chat/completions')}"
    assert message_of(response) == told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://user:canary@host:81/v1/?key=canary#canary", "https://host:81/v1"),
        ("http://canary@[::1]:81", "http://[::1]:81"),
    ],
)
def test_no_secret_of_an_address_is_told(url: str, told: str) -> None:
    server = Server("It", url)
    assert server.base == told
    assert server.asked("POST", "chat/completions") == f"POST {told}/chat/completions"


# -- no connection ---------------------------------------------------------------------------------------------------


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def everywhere(upstream: str, words: str, lines: Callable[[], list[Line]], **settings: Any) -> None:
    """Make sure that answers of both kinds, the list of models, the readiness and the log say the same."""
    async with gateway(upstream, provider="deepseek", api_key="k", **settings) as base:
        async with httpx.AsyncClient(timeout=20) as client:
            whole, streamed = await ask(base), await ask(base, "chat/completions", stream=True)
            listed, ready = await client.get(f"{base}/v1/models"), await client.get(f"{base}/ready")
    for response in (whole, streamed, listed, ready):
        assert message_of(response) == words
        assert response.status_code == 502
        assert response.json()["error"]["code"] == "upstream_unreachable"
    assert [(line["cause"], line["levelno"]) for line in lines()] == [(words, logging.WARNING)] * 4
    assert all("backend" not in line for line in lines())


async def test_a_refused_connection(lines: Callable[[], list[Line]]) -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    await everywhere(url, f"DeepSeek at {url}: connection refused. Does a server listen there?", lines)


async def test_a_name_that_no_host_has(lines: Callable[[], list[Line]]) -> None:
    url = "https://api.deepsek.invalid/v1"
    await everywhere(url, f"DeepSeek at {url}: no such host. Is the name in --upstream right?", lines)


async def test_a_certificate_that_is_not_trusted(lines: Callable[[], list[Line]], tmp_path: Path) -> None:
    async with over_tls(tmp_path) as url:
        words = (
            f"DeepSeek at {url}: TLS: its certificate is not trusted (self-signed certificate). "
            "--upstream-ca names a file of further certificates to trust."
        )
        await everywhere(url, words, lines)


async def test_a_server_without_tls(lines: Callable[[], list[Line]]) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        words = f"DeepSeek at {url}: TLS: wrong version number. Should --upstream begin with http://?"
        await everywhere(url, words, lines)


@asynccontextmanager
async def over_tls(folder: Path) -> AsyncIterator[str]:
    """A server with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    file = folder / "certificate.pem"
    own = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(own + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"


# -- an answer that does not come, or not whole ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "settings", "words", "code"),
    [
        (
            goes_silent(b""),
            {"idle_timeout_seconds": 0.3},
            "No data from DeepSeek for 0.3 s (--idle-timeout-seconds) on POST {asked}.",
            "upstream_timeout",
        ),
        (
            goes_silent(answer(BEGUN)),
            {"idle_timeout_seconds": 0.3},
            "No data from DeepSeek for 0.3 s (--idle-timeout-seconds) on POST {asked}.",
            "upstream_timeout",
        ),
        (
            goes_silent(answer(BEGUN)),
            {"timeout_seconds": 0.3},
            "No whole answer from DeepSeek within 0.3 s (--timeout-seconds) on POST {asked}.",
            "upstream_timeout",
        ),
        (
            sends(answer(BEGUN)),
            {},
            "DeepSeek's stream ended before its answer did on POST {asked}.",
            "upstream_incomplete",
        ),
        (
            sends(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"),
            {},
            "DeepSeek closed the connection in the middle of its answer on POST {asked}.",
            "upstream_incomplete",
        ),
        (
            sends(b""),
            {},
            "DeepSeek closed the connection before it answered on POST {asked}.",
            "upstream_incomplete",
        ),
        (
            sends(b"\x15\x03\x01\x00\x02\x02\x46"),
            {},
            "DeepSeek answered with something that is no HTTP on POST {asked}. "
            "Should --upstream begin with https://?",
            "upstream_incomplete",
        ),
        (
            sends(answer(b'data: {"error": {"message": "broke"}}\n\n')),
            {},
            "DeepSeek reports an error on POST {asked}: broke",
            "upstream_error",
        ),
    ],
)
@pytest.mark.parametrize("face", FACES)
async def test_an_answer_that_is_none(
    face: str,
    handler: Handler,
    settings: dict[str, Any],
    words: str,
    code: str,
    lines: Callable[[], list[Line]],
) -> None:
    async with raw(handler) as (url, _):
        async with gateway(url, provider="deepseek", api_key="k", **settings) as base:
            response = await ask(base, face)
    told = words.format(asked=f"{url}/chat/completions")
    assert message_of(response) == told
    assert response.json()["error"]["code"] == code
    assert lines()[0]["cause"] == told.replace(": broke", ".")


async def test_the_words_of_an_upstream_are_not_logged(
    lines: Callable[[], list[Line]], caplog: pytest.LogCaptureFixture
) -> None:
    async with raw(says(400, {"error": {"message": "bad input: canary-prompt"}})) as (url, _):
        async with gateway(url) as base:
            response = await ask(base)
    assert "canary-prompt" in message_of(response)
    assert lines()[0]["cause"] == f"The upstream answered 400 to POST {url}/chat/completions."
    assert "canary-prompt" not in caplog.text


# -- who is named ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "entry", "title"),
    [
        ("deepseek", {"provider": "deepseek"}, "DeepSeek"),
        ("mine", {"provider": "deepseek"}, "DeepSeek (mine)"),
        ("kimi", {"provider": "kimi"}, "Kimi"),
        ("local", {}, "Backend local"),
    ],
)
async def test_the_title_of_a_backend(name: str, entry: dict[str, Any], title: str) -> None:
    async with raw(says(500, {"error": "no"})) as (url, _):
        backends = {name: {**entry, "upstream": url, "api_key": "k"}, "other": {"upstream": url}}
        async with gateway(None, backends=backends, default_backend=name) as base:
            response = await ask(base)
    assert message_of(response) == f"{title} answered 500 to POST {url}/chat/completions: no"


async def test_every_backend_that_is_not_ready_is_told() -> None:
    first, second = (f"http://127.0.0.1:{unused_port()}/v1" for _ in range(2))
    backends = {"deepseek": {"provider": "deepseek", "upstream": first}, "local": {"upstream": second}}
    async with gateway(None, backends=backends) as base, httpx.AsyncClient(timeout=20) as client:
        response = await client.get(f"{base}/ready")
    assert response.status_code == 503
    assert message_of(response) == (
        "No backend is ready. "
        f"deepseek: DeepSeek at {first}: connection refused. Does a server listen there? "
        f"local: Backend local at {second}: connection refused. Does a server listen there?"
    )
