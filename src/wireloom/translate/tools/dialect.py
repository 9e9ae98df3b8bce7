"""JSON Schemas of tools and formats as an upstream reads them: clean ones pass as they are, others are rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from wireloom.providers.profile import Profile
from wireloom.providers.schemas import Place, SchemaDialect
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.dialect_strict import why_not
from wireloom.translate.tools.dialect_top import Top
from wireloom.wire.json import Json

# The same tools come with each request of a client, so what became of them is remembered.
MOST_KEPT = 512
MOST_DIALECTS = 64
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


CLEAN = Fit(None)
"""Of a schema that can go as it is, and be strict."""

_ENCODE = msgspec.json.Encoder().encode
_Kept: TypeAlias = dict[int, tuple[SchemaDialect, dict[bytes, Fit]]]
"""Id of a dialect -> the dialect, so that its id is no other's, and its schemas with what became of them."""
_OF_TOOLS: _Kept = {}
_OF_FORMATS: _Kept = {}


def _known(schema: Json, dialect: SchemaDialect, kept: _Kept, place: Place) -> Fit:
    """What becomes of a schema, from memory where it was seen before."""
    key = _ENCODE(schema)
    found = kept.get(id(dialect))
    if found is not None:
        fit = found[1].get(key)
        if fit is not None:
            return fit
    fit = _fit(schema, dialect, place)
    if len(key) <= LARGEST_KEPT:
        _keep(fit, key, dialect, kept)
    return fit


def _keep(fit: Fit, key: bytes, dialect: SchemaDialect, kept: _Kept) -> None:
    if id(dialect) not in kept:
        if len(kept) >= MOST_DIALECTS:
            kept.clear()
        kept[id(dialect)] = (dialect, {})
    fits = kept[id(dialect)][1]
    if len(fits) >= MOST_KEPT:
        fits.clear()
    fits[key] = fit


def _fit(schema: Json, dialect: SchemaDialect, place: Place) -> Fit:
    rewriting = Top(dialect, place, schema)
    made = rewriting.top()
    not_strict = why_not(made, dialect)
    if made is schema and not_strict is None:
        return CLEAN
    changed = None if made is schema else made
    return Fit(changed, ", ".join(rewriting.notes.wider), ", ".join(rewriting.notes.alike), not_strict)


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
    fit = _known(parameters, profile.schemas, _OF_TOOLS, "tool")
    return _with(definition, "parameters", fit, profile, path, losses)


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
    fit = _known(schema, profile.schemas, _OF_FORMATS, "format")
    return _with(form, "schema", fit, profile, path, losses)


def _with(holder: Json, name: str, fit: Fit, profile: Profile, path: str, losses: Losses) -> Json:
    """A definition or a format with what became of its schema; the same object where that is clean."""
    if fit is CLEAN:
        return holder
    made = holder
    if fit.schema is not None:
        _report(fit, profile, f"{path}.{name}", losses)
        made = {**made, name: fit.schema}
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
