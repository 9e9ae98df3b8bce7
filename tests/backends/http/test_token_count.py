"""Counting tokens: the upstream's own word, a vocabulary, an estimate; each in front of a real server."""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from tests.support.http_request import HttpRequest, read_request
from tests.support.loopback import Loopback, WatchedReader
from wireloom.backends.http import token_count as counting
from wireloom.backends.http.client import Upstream
from wireloom.backends.http.token_count import Count, count, vocabulary
from wireloom.providers import load

Json = dict[str, Any]
GENERIC, VLLM, LLAMACPP = load("generic"), load("vllm"), load("llamacpp")
SEARCH: Json = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
FRAMING = counting.MESSAGE_TOKENS + counting.PRIMING_TOKENS
NO_VOCABULARY = "the extra `tokens` is not installed"


class Counter:
    """A server that answers each path of `answers` as told, anything else with 404; None is silence."""

    def __init__(self, answers: Mapping[str, bytes | None]) -> None:
        self._answers = answers
        self._loopback = Loopback(self._serve)
        self.requests: list[HttpRequest] = []

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            self.requests.append(request)
            body = self._answers.get(request.path, b"")
            if body is None:
                await reader.gone.wait()
                return
            status = b"200 OK" if body else b"404 Not Found"
            writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
            await writer.drain()

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve for the length of a `with` block; gives the root's URL."""
        with self._loopback:
            yield f"http://127.0.0.1:{self._loopback.port}"

    @property
    def asked(self) -> list[tuple[str, Any]]:
        """Every path with the decoded body it got."""
        return [(request.path, json.loads(request.body)) for request in self.requests]


@asynccontextmanager
async def upstream_at(url: str) -> Any:
    upstream = Upstream(url, "key")
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def counted(
    server: Counter, profile: Any, body: Json, *, base: str = "/v1", seconds: float = 10.0
) -> Count:
    with server.running() as root:
        async with upstream_at(root + base) as upstream:
            return await count(upstream, profile, body, seconds=seconds)


def chat(text: str = "Hello", model: str = "some-model", **more: Any) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def without_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "TOKENIZER", None)


@pytest.mark.parametrize(
    ("base", "path"), [("/v1", "/tokenize"), ("", "/tokenize"), ("/a/v1/", "/a/tokenize")]
)
async def test_vllm_is_asked_beside_its_version(base: str, path: str) -> None:
    server = Counter({path: b'{"count": 26, "max_model_len": 4096, "tokens": [1, 2]}'})
    body = chat(tools=[SEARCH], temperature=0.5, stream=True, chat_template_kwargs={"enable_thinking": False})
    assert await counted(server, VLLM, body, base=base) == Count(26, "upstream")
    assert server.asked == [
        (path, {name: body[name] for name in ("model", "messages", "tools", "chat_template_kwargs")})
    ]
    assert server.requests[0].headers["authorization"] == "Bearer key"


async def test_llamacpp_counts_a_chat_request() -> None:
    server = Counter({"/v1/chat/completions/input_tokens": b'{"object": "x", "input_tokens": 11}'})
    body = chat(tools=[SEARCH])
    assert await counted(server, LLAMACPP, {**body, "stream": True, "stream_options": {}}) == Count(
        11, "upstream"
    )
    assert server.asked == [("/v1/chat/completions/input_tokens", body)]


@pytest.mark.parametrize("images", [0, 2])
async def test_older_llamacpp_applies_its_template_and_counts_that(images: int) -> None:
    server = Counter({"/apply-template": b'{"prompt": "<s>Hello"}', "/tokenize": b'{"tokens": [1, 2, 3]}'})
    body = chat(tools=[SEARCH])
    image = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    body["messages"][0]["content"] = [{"type": "text", "text": "Hello"}, *[image] * images]
    expected = Count(3 + images * counting.IMAGE_TOKENS, "estimate" if images else "upstream")
    assert await counted(server, LLAMACPP, body) == expected
    assert server.asked[1:] == [
        ("/apply-template", body),
        ("/tokenize", {"content": "<s>Hello", "add_special": True, "parse_special": True}),
    ]


ODD_COUNTS = (
    b"",
    b"[]",
    b"{",
    b"\xff",
    b'{"count": "\xff"}',
    b"[" * 100_000,
    b"{}",
    b'{"count": "9"}',
    b'{"count": true}',
    b'{"count": 0}',
    b'{"count": 1.5}',
)


@pytest.mark.usefixtures("without_vocabulary")
@pytest.mark.parametrize("answer", ODD_COUNTS)
async def test_odd_answer_of_vllm_is_no_failure(answer: bytes) -> None:
    server = Counter({"/tokenize": answer})
    assert await counted(server, VLLM, chat()) == Count(FRAMING + 2, "estimate")
    assert [path for path, _ in server.asked] == ["/tokenize"]


ODD_TEMPLATES: tuple[dict[str, bytes | None], ...] = (
    {},
    {"/apply-template": b'{"prompt": 3}'},
    {"/apply-template": b'{"prompt": "x"}'},
    {"/apply-template": b'{"prompt": "x"}', "/tokenize": b'{"tokens": 4}'},
    {"/apply-template": b'{"prompt": "x"}', "/tokenize": b'{"tokens": []}'},
)


@pytest.mark.usefixtures("without_vocabulary")
@pytest.mark.parametrize("answers", ODD_TEMPLATES)
async def test_odd_answer_of_llamacpp_is_no_failure(answers: dict[str, bytes | None]) -> None:
    assert await counted(Counter(answers), LLAMACPP, chat()) == Count(FRAMING + 2, "estimate")


@pytest.mark.usefixtures("without_vocabulary")
async def test_silent_upstream_is_given_up() -> None:
    server = Counter({"/tokenize": None})
    assert (await counted(server, VLLM, chat(), seconds=0.1)).how == "estimate"
    assert len(server.requests) == 1


@pytest.mark.usefixtures("without_vocabulary")
async def test_upstream_that_is_not_there() -> None:
    server = Counter({})
    with server.running() as root:
        gone = root
    async with upstream_at(f"{gone}/v1") as upstream:
        assert (await count(upstream, VLLM, chat())).how == "estimate"


async def test_profile_that_cannot_count_is_not_asked() -> None:
    server = Counter({"/tokenize": b'{"count": 26}'})
    assert (await counted(server, GENERIC, chat())).how == "estimate"
    assert server.requests == []


async def local(body: Json, profile: Any = GENERIC) -> Count:
    async with upstream_at("http://127.0.0.1:9/v1") as upstream:
        return await count(upstream, profile, body)


@pytest.mark.usefixtures("without_vocabulary")
async def test_estimate_is_a_quarter_of_the_bytes() -> None:
    assert await local(chat("x" * 400, "gpt-5")) == Count(FRAMING + 100, "estimate")
    assert await local(chat("漢" * 400)) == Count(FRAMING + 300, "estimate")
    assert await local(chat("x" * 401)) == Count(FRAMING + 101, "estimate")


CALL: Json = {"id": "c", "type": "function", "function": {"name": "n" * 40, "arguments": "a" * 400}}
ADDED: dict[str, tuple[Json, int]] = {
    "parts": ({"role": "user", "content": [{"type": "text", "text": "x" * 400}]}, 100),
    "refusal": ({"role": "assistant", "content": [{"type": "refusal", "refusal": "x" * 400}]}, 100),
    "call": ({"role": "assistant", "content": None, "tool_calls": [CALL]}, 110),
    "reasoning": ({"role": "assistant", "content": "", "reasoning_content": "x" * 400}, 100),
    "tool": ({"role": "tool", "tool_call_id": "c", "content": "x" * 400}, 100),
}


@pytest.mark.usefixtures("without_vocabulary")
@pytest.mark.parametrize("name", ADDED)
async def test_every_text_of_a_message_counts(name: str) -> None:
    message, tokens = ADDED[name]
    body = chat("x" * 40)
    body["messages"].append(message)
    assert (await local(body)).tokens == FRAMING + 10 + counting.MESSAGE_TOKENS + tokens


@pytest.mark.usefixtures("without_vocabulary")
async def test_tools_and_schema_count_as_their_json() -> None:
    plain = (await local(chat("x" * 40))).tokens
    tool = {"type": "function", "function": {"name": "f", "description": "x" * 4000}}
    assert plain + 1000 < (await local(chat("x" * 40, tools=[tool]))).tokens < plain + 1020
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": {"description": "x" * 4000}}}
    assert plain + 1000 < (await local(chat("x" * 40, response_format=form))).tokens < plain + 1020
    assert (await local(chat("x" * 40, response_format={"type": "json_object"}))).tokens == plain


def data(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


MEDIA: dict[str, tuple[Json, int]] = {
    "image": ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + data(9_000)}}, 765),
    "small image": ({"type": "image_url", "image_url": {"url": "https://a.example", "detail": "low"}}, 85),
    "a minute of wav": (
        {"type": "input_audio", "input_audio": {"data": data(1_920_000), "format": "wav"}},
        601,
    ),
    "a minute of mp3": (
        {"type": "input_audio", "input_audio": {"data": data(960_000), "format": "mp3"}},
        601,
    ),
    "a page": ({"type": "file", "file": {"file_data": data(75_000)}}, 1501),
    "a file by name": ({"type": "file", "file": {"file_id": "file_1"}}, 1),
}


@pytest.mark.parametrize("name", MEDIA)
async def test_media_count_by_rule_and_make_an_estimate(name: str) -> None:
    part, tokens = MEDIA[name]
    body = chat(model="gpt-4o")
    body["messages"][0]["content"] = [{"type": "text", "text": "Hello"}]
    plain = await local(body)
    body["messages"][0]["content"].append(part)
    assert await local(body) == Count(plain.tokens + tokens, "estimate")


async def test_vocabulary_counts_as_the_model_does() -> None:
    pytest.importorskip("splintr", reason=NO_VOCABULARY)
    # Token for token what OpenAI's own tokenizer gives for these texts.
    assert await local(chat("Hello, world! Grüße, 世界 👋🏽 <|endoftext|>", "gpt-5.5")) == Count(
        FRAMING + 18, "vocabulary"
    )
    assert await local(chat("Hello, world! Grüße, 世界 👋🏽 <|endoftext|>", "gpt-4")) == Count(
        FRAMING + 22, "vocabulary"
    )
    assert await local(chat("Hello, world!", "deepseek-chat")) == Count(FRAMING + 4, "estimate")
    assert (await local(chat("Hello, world!", "unheard-of"))).how == "estimate"


async def test_estimate_is_near_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("splintr", reason=NO_VOCABULARY)
    with open(__file__, encoding="utf-8") as own, open(counting.__file__, encoding="utf-8") as other:
        body = chat(own.read() + other.read(), "gpt-5")
    exact = await local(body)
    monkeypatch.setattr(counting, "TOKENIZER", None)
    assert exact.how == "vocabulary"
    assert (await local(body)).tokens == pytest.approx(exact.tokens, rel=0.25)


NAMES = {
    "gpt-4o": ("o200k_base", True),
    "gpt-4o-mini-2024-07-18": ("o200k_base", True),
    "gpt-4.1-nano": ("o200k_base", True),
    "openai/gpt-5.5-codex": ("o200k_base", True),
    "ft:gpt-4o:team::id": ("o200k_base", True),
    "o1": ("o200k_base", True),
    "o3-pro": ("o200k_base", True),
    "gpt-4": ("cl100k_base", True),
    "gpt-4-turbo": ("cl100k_base", True),
    "gpt-3.5-turbo": ("cl100k_base", True),
    "gpt-oss:20b": ("gpt-oss", False),
    "deepseek/deepseek-chat": ("deepseek_v3", False),
    "Qwen/Qwen3-8B": ("qwen3", False),
    "glm-4.6": ("glm4", False),
    "kimi-k2.5": ("kimi_k2", False),
    "mistral-large-latest": ("mistral_v3", False),
    "meta-llama/Llama-3.3-70B-Instruct": ("llama3", False),
    "o15": ("o200k_base", False),
    "gpt-50": ("o200k_base", False),
    "": ("o200k_base", False),
}


@pytest.mark.parametrize("model", NAMES)
def test_vocabulary_of_a_model(model: str) -> None:
    assert vocabulary(model) == NAMES[model]


def test_every_vocabulary_of_the_tables_is_there() -> None:
    splintr = pytest.importorskip("splintr", reason=NO_VOCABULARY)
    for table in (counting.OPENAI_VOCABULARIES, counting.FAMILY_VOCABULARIES):
        for name in table.values():
            assert splintr.Tokenizer.from_pretrained(name).encode_ordinary("Hello")
