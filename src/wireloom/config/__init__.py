"""Every setting of wireloom in one model; this package alone reads environment variables and files."""

import difflib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from wireloom.config.codex_fields import CodexFields
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
from wireloom.config.models import ModelEntry, Models
from wireloom.config.toml import line_of
from wireloom.config.values import (
    Count,
    FilePath,
    HistoryName,
    Host,
    HttpUrl,
    JsonObject,
    Key,
    Names,
    Pairs,
    Seconds,
    Tokens,
    VariableName,
    is_loopback,
    read_key,
    wire_is_a_backend,
)
from wireloom.providers import profile

__all__ = [
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
    no_auth: Annotated[bool, Field(description="Ask clients for no key; loopback hosts only."), Flag()] = (
        False
    )

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
        return init_settings, Layer(settings_cls, read_environment(names)), Layer(settings_cls, file)


class Settings(CodexFields, Endpoint):
    """All settings of a gateway, checked against each other."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="Least severity that is logged."),
        Flag("LEVEL", "info"),
    ] = "info"
    backend: Annotated[
        Literal["chat", "responses", "app-server", "exec", "demo"],
        Field(
            description="Where answers come from: a Chat Completions or Responses server, the local Codex CLI "
            "by its app-server or by a process for each request, or a script."
        ),
        Flag("NAME", "demo"),
    ] = "chat"
    upstream_wire: Annotated[
        Literal["chat", "responses"] | None,
        Field(description="What the upstream speaks; another way to choose the backend of that name."),
        Flag("NAME", "responses"),
    ] = None
    provider: Annotated[
        str | None,
        Field(description="Profile of the upstream; without this, guessed from its URL."),
        AfterValidator(lambda name: name and profile.load(name).name),
        Flag("NAME", "openrouter"),
    ] = None
    upstream: Annotated[
        HttpUrl | None,
        Field(
            validate_default=True,
            description="Base URL of a Chat Completions or Responses server; without this, the provider's own.",
        ),
        Flag("URL", "http://127.0.0.1:8000/v1", private=True),
    ] = None
    api_key: Annotated[
        Key | None, Field(description="Key for the upstream."), Flag("KEY", "KEY", secret=True, private=True)
    ] = None
    api_key_env: Annotated[
        VariableName | None,
        Field(description="Variable that holds the upstream's key; without this, the provider's usual one."),
        Flag("VARIABLE", "OPENROUTER_API_KEY", private=True),
    ] = None
    api_key_file: Annotated[
        FilePath | None,
        Field(description="File that holds the upstream's key, such as a secret of a container."),
        Flag("FILE", "/run/secrets/upstream_key"),
    ] = None
    model_map: Annotated[
        Pairs,
        Field(description="Models to ask for instead, asked:sent,...; the first colon of a pair divides it."),
        Flag("PAIRS", "gpt-5.5:deepseek-flash"),
    ] = {}
    models: Annotated[
        Models,
        Field(
            description="What is known of models, {NAME: {context_window: ...}}, over what the upstream says."
        ),
        Flag("JSON", '{"my-model": {"context_window": 131072}}'),
    ] = {}
    tool_denylist: Annotated[
        Names, Field(description="Tools to hide from the model, a,b,..."), Flag("NAMES", "view_image")
    ] = frozenset()
    extra_params: Annotated[
        JsonObject,
        Field(description="Members to set in each upstream request, over the client's own.", repr=False),
        Flag("JSON", '{"temperature": 0.2}', private=True),
    ] = {}
    drop_params: Annotated[
        Names,
        Field(description="Members to leave out of each upstream request, a,b,..."),
        Flag("NAMES", "reasoning_effort"),
    ] = frozenset()
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
    max_concurrency: Annotated[
        Count | None,
        Field(
            description="Requests that run at the same time; without this 2000, for app-server 64, for exec 4."
        ),
        Flag("N", "100"),
    ] = None
    max_queue_size: Annotated[
        int,
        Field(ge=0, description="Requests that wait for their turn; the next one is refused."),
        Flag("N", "64"),
    ] = 64
    queue_timeout_seconds: Annotated[
        Seconds, Field(description="Longest wait for a turn."), Flag("SECONDS", "30")
    ] = 30
    timeout_seconds: Annotated[
        Seconds | None,
        Field(
            description="Longest time for a whole answer, 0 for no limit; without this no limit, for exec 300."
        ),
        Flag("SECONDS", "300"),
    ] = None
    idle_timeout_seconds: Annotated[
        Seconds, Field(description="Longest silence of the upstream; 0 is no limit."), Flag("SECONDS", "300")
    ] = 300
    heartbeat_seconds: Annotated[
        Seconds,
        Field(description="Silence after which a stream shows a sign of life; 0 is never."),
        Flag("SECONDS", "10"),
    ] = 10
    max_body_mb: Annotated[
        Count, Field(description="Largest request body, unpacked, in megabytes."), Flag("N", "50")
    ] = 50
    record: Annotated[
        FilePath | None,
        Field(description="Folder to write each request to: cut and cleaned, but not free of content."),
        Flag("DIR", "recorded"),
    ] = None

    _wire_is_a_backend = model_validator(mode="before")(wire_is_a_backend)

    @field_validator("upstream")
    @classmethod
    def _provider_upstream(cls, value: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("provider")
        return value or (profile.load(name).base_url if name else None)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for broken, message in _RULES:
            if broken(self):
                raise ValueError(message.format(path=config_file()))
        return self

    @property
    def upstream_profile(self) -> profile.Profile:
        """The profile of the upstream: the one named, else the one its URL suggests."""
        return profile.load(self.provider) if self.provider else profile.guess(self.upstream or "")

    @property
    def upstream_key(self) -> SecretStr | None:
        """The key for the upstream: the one given, else what the file, the variable or the usual one holds."""
        if self.api_key_file is not None:
            return read_key(self.api_key_file)
        name = self.api_key_env or self.upstream_profile.api_key_env
        key = variable(name) if name else None
        return self.api_key or (SecretStr(key) if key else None)

    @property
    def concurrency(self) -> int:
        """How many requests run at the same time."""
        return self.max_concurrency or _CONCURRENCY.get(self.backend, 2000)

    @property
    def total_seconds(self) -> float:
        """The longest time for a whole answer, 0 for no limit."""
        if self.timeout_seconds is not None:
            return self.timeout_seconds
        return _TOTAL_SECONDS.get(self.backend, 0)

    @property
    def seal_key_path(self) -> Path:
        """The file of the keys that seal: the one named, else that in the state folder."""
        return self.seal_key_file or state_folder() / "seal.key"


_CONCURRENCY = {"app-server": 64, "exec": 4}
_TOTAL_SECONDS = {"exec": 300.0}

_RULES: tuple[tuple[Callable[[Settings], bool], str], ...] = (
    (
        lambda own: own.upstream_wire not in (None, own.backend),
        "--backend (WIRELOOM_BACKEND) and --upstream-wire (WIRELOOM_UPSTREAM_WIRE) name different backends: "
        "leave one out.",
    ),
    (
        lambda own: own.backend in ("demo", "app-server", "exec") and own.upstream is not None,
        "--backend demo, app-server and exec (WIRELOOM_BACKEND) need no server, so --upstream (WIRELOOM_UPSTREAM) and "
        "--provider (WIRELOOM_PROVIDER) contradict it: leave one out.",
    ),
    (
        lambda own: own.backend in ("chat", "responses") and own.upstream is None,
        """There is nothing to answer requests with, because no upstream is set. Choose one:
  wireloom serve --upstream URL    a Chat Completions server (or WIRELOOM_UPSTREAM=URL)
  wireloom serve --backend app-server  the local Codex CLI, with its own login
  wireloom serve --backend demo    a scripted model, without key or network
  wireloom demo                    the same model, with one exchange explained
  upstream = "URL"                 in {path}""",
    ),
    (
        lambda own: own.app_server_url is not None and own.backend != "app-server",
        "--app-server-url (WIRELOOM_APP_SERVER_URL) needs --backend app-server.",
    ),
    (
        lambda own: own.api_key_env is not None and variable(own.api_key_env) is None,
        "--api-key-env (WIRELOOM_API_KEY_ENV) names a variable that is not set: set it, or name another.",
    ),
    (
        lambda own: own.api_key_file is not None and read_key(own.api_key_file) is None,
        "--api-key-file (WIRELOOM_API_KEY_FILE) names a file that holds no key: one line of visible ASCII. Correct it, or "
        "name another.",
    ),
    (
        lambda own: own.no_auth and bool(own.token),
        "--no-auth (WIRELOOM_NO_AUTH) and --token (WIRELOOM_TOKEN) contradict each other: leave one out.",
    ),
    (
        lambda own: own.no_auth and not is_loopback(own.host),
        "--no-auth (WIRELOOM_NO_AUTH) would let everyone who reaches this host spend your upstream key: "
        "set WIRELOOM_TOKEN instead, or --host 127.0.0.1.",
    ),
    (
        lambda own: not own.token and not is_loopback(own.host),
        "--host (WIRELOOM_HOST) lets other machines in, so clients need a key: set WIRELOOM_TOKEN, "
        "or --host 127.0.0.1.",
    ),
)

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


def _sentence(kind: type[Endpoint], problem: ErrorDetails, given: Mapping[str, Any]) -> str:
    reason = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return reason
    setting, inner = str(problem["loc"][0]), _path(problem["loc"][1:])
    origin = _origin([str(part) for part in problem["loc"]], given)
    if problem["type"] == "extra_forbidden" and inner:
        known = ", ".join(ModelEntry.model_fields)
        return f"{origin}: there is no {inner}; a model has {known}."
    if problem["type"] == "extra_forbidden":
        close = difflib.get_close_matches(setting.replace("-", "_"), Settings.model_fields, 1)
        remedy = f"did you mean {close[0]}?" if close else "remove it."
        return f"{origin}: there is no such setting; {remedy}"
    flag = flag_of(kind, setting)
    value = "the value" if flag.private else repr(problem["input"])
    example = _example(setting, flag, given)
    where = f"{origin}, {inner}" if inner and setting == "models" else origin
    return f"{where}: {value} cannot be used: {reason[:1].lower()}{reason[1:]}. For example: {example}"


def _path(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _origin(path: Sequence[str], given: Mapping[str, Any]) -> str:
    setting = path[0]
    if setting in given:
        return flag_name(setting)
    if variable(variable_name(setting)):
        return variable_name(setting)
    line = line_of(config_file().read_text(encoding="utf-8"), path) if config_file().exists() else None
    return f"{setting} in {config_file()}" + (f", line {line}" if line else "")


def _example(setting: str, flag: Flag, given: Mapping[str, Any]) -> str:
    if setting in given:
        return f"{flag_name(setting)} {shlex.quote(flag.example)}"
    if variable(variable_name(setting)):
        return f"{variable_name(setting)}={shlex.quote(flag.example)}"
    return f"{setting} = {flag.example if flag.example.isdecimal() else json.dumps(flag.example)}"
