"""What the types of the `openai` package have and a contract lacks, as an overlay for the contract."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from codegen.contract_view import TAGS, UNIONS, Alternative, Contract, Path, kinds, name, words

Json = Any

TYPE = "#/types/"


class Form(NamedTuple):
    """One form of a value of the package: a schema without unions, and its class if it is an object."""

    schema: Json
    type: str | None


class Package:
    """The types of the package: `codegen.sdk_types.facts`."""

    def __init__(self, facts: Json) -> None:
        self.types: Mapping[str, Json] = facts["types"]

    def forms(self, schema: Json, of: str | None = None) -> list[Form]:
        """The forms of a value: references followed, unions spread out."""
        if "$ref" in schema:
            target = schema["$ref"].removeprefix(TYPE)
            return self.forms(self.types[target], target)
        if "anyOf" in schema:
            return [form for branch in schema["anyOf"] for form in self.forms(branch)]
        return [Form(schema, of)]

    def tag(self, form: Form) -> tuple[str, frozenset[str]] | None:
        """The property that tells the kind of an object, with its words."""
        for tag in TAGS:
            forms = self.forms(form.schema.get("properties", {}).get(tag, {}))
            if listed := [word for one in forms for word in words(one.schema)]:
                return tag, frozenset(listed)
        return None


@dataclass
class Lacking:
    """What the contract lacks, by the place where it belongs. Schemas are the package's."""

    fields: dict[Path, dict[str, Json]] = field(default_factory=dict)
    words: dict[Path, list[str]] = field(default_factory=dict)
    members: dict[Path, list[str]] = field(default_factory=dict)
    homeless: list[tuple[str, str]] = field(default_factory=list)
    """Places to which no overlay action can add by itself, with the kind of value that the package has there besides."""
    same: dict[str, str] = field(default_factory=dict)
    """Type of the package -> the schema of the contract that stands for it."""


class Known(NamedTuple):
    """What a walk found in a contract, and what it missed there, in the package's names."""

    found: set[str]
    missed: set[str]

    def has(self, what: str) -> bool:
        """Whether the contract has it wherever it was looked for."""
        return what in self.found and what not in self.missed


class Step(NamedTuple):
    """Two schemas to be compared; `place` names the one of the package."""

    schema: Json
    path: Path
    place: str


class Comparison:
    """A walk through types of the package and schemas of the contract side by side."""

    def __init__(
        self,
        contract: Contract,
        package: Package,
        left_out: Mapping[str, str],
        published: Known | None = None,
    ) -> None:
        """Prepare the walk.

        Args:
            contract: the document without what the package adds.
            package: the types to compare it with.
            left_out: pattern of names -> why what it matches is not taken over.
            published: what the published document has: the contract lacks that on purpose.
        """
        self.contract, self.package, self.left_out = contract, package, left_out
        self.published = published or Known(set(), set())
        self.lacking = Lacking()
        self.known = Known(set(), set())
        self.used: set[str] = set()
        self._pending: deque[Step] = deque()
        self._seen: set[tuple[str, Path]] = set()
        self._taken: set[str] = set()

    def walk(self, roots: Iterable[tuple[Json, Path]]) -> None:
        """Note what values of the package may be or hold beyond the contract's schemas; what is near a root comes first."""
        self._pending += [Step(schema, path, name(path)) for schema, path in roots]
        while self._pending:
            step = self._pending.popleft()
            key = (repr(step.schema), step.path)
            if key not in self._seen:
                self._seen.add(key)
                self._compare(step)

    def _compare(self, step: Step) -> None:
        ours, theirs = self.contract.alternatives(step.path), self.package.forms(step.schema)
        if any(not self.contract.at(one.home) for one in ours):  # anything is allowed
            return
        self._words(step, ours, theirs)
        self._objects(step, ours, theirs)
        self._kinds(step, ours, theirs)
        for form in theirs:
            for one in ours:
                if "items" in form.schema and "items" in self.contract.at(one.home):
                    self._pending.append(Step(form.schema["items"], (*one.home, "items"), f"{step.place}[]"))

    def _kinds(self, step: Step, ours: list[Alternative], theirs: list[Form]) -> None:
        """Note a JSON type that only the package allows; null aside, since the package has it for what may be missing."""
        known = {kind for one in ours for part in one.parts for kind in kinds(self.contract.at(part))}
        known |= {"integer"} if "number" in known else set()
        for kind in (kind for form in theirs for kind in kinds(form.schema)):
            place = name(step.path)
            if kind != "null" and self._is_new(
                f"{step.place} as {kind}", kind in known, f"{place} as {kind}"
            ):
                self.lacking.homeless.append((place, kind))

    def _words(self, step: Step, ours: list[Alternative], theirs: list[Form]) -> None:
        strings = [one for one in ours if self.contract.at(one.home).get("type") == "string"]
        home = next((one.home for one in strings if "enum" in self.contract.at(one.home)), None)
        if home is None or any(not self.contract.words(one) for one in strings):
            return
        known = {word for one in ours for word in self.contract.words(one)}
        for word in (word for form in theirs for word in words(form.schema)):
            if self._is_new(f"{step.place} = {word}", word in known, f"{name(home)} = {word}"):
                self.lacking.words.setdefault((*home, "enum"), []).append(word)

    def _objects(self, step: Step, ours: list[Alternative], theirs: list[Form]) -> None:
        objects = [one for one in ours if self.contract.fields(one)]
        for form in theirs:
            if not objects or "properties" not in form.schema:
                continue
            matches = self._matches(objects, form)
            home = self.contract.union(step.path) or step.path
            tag = self.package.tag(form) or ("", frozenset())
            kind = "/".join(sorted(tag[1])) or component(form)
            if matches:
                self._fields(matches, form, form.type or step.place)
            if self._is_new(f"{step.place} = {kind}", bool(matches), f"{name(home)} = {kind}"):
                self._member(home, form)

    def _matches(self, objects: list[Alternative], form: Form) -> list[Alternative]:
        """The objects of the contract that a type stands for, the most similar first."""
        tag = self.package.tag(form)
        if tag is not None and any(self.contract.tag(one) for one in objects):
            tags = [self.contract.tag(one) or ("", frozenset()) for one in objects]
            pairs = zip(objects, tags, strict=True)
            objects = [one for one, own in pairs if own[0] == tag[0] and own[1] & tag[1]]
        theirs = form.schema["properties"].keys()
        return sorted(objects, key=lambda one: -len(theirs & self.contract.fields(one).keys()))

    def _fields(self, matches: list[Alternative], form: Form, place: str) -> None:
        home = matches[0].home
        if form.type is not None and len(home) == 1:
            self.lacking.same.setdefault(form.type, str(home[0]))
        known = {key: path for one in reversed(matches) for key, path in self.contract.fields(one).items()}
        for key, schema in form.schema["properties"].items():
            if key in known:
                self._pending.append(Step(schema, known[key], f"{place}.{key}"))
            taken = any(
                key in self.lacking.fields.get((*part, "properties"), {}) for part in matches[0].parts
            )
            if self._is_new(f"{place}.{key}", taken or key in known, f"{name(home)}.{key}"):
                self.lacking.fields.setdefault((*home, "properties"), {}).setdefault(key, schema)

    def _member(self, home: Path, form: Form) -> None:
        if home[-1] not in UNIONS or form.type is None:
            self.lacking.homeless.append((name(home), component(form)))
        else:
            self.lacking.members.setdefault(home, []).append(form.type)

    def _is_new(self, theirs: str, known: bool, ours: str) -> bool:
        """Whether something of the package is to be taken over; each thing is, at most once.

        Args:
            theirs: its name in the package.
            known: whether the contract has it.
            ours: its name in the contract, where it has it or lacks it.
        """
        (self.known.found if known else self.known.missed).add(theirs)
        if known or ours in self._taken or self.published.has(theirs):
            return False
        if self.leaves_out(ours):
            return False
        self._taken.add(ours)
        return True

    def leaves_out(self, what: str) -> bool:
        """Whether something is not to be taken over; the patterns that match are noted as used."""
        matching = [pattern for pattern in self.left_out if fnmatchcase(what, pattern)]
        self.used.update(matching)
        return bool(matching)


def component(form: Form) -> str:
    """The schema name of a type: its class, with its module in front unless the class begins with that.

    `responses.response_steer_input.ResponseSteerInput` stays ResponseSteerInput; `responses.response.Image` becomes
    ResponseImage.
    """
    *_, module, cls = ["", *(form.type or "an object without a class").split(".")]
    camel = re.sub("(Param)+", "Param", "".join(word.capitalize() for word in module.split("_")))
    return cls if cls.casefold().startswith(camel.casefold()) else camel + cls
