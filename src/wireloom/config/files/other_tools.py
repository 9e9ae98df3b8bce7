"""The files of other tools that are read."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wireloom.config.files.env_file import read_variables
from wireloom.config.layers import ConfigError, variable


def dot_env() -> dict[str, str]:
    """Return the variables of `.env` in this folder, none where there is no such file."""
    path = Path(".env")
    return read_variables(path) if path.exists() else {}


def gateway_config(named: str | None) -> Path:
    """Return where codex-gateway has its configuration."""
    if place := named or variable("CODEX_GATEWAY_CONFIG"):
        return Path(place).expanduser()
    return Path(
        variable("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "codex-gateway", "config.json"
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the keys and values of a JSON file, none where there is no such file.

    Raises ``ConfigError`` when it cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigError(f"{path} is not JSON. Correct it there.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no object. Correct it there.")
    return {name: str(value) for name, value in found.items() if value is not None}


def json_text(values: Mapping[str, Any]) -> str:
    """Return values as the text of such a file."""
    return json.dumps(values, indent=2) + "\n"
