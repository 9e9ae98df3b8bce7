"""Mistral."""

import pytest

from tests.live.exchanges import Exchanges, Provider

pytestmark = pytest.mark.live


class TestMistral(Exchanges):
    provider = Provider("mistral", model="mistral-medium-latest")
