"""xAI."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestXAI(Exchanges):
    provider = Provider("xai", model="grok-4.3")
