"""The page about the contract as a product: its documents, how they differ, what a release has of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from codegen import flatten

Table = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]

FORMS = (
    (
        "`/openapi.json`",
        "OpenAPI 3.2",
        "reading (`/docs`, `/redoc`), testing ([wireloom check](checking.md))",
    ),
    ("`/openapi-3.1.json`", "OpenAPI 3.1, flattened", "generating clients ([what works](sdks.md))"),
)
FILES = (
    ("`openapi.json`, `openapi-3.1.json`", "both forms"),
    (
        "`schemas.zip`",
        "a JSON Schema (2020-12) per event and item, each with all that it refers to, such as "
        "`schemas/events/response.output_text.delta.json`; items stand under `input-items`, `output-items` and "
        "`stored-items`",
    ),
    ("`contract-changes.md`", "the changes since the release before"),
)
BREAKS, HARMLESS = "breaks", "does not break"
CHANGES = (
    ("a member, a value or a kind is added", "breaks if the member is required", HARMLESS),
    ("a member is removed", BREAKS, BREAKS),
    ("a value or a kind is removed", BREAKS, HARMLESS),
    ("a member becomes required", BREAKS, HARMLESS),
    ("a member becomes optional, or may be null", HARMLESS, BREAKS),
    ("a type or a bound becomes narrower", BREAKS, HARMLESS),
    ("a type becomes wider", HARMLESS, BREAKS),
    ("an operation, a parameter or a media type is removed", BREAKS, BREAKS),
)


def page(table: Table) -> str:
    """The page.

    Args:
        table: writes a table from a head and rows.
    """

    def rows(head: tuple[str, ...], found: Iterable[tuple[str, ...]]) -> str:
        return table(head, iter(found))

    return "".join(
        [
            INTRODUCTION,
            rows(("path", "form", "for"), FORMS),
            DIFFERENCES,
            rows(("difference", "values that only `/openapi-3.1.json` accepts"), _differences()),
            RELEASES,
            rows(("file", "content"), FILES),
            COMPARISON,
            rows(("change", "in requests", "in responses"), CHANGES),
            CHECKS,
        ]
    )


def _differences() -> Iterator[tuple[str, ...]]:
    statuses = ", ".join(status for group in flatten.STATUSES.values() for status in group)
    yield "The version of OpenAPI is 3.1.0.", "none"
    yield f"A range of statuses is a list of statuses: {statuses}.", "none"
    yield "A stream of events has the `schema` of the JSON in an event, in place of an `itemSchema`.", "none"
    yield "An example of a whole stream is left out.", "none"
    for rule in flatten.RULES:
        yield rule.does, rule.wider or "none"


INTRODUCTION = """\
# The contract

A gateway serves its contract in two forms. Neither needs a key, and both are byte for byte what the release was built from.

"""
DIFFERENCES = """
`info.version` is the release. Every operation, schema, parameter and response header has a description. Every operation
has examples, and a test sends them to a gateway with the demo backend. Nested schemas have titles, so that generators
name types by their place and not by a number. The same contract compiled to Python is `wireloom_protocol`:
[protocol.md](protocol.md).

## The differences between the forms

The flattened form accepts every request that the contract accepts; tests compare both on generated requests. The
gateway refuses the few requests that only the flattened form accepts.

"""
RELEASES = """
## The files of a release

`nox -s publish -- DIR --since TAG` writes the files, and [github-release.yaml](../deploy/github-release.yaml) attaches
them to a release:

"""
COMPARISON = """
The schemas are not in the repository: they follow from the contract, and each repeats the parts that it shares with
others.

## The changes between releases

`nox -s contract_diff -- TAG` prints the changes since the contract of a tag, a commit or a file: what breaks, and what
is removed, added or different otherwise. A change breaks if a client that was right before can fail after it:

"""
CHECKS = """
So clients have to tolerate members, values, kinds of items and kinds of events that they do not know.

## The checks of the contract

`nox -s generate` compiles nothing as long as the contract holds one of these: an unknown keyword, a default that its
own schema rejects, a required member without a definition, a union of one branch, a reference to nothing, a description
without a schema, a sentence that YAML reads as a key. It prints the place and the remedy of each.

Overlays of yours are held to the same rules, and compiled into a package of your own: [protocol.md](protocol.md).

`nox -s lint_contract` holds both forms to openapi-spec-validator, redocly's recommended rules and spectral's rules for
OpenAPI; exceptions stand in `tests/contract/lint/` with their reasons.
"""
