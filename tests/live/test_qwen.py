"""Qwen."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestQwen(Exchanges):
    provider = Provider("qwen", model="qwen-plus", reasons=True)
