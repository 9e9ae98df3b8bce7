"""Report a request to an upstream that failed: the request, the status, the upstream's words, one hint for the cause."""

from collections.abc import Mapping
from urllib.parse import urljoin

from wireloom.config import BackendEntry, Settings
from wireloom.errors import GatewayError, UpstreamError

UNLISTED = "This provider lists no models; name one with --model."
NO_LIST = frozenset({404, 405, 501})
"""Statuses with which a provider answers that has no list of models."""
_OF_CODEX = ("app-server", "exec")
_LOGIN = "`codex login` logs in; `codex doctor` looks at Codex itself."
# What to do about failures that bring no hint of their own.
_HINTS: Mapping[str, str] = {
    "upstream_timeout": "Is the server busy, or still loading a model?",
    "insufficient_quota": "Look at the account: the provider wants money first.",
    "rate_limit_exceeded": "Wait a minute: the provider limits requests.",
    "model_not_found": "`wireloom models` lists the names there are.",
}


def lists_none(error: GatewayError) -> bool:
    """Return whether an upstream has no list of models, which is no fault of it."""
    return error.answered in NO_LIST and error.code != "model_not_found"


def tried(settings: Settings | BackendEntry) -> str:
    """Return the request for the models of an upstream; empty for a backend that has none."""
    if settings.backend in _OF_CODEX or settings.upstream is None:
        return ""
    return f"GET {urljoin(f'{settings.shown_upstream}/', settings.upstream_profile.models_path)}"


def outcome(settings: Settings | BackendEntry, error: GatewayError) -> str:
    """Return the request and its result in one line."""
    asked = tried(settings)
    if not asked:
        return str(error)
    return f"{asked} -> {error.answered}" if error.answered else f"{asked} failed"


def hint(settings: Settings | BackendEntry, error: GatewayError) -> str:
    """Return the upstream's words, and one remedy."""
    if settings.backend in _OF_CODEX:
        return _LOGIN if error.code == "not_logged_in" else ""
    words = sentence(str(error).removesuffix(f"({error.answered} to {tried(settings)})").rstrip())
    if lists_none(error):
        return f"{words}\n{UNLISTED}"
    if error.answered in (401, 403):
        return f"{words}\nCheck {key_place(settings)}."
    if isinstance(error, UpstreamError) and error.hint:
        return words
    return "\n".join(part for part in (words, _HINTS.get(error.code, "")) if part)


def sentence(text: str) -> str:
    """Return a text with an end, so that another may follow."""
    return text if not text or text[-1] in ".!?" else f"{text}."


def key_place(settings: Settings | BackendEntry) -> str:
    """Return where the key for an upstream is set."""
    if settings.api_key_file is not None:
        return str(settings.api_key_file)
    if settings.api_key_keyring is not None:
        return f"the entry {settings.api_key_keyring} of the keyring"
    if settings.api_key is not None:
        return "api_key (WIRELOOM_API_KEY)"
    return settings.api_key_env or settings.upstream_profile.api_key_env or "--api-key-env"
