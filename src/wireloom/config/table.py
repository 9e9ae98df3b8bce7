"""A table of the config file: its keys may be written with hyphens, as flags are."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from wireloom.config.mistakes import Mistake, Mistakes, plain


def with_underscores(table: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return a table in which keys that are known are written with underscores.

    Raises ``Mistakes`` for a key that stands there in both spellings.
    """
    found: dict[str, Any] = {}
    for written, value in table.items():
        name = written.replace("-", "_")
        if name not in known:
            name = written
        if name in found:
            message = (
                f"{plain(name)} and {plain(name.replace('_', '-'))} are the same setting: leave one out."
            )
            raise Mistakes(Mistake((name,), message))
        found[name] = value
    return found


class Table(BaseModel):
    """A table with a fixed set of keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, given: Any) -> Any:
        return with_underscores(given, cls.model_fields) if isinstance(given, dict) else given
