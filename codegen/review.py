"""What of a contract nobody has decided on: each thing that is new, gone or redefined, as a sentence with its file.

A published document meets four memories of what was decided: the overlays that change it, the rule tables of the
translators, `openapi/operations.toml`, and `openapi/reviewed.txt`, which lists every published fact as it was when
somebody last looked. Nothing here reads a file or compiles a type, so that a changed copy of a document is reviewed in a
moment.

`python -m codegen.review` shows how the published document differs from `reviewed.txt`; `--write` notes it as reviewed.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import yaml

from codegen import facts, generate, normalise, overlay, places, select
from codegen.facts import Facts
from codegen.touches import Touches

Json = Any

REVIEWED = generate.OPENAPI / "reviewed.txt"
NOTE = "note it with `python -m codegen.review --write`"
OPERATIONS = "openapi/operations.toml"
SERVED = "openapi/overlays/served.overlay.yaml"


@dataclass(frozen=True, slots=True)
class Rules:
    """A translator's table.

    Args:
        place: the part of the contract that it has rules for: a union or an enum, an object whose fields have rules, or
            the way to one of these from a schema, such as `Response.status`.
        file: path of the module, from the root.
        table: its name there.
        names: its keys.
        of_fields: whether the place is an object whose fields have the rules.
        refused: names that refuse a request, so that the served document may not have them.
        partial: whether names of the contract may be missing in it.
        more: whether it may have names that this place lacks.
    """

    place: str
    file: str
    table: str
    names: frozenset[str]
    of_fields: bool = False
    refused: frozenset[str] = frozenset()
    partial: bool = False
    more: bool = False

    @property
    def where(self) -> str:
        """The table as sentences refer to it."""
        return _where(self.table, self.file)

    def found(self, document: Json) -> Mapping[str, str]:
        """The names that the place has in a document, with the schemas of members."""
        if self.of_fields:
            return dict.fromkeys(places.fields(document, self.place), "")
        return places.tags(document, self.place)


@dataclass(frozen=True, slots=True)
class Members:
    """A translator's table of the fields of each member of a union.

    Args:
        place: of the union.
        file: path of the module, from the root.
        table: names of the table and of the one of what is left out.
        carried: tag -> fields that are translated. A member without an entry is refused as a whole.
        left_out: fields that are left out of any member.
    """

    place: str
    file: str
    table: str
    carried: Mapping[str, frozenset[str]]
    left_out: frozenset[str]

    @property
    def where(self) -> str:
        """The table as sentences refer to it."""
        return _where(self.table, self.file)

    def found(self, document: Json) -> Mapping[str, str]:
        """The tags of the union in a document, with the schemas of its members."""
        return places.tags(document, self.place)


def _where(table: str, file: str) -> str:
    return f"{' or '.join(f'`{name}`' for name in table.split(' or '))} of {file}"


T = TypeVar("T", Rules, Members)


@dataclass(frozen=True, slots=True)
class Contract:
    """The documents that a review compares.

    Args:
        published: `openapi/openai.json`.
        own: `openapi/gateway.yaml`.
        overlays: the numbered ones, by their path.
        served: what narrows the served document.
        operations: `openapi/operations.toml`.
        reviewed: `openapi/reviewed.txt`.
    """

    published: Json
    own: Json
    overlays: Mapping[str, Json]
    served: Json
    operations: Json
    reviewed: Facts


def load() -> Contract:
    """The committed documents."""
    folder = generate.OPENAPI
    overlays = sorted((folder / "overlays").glob("[0-9]*.overlay.yaml"))
    return Contract(
        published=json.loads((folder / "openai.json").read_text()),
        own=yaml.safe_load((folder / "gateway.yaml").read_text()),
        overlays={f"openapi/overlays/{path.name}": overlay.load(path) for path in overlays},
        served=overlay.load(folder / "overlays" / "served.overlay.yaml"),
        operations=tomllib.loads((folder / "operations.toml").read_text()),
        reviewed=facts.read(REVIEWED.read_text()),
    )


@dataclass(frozen=True, slots=True)
class News:
    """One thing that somebody has to decide on.

    Args:
        sentence: what it is, and the file where its rule belongs.
        names: what the sentence names, so that nothing is reported twice.
    """

    sentence: str
    names: frozenset[str] = field(default_factory=frozenset)


def review(contract: Contract, tables: Sequence[Rules], members: Sequence[Members]) -> list[str]:
    """Compare a published document with everything that was decided about an earlier one.

    Args:
        contract: the documents.
        tables: of the translators.
        members: the same for fields of members of unions.

    Returns:
        A sentence for each thing that is new, gone or redefined; none where all is decided.
    """
    touches = Touches(generate.combined(contract.published, contract.own))
    try:
        surface, served = _compiled(contract, touches)
    except overlay.OverlayError as error:
        path = _path_of(contract, error)
        broken = News(f"The overlay {path} does not fit the published document, so change it: {error}.")
        return [each.sentence for each in (broken, *_unreviewed(contract, touches, {}, frozenset()))]
    tables, lost = _placed(surface, tables)
    members, lost_members = _placed(surface, members)
    found = [
        *lost,
        *lost_members,
        *_operations(contract, surface),
        *_ruled(surface, tables),
        *_offered(surface, served, tables),
        *_membered(surface, members),
        *_stood_for(contract, surface),
        *_compiled_out(contract, surface),
    ]
    named = frozenset(name for news in found for name in news.names)
    found += _unreviewed(contract, touches, _owners(contract, surface, tables, members), named)
    return [news.sentence for news in found]


def _compiled(contract: Contract, touches: Touches) -> tuple[Json, Json]:
    """The surface and the served document; `touches` gets what the overlays change.

    Raises:
        overlay.OverlayError: an overlay that does not fit.
    """
    document = copy.deepcopy(generate.combined(contract.published, contract.own))
    for path, each in contract.overlays.items():
        touches.note(path, overlay.applied(document, each))
    surface = select.closed(normalise.contract(document))
    touches.note(SERVED, overlay.applied(document, contract.served))
    return surface, select.surface(normalise.contract(document), contract.operations["served"])


def _path_of(contract: Contract, error: overlay.OverlayError) -> str:
    """The overlay that an error is about."""
    overlays = {**contract.overlays, SERVED: contract.served}
    return next(path for path, document in overlays.items() if document["info"]["title"] == error.title)


# -- what overlays and tables decide -------------------------------------------------------------------------------


def _operations(contract: Contract, surface: Json) -> Iterator[News]:
    listed = contract.operations
    published = {
        each["operationId"]: f"{method.upper()} {path}" for path, method, each in _each(contract.published)
    }
    for name in sorted(published.keys() - {*listed["surface"]}):
        text = f"The operation `{name}` ({published[name]}) is new: add it to `surface` or to `left_out` in {OPERATIONS}."
        yield News(text, frozenset({name}))
    for name in sorted({*listed["surface"]} - published.keys()):
        yield News(
            f"The operation `{name}` is no longer published: remove it from {OPERATIONS}.", frozenset({name})
        )
    decided = {*listed["served"], *listed["unserved"]}
    ours = {each["operationId"] for _, _, each in _each(surface)} - (published.keys() - {*listed["surface"]})
    for name in sorted(ours - decided):
        yield News(
            f"The operation `{name}` is neither in `served` nor in `unserved` of {OPERATIONS}: decide which."
        )


def _each(document: Json) -> Iterable[tuple[str, str, Json]]:
    return select.operations(document)


def _placed(surface: Json, tables: Sequence[T]) -> tuple[list[T], list[News]]:
    """The tables whose places are there, and news of the others."""
    placed, lost = [], []
    for table in tables:
        try:
            table.found(surface)
        except KeyError:
            text = f"{table.where} has rules for `{table.place}`, which is no longer in the contract: remove the table."
            lost.append(News(text, frozenset({table.place})))
        else:
            placed.append(table)
    return placed, lost


def _ruled(surface: Json, tables: Sequence[Rules]) -> Iterator[News]:
    """Names of the contract without a rule, and rules without a name."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for table in tables:
        names = table.found(surface)
        for name in () if table.partial else sorted(names.keys() - table.names):
            what = "field" if table.of_fields else "member"
            member = f"{what} `{name}`" + (f" (schema `{names[name]}`)" if names[name] else "")
            lacking.setdefault((table.place, member, names[name] or name), []).append(table.where)
        for name in () if table.more else sorted(table.names - names.keys()):
            text = f"{table.where} has a rule for `{name}`, which `{table.place}` no longer has: remove it."
            yield News(text, frozenset({name}))
    for (place, member, subject), wheres in lacking.items():
        text = f"`{place}` has a new {member}: give it a rule in {', in '.join(wheres)}."
        yield News(text, frozenset({subject, *re.findall("`(.+?)`", member)}))


def _offered(surface: Json, served: Json, tables: Sequence[Rules]) -> Iterator[News]:
    """Members that the served document has and a table refuses, or the other way round."""
    for table in tables:
        if not table.refused:
            continue
        offered = table.found(served).keys()
        for name in sorted(offered & table.refused):
            yield News(
                f"{table.where} refuses `{name}`, which the served `{table.place}` has: name its schema in `x-remove`"
                f" of {SERVED}."
            )
        ruled = table.found(surface).keys() & table.names
        for name in sorted(ruled - table.refused - offered):
            yield News(
                f"{table.where} takes `{name}`, which the served `{table.place}` lacks: drop it from `x-remove` of"
                f" {SERVED}."
            )


def _membered(surface: Json, members: Sequence[Members]) -> Iterator[News]:
    """Fields of members of unions that are neither carried nor left out."""
    for table in members:
        tags = table.found(surface)
        for tag in sorted(table.carried.keys() & tags.keys()):
            schema = tags[tag]
            names = places.fields(surface, schema)
            for name in sorted(names - table.carried[tag] - table.left_out):
                text = f"`{schema}` (`{tag}`) has a new field `{name}`: add it to {table.where}."
                yield News(text, frozenset({name}))
            for name in sorted(table.carried[tag] - names):
                text = f"{table.where} lists `{name}`, which `{schema}` (`{tag}`) no longer has: remove it."
                yield News(text, frozenset({name}))


def _stood_for(contract: Contract, surface: Json) -> Iterator[News]:
    """What published schemas have that those lack which overlays put in their place."""
    for path, own, published in _stand_ins(contract):
        if published not in contract.published["components"]["schemas"]:
            yield News(
                f"`{own}` stands for `{published}`, which is no longer published: remove it from {path}."
            )
            continue
        if own not in surface["components"]["schemas"]:
            yield News(f"`{own}` of `x-stands-for` is in nothing that is compiled: remove it from {path}.")
            continue
        union = places.is_union(contract.published, published)
        table = Rules(published, path, own, frozenset(), of_fields=not union)
        theirs, ours = table.found(contract.published), replace(table, place=own).found(surface)
        for name in sorted(theirs.keys() - ours.keys()):
            what = "member" if union else "field"
            text = f"`{published}` has a new {what} `{name}`, and `{own}`, which stands for it, lacks it: add it in {path}."
            yield News(text, frozenset({name, theirs[name]} - {""}))


def _stand_ins(contract: Contract) -> Iterator[tuple[str, str, str]]:
    """Each (overlay, schema of ours, published schema that it stands for)."""
    for path, document in contract.overlays.items():
        for action in document["actions"]:
            for own, published in action.get("x-stands-for", {}).items():
                yield from ((path, own, name) for name in published)


def _compiled_out(contract: Contract, surface: Json) -> Iterator[News]:
    """Published schemas that nothing compiled refers to and no overlay names."""
    removed = {
        name
        for document in contract.overlays.values()
        for action in document["actions"]
        for name in (*action.get("x-remove", ()), *action.get("x-inline", ()))
    }
    named = removed | {published for _, _, published in _stand_ins(contract)}
    schemas = contract.published["components"]["schemas"]
    excused = places.reached(contract.published, named & schemas.keys())
    for name in sorted(schemas.keys() - surface["components"]["schemas"].keys() - excused.keys()):
        text = f"The published schema `{name}` is compiled out: name it in `x-stands-for` of the overlay that replaces it."
        yield News(text, frozenset({name}))


# -- what was last looked at ---------------------------------------------------------------------------------------


def _owners(
    contract: Contract, surface: Json, tables: Sequence[Rules], members: Sequence[Members]
) -> Mapping[str, list[str]]:
    """Schema, or a place within one -> the tables that are nearest to it, or the overlay that replaces it."""
    nearest: dict[str, tuple[int, list[str]]] = {}
    schemas = surface["components"]["schemas"]
    roots = [(table.where, {table.place}) for table in tables if table.place in schemas]
    roots += [(table.where, {*table.found(surface).values()} - {""}) for table in members]
    for where, names in roots:
        for name, distance in places.reached(surface, names).items():
            known, wheres = nearest.get(name, (distance + 1, []))
            if distance < known:
                nearest[name] = (distance, [where])
            elif distance == known:
                wheres.append(where)
    found = {name: list(dict.fromkeys(wheres)) for name, (_, wheres) in nearest.items()}
    for table in tables:
        if table.place not in schemas:
            found.setdefault(table.place, []).append(table.where)
    for path, _, published in _stand_ins(contract):
        found.setdefault(published, [path])
    return found


def _unreviewed(
    contract: Contract, touches: Touches, owners: Mapping[str, list[str]], named: frozenset[str]
) -> Iterator[News]:
    """How the published document differs from the last one that somebody looked at."""
    published = facts.facts(contract.published)
    for difference in facts.differences(contract.reviewed, published):
        fact = difference.fact
        overlays = touches.of(fact)
        reported = difference.names and difference.names <= named
        if not overlays and (reported or fact.schema in named or fact.name in named):
            continue
        around = (f"{fact.place}.{fact.name}", fact.place, fact.schema)
        wheres = next((owners[place] for place in around if place in owners), [])
        to_read = [" and ".join(wheres[:3]), _which_change(overlays)]
        look = f"read {', and '.join(filter(None, to_read))}; then {NOTE}" if any(to_read) else NOTE
        yield News(f"{difference.sentence}: {look}.")


def _which_change(overlays: Sequence[str]) -> str:
    """The overlays of a place, in words; empty where there are none."""
    if not overlays:
        return ""
    return f"{' and '.join(overlays)}, which {'changes' if len(overlays) == 1 else 'change'} it"


def main(argv: list[str] | None = None) -> int:
    """Show what of the published document is not in `reviewed.txt`, or note it there."""
    parser = argparse.ArgumentParser(prog="python -m codegen.review")
    parser.add_argument("--write", action="store_true", help="note the published document as reviewed")
    write = parser.parse_args(argv).write
    published = facts.facts(json.loads((generate.OPENAPI / "openai.json").read_text()))
    old = facts.read(REVIEWED.read_text()) if REVIEWED.exists() else {}
    found = list(facts.differences(old, published))
    for difference in found:
        print(f"{difference.sentence}.")
    if write:
        REVIEWED.write_text(facts.written(published))
    return 1 if found and not write else 0


if __name__ == "__main__":
    sys.exit(main())
