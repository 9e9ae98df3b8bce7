"""What a backend is set to: where it is, with which key, what it is asked for, and how much of it at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from wireloom.config.address import AddressFields
from wireloom.config.codex_fields import CodexFields
from wireloom.config.extras import install_command
from wireloom.config.files.keyring import in_keyring
from wireloom.config.flags import Flag
from wireloom.config.layers import OF_UPSTREAMS, not_set, variable
from wireloom.config.mistakes import Mistake, Mistakes, plain
from wireloom.config.models import Models
from wireloom.config.profiles import find, from_file, suggested
from wireloom.config.table import Table
from wireloom.config.values import (
    Count,
    FilePath,
    HttpUrl,
    JsonObject,
    Key,
    Names,
    Pairs,
    Seconds,
    VariableNames,
    json_object,
    read_key,
    variables,
    wire_is_a_backend,
)
from wireloom.providers import Profile, names


class BackendFields(AddressFields, CodexFields, BaseModel):
    """The settings of a backend, checked against each other."""

    backend: Annotated[
        Literal["chat", "responses", "app-server", "exec", "demo"],
        Field(
            description="Where answers come from: a Chat Completions server (chat), a Responses server "
            "(responses), the local Codex CLI (app-server: one process, exec: one per request) or a "
            "scripted model (demo)."
        ),
        Flag("NAME", "demo"),
    ] = "chat"
    upstream_wire: Annotated[
        Literal["chat", "responses"] | None,
        Field(description="API the upstream speaks: chat or responses (same as --backend)."),
        Flag("NAME", "responses"),
    ] = None
    provider: Annotated[
        str | None,
        Field(
            description=f"Provider: {', '.join(names())}, or a profile of yours. Default: guessed from --upstream."
        ),
        AfterValidator(lambda name: name and find(name).name),
        Flag("NAME", "openrouter"),
    ] = None
    profile: Annotated[
        FilePath | None,
        Field(
            description="TOML file with a provider profile of your own, instead of --provider; see "
            "docs/providers.md."
        ),
        Flag("FILE", "acme.toml"),
    ] = None
    upstream: Annotated[
        HttpUrl | None,
        Field(
            validate_default=True,
            description="Base URL of the upstream's API. Default: the provider's.",
        ),
        Flag("URL", "http://127.0.0.1:8000/v1", private=True),
    ] = None
    api_key: Annotated[
        Key | None, Field(description="Key for the upstream."), Flag("KEY", "KEY", secret=True, private=True)
    ] = None
    api_key_env: Annotated[
        VariableNames | None,
        Field(
            description="Variable with the upstream's key. Default: the provider's usual one. Several, with commas "
            "between them, are used in turn; a key that is refused rests."
        ),
        Flag("VARIABLE", "OPENROUTER_API_KEY", private=True),
    ] = None
    api_key_file: Annotated[
        FilePath | None,
        Field(description="File with the upstream's key, such as a container's secret."),
        Flag("FILE", "/run/secrets/upstream_key"),
    ] = None
    api_key_keyring: Annotated[
        str | None,
        Field(
            pattern=r"^[^/]+/.+$",
            description="Entry of the system's keyring with the upstream's key. Needs the extra keyring.",
        ),
        Flag("SERVICE/USER", "wireloom/deepseek"),
    ] = None
    pass_key: Annotated[
        bool,
        Field(
            description="Accept the upstream's key from clients: in x-upstream-api-key, or as their API key where "
            "neither a token nor a key of your own is set."
        ),
        Flag(negatable=True),
    ] = False
    model_map: Annotated[
        Pairs,
        Field(description="Rename models: ASKED:SENT,... (gpt-5.5:my-model sends my-model)."),
        Flag("PAIRS", "gpt-5.5:deepseek-flash"),
    ] = {}
    models: Annotated[
        Models,
        Field(description="Facts about models that override the upstream's: {NAME: {context_window: ...}}."),
        Flag("JSON", '{"my-model": {"context_window": 131072}}'),
    ] = {}
    tool_denylist: Annotated[
        Names, Field(description="Tools to hide from the model: a,b,..."), Flag("NAMES", "view_image")
    ] = frozenset()
    extra_params: Annotated[
        JsonObject,
        Field(
            description="JSON fields to add to every upstream request; they override the client's.",
            repr=False,
        ),
        Flag("JSON", '{"temperature": 0.2}', private=True),
    ] = {}
    drop_params: Annotated[
        Names,
        Field(description="Fields to remove from every upstream request: a,b,..."),
        Flag("NAMES", "reasoning_effort"),
    ] = frozenset()
    repair_json: Annotated[
        bool,
        Field(
            description="Ask a Chat upstream once more for an answer that is not the JSON that was asked for. Text is held "
            "back until it is looked at."
        ),
        Flag(),
    ] = False
    relay: Annotated[
        Literal["repair", "raw"],
        Field(
            description="Chat requests to a Chat upstream. `repair`: what is known of the upstream is applied to both "
            "ways. `raw`: both go through as they are."
        ),
        Flag("WORD", "raw"),
    ] = "repair"
    max_concurrency: Annotated[
        Count | None,
        Field(description="Requests that run at once. Default: 2000; app-server 64, exec 4."),
        Flag("N", "100"),
    ] = None
    max_queue_size: Annotated[
        int,
        Field(ge=0, description="Requests that wait for a slot; further ones get 429."),
        Flag("N", "64"),
    ] = 64
    queue_timeout_seconds: Annotated[
        Seconds, Field(description="Longest wait for a slot."), Flag("SECONDS", "30")
    ] = 30
    timeout_seconds: Annotated[
        Seconds | None,
        Field(description="Longest time for a whole answer. 0: no limit. Default: no limit; exec 300."),
        Flag("SECONDS", "300"),
    ] = None
    idle_timeout_seconds: Annotated[
        Seconds, Field(description="Longest silence of the upstream. 0: no limit."), Flag("SECONDS", "300")
    ] = 300
    _wire_is_a_backend = model_validator(mode="before")(wire_is_a_backend)

    _profile: Profile = PrivateAttr()

    @field_validator("profile")
    @classmethod
    def _holds_a_profile(cls, path: Path | None) -> Path | None:
        if path is not None:
            from_file(path)
        return path

    @field_validator("upstream")
    @classmethod
    def _provider_upstream(cls, value: str | None, info: ValidationInfo) -> str | None:
        name, path = info.data.get("provider"), info.data.get("profile")
        if value is None and path is not None:
            return from_file(path).base_url
        if value is None and name is not None:
            return find(name).base_url
        return value

    @model_validator(mode="after")
    def _choose_profile(self) -> Self:
        if self.profile is not None:
            self._profile = from_file(self.profile)
        elif self.provider is not None:
            self._profile = find(self.provider)
        else:
            self._profile = suggested(self.upstream or "")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if found := list(_mistakes(self)):
            raise Mistakes(*found)
        return self

    @field_validator("api_key_env")
    @classmethod
    def _is_set_to_a_key(cls, name: str | None) -> str | None:
        for each in variables(name):
            if variable(each) is None:
                raise Mistakes(Mistake((), not_set(each), word=each))
        return name

    @field_validator("api_key_file")
    @classmethod
    def _holds_a_key(cls, path: Path | None) -> Path | None:
        if path is not None and read_key(path) is None:
            message = f"{plain(path)} holds no key: one line of visible ASCII. Correct it, or name another."
            raise Mistakes(Mistake((), message))
        return path

    @field_validator("api_key_keyring")
    @classmethod
    def _is_in_the_keyring(cls, entry: str | None) -> str | None:
        if entry is not None and in_keyring(entry) is None:
            message = (
                "the keyring holds no key of that name, or the extra keyring is missing: "
                f"{install_command('keyring')}, then keyring set SERVICE USER."
            )
            raise Mistakes(Mistake((), plain(message)))
        return entry

    @property
    def upstream_profile(self) -> Profile:
        """The profile of the upstream: the one named, else the one its URL suggests."""
        return self._profile

    @property
    def upstream_key(self) -> SecretStr | None:
        """The key for the upstream: the one given, else what the file, the keyring or the variable holds."""
        if self.api_key_file is not None:
            return read_key(self.api_key_file)
        if self.api_key_keyring is not None:
            return in_keyring(self.api_key_keyring)
        return next(iter(self.keys_by_place.values()), None)

    @property
    def keys_by_place(self) -> dict[str, SecretStr]:
        """The keys of variables, by the name of each, or the one that is given."""
        if self.api_key is not None:
            return {"api_key": self.api_key}
        names = variables(self.api_key_env or self.upstream_profile.api_key_env)
        return {name: SecretStr(key) for name in names if (key := variable(name))}

    @property
    def more_keys(self) -> list[tuple[str, str]]:
        """The keys besides the first one, each with its variable."""
        if self.api_key_file is not None or self.api_key_keyring is not None:
            return []
        return [(key.get_secret_value(), f"in {name}") for name, key in self.keys_by_place.items()][1:]

    @property
    def shown_upstream(self) -> str | None:
        """The base URL as messages show it: without its query, which may hold a key."""
        return None if self.upstream is None else self.upstream.partition("?")[0]

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


class BackendEntry(Table, BackendFields):
    """A backend of the config file, `[backends.NAME]`."""

    model: Annotated[
        str | None, Field(min_length=1, description="Codex's model when a request names none.")
    ] = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.backend in ("chat", "responses") and self.upstream is None:
            message = "this has neither upstream nor provider, nor a backend that needs none."
            raise Mistakes(
                Mistake((), message, about=frozenset({"upstream", "provider", "profile", "backend"}))
            )
        return self


def inherited(entry: BackendEntry, above: BackendFields) -> BackendEntry:
    """Return a backend with what the settings above say where it says nothing."""
    said = above.model_fields_set & _SHARED - entry.model_fields_set
    return entry.model_copy(update={name: getattr(above, name) for name in said})


# What holds for every backend that does not say otherwise: how it is used, not where it is.
_SHARED = {*CodexFields.model_fields, *BackendFields.model_fields} - {
    "backend",
    *OF_UPSTREAMS,
    "pass_key",
    "app_server_url",
    "app_server_token_env",
    "codex_home",
    "model_map",
    "models",
}
BackendName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Backends = Annotated[dict[BackendName, BackendEntry], BeforeValidator(json_object)]

_CONCURRENCY = {"app-server": 64, "exec": 4}
_TOTAL_SECONDS = {"exec": 300.0}


def _mistakes(own: BackendFields) -> Iterator[Mistake]:
    """What is wrong with settings of a backend of which each by itself can be used."""
    if own.upstream_wire not in (None, own.backend):
        message = f"{own.upstream_wire} contradicts {{backend}} {own.backend}: leave one out."
        yield Mistake(("upstream_wire",), message, about=frozenset({"backend"}))
    if own.backend in ("demo", "app-server", "exec") and own.upstream is not None:
        name = "upstream" if "upstream" in own.model_fields_set else "provider"
        message = f"contradicts {{backend}} {own.backend}, which needs no server: leave one out."
        yield Mistake((name,), message, about=frozenset({"backend", "upstream", "provider"}))
    if own.profile is not None and own.provider is not None:
        about = frozenset({"provider"})
        yield Mistake(("profile",), "contradicts {provider}: leave one out.", about=about)
    yield from _misdirected_key(own)
    if own.app_server_url is not None and own.backend != "app-server":
        message = "needs {backend} app-server."
        yield Mistake(("app_server_url",), message, about=frozenset({"backend"}))


def _misdirected_key(own: BackendFields) -> Iterator[Mistake]:
    """A provider's key that would go to the server of another provider."""
    profile = own.upstream_profile
    given = (own.api_key, own.api_key_env, own.api_key_file, own.api_key_keyring)
    if own.upstream is None or profile.api_key_env is None or any(key is not None for key in given):
        return
    owner = suggested(own.upstream)
    if owner.hosts and owner.name != profile.name and owner.api_key_env != profile.api_key_env:
        message = (
            f"is a server of {plain(owner.title)}, and provider {plain(profile.name)} would send it the key in "
            f"{profile.api_key_env}: leave one out, or say which key it gets with {{api_key_env}}."
        )
        yield Mistake(("upstream",), message, about=frozenset({"provider", "profile", "upstream"}))
