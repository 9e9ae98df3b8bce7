"""Recorded sessions of the app-server as the frames of single threads."""

import json
from pathlib import Path
from typing import Any

from tests.support.rpc_frames import frame
from wireloom.wire.jsonrpc import Frame

FOLDER = Path(__file__).parents[1] / "fixtures" / "app_server_0_169_0"
SESSIONS = sorted(FOLDER.glob("*.jsonl"))


def messages(session: Path) -> list[dict[str, Any]]:
    """Return what the app-server said, in order."""
    lines = (json.loads(line) for line in session.read_text().splitlines())
    return [line["msg"] for line in lines if line["dir"] == "server->client"]


def frames(session: Path, thread_id: str | None = None) -> list[Frame]:
    """Return the news of a thread, or of the first one that has any."""
    told = [message for message in messages(session) if "method" in message]
    found: list[Frame] = []
    for message in told:
        params = message.get("params") or {}
        about = params.get("threadId")
        thread_id = thread_id or about
        if about is not None and about == thread_id:
            found.append(frame(**message))
    return found


def threads(session: Path) -> list[str]:
    """Return the ids of the threads that had a turn."""
    started = [each["params"] for each in messages(session) if each.get("method") == "turn/started"]
    return list(dict.fromkeys(params["threadId"] for params in started))


def session(number: str) -> Path:
    """Return the session of a number such as `07`."""
    (path,) = FOLDER.glob(f"{number}-*.jsonl")
    return path
