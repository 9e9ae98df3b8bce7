"""The tables of the config file that have names of the user's own: routes and keys."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from wireloom.config.layers import variable
from wireloom.config.mistakes import Mistake, Mistakes
from wireloom.config.table import Table
from wireloom.config.values import (
    Count,
    FilePath,
    Key,
    Names,
    TokenName,
    VariableName,
    json_object,
    read_key,
)


class RouteEntry(Table):
    """A model's name that stands for models of backends."""

    to: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Models, each as `backend/model`. The first is asked; the next one if it fails before it "
        "has begun to answer."
    )
    spread: bool = Field(
        False,
        description="True: the models are equal, and conversations are spread over those that work.",
    )


def _route(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return {"to": tuple(value)} if isinstance(value, list) else value


class KeyEntry(Table):
    """A key that clients present, and what it opens."""

    key: Key | None = Field(None, description="The key itself.")
    key_env: VariableName | None = Field(None, description="Variable with the key.")
    key_file: FilePath | None = Field(None, description="File with the key.")
    backends: Names = Field(frozenset(), description="Backends it may use. Default: all.")
    models: Names = Field(frozenset(), description="Models it may use, `*` for any letters. Default: all.")
    requests_per_minute: Count | None = Field(None, description="Requests per minute at most.")
    max_concurrency: Count | None = Field(
        None, description="Requests at once at most; others wait as they do for a backend."
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = [each for each in (self.key, self.key_env, self.key_file) if each is not None]
        if len(given) != 1:
            about = frozenset({"key", "key_env", "key_file"})
            raise Mistakes(Mistake((), "this needs one of key, key_env and key_file.", about=about))
        return self

    @property
    def secret(self) -> SecretStr | None:
        """The key, wherever it is; None where the variable or the file that is named holds none."""
        if self.key_env is not None:
            value = variable(self.key_env)
            return SecretStr(value) if value else None
        return self.key or (read_key(self.key_file) if self.key_file is not None else None)


Route = Annotated[RouteEntry, BeforeValidator(_route)]
Routes = Annotated[dict[Annotated[str, Field(min_length=1)], Route], BeforeValidator(json_object)]
KeyTable = Annotated[dict[TokenName, KeyEntry], BeforeValidator(json_object)]
