"""Where an upstream is and how it is reached: query, headers, the header of the key, a proxy, certificates, several keys."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support import field
from tests.support.field import Json
from tests.support.live import RawUpstream, answer, gateway, raw
from wireloom.config import ConfigError, Settings, load

CASE = next(case for _, case in field.load("upstream-query-and-header"))
SECRET = "fantasy-secret-0123456789"
REQUEST: Json = {"model": "m1", "input": "x"}


def headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}


def target_of(head: bytes) -> str:
    return head.decode().split(" ")[1]


async def asked(
    path: str, *, times: int = 1, refuses: Any = None, **settings: Any
) -> tuple[list[Json], RawUpstream]:
    """Ask a gateway before an upstream below a path, and return its answers and what the upstream received."""

    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        sent = headers_of(upstream.heads[-1])
        refusal = refuses(sent) if refuses is not None else None
        if refusal is not None:
            status, more = refusal
            told = json.dumps({"error": {"message": f"no, {sent.get('x-token')}"}}).encode()
            writer.write(answer(told, status=status, kind="application/json", headers=more))
        else:
            writer.write(field.answered(CASE["upstream"], json.loads(body)))

    answers = []
    async with raw(handler) as (url, upstream):
        place = urlsplit(url)
        async with (
            gateway(f"{place.scheme}://{place.netloc}{path}", **settings) as base,
            httpx.AsyncClient(base_url=base) as client,
        ):
            for _ in range(times):
                answers.append((await client.post("/v1/responses", json=REQUEST)).json())
    return answers, upstream


def run(path: str = "/v1", **options: Any) -> tuple[list[Json], RawUpstream]:
    return asyncio.run(asked(path, **options))


# -- query and path ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (CASE["upstream"]["base_path"], "/openai/v1/chat/completions?api-version=preview"),
        (
            "/openai/deployments/m-1?api-version=2024-10-21",
            "/openai/deployments/m-1/chat/completions?api-version=2024-10-21",
        ),
        ("/v1/?a=1&b=%2F", "/v1/chat/completions?a=1&b=%2F"),
        ("", "/chat/completions"),
        ("?v=1", "/chat/completions?v=1"),
        ("/gateway/llm", "/gateway/llm/chat/completions"),
        ("/v1?", "/v1/chat/completions"),
    ],
)
def test_the_query_and_the_path_of_the_base_url_are_kept(path: str, target: str) -> None:
    (whole,), upstream = run(path)
    assert whole["status"] == "completed"
    assert [target_of(head) for head in upstream.heads] == [target]


def test_a_query_is_in_no_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        (failed,), _ = run(f"/v1?key={SECRET}", refuses=lambda _: ("404 No", ""))
    assert "error" in failed
    assert SECRET not in json.dumps(failed) + caplog.text


def test_a_fragment_is_refused() -> None:
    with pytest.raises(ConfigError, match="no fragment"):
        load(Settings, {"upstream": "https://a.example/v1#x"})


# -- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("authorization", {"authorization": "Bearer k1"}),
        ("api-key", {"api-key": "k1"}),
        ("X-API-Key", {"x-api-key": "k1"}),
        ("none", {}),
    ],
)
def test_the_key_goes_in_one_header(name: str, shown: Json) -> None:
    _, upstream = run(api_key="k1", upstream_key_header=name)
    sent = headers_of(upstream.heads[0])
    assert {key: value for key, value in sent.items() if "k1" in value} == shown


def test_headers_are_added_from_values_variables_and_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEAM", "from the variable")
    file = tmp_path / "secret"
    file.write_text("from-the-file\n")
    told = {
        "X-Team": "a b",
        "x-token": {"env": "TOKEN_OF_TEAM"},
        "x-file": {"file": str(file)},
        "user-agent": "us",
    }
    _, upstream = run(upstream_headers=json.dumps(told), api_key="k1")
    sent = headers_of(upstream.heads[0])
    assert (sent["x-team"], sent["x-token"], sent["x-file"]) == ("a b", "from the variable", "from-the-file")
    assert (sent["user-agent"], sent["authorization"]) == ("us", "Bearer k1")


def test_a_header_that_an_upstream_repeats_is_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        (failed,), upstream = run(upstream_headers={"x-token": SECRET}, refuses=lambda _: ("400 No", ""))
    assert headers_of(upstream.heads[0])["x-token"] == SECRET
    assert failed["error"]["message"]
    assert SECRET not in json.dumps(failed) + caplog.text
    settings = Settings(upstream="http://127.0.0.1:1/v1", upstream_headers={"x-token": SECRET})
    assert SECRET not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"upstream_headers": {"a b": "x"}}, "no name of a header"),
        ({"upstream_headers": {"Host": "x"}}, "sets this header itself"),
        ({"upstream_headers": {"content-length": "1"}}, "sets this header itself"),
        ({"upstream_headers": {"x": f"{SECRET}\r\ny: z"}}, "visible ASCII"),
        ({"upstream_headers": {"x": {"env": "NOT_SET_ANYWHERE"}}}, "NOT_SET_ANYWHERE is not set"),
        ({"upstream_headers": {"x": {"file": "/nowhere/at/all"}}}, "holds no value"),
        ({"upstream_headers": {"x": {}}}, "one of value, env and file"),
        ({"upstream_headers": {"x": {"value": "a", "env": "B"}}}, "one of value, env and file"),
        ({"upstream_headers": f"{{{SECRET}"}, "not JSON"),
        ({"upstream_key_header": "a:b"}, "no name of a header"),
        ({"upstream_proxy": "https://a.example"}, "must be an http URL"),
        ({"upstream_proxy": f"http://u:{SECRET}@a.example"}, "key in the URL"),
        ({"upstream_ca": "/nowhere/at/all.pem"}, "no certificates"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(given: Json, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        load(Settings, {"upstream": "https://a.example/v1", **given})
    assert SECRET not in str(caught.value)


# -- several keys --------------------------------------------------------------------------------------------------


@pytest.fixture
def three_keys(monkeypatch: pytest.MonkeyPatch) -> str:
    for name in "ABC":
        monkeypatch.setenv(f"KEY_{name}", f"k-{name}-{SECRET}")
    return "KEY_A, KEY_B,KEY_C"


def keys_of(upstream: RawUpstream) -> str:
    return "".join(headers_of(head)["authorization"].split("-")[1] for head in upstream.heads)


def refusing(status: str, *keys: str, headers: str = "") -> Any:
    return lambda sent: (status, headers) if sent["authorization"].split("-")[1] in keys else None


def test_several_keys_are_used_in_turn(three_keys: str) -> None:
    answers, upstream = run(api_key_env=three_keys, times=4)
    assert [each["status"] for each in answers] == ["completed"] * 4
    assert keys_of(upstream) == "ABCA"


@pytest.mark.parametrize("status", ["401 No", "429 No"])
def test_a_key_that_is_refused_rests_and_the_next_is_tried(three_keys: str, status: str) -> None:
    answers, upstream = run(api_key_env=three_keys, times=4, refuses=refusing(status, "A"))
    assert [each["status"] for each in answers] == ["completed"] * 4
    assert keys_of(upstream) == "ABBCB" or keys_of(upstream).count("A") == 1


def test_another_failure_is_no_keys_fault(three_keys: str) -> None:
    (failed,), upstream = run(api_key_env=three_keys, refuses=refusing("400 No", "A"))
    assert "error" in failed
    assert keys_of(upstream) == "A"


def test_where_all_keys_are_refused_the_last_refusal_is_the_answer(three_keys: str) -> None:
    (failed,), upstream = run(api_key_env=three_keys, refuses=refusing("429 No", "A", "B", "C"))
    assert failed["error"]["code"] == "rate_limit_exceeded"
    assert keys_of(upstream) == "ABC"
    assert SECRET not in json.dumps(failed)


def test_each_variable_must_be_set(three_keys: str) -> None:
    with pytest.raises(ConfigError, match="KEY_D is not set"):
        load(Settings, {"upstream": "https://a.example/v1", "api_key_env": f"{three_keys},KEY_D"})


# -- a proxy -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def tunnelling(status: bytes = b"200 OK") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that connects, or refuses; yields its URL and the heads that it received."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        if not status.startswith(b"200"):
            writer.close()
            return
        host, port = head.split(b" ")[1].decode().rsplit(":", 1)
        to_reader, to_writer = await asyncio.open_connection(host, int(port))

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()


async def through(status: bytes = b"200 OK") -> tuple[Json, RawUpstream, list[bytes]]:
    async with tunnelling(status) as (url, heads):
        (whole,), upstream = await asked("/v1", upstream_proxy=url)
        return whole, upstream, heads


def test_an_upstream_is_reached_through_a_proxy() -> None:
    whole, upstream, heads = asyncio.run(through())
    assert whole["status"] == "completed"
    assert target_of(upstream.heads[0]) == "/v1/chat/completions"
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")


@pytest.mark.parametrize(
    ("status", "why"), [(b"407 Who are you", "the proxy answered 407 Who are you"), (b"nonsense", "no HTTP")]
)
def test_a_proxy_that_refuses_is_named(status: bytes, why: str) -> None:
    failed, upstream, _ = asyncio.run(through(status))
    assert why in failed["error"]["message"]
    assert not upstream.heads


# -- certificates --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True, timeout=10
    )
    return made, key


async def over_tls(certificate: tuple[Path, Path], *, proxied: bool, trusted: bool) -> Json:
    """The answer of a gateway before an upstream that speaks TLS under a certificate of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(field.answered(CASE["upstream"], json.loads(body)))

    server = await asyncio.start_server(RawUpstream(handler), "127.0.0.1", 0, ssl=context)
    given: Json = {"upstream_ca": certificate[0]} if trusted else {}
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"
    async with server, tunnelling() as (proxy, _):
        more: Json = {"upstream_proxy": proxy} if proxied else {}
        async with gateway(url, **given, **more) as base, httpx.AsyncClient(base_url=base) as client:
            whole: Json = (await client.post("/v1/responses", json=REQUEST)).json()
            return whole


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through a proxy"])
def test_a_certificate_of_ones_own_is_trusted(certificate: tuple[Path, Path], proxied: bool) -> None:
    assert asyncio.run(over_tls(certificate, proxied=proxied, trusted=True))["status"] == "completed"
    failed = asyncio.run(over_tls(certificate, proxied=proxied, trusted=False))
    assert "certificate is not trusted" in failed["error"]["message"]
    assert "--upstream-ca" in failed["error"]["message"]
