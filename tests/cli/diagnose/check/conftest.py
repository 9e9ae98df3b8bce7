"""A good gateway for the check: the scripted model, in a thread."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.threaded import gateway


@pytest.fixture(scope="session")
def good_url() -> Iterator[str]:
    with gateway(backend="demo") as url:
        yield url


@pytest.fixture(scope="session")
def transport() -> Iterator[httpx.HTTPTransport]:
    """Connections that all checks of the session share."""
    with httpx.HTTPTransport() as transport:
        yield transport
