"""A llama.cpp server."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestLlamaCpp(Exchanges):
    provider = Provider("llamacpp")
