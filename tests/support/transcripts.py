"""Answers of Chat Completions upstreams as they came from the wire, and what has to be read from each."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wireloom.providers import Profile, load, names

FOLDER = Path(__file__).parents[1] / "fixtures" / "providers"


@dataclass(frozen=True, slots=True)
class Transcript:
    """One body and its reading; `profile` is that of the upstream it came from."""

    name: str
    body: bytes
    expected: dict[str, Any]
    profile: Profile

    @property
    def streamed(self) -> bool:
        """Whether the body is an event stream, and no JSON object or page in its place."""
        return self.body.lstrip()[:1] not in (b"{", b"<")


def _read(path: Path) -> Transcript:
    folder = path.parent.name
    return Transcript(
        f"{folder}/{path.stem}",
        path.read_bytes(),
        json.loads(path.with_suffix(".json").read_bytes()),
        load(folder if folder in names() else "generic"),
    )


TRANSCRIPTS = [_read(path) for path in sorted(FOLDER.glob("*/*.sse"))]
