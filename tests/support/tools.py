"""Tools of requests, and what a translation offers of them."""

from typing import Any, TypeAlias

from tests.support.captures import validated
from wireloom.providers import Profile, load
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.flatten import flatten

Json: TypeAlias = dict[str, Any]
Lost: TypeAlias = list[tuple[str, str, Severity]]
GENERIC = load("generic")
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def function(name: str, **more: Any) -> Json:
    """Return a function."""
    return {"type": "function", "name": name, "parameters": SCHEMA, **more}


def namespace(name: str, *tools: Json) -> Json:
    """Return a namespace of tools."""
    return {"type": "namespace", "name": name, "description": "Some tools.", "tools": list(tools)}


def offered(
    *tools: Json,
    profile: Profile = GENERIC,
    items: list[Json] | None = None,
    model: str = "upstream-model",
    denied: frozenset[str] = frozenset(),
    lenient: bool = False,
    strict: bool = False,
    recalled: int = 0,
) -> tuple[Tools, Lost]:
    """Return what is offered of the tools of a request and of its items, and what was lost of them."""
    losses = Losses(strict=strict)
    body = validated({"model": "m", "input": "hello" if items is None else items, "tools": list(tools)})
    made = flatten(body, profile, losses, model=model, denied=denied, lenient=lenient, recalled=recalled)
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def flat(tools: Tools) -> list[str]:
    """Return the names under which tools are offered."""
    assert all(tool["type"] == "function" for tool in tools.functions)
    found = [tool["function"]["name"] for tool in tools.functions]
    assert found == list(tools.by_flat_name)
    return found
