"""Where the history is, and its limits."""

import os
from pathlib import Path
from typing import Any

import pytest

from wireloom.config import Settings, load
from wireloom.config.history import history_file, history_limits

DEMO = {"backend": "demo"}
UPSTREAM = {"upstream": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WIRELOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("given", "state", "file", "sessions"),
    [
        (UPSTREAM, "/state", "/state/wireloom/history.sqlite3", None),
        (UPSTREAM, None, "/home/someone/.local/state/wireloom/history.sqlite3", None),
        ({**UPSTREAM, "history": "sqlite:~/h.db"}, None, "/home/someone/h.db", None),
        ({**UPSTREAM, "history": "sqlite", "max_sessions": 3}, "/s", "/s/wireloom/history.sqlite3", 3),
        ({**UPSTREAM, "history": "memory"}, None, None, 256),
        ({**UPSTREAM, "history": "memory", "max_sessions": 3}, None, None, 3),
        (DEMO, None, None, 256),
        ({**DEMO, "history": "sqlite"}, "/state", "/state/wireloom/history.sqlite3", None),
    ],
)
def test_history(
    given: dict[str, Any],
    state: str | None,
    file: str | None,
    sessions: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_STATE_HOME", state or "")
    settings = load(Settings, {**given, "session_ttl_hours": 2, "max_session_memory_mb": 3})
    assert history_file(settings) == (Path(file) if file else None)
    assert history_limits(settings) == {
        "ttl_seconds": 7200,
        "max_sessions": sessions,
        "max_bytes": 3 * 2**20,
    }
