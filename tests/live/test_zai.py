"""Z.AI."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestZai(Exchanges):
    provider = Provider("zai", model="glm-5.1", reasons=True)
