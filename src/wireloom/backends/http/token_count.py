"""How many input tokens a request costs: asked of the upstream, counted with a vocabulary, or estimated."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from wireloom.backends.http.client import MAX_ANSWER_BYTES, Upstream
from wireloom.errors import GatewayError, UpstreamError
from wireloom.providers.profile import Profile

try:
    from splintr import Tokenizer
except ImportError:  # the extra `tokens` is not installed
    TOKENIZER: Any = None
else:
    TOKENIZER = Tokenizer

How = Literal["upstream", "vocabulary", "estimate"]
Body = Mapping[str, Any]

# What OpenAI states for its Chat models: each message is framed, and the answer is primed.
MESSAGE_TOKENS = 4
PRIMING_TOKENS = 3
# Prose in Latin script or Chinese, code and JSON have 3.5 to 4.6 bytes to a token in the vocabularies of today; Cyrillic has
# about 6.5, so that it is estimated too high.
BYTES_PER_TOKEN = 4
# An image has the price of 1024 by 1024 pixels in OpenAI's tiles, or of `detail: low`: its size is not looked up.
IMAGE_TOKENS = 765
LOW_IMAGE_TOKENS = 85
# Audio is ten tokens a second, at 16 kHz and 16 bits (wav) or 128 kbit/s (mp3).
AUDIO_BYTES_PER_TOKEN = {"wav": 3200, "mp3": 1600}
# A page of a PDF is about 75 kB and 1500 tokens.
FILE_BYTES_PER_TOKEN = 50

# Vocabularies of the package `splintr`, by the model's name below its owner; the first that fits is used. Those of
# OpenAI are its own for these names; the others are of the same family, and a count with one stays an estimate.
OPENAI_VOCABULARIES = {
    r"(gpt-(4o|4\.1|4\.5|5)|chatgpt-4o|o1|o3|o4)\b.*": "o200k_base",
    r"gpt-(4|3\.5|35)\b.*": "cl100k_base",
}
FAMILY_VOCABULARIES = {
    r"gpt-oss.*": "gpt-oss",
    r"deepseek.*": "deepseek_v3",
    r"(qwen|qwq).*": "qwen3",
    r"glm.*": "glm4",
    r"kimi-?k3.*": "kimi_k3",
    r"kimi.*": "kimi_k2",
    r"(mistral|ministral|codestral|devstral|magistral|pixtral).*": "mistral_v3",
    r"(meta-)?llama.*": "llama3",
}
OTHER_VOCABULARY = "o200k_base"


@dataclass(frozen=True, slots=True)
class Count:
    """The tokens of an input, and how they were found.

    Args:
        tokens: at least 1.
        how: `upstream` is the server's own word. `vocabulary` counts the text as the model does, and by rule what frames
            it. `estimate` is by rule in another part too: for most text within a sixth, for images a guess.
    """

    tokens: int
    how: How


async def count(upstream: Upstream, profile: Profile, chat_body: Body, *, seconds: float = 10.0) -> Count:
    """Count the input of a Chat request; an upstream that cannot say is no failure, the next way is taken.

    What the upstream counts is taken as it is, images included (vLLM expands them from 0.17 on). Elsewhere images, audio
    and files are counted by the rules above, and the count is an estimate.

    Args:
        upstream: the server the request would go to.
        profile: tells whether that server counts.
        chat_body: the request as it would be sent: model, messages, tools, response_format.
        seconds: how long the upstream may take.
    """
    ask = _ASKS.get(profile.count_tokens)
    if ask is not None:
        with suppress(GatewayError, TimeoutError):
            async with asyncio.timeout(seconds):
                return await ask(upstream, profile, chat_body)
    return await estimated(profile, chat_body)


async def estimated(profile: Profile, chat_body: Body) -> Count:
    """Count the input of a Chat request without asking anybody; see `count`."""
    return await asyncio.to_thread(_by_rule, profile, chat_body)


async def _ask_vllm(upstream: Upstream, _profile: Profile, body: Body) -> Count:
    asked = {
        name: body[name] for name in ("model", "messages", "tools", "chat_template_kwargs") if name in body
    }
    answer = await post_for_count(upstream, "../tokenize", asked)
    return Count(_positive(answer.get("count")), "upstream")


async def _ask_llamacpp(upstream: Upstream, _profile: Profile, body: Body) -> Count:
    asked = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
    with suppress(GatewayError):
        answer = await post_for_count(upstream, "chat/completions/input_tokens", asked)
        return Count(_positive(answer.get("input_tokens")), "upstream")
    # Servers from before that endpoint: the template has a mark where an image goes.
    prompt = (await post_for_count(upstream, "../apply-template", asked)).get("prompt")
    if not isinstance(prompt, str):
        raise UpstreamError("The upstream's answer holds no prompt.", code="upstream_invalid")
    text = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = (await post_for_count(upstream, "../tokenize", text)).get("tokens")
    media = _media(body)
    length = _positive(len(tokens) if isinstance(tokens, list) else None)
    return Count(length + media, "estimate" if media else "upstream")


_ASKS: dict[str | None, Callable[[Upstream, Profile, Body], Awaitable[Count]]] = {
    "vllm": _ask_vllm,
    "llamacpp": _ask_llamacpp,
}


async def post_for_count(upstream: Upstream, path: str, body: Body) -> dict[str, Any]:
    """The object with which an upstream answers what it is asked about an input.

    Raises:
        GatewayError: it does not answer, or with something else.
    """
    async with aclosing(await upstream.post(path, msgspec.json.encode(body))) as answer:
        data = await answer.read(MAX_ANSWER_BYTES)
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamError("The upstream's count is no object.", code="upstream_invalid") from error


def _positive(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise UpstreamError("The upstream's answer holds no count.", code="upstream_invalid")


def _by_rule(profile: Profile, body: Body) -> Count:
    """The count without the upstream; it takes about 0.1 s for a megabyte."""
    texts = list(_texts(body, profile.reasoning_replay_field))
    media = _media(body)
    framing = MESSAGE_TOKENS * len(body["messages"]) + PRIMING_TOKENS
    if TOKENIZER is None:
        size = sum(len(text.encode()) for text in texts)
        return Count(framing + media + -(-size // BYTES_PER_TOKEN), "estimate")
    name, own = vocabulary(str(body.get("model", "")))
    encode = _encoder(name)
    tokens = sum(len(encode(text)) for text in texts)
    return Count(framing + media + tokens, "vocabulary" if own and not media else "estimate")


def vocabulary(model: str) -> tuple[str, bool]:
    """Return the name of the vocabulary to count with, and whether it is the model's own.

    Args:
        model: as sent upstream, such as `gpt-5.5`, `ft:gpt-4o:team` or `deepseek/deepseek-flash`.
    """
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    for table, own in ((OPENAI_VOCABULARIES, True), (FAMILY_VOCABULARIES, False)):
        for pattern, found in table.items():
            if re.fullmatch(pattern, name):
                return found, own
    return OTHER_VOCABULARY, False


@cache
def _encoder(name: str) -> Callable[[str], list[int]]:
    encode: Callable[[str], list[int]] = TOKENIZER.from_pretrained(name).encode_ordinary
    return encode


def _texts(body: Body, reasoning_field: str) -> Iterator[str]:
    """Every text the model reads; schemas stand for themselves, though each vendor's template writes them its way."""
    for message in body["messages"]:
        yield from (part.get("text") or part.get("refusal") or "" for part in _parts(message))
        yield message.get(reasoning_field) or ""
        for call in message.get("tool_calls") or ():
            yield call["function"]["name"]
            yield call["function"]["arguments"]
    for tool in body.get("tools") or ():
        yield msgspec.json.encode(tool.get("function", tool)).decode()
    form = body.get("response_format") or {}
    if "json_schema" in form:
        yield msgspec.json.encode(form["json_schema"]).decode()


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content") or []
    return [{"text": content}] if isinstance(content, str) else content


def _media(body: Body) -> int:
    """Tokens of everything that is no text."""
    parts = (part for message in body["messages"] for part in _parts(message))
    return sum(_MEDIA[kind](part[kind]) for part in parts if (kind := part.get("type")) in _MEDIA)


def _image(image: Mapping[str, Any]) -> int:
    return LOW_IMAGE_TOKENS if image.get("detail") == "low" else IMAGE_TOKENS


def _audio(audio: Mapping[str, Any]) -> int:
    return _decoded(audio.get("data")) // AUDIO_BYTES_PER_TOKEN.get(audio.get("format", ""), 1600) + 1


def _file(file: Mapping[str, Any]) -> int:
    return _decoded(file.get("file_data")) // FILE_BYTES_PER_TOKEN + 1


def _decoded(data: str | None) -> int:
    """Bytes that a base64 text stands for."""
    return len(data or "") * 3 // 4


_MEDIA: dict[str, Callable[[Mapping[str, Any]], int]] = {
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}
