"""Read one HTTP/1.1 request from a byte stream and undo its encodings."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import zstandard

_WBITS_GZIP = 31


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _ungzip(data: bytes) -> bytes:
    return zlib.decompress(data, _WBITS_GZIP)


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": _ungzip,
    "deflate": zlib.decompress,
    "zstd": _unzstd,
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: header names are lower case, ``body`` is decoded, ``path`` keeps its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """Return the next request of a connection, or None when the peer has closed it.

    Raises ``asyncio.IncompleteReadError`` when the connection ends within a request and ``KeyError``
    for a content encoding it does not know.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await _read_body(reader, headers)
    return HttpRequest(method, path, headers, _DECODERS[headers.get("content-encoding", "")](body))


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return bytes(body)
