"""A vLLM server."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestVLLM(Exchanges):
    provider = Provider("vllm")
