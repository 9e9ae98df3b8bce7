"""OpenRouter."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestOpenRouter(Exchanges):
    provider = Provider("openrouter", model="openai/gpt-oss-20b", reasons=True)
