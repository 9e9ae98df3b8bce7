"""A gateway between OpenAI Responses, Chat Completions and the Codex app-server."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wireloom.app import create_app
    from wireloom.cli.service.embed import start
    from wireloom.config import Settings

__all__ = ["Settings", "create_app", "start"]

# Imported when asked for: a part of the package does not need the whole of it.
_PLACES = {"Settings": "wireloom.config", "create_app": "wireloom.app", "start": "wireloom.cli.service.embed"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
