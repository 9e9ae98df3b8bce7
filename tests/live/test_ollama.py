"""An Ollama server."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestOllama(Exchanges):
    provider = Provider("ollama")
