"""What settings are written as, turned into what they mean: pure, and silent about keys."""

import ipaddress
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

# A key may end in "=" signs, as base64 does, so what follows a name must hold something else.
_NAMED_TOKEN = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})=(?P<key>=*[^=].*)", re.DOTALL)
_HEADER_SAFE = re.compile(r"[!-~]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``, an address or a name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_key(path: Path) -> SecretStr | None:
    """Return the key that a file holds, None where it holds none or cannot be read."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return SecretStr(key) if _HEADER_SAFE.fullmatch(key) else None


def wire_is_a_backend(given: Any) -> Any:
    """Return settings in which what the upstream speaks has chosen the backend of that name, unless one is given."""
    wire = given.get("upstream_wire") if isinstance(given, dict) else None
    return given if wire not in ("chat", "responses") or "backend" in given else {**given, "backend": wire}


def _items(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [item.partition(":") for item in _items(value)]
    if not all(asked.strip() and sent.strip() for asked, _, sent in pairs):
        raise ValueError("each pair must be ASKED:SENT, with commas between pairs")
    return {asked.strip(): sent.strip() for asked, _, sent in pairs}


def json_object(value: Any) -> Any:
    """Return what a JSON text says; a value that is no text stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error.msg} at character {error.pos + 1}") from None


def _tokens(value: Any) -> Any:
    """Turn ``[NAME=]KEY`` entries (a list, or a string with commas between them) into keys by name."""
    entries = _items(value)
    if not isinstance(entries, list | tuple):
        return entries
    tokens: dict[str, str] = {}
    unnamed = 0
    for entry in entries:
        if not isinstance(entry, str):
            raise ValueError("each entry must be a string")
        if named := _NAMED_TOKEN.fullmatch(entry):
            name, key = named["name"], named["key"]
        else:
            unnamed += 1
            name, key = "default" if unnamed == 1 else f"default-{unnamed}", entry
        if name in tokens:
            raise ValueError(f"the name {name!r} stands for two keys")
        tokens[name] = key
    return tokens


def _distinct(tokens: dict[str, SecretStr]) -> dict[str, SecretStr]:
    names: dict[str, str] = {}
    for name, key in tokens.items():
        other = names.setdefault(key.get_secret_value(), name)
        if other != name:
            raise ValueError(
                f"{other} and {name} are two names of one key, so its clients cannot be told apart"
            )
    return tokens


def _header_safe(key: SecretStr) -> SecretStr:
    if not _HEADER_SAFE.fullmatch(key.get_secret_value()):
        raise ValueError("a key travels in an HTTP header, so it must be visible ASCII without spaces")
    return key


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("this must be an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a key in the URL would end up in logs; give it with --api-key-env")
    if parts.fragment:
        raise ValueError("requests have no fragment, so this URL must have none")
    if not parts.query.isascii() or not parts.query.isprintable():
        raise ValueError("the query must be visible ASCII")
    base, mark, query = value.partition("?")
    return f"{base.rstrip('/')}{mark}{query}" if query else base.rstrip("/")


def _variable_name(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError("this takes the name of an environment variable, not the key itself")
    return value


def _variable_names(value: str) -> str:
    for each in variables(value):
        _variable_name(each)
    return ",".join(variables(value))


def variables(names: str | None) -> list[str]:
    """Return the names of variables in a text with commas between them."""
    return [name.strip() for name in names.split(",") if name.strip()] if names else []


def _bare_host(value: str) -> str:
    return value.removeprefix("[").removesuffix("]")


def _file(path: Path) -> Path:
    if not path.name:
        raise ValueError("this must name a file")
    return Path(os.path.expanduser(path))


def _config_values(value: Any) -> Any:
    """Turn `KEY=VALUE` entries into values by dotted key; what is no TOML value is a text."""
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple):
        return entries
    found = {}
    for entry in entries:
        key, equals, text = str(entry).partition("=")
        if not key.strip() or not equals:
            raise ValueError("each entry must be KEY=VALUE")
        try:
            found[key.strip()] = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = text.strip()
    return found


def _paths(value: Any) -> Any:
    return [Path(os.path.expanduser(each)) for each in _items(value)] if isinstance(value, str) else value


def _socket_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return value
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username is not None:
        raise ValueError("this must be ws://HOST:PORT or unix:///PATH")
    return value


def _history(value: str) -> str:
    kind, colon, path = value.partition(":")
    if kind in ("redis", "rediss", "postgres", "postgresql"):
        raise ValueError(f"{kind} is not there yet; this takes memory, sqlite or sqlite:PATH")
    if kind not in ("memory", "sqlite") or (colon and (kind == "memory" or not Path(path).name)):
        raise ValueError("this takes memory, sqlite or sqlite:PATH")
    return value


ConfigValues = Annotated[dict[str, Any], BeforeValidator(_config_values)]
Count = Annotated[int, Field(ge=1)]
FilePath = Annotated[Path, AfterValidator(_file)]
HistoryName = Annotated[str, AfterValidator(_history)]
Host = Annotated[str, Field(min_length=1), AfterValidator(_bare_host)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
JsonObject = Annotated[dict[str, Any], BeforeValidator(json_object)]
Key = Annotated[SecretStr, AfterValidator(_header_safe)]
Names = Annotated[frozenset[str], BeforeValidator(_items)]
Paths = Annotated[tuple[FilePath, ...], BeforeValidator(_paths)]
Pairs = Annotated[dict[str, str], BeforeValidator(_pairs)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Tokens = Annotated[dict[TokenName, Key], BeforeValidator(_tokens), AfterValidator(_distinct)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
VariableNames = Annotated[str, Field(min_length=1), AfterValidator(_variable_names)]
