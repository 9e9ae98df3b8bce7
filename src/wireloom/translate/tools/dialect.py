"""JSON Schemas of tools and formats as an upstream reads them: clean ones pass as they are, others are rewritten."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import msgspec

from wireloom.providers.profile import Profile
from wireloom.providers.schemas import Place, SchemaDialect
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.dialect_strict import why_not
from wireloom.translate.tools.dialect_top import Top
from wireloom.wire.json import Json

# The same tools come with each request of a client, so what became of them is remembered.
MOST_KEPT = 512
LARGEST_KEPT = 16 * 1024


@dataclass(frozen=True, slots=True)
class Fit:
    """A schema as an upstream reads it.

    Args:
        schema: the rewritten schema, None where the given one can go as it is.
        wider: changes after which other values fit, in words; empty for none.
        alike: changes after which the same values fit.
        not_strict: why it cannot be strict, or None.
    """

    schema: Json | None
    wider: str = ""
    alike: str = ""
    not_strict: str | None = None


class _Kept:
    """The schemas seen last and what became of them, bounded in number and in size."""

    def __init__(self) -> None:
        self._fits: OrderedDict[tuple[int, Place, bytes], tuple[SchemaDialect, Fit]] = OrderedDict()

    def fit(self, schema: Json, dialect: SchemaDialect, place: Place) -> Fit:
        key = (id(dialect), place, _ENCODE(schema))
        found = self._fits.get(key)
        if found is not None:
            return found[1]
        fit = _fit(schema, dialect, place)
        if len(key[2]) <= LARGEST_KEPT:
            self._fits[key] = (dialect, fit)  # the dialect stays, so that its id is no other's
            if len(self._fits) > MOST_KEPT:
                self._fits.popitem(last=False)
        return fit


_ENCODE = msgspec.json.Encoder().encode
_KEPT = _Kept()


def _fit(schema: Json, dialect: SchemaDialect, place: Place) -> Fit:
    rewriting = Top(dialect, place, schema)
    made = rewriting.top()
    changed = made is not schema
    return Fit(
        made if changed else None,
        ", ".join(rewriting.notes.wider),
        ", ".join(rewriting.notes.alike),
        why_not(made, dialect),
    )


def _report(fit: Fit, profile: Profile, path: str, losses: Losses) -> None:
    if fit.wider:
        losses.add(path, "changed", f"rewritten for {profile.title}: {fit.wider}")
    if fit.alike:
        reason = f"rewritten for {profile.title} with the same meaning: {fit.alike}"
        losses.add(path, "changed", reason, Severity.IMMATERIAL)


def fit_definition(definition: Json, profile: Profile, path: str, losses: Losses) -> Json:
    """A function as an upstream reads it: its parameters rewritten, without `strict` where they cannot be strict.

    Args:
        definition: with `parameters` and perhaps `strict`; it is not changed.
        profile: of the upstream.
        path: where the tool stood in the request.
        losses: receives what was changed.

    Returns:
        The same object where it is clean.
    """
    parameters = definition.get("parameters")
    if not isinstance(parameters, dict):
        return definition
    fit = _KEPT.fit(parameters, profile.schemas, "tool")
    made = definition
    if fit.schema is not None:
        _report(fit, profile, f"{path}.parameters", losses)
        made = {**made, "parameters": fit.schema}
    return _strict_where_it_can_be(made, fit, path, losses)


def fit_format(form: Json, profile: Profile, path: str, losses: Losses) -> Json:
    """A format of answers as an upstream reads it; see `fit_definition`.

    Args:
        form: with `schema` and perhaps `strict`; it is not changed.
        profile: of the upstream.
        path: where it stood in the request.
        losses: receives what was changed.
    """
    schema = form.get("schema")
    if not isinstance(schema, dict):
        return form
    fit = _KEPT.fit(schema, profile.schemas, "format")
    made = form
    if fit.schema is not None:
        _report(fit, profile, f"{path}.schema", losses)
        made = {**made, "schema": fit.schema}
    return _strict_where_it_can_be(made, fit, path, losses)


def _strict_where_it_can_be(made: Json, fit: Fit, path: str, losses: Losses) -> Json:
    if fit.not_strict is None or made.get("strict") is not True:
        return made
    losses.add(f"{path}.strict", "changed", f"the schema cannot be strict: {fit.not_strict}")
    return {**made, "strict": False}


def fitted_tools(tools: list[Json], profile: Profile, losses: Losses) -> list[Json]:
    """The tools of a Chat request as an upstream reads them; the same list where all are clean.

    Args:
        tools: Chat tool definitions; those that are no functions stay as they are.
        profile: of the upstream.
        losses: receives what was changed and which tools are more than the upstream takes.
    """
    made = [
        _fitted_tool(tool, profile, f"tools[{index}]", losses)
        for index, tool in enumerate(within_limit(tools, profile, losses))
    ]
    same = len(made) == len(tools) and all(new is old for new, old in zip(made, tools, strict=True))
    return tools if same else made


def _fitted_tool(tool: Any, profile: Profile, path: str, losses: Losses) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return tool
    made = fit_definition(function, profile, path, losses)
    return tool if made is function else {**tool, "function": made}


def within_limit(tools: list[Json], profile: Profile, losses: Losses) -> list[Json]:
    """As many tools as an upstream takes, the first ones.

    Args:
        tools: of a request.
        profile: of the upstream.
        losses: receives how many are left out.
    """
    most = profile.schemas.max_tools
    if most is None or len(tools) <= most:
        return tools
    reason = f"{profile.title} takes {most} tools; the last {len(tools) - most} are left out"
    losses.add("tools", "dropped", reason)
    return tools[:most]
