"""Kimi."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestKimi(Exchanges):
    provider = Provider("kimi", model="kimi-k2.6", reasons=True)
