"""The object a stream starts with echoes its request and is one of the contract."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.captures import CAPTURES, Capture
from wireloom.translate.response_object import opening

Json: TypeAlias = dict[str, Any]
