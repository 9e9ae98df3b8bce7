"""The only HTTP client: one upstream, its key, its time limits, its failures as our errors."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from wireloom.backends.http.connecting import late, why_unconnected
from wireloom.backends.http.keys import Turns
from wireloom.backends.http.server import Server, shown
from wireloom.backends.http.transport import CUT_BODY, CUT_HEAD, NO_ANSWER, Transport
from wireloom.errors import UNNAMED, UpstreamError
from wireloom.translate.failures import form, upstream_error
from wireloom.translate.failures.answered import holds_answer
from wireloom.translate.failures.delays import of_headers

CONNECT_SECONDS = 5.0
WRITE_SECONDS = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 256 * 1024
BEARER = "authorization"
NO_KEY = "none"

log = logging.getLogger("wireloom")


class Upstream:
    """A server below one base URL.

    Args:
        base_url: absolute URL with the API's version, such as `https://api.deepseek.com/v1`.
        api_key: sent as bearer token to this server only, or None.
        title: its name in messages, such as `DeepSeek`.
        key_place: where the key is set; see `Server`.
        takes_keys: whether clients may bring a key, so that a missing one is theirs to bring.
        idle_seconds: silence after which an answer is given up.
        total_seconds: time after which a request is given up, 0 for never.
        now: seconds since the epoch, for upstreams that say until when to wait.
        more_keys: further keys, each with its place; all of them are used in turn.
        key_header: the header of the key, in lower case: `authorization` for a bearer token, `none` for no key.
        headers: further headers of every request, name in lower case -> value.
        proxy: URL of the HTTP proxy through which it is reached, or None.
        ca: file with certificates to trust besides those of the system, or None.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        title: str = UNNAMED,
        key_place: str = "(--api-key-env)",
        takes_keys: bool = False,
        idle_seconds: float = 300.0,
        total_seconds: float = 0.0,
        now: Callable[[], float] = time.time,
        more_keys: Sequence[tuple[str, str]] = (),
        key_header: str = BEARER,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ca: Path | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        folder = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/", "", ""))
        self._base_url = httpx.URL(folder)
        self._query = parts.query.encode("ascii", "replace")
        self._key_header = key_header
        self.server = Server(title, base_url, api_key, key_place, brought=takes_keys and api_key is None)
        self.server = replace(self.server, hidden=tuple((headers or {}).values()))
        self._now = now
        self._total = total_seconds or None
        self._idle = idle_seconds
        # Requests go to the transport itself: a client would add cookies, redirects (which would carry the key to
        # another place), proxies from the environment and a third of the cost of a short answer.
        self._transport = Transport(ssl_context=None if ca is None else _trusting(ca), through=proxy)
        idle = idle_seconds or None
        timeout = httpx.Timeout(idle, connect=CONNECT_SECONDS, write=WRITE_SECONDS)
        self._urls: dict[str, httpx.URL] = {}
        self._extensions = {"timeout": timeout.as_dict()}
        self._bare: list[tuple[bytes, bytes]] = [
            (b"host", self._base_url.netloc),
            # The compression of an event stream would hold events back until a block is full.
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"wireloom"),
        ]
        own = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        self._bare = [(name, value) for name, value in self._bare if name not in own] + [*own.items()]
        self._use(api_key)
        others = [self._keyed(replace(self.server, key=key, key_place=at)) for key, at in more_keys]
        self._turns = Turns([copy(self), *others]) if others else None

    def _use(self, api_key: str | None) -> None:
        key = [] if api_key is None else self._key(api_key)
        named = {name for name, _ in key}
        self._getting = [*((name, value) for name, value in self._bare if name not in named), *key]
        self._posting = [
            *self._getting,
            (b"accept", b"text/event-stream, application/json"),
            (b"content-type", b"application/json"),
        ]

    def _key(self, api_key: str) -> list[tuple[bytes, bytes]]:
        """The key in its header."""
        if self._key_header == NO_KEY:
            return []
        value = f"Bearer {api_key}" if self._key_header == BEARER else api_key
        return [(self._key_header.encode(), value.encode())]

    def _keyed(self, server: Server) -> Upstream:
        other = copy(self)
        other._turns = None
        other.server = server
        other._use(server.key)
        return other

    def with_key(self, api_key: str) -> Upstream:
        """The same server, over the same connections, asked with another key."""
        return self._keyed(replace(self.server, key=api_key, brought=True))

    async def post(self, path: str, body: bytes) -> Answer:
        """Send JSON and wait for the head of the answer.

        Args:
            path: below the base URL.
            body: encoded JSON.

        Raises:
            GatewayError: no answer, or one that refuses.
        """
        if self._turns is None:
            return await self._post(path, body)
        left = len(self._turns)
        for number, asked in self._turns.order():
            left -= 1
            try:
                return await asked._post(path, body)
            except UpstreamError as error:
                if not self._turns.refused(number, error) or not left:
                    raise
                log.warning(
                    "%s answered %s to one of its keys; the next is tried.", self.server.title, error.answered
                )
        raise AssertionError("there is no key")

    async def _post(self, path: str, body: bytes) -> Answer:
        deadline = None if self._total is None else asyncio.get_running_loop().time() + self._total
        request = self._request("POST", path, self._posting, body)
        with self.failures("POST", path):
            if deadline is None:
                response = await self._transport.handle_async_request(request)
            else:
                async with asyncio.timeout_at(deadline):
                    response = await self._transport.handle_async_request(request)
            answer = Answer(response, deadline)
            if answer.status >= 300:
                await self._look_into(answer)
        return answer

    async def get(self, path: str, *, seconds: float = 10.0) -> Any:
        """Fetch JSON.

        Args:
            path: below the base URL, or below the host when it begins with a slash.
            seconds: how long to wait at most.

        Raises:
            UpstreamError: no answer, one that refuses, or one that is no JSON.
        """
        request = self._request("GET", path, self._getting, b"")
        with self.failures("GET", path, seconds):
            async with asyncio.timeout(seconds):
                async with aclosing(
                    Answer(await self._transport.handle_async_request(request), None)
                ) as answer:
                    if answer.status >= 300:
                        raise self._refusal(answer, await answer.read(MAX_ERROR_BYTES))
                    data = await answer.read(MAX_ANSWER_BYTES)
            try:
                return msgspec.json.decode(data)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                shape = form(data, answer.content_type)
                raise UpstreamError(
                    f"{UNNAMED} answered {answer.status} {shape}",
                    answered=answer.status,
                    code="upstream_invalid",
                ) from error

    @contextmanager
    def failures(self, method: str, path: str, seconds: float | None = None) -> Iterator[None]:
        """Let whatever goes wrong with a request name this server, the request and the cause.

        Args:
            method: of the request.
            path: of the request, below the base URL.
            seconds: how long it may take, where that is not the setting's.

        Raises:
            UpstreamError: for every failure of the HTTP client, and for every one that does not name a server.
        """
        try:
            yield
        except UpstreamError as error:
            named = self.server.named(error, self.server.asked(method, path))
            if named is error:
                raise
            raise named from error
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            found = self._failure(error, seconds)
            raise self.server.named(found, self.server.asked(method, path)) from error

    def _failure(self, error: Exception, seconds: float | None) -> UpstreamError:
        """A failure of the HTTP client as one of ours."""
        if isinstance(error, TimeoutError):
            limit = f"{seconds:g} s" if seconds is not None else f"{self._total:g} s (--timeout-seconds)"
            return late(f"No whole answer from the upstream within {limit}")
        if isinstance(error, httpx.ConnectTimeout):
            reason = f"no connection within {CONNECT_SECONDS:g} s"
            return self.server.unreachable(reason, code="upstream_timeout", status=504)
        if isinstance(error, httpx.ReadTimeout):
            limit = f"{self._idle:g} s (--idle-timeout-seconds)"
            return late(f"No data from the upstream for {limit}")
        if isinstance(error, httpx.TimeoutException):
            return late(f"{UNNAMED} did not take the request for {WRITE_SECONDS:g} s")
        if isinstance(error, httpx.ConnectError):
            return self.server.unreachable(*why_unconnected(error.__cause__))
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
            return self.server.unreachable("this is no address", "Is --upstream a URL?")
        return self._broken(error)

    def _broken(self, error: Exception) -> UpstreamError:
        """A connection that ended before its answer did."""
        reason = str(error)
        if reason == NO_ANSWER:
            fact, hint = f"{UNNAMED} closed the connection before it answered", None
        elif reason in (CUT_HEAD, CUT_BODY):
            fact, hint = f"{UNNAMED} closed the connection in the middle of its answer", None
        elif isinstance(error.__cause__, OSError):
            fact, hint = f"The connection to the upstream broke ({error.__cause__.strerror})", None
        elif isinstance(error, httpx.DecodingError):
            fact, hint = f"{UNNAMED} compressed its answer in another way than it says", None
        else:
            plain = self._base_url.scheme == "http"
            fact = f"{UNNAMED} answered with something that is no HTTP"
            hint = "Should --upstream begin with https://?" if plain else None
        return UpstreamError(fact, hint=hint, code="upstream_incomplete")

    def _request(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> httpx.Request:
        """A request made of finished parts: a tenth of the work of one that httpx puts together from text."""
        url = self._urls.get(path)
        if url is None:
            url = self._base_url.join(path)
            url = self._urls[path] = url.copy_with(query=self._query) if self._query else url
        if body:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        stream = httpx.ByteStream(body)
        return httpx.Request(method, url, headers=headers, stream=stream, extensions=self._extensions)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _look_into(self, answer: Answer) -> None:
        """Read an answer with the status of a failure.

        Some servers send an answer with such a status; it is kept, to be read like any other.

        Raises:
            UpstreamError: it is none.
        """
        try:
            data = await answer.read(MAX_ERROR_BYTES)
        finally:
            await answer.aclose()
        if answer.status < 400 or not holds_answer(data):
            raise self._refusal(answer, data)
        log.warning("%s answered %d with an answer, which is read.", self.server.title, answer.status)
        answer.kept = data

    def _refusal(self, answer: Answer, data: bytes) -> UpstreamError:
        if answer.status >= 400:
            now = self._now()
            return upstream_error(
                answer.status,
                data,
                of_headers(answer.headers, answer.status, now),
                secret=self.server.key,
                kind=answer.content_type,
                now=now,
            )
        target = f" to {shown(answer.location)}" if answer.location else ""
        return UpstreamError(
            f"{UNNAMED} answered {answer.status}",
            hint=f"It redirects{target}, which is not followed: set --upstream to where it points.",
            answered=answer.status,
            code="upstream_redirect",
        )


class Answer:
    """The answer to a request while it arrives."""

    def __init__(self, response: httpx.Response, deadline: float | None) -> None:
        self._response = response
        self._deadline = deadline
        self.status = response.status_code
        # Looked at in one pass: each look-up in httpx's headers decodes all of them.
        self._headers = {name.lower(): value for name, value in response.headers.raw}
        self.kept: bytes | None = None
        """The body, where it was read already."""
        kind = self._headers.get(b"content-type", b"").partition(b";")[0]
        self.content_type = kind.strip().lower().decode("latin-1")

    @property
    def location(self) -> str:
        """Where a redirect points, or nothing."""
        return self._headers.get(b"location", b"").decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """Name in lower case -> value."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}

    def __aiter__(self) -> AsyncIterator[bytes]:
        """What each read brings; failures are the HTTP client's, for `Upstream.failures`."""
        if self.kept is not None:
            return _once(self.kept)
        encoded = self._headers.get(b"content-encoding", b"identity") != b"identity"
        source = self._response.aiter_bytes() if encoded else self._response.stream
        assert not isinstance(source, httpx.SyncByteStream)
        iterator = aiter(source)
        return iterator if self._deadline is None else self._until(self._deadline, iterator)

    @staticmethod
    async def _until(deadline: float, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(source, None)
            if chunk is None:
                return
            yield chunk

    async def drain(self, seconds: float) -> None:
        """Pass over what is left, so that the connection can serve again; after a while it is given up."""
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(seconds):
                async for _ in self:
                    pass

    async def read(self, limit: int, begun: bytes = b"", source: AsyncIterator[bytes] | None = None) -> bytes:
        """The whole body.

        Args:
            limit: bytes at most.
            begun: what was read of it.
            source: what brings the rest.

        Raises:
            UpstreamError: it is longer than `limit` bytes.
        """
        parts, size = [begun], len(begun)
        async for chunk in source or self:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                await self.aclose()
                raise UpstreamError(
                    f"The upstream's answer is larger than {limit // 1024} kB.", code="upstream_invalid"
                )
        return b"".join(parts)

    async def aclose(self) -> None:
        """Let the connection go; one with an unread answer is closed at once, before anything is awaited."""
        await self._response.aclose()


def _trusting(ca: Path) -> ssl.SSLContext:
    """The context for https that trusts the certificates of a file, too."""
    context = httpx.create_ssl_context()
    context.load_verify_locations(ca)
    return context


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
