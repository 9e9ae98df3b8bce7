"""Groq."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestGroq(Exchanges):
    provider = Provider("groq", model="openai/gpt-oss-20b", reasons=True)
