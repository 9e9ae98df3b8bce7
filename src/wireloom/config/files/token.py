"""The inbound key that is made where none is set: it goes into the config file, for its owner alone."""

import secrets

from wireloom.config.files.folders import replace_private
from wireloom.config.files.managed_block import beside_block
from wireloom.config.layers import ConfigError, config_file

KEY_BYTES = 24
_WORDS = "# What clients send as their API key; made by wireloom, change it as you like.\n"


def make_token() -> str:
    """Put a new key into the config file, before what is there; return it.

    Raises ``ConfigError`` when the file cannot be written.
    """
    token, path = secrets.token_urlsafe(KEY_BYTES), config_file()
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        # A key of the top level has to stand before every table.
        replace_private(path.resolve(), beside_block(before, f'{_WORDS}token = "{token}"\n'))
    except OSError as error:
        raise ConfigError(
            f"Clients need a token, none is set, and none can be written to {path}: {error.strerror}. Set WIRELOOM_TOKEN, "
            "or serve without keys with --no-auth."
        ) from None
    return token
