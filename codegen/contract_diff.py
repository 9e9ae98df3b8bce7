"""What one contract changes of another: added, removed, breaking; by direction, because a request is written by clients.

A change breaks if a client that was right before can fail after it. Clients have to tolerate members, words and kinds
that they do not know in what they receive, so a response that gains one of these breaks nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codegen import flatten, select
from codegen.schema_diff import REQUEST, RESPONSE, Change, Comparison, needed

Json = Any

ROOT = Path(__file__).parent.parent
CONTRACT = "generated/wireloom_protocol/contract.json"
SECTIONS = ("breaking", "removed", "added", "changed")


def diff(old: Json, new: Json) -> list[Change]:
    """Compare two contracts.

    Args:
        old: an OpenAPI document as it is served; not changed.
        new: the document that takes its place; not changed.
    """
    before, after = flatten.merged(old), flatten.merged(new)
    comparison = Comparison(before["components"]["schemas"], after["components"]["schemas"])
    found = [*_operations(before, after, comparison), *_conditions(old, new)]
    return list(dict.fromkeys(found))


def _operations(old: Json, new: Json, comparison: Comparison) -> Iterator[Change]:
    before, after = (
        {(method.upper(), path): operation for path, method, operation in select.operations(document)}
        for document in (old, new)
    )
    for key in sorted(before.keys() - after.keys()):
        yield Change("removed", " ".join(key), "the operation is gone", breaking=True)
    for key in sorted(after.keys() - before.keys()):
        yield Change("added", " ".join(key), "a new operation")
    for key in sorted(before.keys() & after.keys()):
        place, was, now = " ".join(key), before[key], after[key]
        yield from _parameters(place, was, now, comparison)
        yield from _body(place, was, now)
        yield from _contents(place, _bodies(was), _bodies(now), REQUEST, comparison)
        yield from _contents(place, _answers(was, old), _answers(now, new), RESPONSE, comparison)


def _parameters(place: str, old: Json, new: Json, comparison: Comparison) -> Iterator[Change]:
    before, after = (
        {parameter["name"]: parameter for parameter in operation.get("parameters", [])}
        for operation in (old, new)
    )
    for name in sorted(before.keys() - after.keys()):
        yield Change("removed", place, f"the parameter `{name}` is gone", breaking=True)
    for name in sorted(after.keys() - before.keys()):
        must = after[name].get("required", False)
        yield Change("added", place, f"a new {needed(must)} parameter `{name}`", breaking=must)
    for name in sorted(before.keys() & after.keys()):
        was, now = (parameter.get("required", False) for parameter in (before[name], after[name]))
        if was != now:
            yield Change("changed", place, f"the parameter `{name}` is {needed(now)} now", breaking=now)
        yield from comparison.schemas(
            f"{place} `{name}`", before[name]["schema"], after[name]["schema"], REQUEST
        )


def _body(place: str, old: Json, new: Json) -> Iterator[Change]:
    """Whether a request may lack its body."""
    was, now = (operation.get("requestBody", {}).get("required", False) for operation in (old, new))
    if was != now:
        yield Change("changed", place, f"the body is {needed(now)} now", breaking=now)


def _bodies(operation: Json) -> dict[str, Json]:
    """Media type -> schema of the request."""
    content = operation.get("requestBody", {}).get("content", {})
    return {media: node["schema"] for media, node in content.items()}


def _answers(operation: Json, document: Json) -> dict[str, Json]:
    """Status and media type -> schema of an answer or of the payload of an event."""
    found: dict[str, Json] = {}
    for status, response in operation["responses"].items():
        named = response.get("$ref", "").rsplit("/", 1)[-1]
        whole = document["components"]["responses"][named] if named else response
        for media, node in whole.get("content", {}).items():
            schema = flatten.payload(node["itemSchema"]) if "itemSchema" in node else node["schema"]
            found[f"{status} {media}"] = schema
    return found


def _contents(
    place: str, old: dict[str, Json], new: dict[str, Json], direction: str, comparison: Comparison
) -> Iterator[Change]:
    for key in sorted(old.keys() - new.keys()):
        yield Change("removed", place, f"the {direction} {key} is gone", breaking=True)
    for key in sorted(new.keys() - old.keys()):
        yield Change("added", place, f"a new {direction} {key}")
    for key in sorted(old.keys() & new.keys()):
        yield from comparison.schemas(place, old[key], new[key], direction)


def _conditions(old: Json, new: Json) -> Iterator[Change]:
    """The conditions of an allOf, which are compared as they are."""
    before, after = (flatten.conditions(document) for document in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Change("changed", name, "the conditions on the whole differ", breaking=name in after)


# -- the command -----------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    """Print what the contract of this checkout changes of an older one, as Markdown."""
    parser = argparse.ArgumentParser(prog="nox -s contract_diff --")
    parser.add_argument("old", help="a contract (openapi.json), or a tag, branch or commit that has one")
    parser.add_argument(
        "new", nargs="?", default=str(ROOT / CONTRACT), help="by default that of this checkout"
    )
    given = parser.parse_args(argv)
    print(changelog(*(load(source) for source in (given.old, given.new))))
    return 0


def load(source: str) -> Json:
    """Read a contract from a file or from a revision of this repository.

    Raises:
        SystemExit: neither a file nor a revision with a contract.
    """
    if Path(source).is_file():
        return json.loads(Path(source).read_text())
    command = ["git", "show", f"{source}:{CONTRACT}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{source}: neither a file nor a revision with {CONTRACT}. Name one of them.")
    return json.loads(done.stdout)


def changelog(old: Json, new: Json) -> str:
    """The changes from one contract to another as Markdown, the breaking ones first."""
    found = diff(old, new)
    versions = [document["info"]["version"] for document in (old, new)]
    lines = [f"# The contract, from {versions[0]} to {versions[1]}"]
    for section in SECTIONS:
        members = [change for change in found if section == ("breaking" if change.breaking else change.kind)]
        if members:
            lines += ["", f"## {section.capitalize()}", ""]
            lines += sorted(f"- `{change.place}`: {change.what}" for change in members)
    return "\n".join(lines if found else [*lines, "", "Nothing changes."])


if __name__ == "__main__":
    sys.exit(main())
