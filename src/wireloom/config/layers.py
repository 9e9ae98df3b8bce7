"""Where settings come from: the environment and the config file, and which of them stands."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic_settings import InitSettingsSource

from wireloom.config.files.excerpt import excerpt, is_variable
from wireloom.config.files.toml import syntax_error

PREFIX = "WIRELOOM_"
CONFIG_VARIABLE = "WIRELOOM_CONFIG"

KEYS = ("api_key", "api_key_env", "api_key_file", "api_key_keyring")
"""The ways to give an upstream's key."""
ADDRESS = ("upstream_headers", "upstream_key_header", "upstream_proxy", "upstream_ca")
"""Settings of the way to an upstream."""
OF_UPSTREAMS = ("upstream", "upstream_wire", "provider", "profile", *KEYS, *ADDRESS)
"""Settings that say where an upstream is."""

OF_PROVIDERS = (
    "upstream",
    "upstream_wire",
    *KEYS,
    *ADDRESS,
    "model",
    "model_map",
    "models",
    "extra_params",
    "drop_params",
)
"""Settings that belong to the provider beside which they are set: with another one they mean something else."""

# A choice in one layer takes back what the layers below it chose instead: setting, the values for which this
# holds (None: any), the settings it takes back with the values that it takes back (None: any).
_Values: TypeAlias = frozenset[str] | None
_OWN = frozenset({"demo", "app-server", "exec"})
"""Backends that need no upstream."""
_TAKES_BACK: tuple[tuple[str, _Values, Mapping[str, _Values]], ...] = (
    ("upstream", None, {"backend": _OWN}),
    ("upstream_wire", None, {"backend": None}),
    ("provider", None, {"backend": _OWN, "profile": None}),
    ("profile", None, {"backend": _OWN, "provider": None}),
    ("backend", _OWN, dict.fromkeys(OF_UPSTREAMS)),
    ("backend", None, {"upstream_wire": None}),
    *((own, None, {other: None for other in KEYS if other != own}) for own in KEYS),
    ("token", None, {"no_auth": None}),
    ("keys", None, {"no_auth": None}),
    ("no_auth", frozenset({"1", "on", "t", "true", "y", "yes"}), {"token": None, "keys": None}),
)


class ConfigError(Exception):
    """A setting that cannot be used: the text says which, what is wrong and what to do, and holds no key."""


def variable_name(setting: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{setting.upper()}"


def variable(name: str) -> str | None:
    """Return the value of an environment variable; an empty one counts as not set."""
    return os.environ.get(name) or None


def not_set(name: str) -> str:
    """Return the problem with a variable that holds nothing, as a sentence."""
    # Some people write the key itself where its variable belongs, and keys are never shown.
    problem = f"{name} is not set" if is_variable(name) else "the variable that it names is not set"
    return f"{problem}. Set it, or name another variable."


def config_file() -> Path:
    """Return where the config file is looked for; it need not exist."""
    if named := variable(CONFIG_VARIABLE):
        return Path(named)
    return Path(variable("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "wireloom", "config.toml")


def state_folder() -> Path:
    """Return where wireloom keeps what outlives it; it need not exist, and whoever makes it makes it 0700."""
    return Path(variable("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "wireloom")


def read_environment(settings: Iterable[str]) -> dict[str, str]:
    """Return those of ``settings`` that have a variable, with its text."""
    return {name: value for name in settings if (value := variable(variable_name(name)))}


def read_config_file() -> dict[str, Any]:
    """Return the keys and values of the config file, none when it does not exist.

    Raises ``ConfigError`` when it cannot be read, or ``WIRELOOM_CONFIG`` names one that does not exist.
    """
    path = config_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if variable(CONFIG_VARIABLE):
            raise ConfigError(f"{CONFIG_VARIABLE}: there is no file {path}; correct or unset it.") from None
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: the config file cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8. Correct it there.") from None
    return parse_toml(path, text)


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Return the keys and values of a file's text.

    Raises ``ConfigError`` with the line where it is no TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, position = syntax_error(text, error)
    shown = excerpt(text, position)
    raise ConfigError(f"{path}:{position.line}: the config file is not TOML: {reason}.\n{shown}")


def stack(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands of layers of settings, the strongest first."""
    found: dict[str, Any] = {}
    for layer in layers:
        found |= standing(dict(layer), found)
    return found


def standing(layer: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a layer holds under the one above it."""
    taken_back = {
        name
        for setting, values, names in _TAKES_BACK
        if setting in above and _among(above[setting], values)
        for name, taken in names.items()
        if name in layer and _among(layer[name], taken)
    }
    if _names_another_provider(layer, above):
        taken_back |= {*OF_PROVIDERS}  # most of all the address: no key goes to another provider's server
    return {name: value for name, value in layer.items() if name not in taken_back and name not in above}


def _names_another_provider(layer: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    """Whether both layers choose a provider, and not the same one."""
    chosen = [(each.get("provider"), each.get("profile")) for each in (layer, above)]
    return (None, None) not in chosen and chosen[0] != chosen[1]


def _among(value: Any, values: _Values) -> bool:
    return values is None or str(value).lower() in values


class Layer(InitSettingsSource):
    """Values from one place, as far as the places above leave them standing."""

    def __call__(self) -> dict[str, Any]:
        """Return the values that stand."""
        return standing(super().__call__(), self.current_state)
