"""Response streams with counted ids and a stopped clock."""

import itertools
from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.response_object import opening
from wireloom.translate.response_stream import ResponseStream

CREATED = 1_700_000_000
USAGE: dict[str, Any] = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 8,
}
ERROR: dict[str, Any] = {
    "message": "It broke.",
    "type": "upstream_error",
    "param": None,
    "code": "upstream_error",
}


def new_stream(*, summarise: bool = False) -> ResponseStream:
    """Return a stream whose ids end in 0, 1, 2 and whose clock shows `CREATED` and 1.5 seconds."""
    numbers = itertools.count()
    body = m.CreateResponse.model_validate({"model": "some-model", "input": "hello"})
    return ResponseStream(
        opening(body, "resp_1", CREATED),
        lambda prefix: f"{prefix}_{next(numbers)}",
        lambda: CREATED + 1.5,
        summarise=summarise,
    )
