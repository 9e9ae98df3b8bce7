"""Requests that the Codex CLI sent, as the gateway gets them."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.api import bodies

FOLDER = Path(__file__).parents[1] / "fixtures" / "codex_0_169_0"
_REQUEST = TypeAdapter(m.CreateResponse)


def validated(body: dict[str, Any]) -> m.CreateResponse:
    """Return a request as it comes out of the gateway's edge; `body` stays as it is."""
    return bodies.validate(_REQUEST, copy.deepcopy(body))


@dataclass(frozen=True, slots=True)
class Capture:
    """One request, named after its file, its body as JSON, and its headers."""

    name: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def request(self) -> m.CreateResponse:
        """The body as it comes out of the gateway's edge."""
        return validated(self.body)


def _read(path: Path) -> Capture:
    request = json.loads(path.read_bytes())
    return Capture(path.stem, request["body"], request["headers"])


CAPTURES = [capture for path in sorted(FOLDER.glob("*.json")) if (capture := _read(path)).body is not None]
"""Those that have a body; a frame of a WebSocket counts."""
