"""Every field of the settings, and where their values come from."""

from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from wireloom.config.backend import BackendEntry, BackendFields, BackendName, Backends, inherited
from wireloom.config.flags import Flag
from wireloom.config.layers import Layer, read_config_file, read_environment, state_folder
from wireloom.config.profiles import Profiles, known_profiles
from wireloom.config.table import with_underscores
from wireloom.config.tables import KeyTable, Routes
from wireloom.config.tools import heard
from wireloom.config.values import Count, FilePath, HistoryName, Host, Names, Seconds, Tokens
from wireloom.config.words import from_environment

DEFAULT = "default"
"""Name of the backend that the settings of the top level describe."""

_AS_GIVEN: ContextVar[bool] = ContextVar("_AS_GIVEN", default=False)


class Endpoint(BaseSettings):
    """The settings from which the configuration of a client follows.

    Values come from the arguments, then ``WIRELOOM_<NAME>``, then the config file, then the defaults. Raises
    ``ConfigError`` for a config file that cannot be read and ``pydantic.ValidationError`` for a value that
    cannot be used; ``load`` raises ``ConfigError`` for both.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Annotated[Host, Field(description="Address to listen on."), Flag("HOST", "127.0.0.1")] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535, description="Port to listen on. 0: any free one."),
        Flag("PORT", "4444"),
    ] = 4444
    model: Annotated[
        str | None,
        Field(min_length=1, description="Model for requests that name none."),
        Flag("NAME", "deepseek-flash"),
    ] = None
    token: Annotated[
        Tokens,
        Field(description="Key that clients send; its name appears in logs. Repeatable."),
        Flag("[NAME=]KEY", "laptop=KEY", secret=True, private=True, repeatable=True),
    ] = {}
    keys: Annotated[
        KeyTable,
        Field(description="Keys that clients send, each with its limits: {NAME: {key_env: ...}}."),
        Flag("JSON", '{"laptop": {"key": "KEY", "requests_per_minute": 60}}', secret=True, private=True),
    ] = {}
    no_auth: Annotated[
        bool, Field(description="Let clients in without a key. Loopback hosts only."), Flag()
    ] = False

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
        if _AS_GIVEN.get():
            return (init_settings,)
        return init_settings, *(Layer(settings_cls, layer) for layer in layers_of(settings_cls))


class GatewayFields(BackendFields, Endpoint):
    """All settings of a gateway, each checked by itself."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="Least severe messages to log."),
        Flag("LEVEL", "info"),
    ] = "info"
    otel: Annotated[
        bool,
        Field(
            description="Send traces and metrics by OpenTelemetry, configured by its own OTEL_* variables. Needs "
            "the extra otel."
        ),
        Flag(negatable=True),
    ] = False
    log_content: Annotated[
        bool,
        Field(description="Log prompts, answers and tool outputs too."),
        Flag(negatable=True),
    ] = False
    backends: Annotated[
        Backends,
        Field(description="Backends by name: {NAME: {provider: ...}}. Models are then called backend/model."),
        Flag("JSON", '{"local": {"upstream": "http://127.0.0.1:8000/v1"}}', private=True),
    ] = {}
    profiles: Annotated[
        Profiles,
        Field(
            description="Provider profiles of your own by name: {NAME: {base: ..., base_url: ...}}; see "
            "docs/providers.md."
        ),
        Flag("JSON", '{"acme": {"base": "generic", "base_url": "http://127.0.0.1:8000/v1"}}'),
    ] = {}
    default_backend: Annotated[
        BackendName | None,
        Field(description="Backend for model names that belong to no backend."),
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
        Field(
            description="Reject requests with settings the backend cannot honour. Default: answer, and list them "
            "in x-wireloom-loss."
        ),
        Flag(negatable=True),
    ] = False
    seal_key_file: Annotated[
        FilePath | None,
        Field(description="Keys that seal the state clients store. Default: seal.key in the state folder."),
        Flag("FILE", "/etc/wireloom/seal.key"),
    ] = None
    history: Annotated[
        HistoryName | None,
        Field(
            description="Where responses and conversations are stored: memory, sqlite or sqlite:PATH. Default: "
            "history.sqlite3 in the state folder; memory for the demo backend."
        ),
        Flag("STORE", "sqlite:/var/lib/wireloom/history.sqlite3", private=True),
    ] = None
    session_ttl_hours: Annotated[
        Seconds,
        Field(description="Hours that a conversation is kept after its last use. 0: no limit."),
        Flag("HOURS", "168"),
    ] = 168
    max_sessions: Annotated[
        Count | None,
        Field(description="Stored conversations at most. Default: 256 in memory, no limit on SQLite."),
        Flag("N", "256"),
    ] = None
    max_session_memory_mb: Annotated[
        Count, Field(description="Stored megabytes at most."), Flag("N", "512")
    ] = 512
    heartbeat_seconds: Annotated[
        Seconds,
        Field(description="Seconds of silence after which a stream sends a heartbeat. 0: never."),
        Flag("SECONDS", "10"),
    ] = 10
    allowed_host: Annotated[
        Names,
        Field(description="Host name by which clients may call, besides loopback names; *: any. Repeatable."),
        Flag("NAME", "gateway.lan", repeatable=True),
    ] = frozenset()
    allowed_origin: Annotated[
        Names,
        Field(description="Origin of web pages that may call; *: any. Default: none. Repeatable."),
        Flag("ORIGIN", "https://app.example.com", repeatable=True),
    ] = frozenset()
    receive_timeout_seconds: Annotated[
        Seconds,
        Field(
            description="Longest time for a request's body, plus a second per 50 kB; 0 is no limit. (The head has "
            "10 seconds.)"
        ),
        Flag("SECONDS", "30"),
    ] = 30
    drain_seconds: Annotated[
        Seconds,
        Field(
            description="Seconds that running answers get after a signal to stop; then they end with an error."
        ),
        Flag("SECONDS", "8"),
    ] = 8
    max_body_mb: Annotated[
        Count, Field(description="Largest request body, uncompressed, in megabytes."), Flag("N", "50")
    ] = 50
    record: Annotated[
        FilePath | None,
        Field(
            description="Folder to write each request to, as a test fixture: cut and cleaned, but not free of "
            "content."
        ),
        Flag("DIR", "recorded"),
    ] = None

    @model_validator(mode="wrap")
    @classmethod
    def _know_profiles(cls, given: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        own = given.get("profiles", {}) if isinstance(given, dict) else {}
        with known_profiles(own):
            return check(given)

    @property
    def named(self) -> dict[str, Self | BackendEntry]:
        """Every backend by its name; that of the top level, where there is one, is `default`."""
        own: dict[str, Self | BackendEntry] = {DEFAULT: self} if self.answers else {}
        return own | {name: inherited(entry, self) for name, entry in self.backends.items()}

    @property
    def answers(self) -> bool:
        """Whether the top level describes a backend."""
        return self.upstream is not None or self.backend not in ("chat", "responses")

    @property
    def first_backend(self) -> str:
        """The backend of models that name none."""
        return self.default_backend or next(iter(self.named))

    @property
    def seal_key_path(self) -> Path:
        """The file of the keys that seal: the one named, else that in the state folder."""
        return self.seal_key_file or state_folder() / "seal.key"


def validate(kind: type[Endpoint], values: Mapping[str, Any]) -> None:
    """Check settings by themselves, without the environment and the config file."""
    before = _AS_GIVEN.set(True)
    try:
        kind(**values)
    finally:
        _AS_GIVEN.reset(before)


def layers_of(kind: type[BaseSettings]) -> tuple[dict[str, Any], ...]:
    """The settings of the environment, of the variables of other tools and of the config file, the strongest first."""
    names = kind.model_fields.keys()
    elsewhere = GatewayFields.model_fields.keys() - names
    others, _ = from_environment(heard())
    file = with_underscores(read_config_file(), GatewayFields.model_fields)
    return (
        read_environment(names),
        {key: value for key, value in others.items() if key in names},
        {key: value for key, value in file.items() if key not in elsewhere},
    )
