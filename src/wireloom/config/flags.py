"""How settings look on the command line and in messages."""

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Flag:
    """How a setting looks on the command line and in messages.

    metavar: what stands for the value in help; empty for a switch.
    example: a value that would do.
    secret: the value is a key.
    private: the value may hold a key, so no message repeats it.
    repeatable: may be given several times.
    negatable: a switch that can also be turned off.
    aliases: other flags that say the same.
    """

    metavar: str = ""
    example: str = "true"
    secret: bool = False
    private: bool = False
    repeatable: bool = False
    negatable: bool = False
    aliases: tuple[str, ...] = ()


def flag_name(setting: str) -> str:
    """Return the command-line flag of a setting."""
    return f"--{setting.replace('_', '-')}"


def flag_of(kind: type[BaseModel], setting: str) -> Flag:
    """Return how a field of ``kind`` looks on the command line."""
    return next(each for each in kind.model_fields[setting].metadata if isinstance(each, Flag))
