"""Files of variables, as many tools read them: NAME=VALUE in each line."""

import os
from pathlib import Path

from dotenv import dotenv_values

from wireloom.config.layers import ConfigError


def read_variables(path: Path) -> dict[str, str]:
    """Return the variables of a file.

    Raises ``ConfigError`` when it cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            found = dotenv_values(stream=file)
    except OSError as error:
        raise ConfigError(
            f"--env-file: {path} cannot be read: {error.strerror}. Name another file."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"--env-file: {path} is not UTF-8. Correct it there.") from None
    return {name: value for name, value in found.items() if value is not None}


def set_variables(path: Path) -> None:
    """Set the variables of a file in this process, save those that are set.

    Raises ``ConfigError`` when it cannot be read.
    """
    for name, value in read_variables(path).items():
        os.environ.setdefault(name, value)
