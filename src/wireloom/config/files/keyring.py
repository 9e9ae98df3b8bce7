"""Keys in the system's keyring, by the library of that name; loaded when a setting names one."""

from importlib import import_module

from pydantic import SecretStr


def in_keyring(entry: str) -> SecretStr | None:
    """Return the key that the keyring has under `SERVICE/USER`, None where there is none, or no keyring."""
    service, _, user = entry.partition("/")
    try:
        library = import_module("keyring")
    except ImportError:
        return None
    try:
        key = library.get_password(service, user)
    except library.errors.KeyringError:  # there is no keyring, or it stays locked
        return None
    return SecretStr(key) if key else None
