"""The only HTTP client: one upstream, its key, its time limits, its failures as our errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from copy import copy
from typing import Any

import httpx
import msgspec

from wireloom.backends.http.transport import Transport
from wireloom.errors import GatewayError, UpstreamError
from wireloom.translate.upstream_errors import upstream_error

CONNECT_SECONDS = 5.0
WRITE_SECONDS = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 256 * 1024


class Upstream:
    """A server below one base URL.

    Args:
        base_url: absolute URL with the API's version, such as `https://api.deepseek.com/v1`.
        api_key: sent as bearer token to this server only, or None.
        idle_seconds: silence after which an answer is given up.
        total_seconds: time after which a request is given up, 0 for never.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        idle_seconds: float = 300.0,
        total_seconds: float = 0.0,
    ) -> None:
        self._base_url = httpx.URL(base_url.rstrip("/") + "/")
        self._total = total_seconds or None
        # Requests go to the transport itself: a client would add cookies, redirects (which would carry the key to
        # another place), proxies from the environment and a third of the cost of a short answer.
        self._transport = Transport()
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
        self._use(api_key)

    def _use(self, api_key: str | None) -> None:
        self._api_key = api_key
        key = [] if api_key is None else [(b"authorization", f"Bearer {api_key}".encode())]
        self._getting = [*self._bare, *key]
        self._posting = [
            *self._getting,
            (b"accept", b"text/event-stream, application/json"),
            (b"content-type", b"application/json"),
        ]

    def with_key(self, api_key: str) -> Upstream:
        """The same server, over the same connections, asked with another key."""
        other = copy(self)
        other._use(api_key)
        return other

    async def post(self, path: str, body: bytes) -> Answer:
        """Send JSON and wait for the head of the answer.

        Args:
            path: below the base URL.
            body: encoded JSON.

        Raises:
            GatewayError: no answer, or one that refuses.
        """
        deadline = None if self._total is None else asyncio.get_running_loop().time() + self._total
        request = self._request("POST", path, self._posting, body)
        with map_exceptions():
            if deadline is None:
                response = await self._transport.handle_async_request(request)
            else:
                async with asyncio.timeout_at(deadline):
                    response = await self._transport.handle_async_request(request)
        answer = Answer(response, deadline)
        if answer.status >= 300:
            raise await self._refusal(answer)
        return answer

    async def get(self, path: str, *, seconds: float = 10.0) -> Any:
        """Fetch JSON.

        Args:
            path: below the base URL, or below the host when it begins with a slash.
            seconds: how long to wait at most.

        Raises:
            GatewayError: no answer, one that refuses, or one that is no JSON.
        """
        request = self._request("GET", path, self._getting, b"")
        with map_exceptions():
            async with asyncio.timeout(seconds):
                async with aclosing(
                    Answer(await self._transport.handle_async_request(request), None)
                ) as answer:
                    if answer.status >= 300:
                        raise await self._refusal(answer)
                    data = await answer.read(MAX_ANSWER_BYTES)
        try:
            return msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamError(
                f"{path}: the upstream's answer is no JSON.", code="upstream_invalid"
            ) from error

    def _request(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> httpx.Request:
        """A request made of finished parts: a tenth of the work of one that httpx puts together from text."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base_url.join(path)
        if body:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        stream = httpx.ByteStream(body)
        return httpx.Request(method, url, headers=headers, stream=stream, extensions=self._extensions)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _refusal(self, answer: Answer) -> GatewayError:
        try:
            data = await answer.read(MAX_ERROR_BYTES)
        finally:
            await answer.aclose()
        if answer.status < 400:
            return UpstreamError(
                "The upstream redirects, which is not followed; set --upstream to where it points.",
                code="upstream_redirect",
            )
        return upstream_error(answer.status, data, answer.retry_after, secret=self._api_key)


class Answer:
    """The answer to a request while it arrives."""

    def __init__(self, response: httpx.Response, deadline: float | None) -> None:
        self._response = response
        self._deadline = deadline
        self.status = response.status_code
        # Looked at in one pass: each look-up in httpx's headers decodes all of them.
        self._headers = {name.lower(): value for name, value in response.headers.raw}
        kind = self._headers.get(b"content-type", b"").partition(b";")[0]
        self.content_type = kind.strip().lower().decode("latin-1")

    @property
    def retry_after(self) -> float | None:
        """Seconds the upstream asks to wait; a date is left to the client's own patience."""
        value = self._headers.get(b"retry-after", b"").decode("latin-1")
        return float(value) if value.replace(".", "", 1).isdecimal() else None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """What each read brings; failures are the HTTP client's, for `map_exceptions`."""
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
            GatewayError: it is longer than `limit` bytes, or did not arrive.
        """
        parts, size = [begun], len(begun)
        with map_exceptions():
            async for chunk in source or self:
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    await self.aclose()
                    raise UpstreamError("The upstream's answer is too large.", code="upstream_invalid")
        return b"".join(parts)

    async def aclose(self) -> None:
        """Let the connection go; one with an unread answer is closed at once, before anything is awaited."""
        await self._response.aclose()


@contextmanager
def map_exceptions() -> Iterator[None]:
    """Turn every exception of the HTTP client into one of ours."""
    try:
        yield
    except TimeoutError as error:
        raise UpstreamError("The upstream took too long.", code="upstream_timeout", status=504) from error
    except httpx.ConnectTimeout as error:
        raise UpstreamError(
            "The upstream did not take the connection in time.", code="upstream_timeout", status=504
        ) from error
    except httpx.TimeoutException as error:
        raise UpstreamError("The upstream fell silent.", code="upstream_timeout", status=504) from error
    except httpx.ConnectError as error:
        raise UpstreamError("The upstream cannot be reached.", code="upstream_unreachable") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise UpstreamError("The connection to the upstream broke.", code="upstream_incomplete") from error
    except httpx.InvalidURL as error:
        raise UpstreamError("The upstream's address is no URL.", code="upstream_unreachable") from error
