"""Response streams with counted ids and a stopped clock."""

import itertools
import json
from typing import Any

from wireloom_protocol import replies
from wireloom_protocol import responses as m

from wireloom.translate.compaction import CompactionStream
from wireloom.translate.hub.opening import opening
from wireloom.translate.hub.stream import ResponseStream

CREATED = 1_700_000_000
USAGE: replies.ResponseUsage = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 8,
}
ERROR: replies.Error = {
    "message": "It broke.",
    "type": "upstream_error",
    "param": None,
    "code": "upstream_error",
}


def seal(value: Any) -> str:
    """Return a value as a token that tests can read; see `unseal`."""
    return f"sealed {json.dumps(value)}"


def unseal(token: str) -> Any:
    """Return the value in a token of `seal`."""
    return json.loads(token.removeprefix("sealed "))


def new_stream(
    *, summarise: bool = False, sealing: bool = True, seal_reasoning: bool = False
) -> ResponseStream:
    """Return a stream whose ids end in 0, 1, 2 and whose clock shows `CREATED` and 1.5 seconds."""
    numbers = itertools.count()
    body = m.CreateResponse.model_validate({"model": "some-model", "input": "hello"})
    return ResponseStream(
        opening(body, "resp_1", CREATED),
        lambda prefix: f"{prefix}_{next(numbers)}",
        lambda: CREATED + 1.5,
        summarise=summarise,
        seal=seal if sealing else None,
        seal_reasoning=seal_reasoning,
    )


def new_compaction() -> CompactionStream:
    """Return such a stream whose whole answer is a summary."""
    numbers = itertools.count()
    body = m.CreateResponse.model_validate({"model": "some-model", "input": [{"type": "compaction_trigger"}]})
    return CompactionStream(
        opening(body, "resp_1", CREATED),
        lambda prefix: f"{prefix}_{next(numbers)}",
        lambda: CREATED + 1.5,
        seal,
    )
