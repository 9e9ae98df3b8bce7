"""The page about `wireloom_protocol` as a library: its modules, what is stable of it, examples that the tests run, costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.imports import RESULTS, Cost

FOLDER = Path(__file__).parent / "examples"
Table = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]
# Module -> what it holds. A test holds the keys equal to the package's public modules.
MODULES: Mapping[str, str] = {
    "responses": "pydantic models of requests, responses, items, tools and events: Responses, Conversations, Models, "
    "Operations",
    "chat": "pydantic models of Chat Completions",
    "requests": "`TypedDict`s of what clients send",
    "replies": "`TypedDict`s of what servers answer, events included",
    "hot": "msgspec structs of the deltas of a response, and of the chunks of a chat completion",
    "app_server": "pydantic models of the Codex app-server protocol",
    "rpc": "its methods: name, direction, types of params and result",
    "app_server_hot": "msgspec structs of its messages: of each the members that the gateway reads, all optional",
    "operations": "the served operations: a `Protocol` per tag for handlers, and a table of methods and paths",
    "routes": "FastAPI routers that call such handlers; `wireloom_runtime.operations` has the types of their answers",
}


def page(table: Table) -> str:
    """The page.

    Args:
        table: writes a table from a head and rows.
    """
    parts = [
        HEAD,
        table(("module", "what it holds"), ((f"`{name}`", about) for name, about in MODULES.items())),
        STABLE,
        READ,
        _file("read_events.py"),
        VALIDATE,
        _file("validate_items.py"),
        WRITE,
        _file("write_json.py"),
        APP_SERVER,
        _file("read_app_server.py"),
        OVERLAY,
        _file("acme.overlay.yaml"),
        OVERLAY_RULES,
        COSTS,
        table(("module", "import", "first use"), _costs()),
    ]
    return "".join(parts)


def _file(name: str) -> str:
    """A file of docs/examples as a block of code."""
    kind = "python" if name.endswith(".py") else "yaml"
    return f"```{kind}\n{(FOLDER / name).read_text()}```\n"


def _costs() -> Iterator[tuple[str, ...]]:
    found: dict[str, Cost] = json.loads(RESULTS.read_text())
    for name in MODULES:
        use = found[name]["use_ms"]
        yield f"`{name}`", f"{found[name]['import_ms']:.0f} ms", "" if use is None else f"{use:.0f} ms"


HEAD = """\
# `wireloom_protocol`, the contracts as a Python library

`pip install wireloom` brings the compiled contracts of OpenAI's Responses and Chat Completions APIs and of the Codex
app-server: typed, checked by mypy in strict mode, and independent of the gateway. Importing `wireloom_protocol` imports
neither the gateway nor any module of its own, and needs pydantic and msgspec alone; `routes` needs FastAPI as well.

Import the module that has what you need:

"""
STABLE = """
The modules of the HTTP APIs come from one contract ([contract.md](contract.md)), which the package has as `contract.json`
and `contract-3.1.json`; a schema has the same name in each of them. Where requests admit nulls that answers do not have,
requests have a schema of their own, `<Name>Input`, in the documents and in `requests`.

## What is public, and what is stable

- **Public** are these modules and the names in them without a leading underscore, `wireloom_protocol.__version__`,
  `wireloom_protocol.CODEX_VERSION`, and `Reply`, `EventStream` and `Edge` of `wireloom_runtime.operations`, which handlers
  and routers need. Modules with a leading underscore and the rest of `wireloom_runtime` are not.
- **The version is the release of wireloom**: `__version__` is the version of the package and `info.version` of the
  contract. `CODEX_VERSION` is the release of the Codex CLI whose app-server protocol is compiled. `manifest.json` has the
  digest of every input.
- **Names follow the published contracts.** A release may take newer ones; the changes are in its `contract-changes.md` and
  in the output of `nox -s contract_diff -- TAG` ([contract.md](contract.md)). Until 1.0 any release may rename a type, so
  pin the release.
- **Models keep unknown members** in `model_extra`, and write them again. The models of HTTP refuse an unknown member of a
  tagged union, such as a new kind of item or of event; those of the app-server read it as `UnknownMember`.
- **None stands for absence.** A member that may be left out and must not be null refuses null. A member that requests may
  send as null in place of leaving it out reads null and does not write it. Dump models with `by_alias=True,
  exclude_unset=True` to write exactly the members that were set.
"""
READ = """
## Read a stream of events

`ResponseStreamEvent` is the tagged union of all events. [read_events.py](examples/read_events.py) makes one of each line,
and `match` tells the type checker which members an event has:

```
curl -sN http://127.0.0.1:4444/v1/responses -H "authorization: Bearer $WIRELOOM_TOKEN" -H "content-type: application/json" \\
     -d '{"model": "demo", "input": "Hello", "stream": true}' | python docs/examples/read_events.py
```

"""
VALIDATE = """
A gateway's events keep to the contract. Another server may split an event over several lines, which
[recipes/events.py](recipes/events.py) reads, and may leave out members that the contract requires: its `ValidationError`
names them.

## Validate an item

`InputItem` is the tagged union of what a client may send, `OutputItem` of what a model answers, `ItemResource` of what is
stored. [validate_items.py](examples/validate_items.py) prints the faults of an item with their places:

"""
WRITE = """
## Write JSON without models

Validation costs time that code which writes its own JSON need not spend. The `TypedDict`s of `requests` and `replies` are
plain dicts, and the structs of `hot` are encoded by msgspec. mypy holds both to the contract:
[write_json.py](examples/write_json.py).

"""
APP_SERVER = """
## Speak with the Codex app-server

`rpc` has a row for each compiled method, such as `rpc.TURN_START`, and four tables by name: `CLIENT_REQUESTS`,
`CLIENT_NOTIFICATIONS`, `SERVER_REQUESTS` and `SERVER_NOTIFICATIONS`. A row has `method`, `direction`, `params` and, of a
request, `result`; `read_params`, `dump_params`, `read_result` and `dump_result` go from JSON to the types and back, and
mypy knows the types of each row. [read_app_server.py](examples/read_app_server.py):

"""
OVERLAY = """
## A contract of your own

A server may take or answer more than the contract has. Write an [OpenAPI Overlay](https://spec.openapis.org/overlay/v1.0.0)
that says so, and compile it into a package of your own from a checkout of this repository:

```
pip install -r requirements/generate.txt
python -m codegen.generate --overlay docs/examples/acme.overlay.yaml --out build/acme_protocol
```

"""
OVERLAY_RULES = """
`build/acme_protocol` is a package of the same modules, to be imported under the name that its folder has; it needs
`wireloom_runtime` of the same release, so install wireloom beside it. `generated/` stays as it is, and so does the
gateway, which runs on the package of its release.

- Your overlays are applied after the project's own ones, in the order in which they are given; `--overlay` may be repeated.
- `extends: openai.json` changes the HTTP contracts, `extends: app_server.json` those of the app-server.
- Each action has a `description` with its reason. An action that changes nothing is an error, with the file and the number
  of the action: its target is gone, or the contract has the change by now. So a newer release never drops a change in
  silence.
- Lists of members grow by `update`; members leave them by `x-remove: [NAME]`, and never by their position
  ([contract changes](contract-changes.md)).
- The result is held to the rules of the project's own contract ([contract.md](contract.md)): an unknown keyword or a
  description without a schema, for instance, is refused.
- Which operations there are follows from `openapi/operations.toml`, not from overlays.
- `--check` compares the folder with what the contracts compile to, for a pipeline.

"""
COSTS = """\
## What an import costs

CPU time of a fresh process without the interpreter's own start, the best of five. An import loads no other module of the
package, save that `rpc` loads the names of `app_server`; pydantic, FastAPI and the types are loaded at the first use. The
first use in the table validates a small message, or takes a router. `python -m benchmarks.imports --write` measures again.

"""
