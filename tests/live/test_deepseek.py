"""DeepSeek."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestDeepSeek(Exchanges):
    provider = Provider("deepseek", model="deepseek-flash", reasons=True)
