"""What was asked of an upstream and came of it, in words for who runs the gateway; one hint for each cause."""

from collections.abc import Mapping
from urllib.parse import urljoin

from wireloom.config import BackendEntry, Settings
from wireloom.errors import GatewayError

UNLISTED = "This provider lists no models; name one with --model."
NO_LIST = frozenset({404, 405, 501})
"""Statuses with which a provider answers that has no list of models."""
_OF_CODEX = ("app-server", "exec")
_LOGIN = "`codex login` logs in; `codex doctor` looks at Codex itself."
# The statuses behind codes whose errors have another one for clients.
_ANSWERED: Mapping[str, int] = {
    "upstream_unauthorized": 401,
    "upstream_authentication": 401,
    "upstream_forbidden": 403,
    "upstream_not_found": 404,
}
_HINTS: Mapping[str, str] = {
    "upstream_unreachable": "Is the server started, and is --upstream its address?",
    "upstream_timeout": "Is the server busy, or still loading a model?",
    "upstream_invalid": "Should --upstream end in /v1?",
    "insufficient_quota": "Look at the account: the provider wants money first.",
    "rate_limit_exceeded": "Wait a minute: the provider limits requests.",
    "model_not_found": "`wireloom models` lists the names there are.",
    "not_logged_in": _LOGIN,
}


def lists_none(error: GatewayError) -> bool:
    """Return whether an upstream has no list of models, which is no fault of it."""
    return _status(error) in NO_LIST and error.code != "model_not_found"


def tried(settings: Settings | BackendEntry) -> str:
    """Return the request for the models of an upstream; empty for a backend that has none."""
    if settings.backend in _OF_CODEX or settings.upstream is None:
        return ""
    return f"GET {urljoin(f'{settings.upstream}/', settings.upstream_profile.models_path)}"


def told(settings: Settings | BackendEntry, error: GatewayError) -> str:
    """Return what was asked and what came back, in one line."""
    asked, status = tried(settings), _status(error)
    if not asked:
        return str(error)
    return f"{asked} -> {status}" if status else f"{asked} failed"


def hint(settings: Settings | BackendEntry, error: GatewayError) -> str:
    """Return what the upstream said, and what to do about it."""
    if settings.backend in _OF_CODEX:
        return _LOGIN if error.code == "not_logged_in" or not str(error).endswith(".") else ""
    if lists_none(error):
        remedy = UNLISTED
    elif _status(error) in (401, 403):
        remedy = f"Check {key_place(settings)}."
    else:
        remedy = _HINTS.get(error.code, "")
    return "\n".join(part for part in (str(error), remedy) if part)


def key_place(settings: Settings | BackendEntry) -> str:
    """Return where the key for an upstream is set."""
    if settings.api_key_file is not None:
        return str(settings.api_key_file)
    if settings.api_key_keyring is not None:
        return f"the entry {settings.api_key_keyring} of the keyring"
    if settings.api_key is not None:
        return "api_key (WIRELOOM_API_KEY)"
    return settings.api_key_env or settings.upstream_profile.api_key_env or "--api-key-env"


def _status(error: GatewayError) -> int:
    """The status that the upstream answered with, 0 where it did not answer."""
    if error.code in ("upstream_unreachable", "upstream_timeout", "upstream_incomplete"):
        return 0
    return _ANSWERED.get(error.code, error.status)
