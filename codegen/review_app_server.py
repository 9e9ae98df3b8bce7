"""The app-server contract against the rule tables: a sentence for each method, kind, word and member without a rule.

The tables belong to the translators, which are not imported here: the caller passes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from codegen import unions
from codegen.app_server import MESSAGES
from codegen.app_server_read import Members, Reading, branches, members_of, tag_of

Json = Any
Named = Mapping[str, Collection[str]]

METHODS_FILE = "openapi/app_server_methods.toml"
READ_FILE = "openapi/app_server_read.toml"
SCALARS = ("string", "integer", "number", "boolean")


@dataclass(frozen=True)
class Tables:
    """The methods, kinds, words and members with a rule.

    Args:
        methods: table of methods, a key of `app_server.MESSAGES` -> methods with a rule.
        used: part of a method, `params` or `result` -> methods of which that part is read or sent.
        kinds: union -> its kinds with a rule.
        words: enumeration -> its words with a rule.
        reading: the members that are read and sent.
        left_out: table of methods -> name or pattern of a method that is not compiled -> reason.
        unread: member, as `Schema.member`, that is neither read nor sent -> reason.
        homes: key of `methods`, `kinds` or `words` -> the table and the file of its rules; `unread` -> those of `unread`.
    """

    methods: Named
    used: Named
    kinds: Named
    words: Named
    reading: Reading
    left_out: Members
    unread: Mapping[str, str]
    homes: Mapping[str, str]


def review(base: Mapping[str, Any], tables: Tables) -> list[str]:
    """Compare a contract with the tables.

    Args:
        base: the base file with its overlay applied.
        tables: the rules.

    Returns:
        A sentence for each difference: its name, and the file where its rule belongs.
    """
    schemas: dict[str, Json] = unions.plain(base["definitions"])
    found = [
        *_methods(base["methods"], tables),
        *_types(base["methods"], tables),
        *_others(base["others"], tables),
        *_kinds(schemas, tables),
        *_words(schemas, tables),
        *_members(schemas, tables),
        *_unlisted(schemas, tables),
    ]
    return list(dict.fromkeys(found))


def notation(field: Json, schemas: Mapping[str, Json]) -> str:
    """The type of a member as `openapi/app_server_read.toml` has it.

    Args:
        field: a draft-07 schema.
        schemas: definitions by name, for the references that name a plain word or number.
    """
    if not isinstance(field, dict):
        return "any"
    if "$ref" in field:
        name = field["$ref"].removeprefix(unions.DEFINITION)
        target = schemas.get(name, {})
        return str(target["type"]) if _plain(target) else name
    if "enum" in field:
        return " | ".join(repr(word) for word in field["enum"])
    parts = members_of(field)
    if parts:
        known = [notation(part, schemas) for part in parts if part != {"type": "null"}]
        return " | ".join(known) + "?" * (len(known) < len(parts))
    kinds = field.get("type", "any")
    if isinstance(kinds, list):
        known = [notation({**field, "type": kind}, schemas) for kind in kinds if kind != "null"]
        return " | ".join(known) + "?" * (len(known) < len(kinds))
    return f"[{notation(field.get('items', True), schemas)}]" if kinds == "array" else str(kinds)


def _plain(schema: Json) -> bool:
    return schema.get("type") in SCALARS and "enum" not in schema


# -- methods --------------------------------------------------------------------------------------------------------


def _methods(methods: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Methods that are compiled and have no rule, and rules of methods that are gone."""
    for table in MESSAGES:
        compiled, known, home = methods[table], tables.methods[table], tables.homes[table]
        for name in sorted(compiled.keys() - set(known)):
            yield f"The {_singular(table)} {name} has no rule. Its rule belongs in {home}."
        for name in sorted(set(known) - compiled.keys()):
            yield f"The {_singular(table)} {name} is gone from the contract. Take its rule out of {home}."


def _types(methods: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Methods whose params or result are a schema of which nothing is listed."""
    for table in MESSAGES:
        for name, parts in methods[table].items():
            for part, schema in parts.items():
                sent = table.startswith("client") == (part == "params")
                listed = tables.reading.sent if sent else tables.reading.read
                if name in tables.used[part] and schema not in listed:
                    yield (
                        f"The {_singular(table)} {name} has the {part} {schema} now, of which nothing is listed: "
                        f"[{'sent' if sent else 'read'}.{schema}] in {READ_FILE}."
                    )


def _others(others: Mapping[str, list[str]], tables: Tables) -> Iterator[str]:
    """Methods that are not compiled and have no reason, and reasons of methods that are gone."""
    for table in MESSAGES:
        patterns = tables.left_out[table]
        for name in others[table]:
            if not any(fnmatchcase(name, pattern) for pattern in patterns):
                yield (
                    f"The {_singular(table)} {name} is new. Compile it, or give the reason why it stays out: "
                    f"[{table}] and [left_out.{table}] in {METHODS_FILE}."
                )
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in others[table]):
                yield (
                    f"No {_singular(table)} is called {pattern} any more. "
                    f"Take it out of [left_out.{table}] in {METHODS_FILE}."
                )


def _singular(table: str) -> str:
    return table.removesuffix("s").replace("_", " ")


# -- kinds and words ------------------------------------------------------------------------------------------------


def _kinds(schemas: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Kinds of a union without a rule, and rules of kinds that are gone."""
    for union, known in tables.kinds.items():
        found = {tag for tag, _ in branches(schemas.get(union, {}))}
        yield from _compared("kind", union, found, known, tables)
    named = {key.partition(".")[0] for key in (*tables.reading.read, *tables.reading.sent) if "." in key}
    for union in sorted(named - tables.kinds.keys()):
        yield f"The kinds of {union} have no table, though members of them are listed in {READ_FILE}."


def _words(schemas: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Words of an enumeration without a rule, and rules of words that are gone."""
    for name, known in tables.words.items():
        schema = schemas.get(name, {})
        found = {word for part in members_of(schema) or [schema] for word in part.get("enum", ())}
        yield from _compared("word", name, found, known, tables)


def _compared(
    sort: str, owner: str, found: Collection[str], known: Collection[str], tables: Tables
) -> Iterator[str]:
    home = tables.homes[owner]
    for name in sorted(set(found) - set(known)):
        yield f"{owner} has the new {sort} {name}. Its rule belongs in {home}."
    for name in sorted(set(known) - set(found)):
        yield f"{owner} has the {sort} {name} no longer. Take its rule out of {home}."


# -- members --------------------------------------------------------------------------------------------------------


def _members(schemas: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Members that are new, gone or redefined, of every schema of which something is read or sent."""
    reading = tables.reading
    for listed in (reading.read, reading.sent):
        for key, members in listed.items():
            fields = _fields(key, schemas)
            if fields is None:
                yield _no_object(key, schemas)
                continue
            yield from _changed(key, members, fields, schemas)
            for member in sorted(fields.keys() - members.keys()):
                if f"{key}.{member}" not in tables.unread:
                    kind = notation(fields[member], schemas)
                    yield (
                        f"{key}.{member} is new ({kind}). If it is used, list it in {READ_FILE}; "
                        f"if not, give the reason in {tables.homes['unread']}."
                    )
    for key, members in reading.sent.items():
        for member in _required(key, schemas):
            if member not in members:
                yield f"{key}.{member} has to be sent. Send it, and list it in {READ_FILE}."
    yield from _stale(schemas, tables)


def _changed(
    key: str, members: Mapping[str, str], fields: Mapping[str, Json], schemas: Mapping[str, Json]
) -> Iterator[str]:
    for member, kind in members.items():
        if member not in fields:
            yield f"{key}.{member} is gone. Take it out of {READ_FILE}, and correct its readers."
            continue
        found = notation(fields[member], schemas)
        if found != kind:
            yield (
                f"{key}.{member} was {kind} and is {found} now. "
                f"Correct its readers, then its type in {READ_FILE}."
            )


def _stale(schemas: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Reasons for members that are gone, or that are used by now."""
    used = {
        f"{key}.{member}"
        for listed in (tables.reading.read, tables.reading.sent)
        for key, members in listed.items()
        for member in members
    }
    for path in tables.unread:
        key, _, member = path.rpartition(".")
        fields = _fields(key, schemas)
        if path in used:
            yield f"{path} is listed in {READ_FILE}, and has a reason for not being used: {tables.homes['unread']}."
        elif fields is not None and member not in fields:
            yield f"{path} is gone. Take it out of {tables.homes['unread']}."


def _fields(key: str, schemas: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The members of an object or of a branch, without its tag; None where there is no such object."""
    name, _, label = key.partition(".")
    schema = schemas.get(name, {})
    if not label:
        return schema["properties"] if "properties" in schema and not members_of(schema) else None
    found = dict(branches(schema)).get(label)
    return None if found is None else {n: f for n, f in found["properties"].items() if n != tag_of(schema)}


def _required(key: str, schemas: Mapping[str, Json]) -> list[str]:
    """The members that an object or a branch has to have, without its tag."""
    name, _, label = key.partition(".")
    schema = schemas.get(name, {})
    found = dict(branches(schema)).get(label, {}) if label else schema
    return [member for member in found.get("required", ()) if not label or member != tag_of(schema)]


def _no_object(key: str, schemas: Mapping[str, Json]) -> str:
    name, _, label = key.partition(".")
    schema = schemas.get(name)
    kinds = [f"{name}.{tag}" for tag, _ in branches(schema)] if schema is not None else []
    if schema is None:
        found = f"The schema {name} is gone."
    elif label and not kinds:
        found = f"{name} is no union any more: its members are {', '.join(schema.get('properties', {})) or 'unknown'}."
    elif label:
        found = f"{name} has the kind {label} no longer."
    else:
        found = f"{name} is a union now: {', '.join(kinds) or notation(schema, schemas)}."
    return f"{found} Correct the readers of {key}, then its lines in {READ_FILE}."


def _unlisted(schemas: Mapping[str, Json], tables: Tables) -> Iterator[str]:
    """Members that are read and hold a schema of which nothing is known."""
    read = tables.reading.read
    known = {key.partition(".")[0] for key in read} | tables.kinds.keys() | tables.words.keys()
    for key in read:
        fields = _fields(key, schemas) or {}
        for member in read[key].keys() & fields.keys():
            name = notation(fields[member], schemas).strip("[]?")
            if name in schemas and name not in known and name not in tables.reading.present:
                yield (
                    f"{key}.{member} holds {name}, of which nothing is listed: "
                    f"[read.{name}] in {READ_FILE}, or a table of its kinds or words."
                )
