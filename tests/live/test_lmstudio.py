"""An LM Studio server."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestLMStudio(Exchanges):
    provider = Provider("lmstudio")
