"""Every setting of wireloom in one model; this package alone reads environment variables and files."""

import difflib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from wireloom.config.backend import BackendEntry, BackendFields, BackendName, Backends, inherited
from wireloom.config.files.toml import line_of
from wireloom.config.flags import Flag, flag_name, flag_of
from wireloom.config.layers import (
    ConfigError,
    Layer,
    config_file,
    read_config_file,
    read_environment,
    state_folder,
    variable,
    variable_name,
)
from wireloom.config.models import ModelEntry
from wireloom.config.tables import KeyEntry, KeyTable, RouteEntry, Routes, agree
from wireloom.config.tools import heard
from wireloom.config.values import Count, FilePath, HistoryName, Host, Names, Seconds, Tokens, is_loopback
from wireloom.config.words import from_environment

__all__ = [
    "DEFAULT",
    "BackendEntry",
    "ConfigError",
    "Endpoint",
    "Flag",
    "Settings",
    "config_file",
    "flag_name",
    "flag_of",
    "is_loopback",
    "load",
    "state_folder",
    "variable_name",
]


class Endpoint(BaseSettings):
    """The settings from which the configuration of a client follows.

    Values come from the arguments, then ``WIRELOOM_<NAME>``, then the config file, then the defaults. Raises
    ``ConfigError`` for a config file that cannot be read and ``pydantic.ValidationError`` for a value that
    cannot be used; ``load`` tells both as ``ConfigError``.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Annotated[Host, Field(description="Address to listen on."), Flag("HOST", "127.0.0.1")] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535, description="Port to listen on; 0 picks a free one."),
        Flag("PORT", "4444"),
    ] = 4444
    model: Annotated[
        str | None,
        Field(min_length=1, description="Model for requests that name none."),
        Flag("NAME", "deepseek-flash"),
    ] = None
    token: Annotated[
        Tokens,
        Field(description="Key that clients present; its name appears in logs. Repeatable."),
        Flag("[NAME=]KEY", "laptop=KEY", secret=True, private=True, repeatable=True),
    ] = {}
    keys: Annotated[
        KeyTable,
        Field(description="Keys that clients present, each with what it may use: {NAME: {key_env: ...}}."),
        Flag("JSON", '{"laptop": {"key": "KEY", "requests_per_minute": 60}}', secret=True, private=True),
    ] = {}
    no_auth: Annotated[bool, Field(description="Ask clients for no key; loopback hosts only."), Flag()] = (
        False
    )

    @property
    def inbound(self) -> dict[str, SecretStr]:
        """Every key that clients may present, by its name, as far as it is to be found here."""
        found = {name: entry.secret for name, entry in self.keys.items()}
        return self.token | {name: key for name, key in found.items() if key is not None}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_args: Any,
        **_kwargs: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the layers, the strongest first."""
        names = settings_cls.model_fields.keys()
        elsewhere = Settings.model_fields.keys() - names
        file = {key: value for key, value in read_config_file().items() if key not in elsewhere}
        others, _ = from_environment(heard())
        others = {key: value for key, value in others.items() if key in names}
        layers = (read_environment(names), others, file)
        return init_settings, *(Layer(settings_cls, layer) for layer in layers)


class Settings(BackendFields, Endpoint):
    """All settings of a gateway, checked against each other."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="Least severity that is logged."),
        Flag("LEVEL", "info"),
    ] = "info"
    otel: Annotated[
        bool,
        Field(
            description="Send traces and metrics by OpenTelemetry, to where its own variables (OTEL_*) say; needs the "
            "extra otel."
        ),
        Flag(negatable=True),
    ] = False
    log_content: Annotated[
        bool,
        Field(description="Write what is said into the log as well: prompts, answers, tool outputs."),
        Flag(negatable=True),
    ] = False
    backends: Annotated[
        Backends,
        Field(description="Backends by name, {NAME: {provider: ...}}; models are then backend/model."),
        Flag("JSON", '{"local": {"upstream": "http://127.0.0.1:8000/v1"}}', private=True),
    ] = {}
    default_backend: Annotated[
        BackendName | None,
        Field(description="Backend of models that name none and that no other backend is known for."),
        Flag("NAME", "default"),
    ] = None
    routes: Annotated[
        Routes,
        Field(
            description="Names for models of backends, in the order to try them: {NAME: [backend/model, ...]}."
        ),
        Flag("JSON", '{"fast": ["default/a"]}'),
    ] = {}
    strict: Annotated[
        bool,
        Field(description="Refuse requests of which a setting would be lost, instead of reporting the loss."),
        Flag(negatable=True),
    ] = False
    seal_key_file: Annotated[
        FilePath | None,
        Field(description="Keys that seal what clients carry; without this, seal.key in the state folder."),
        Flag("FILE", "/etc/wireloom/seal.key"),
    ] = None
    history: Annotated[
        HistoryName | None,
        Field(
            description="Where responses and conversations are stored: memory, sqlite or sqlite:PATH; without "
            "this, history.sqlite3 in the state folder, or memory for the scripted model."
        ),
        Flag("STORE", "sqlite:/var/lib/wireloom/history.sqlite3", private=True),
    ] = None
    session_ttl_hours: Annotated[
        Seconds,
        Field(description="How long a stored conversation is kept after its last use; 0 is no limit."),
        Flag("HOURS", "168"),
    ] = 168
    max_sessions: Annotated[
        Count | None,
        Field(
            description="Conversations stored at most; without this, 256 in memory and no limit on SQLite."
        ),
        Flag("N", "256"),
    ] = None
    max_session_memory_mb: Annotated[
        Count, Field(description="What is stored at most, in megabytes."), Flag("N", "512")
    ] = 512
    heartbeat_seconds: Annotated[
        Seconds,
        Field(description="Silence after which a stream shows a sign of life; 0 is never."),
        Flag("SECONDS", "10"),
    ] = 10
    allowed_host: Annotated[
        Names,
        Field(description="Names by which clients may call, besides loopback ones; * for any. Repeatable."),
        Flag("NAME", "gateway.lan", repeatable=True),
    ] = frozenset()
    allowed_origin: Annotated[
        Names,
        Field(description="Origins of web pages that may call; * for any. Without this, none. Repeatable."),
        Flag("ORIGIN", "https://app.example.com", repeatable=True),
    ] = frozenset()
    receive_timeout_seconds: Annotated[
        Seconds,
        Field(
            description="Longest time for the head of a request, and for its body a second more per 50 kB; 0 is no limit."
        ),
        Flag("SECONDS", "30"),
    ] = 30
    drain_seconds: Annotated[
        Seconds,
        Field(
            description="How long running answers may go on after the signal to stop; then they end with an error."
        ),
        Flag("SECONDS", "8"),
    ] = 8
    max_body_mb: Annotated[
        Count, Field(description="Largest request body, unpacked, in megabytes."), Flag("N", "50")
    ] = 50
    record: Annotated[
        FilePath | None,
        Field(description="Folder to write each request to: cut and cleaned, but not free of content."),
        Flag("DIR", "recorded"),
    ] = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for broken, message in _RULES:
            if broken(self):
                raise ValueError(message.format(path=config_file()))
        return self

    @property
    def named(self) -> "dict[str, Settings | BackendEntry]":
        """Every backend by its name; that of the top level, where there is one, is `default`."""
        own: dict[str, Settings | BackendEntry] = {DEFAULT: self} if self._answers else {}
        return own | {name: inherited(entry, self) for name, entry in self.backends.items()}

    @property
    def _answers(self) -> bool:
        """Whether the top level names a backend."""
        return self.upstream is not None or self.backend not in ("chat", "responses")

    @property
    def first_backend(self) -> str:
        """The backend of models that name none."""
        return self.default_backend or next(iter(self.named))

    @property
    def seal_key_path(self) -> Path:
        """The file of the keys that seal: the one named, else that in the state folder."""
        return self.seal_key_file or state_folder() / "seal.key"


DEFAULT = "default"
"""Name of the backend that the settings of the top level describe."""

_RULES: tuple[tuple[Callable[[Settings], bool], str], ...] = (
    (
        lambda own: not own.named,
        """There is nothing to answer requests with, because no upstream is set. Choose one:
  wireloom serve --upstream URL    a Chat Completions server (or WIRELOOM_UPSTREAM=URL)
  wireloom serve --backend app-server  the local Codex CLI, with its own login
  wireloom serve --backend demo    a scripted model, without key or network
  wireloom demo                    the same model, with one exchange explained
  upstream = "URL"                 in {path}""",
    ),
    (
        lambda own: own.no_auth and bool(own.inbound),
        "--no-auth (WIRELOOM_NO_AUTH) contradicts --token (WIRELOOM_TOKEN) and the keys of the config file: leave one out.",
    ),
    (
        lambda own: own.no_auth and not is_loopback(own.host),
        "--no-auth (WIRELOOM_NO_AUTH) would let everyone who reaches this host spend your upstream key: "
        "set WIRELOOM_TOKEN instead, or --host 127.0.0.1.",
    ),
    (
        lambda own: not own.inbound and not is_loopback(own.host),
        "--host (WIRELOOM_HOST) lets other machines in, so clients need a key: set WIRELOOM_TOKEN, "
        "or --host 127.0.0.1.",
    ),
    (
        lambda own: DEFAULT in own.backends and own._answers,
        "The backend that flags, variables or the top level of the config file describe is called default, so none of "
        "backends can have that name: rename it.",
    ),
    (
        lambda own: own.otel and find_spec("opentelemetry.exporter.otlp.proto.http") is None,
        "--otel (WIRELOOM_OTEL) needs what pip install 'wireloom[otel]' brings.",
    ),
    (
        lambda own: own.default_backend is not None and own.default_backend not in own.named,
        "--default-backend (WIRELOOM_DEFAULT_BACKEND) names a backend that there is not: name one of backends.",
    ),
    (
        lambda own: bool(own.backends) and not own._answers and bool(own.model_map or own.models),
        "model_map and models belong to a backend: put them under [backends.NAME], and names for several backends under "
        "[routes].",
    ),
    (
        lambda own: any(_lost(own, name) for entry in own.routes.values() for name in entry.to),
        "routes: each model must be backend/model, with a backend that there is.",
    ),
    (
        lambda own: any(entry.backends - own.named.keys() for entry in own.keys.values()),
        "keys: backends names one that there is not.",
    ),
    (
        lambda own: any(entry.secret is None for entry in own.keys.values()),
        "keys: a variable (key_env) or a file (key_file) that is named holds no key.",
    ),
    (
        lambda own: not agree(own.token, own.keys),
        "keys: each name and each key may be there once, also among the tokens.",
    ),
)

_TABLES: Mapping[str, tuple[str, type[BaseModel]]] = {
    "models": ("a model", ModelEntry),
    "backends": ("a backend", BackendEntry),
    "routes": ("a route", RouteEntry),
    "keys": ("a key", KeyEntry),
}


def _lost(own: Settings, name: str) -> bool:
    backend, slash, model = name.partition("/")
    return not (slash and model and backend in own.named)


AnyEndpoint = TypeVar("AnyEndpoint", bound=Endpoint)


def load(kind: type[AnyEndpoint], given: Mapping[str, Any]) -> AnyEndpoint:
    """Return settings from what was given on the command line, the environment and the config file.

    kind: ``Settings``, or ``Endpoint`` where no upstream is needed.
    given: settings by name, as text or as values.

    Raises ``ConfigError`` when one cannot be used.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        problems = [_sentence(kind, problem, given) for problem in error.errors(include_url=False)]
    raise ConfigError("\n".join(dict.fromkeys(problems)))


def _sentence(settings: type[Endpoint], problem: ErrorDetails, given: Mapping[str, Any]) -> str:
    reason = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return reason
    setting, inner = str(problem["loc"][0]), _path(problem["loc"][1:])
    origin = _origin([str(part) for part in problem["loc"]], given)
    if problem["type"] == "extra_forbidden" and inner:
        what, table = _TABLES[setting]
        return f"{origin}: there is no {inner}; {what} has {', '.join(table.model_fields)}."
    if problem["type"] == "extra_forbidden":
        close = difflib.get_close_matches(setting.replace("-", "_"), Settings.model_fields, 1)
        remedy = f"did you mean {close[0]}?" if close else "remove it."
        return f"{origin}: there is no such setting; {remedy}"
    flag = flag_of(settings, setting)
    value = "the value" if flag.private else repr(problem["input"])
    example = _example(setting, flag, given)
    where = f"{origin}, {inner}" if inner and setting in _TABLES else origin
    return f"{where}: {value} cannot be used: {reason[:1].lower()}{reason[1:]}. For example: {example}"


def _path(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _origin(path: Sequence[str], given: Mapping[str, Any]) -> str:
    setting = path[0]
    if setting in given:
        return flag_name(setting)
    if variable(variable_name(setting)):
        return variable_name(setting)
    _, origins = from_environment(heard())
    if setting in origins:
        return origins[setting]
    line = line_of(config_file().read_text(encoding="utf-8"), path) if config_file().exists() else None
    return f"{setting} in {config_file()}" + (f", line {line}" if line else "")


def _example(setting: str, flag: Flag, given: Mapping[str, Any]) -> str:
    if setting in given:
        return f"{flag_name(setting)} {shlex.quote(flag.example)}"
    if variable(variable_name(setting)):
        return f"{variable_name(setting)}={shlex.quote(flag.example)}"
    return f"{setting} = {flag.example if flag.example.isdecimal() else json.dumps(flag.example)}"
