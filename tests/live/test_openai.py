"""OpenAI."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestOpenAI(Exchanges):
    provider = Provider("openai", model="gpt-5-mini")
