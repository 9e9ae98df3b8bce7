"""How the flags, variables and files of other tools are said in wireloom's settings."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wireloom.config.layers import ConfigError, variable


@dataclass(frozen=True, slots=True)
class Word:
    """One thing that can be set in another tool.

    Args:
        setting: what it is here; None where nothing takes its place, see `told`.
        flag: on that tool's command line.
        variable: in the environment.
        key: in its file.
        default: what holds where nothing is said, as a value of `setting`; None leaves it to wireloom.
        read: turns its text into a value of `setting`.
        switch: takes no value; with `no`, has an opposite.
        no: see `switch`.
        repeatable: may be given several times.
        told: what becomes of it, where the name of the setting does not say it all.
    """

    setting: str | None
    flag: str | None = None
    variable: str | None = None
    key: str | None = None
    default: Any = None
    read: Callable[[Any], Any] = str
    switch: bool = False
    no: bool = False
    repeatable: bool = False
    told: str = ""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.flag or self.variable or self.key or ""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that another tool is used for.

    Args:
        what: its name for it.
        how: how that is here.
        shown: name of the test that shows it.
    """

    what: str
    how: str
    shown: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """Something of another tool that is deliberately not repeated.

    Args:
        what: the feature or default.
        instead: what happens here.
        why: the reason.
        shown: name of the test that shows what happens instead.
    """

    what: str
    instead: str
    why: str
    shown: str


@dataclass(frozen=True, slots=True)
class Tool:
    """Another tool.

    Args:
        name: of its program.
        version: that the table was made from.
        words: everything that can be set.
        fixed: settings that it has without a word for them.
        actions: its own commands -> what they do here, in words; the first is what it does without one.
        features: what it is used for.
        superseded: what is not repeated.
        files: its files of a service in the background, by kind (`pid`, `log`, `state`).
        finish: brings settings together that depend on each other.
        keyless: whether it asks clients for no key where none is set.
    """

    name: str
    version: str
    words: tuple[Word, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    features: tuple[Feature, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    finish: Callable[[dict[str, Any]], dict[str, Any]] = dict
    keyless: bool = True

    def settings(
        self, flags: Mapping[str, Any], file: Mapping[str, Any], *, defaults: bool = True
    ) -> dict[str, Any]:
        """Return what the tool would have been set to, as settings of wireloom.

        flags: name of a word -> its text, or texts; file: key -> value of the tool's file.
        defaults: whether what is not said is as the tool has it.

        Raises ``ConfigError`` for a text that cannot be read.
        """
        found: dict[str, Any] = {**self.fixed} if defaults else {}
        for word in self.words:
            said = self._said(word, flags, file)
            if said is not None:
                found |= _as_setting(word, said)
            elif defaults and word.setting is not None and word.default is not None:
                found.setdefault(word.setting, word.default)
        return self.finish(found)

    @staticmethod
    def _said(word: Word, flags: Mapping[str, Any], file: Mapping[str, Any]) -> Any:
        for where, name in ((flags, word.name), (os.environ, word.variable), (file, word.key)):
            if name is not None and where.get(name) not in (None, "", ()):
                return where[name]
        return None


def _as_setting(word: Word, said: Any, name: str | None = None) -> dict[str, Any]:
    try:
        value = word.read(list(said) if isinstance(said, tuple) else said)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{name or word.name}: this cannot be used: {error}.") from None
    if word.setting is None or value is None:
        return {}
    return value if word.setting == "*" else {word.setting: value}


def from_environment(tools: tuple[Tool, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the variables of other tools say, as settings, and the variable that each came from.

    Raises ``ConfigError`` for one that cannot be read.
    """
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for tool in tools:
        own: dict[str, Any] = {}
        for word in tool.words:
            text = variable(word.variable) if word.variable is not None else None
            if text is not None and word.variable is not None:
                values = _as_setting(word, text, word.variable)
                own |= values
                origins |= dict.fromkeys(values, word.variable)
        found = {**tool.finish(own), **found} if own else found
    return found, origins


# -- readers ---------------------------------------------------------------------------------------------------


def truth(text: Any) -> bool:
    """Return what a switch in a variable means."""
    return text if isinstance(text, bool) else str(text).strip().lower() in ("1", "true", "yes", "on")


def names_of_json(text: str) -> list[str]:
    """Return a JSON array of names, which may be written with commas as well."""
    if not text.lstrip().startswith("["):
        return [name.strip() for name in text.split(",") if name.strip()]
    names = json.loads(text)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("each must be a name")
    return list(names)


def inbound(text: str) -> dict[str, str]:
    """Return one key for clients."""
    return {"default": text}


def several_keys(text: str) -> dict[str, str]:
    """Return keys for clients, of a list with commas."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    return {f"key-{number}": key for number, key in enumerate(keys, 1)}


def log_filter(text: str) -> str:
    """Return the level that a filter of Rust's `env_logger` comes to."""
    level = text.rpartition("=")[2].strip().lower()
    return {"trace": "debug", "warn": "warning", "off": "error"}.get(
        level, level if level in ("debug", "info", "warning", "error") else "info"
    )


def upper_level(text: str) -> str:
    """Return a level of logging, in whatever letters."""
    return {"critical": "error", "warn": "warning"}.get(text.lower(), text.lower())


def separated(separator: str) -> Callable[[Any], list[str]]:
    """Return a reader of lists."""

    def read(text: Any) -> list[str]:
        return text if isinstance(text, list) else [part for part in str(text).split(separator) if part]

    return read


def effort(text: str) -> dict[str, Any]:
    """Return how much reasoning is asked for where a request does not say."""
    if text == "low":
        return {"fast": True}
    return {"fast": False, "codex_config": [f"model_reasoning_effort={json.dumps(text)}"]}


def sandbox(text: str) -> bool:
    """Return whether Codex may act by itself.

    Raises ``ValueError`` for a sandbox that is none.
    """
    if text == "danger-full-access":
        raise ValueError(
            "without a sandbox any client could run anything here; workspace-write is the most there is"
        )
    if text not in ("read-only", "workspace-write"):
        raise ValueError("this takes read-only or workspace-write")
    return text == "workspace-write"
