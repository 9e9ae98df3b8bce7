"""The page on what becomes of each part of the contracts, written from the translators' own tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wireloom_protocol.operations import OPERATIONS

from wireloom.backends.codex import calls as app_server_calls
from wireloom.translate.chat_face import chunks as responses_to_chat_chunks
from wireloom.translate.chat_face import completion as responses_to_chat_completion
from wireloom.translate.chat_face import messages as chat_request_messages
from wireloom.translate.chat_face import request as chat_request
from wireloom.translate.chat_upstream import request as responses_to_chat
from wireloom.translate.chat_upstream import tool_choice
from wireloom.translate.chat_upstream.fields import CHUNK_FIELDS
from wireloom.translate.chat_upstream.items import ITEMS
from wireloom.translate.codex import answer_display, app_server_fields
from wireloom.translate.codex import app_server_reader as app_server_to_responses
from wireloom.translate.codex import app_server_request as responses_to_app_server
from wireloom.translate.codex import exec_reader as exec_to_responses
from wireloom.translate.codex import exec_request as responses_to_exec
from wireloom.translate.codex import server_requests as app_server_requests
from wireloom.translate.conversation.parts import PARTS
from wireloom.translate.hub.events import EMITTED, NEVER
from wireloom.translate.responses_upstream import item_writer
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.rules.members import LEFT_OUT
from wireloom.translate.tools import table as tools

Row = tuple[str, ...]
Table = Callable[[Row, Iterator[Row]], str]

PUBLISHED = Path(__file__).parents[1] / "openapi" / "openai.json"

HEAD = """\
# Conformance

What becomes of each part of the contracts: first of the Responses contract when a Chat Completions model answers, then of
the Chat contract when something else than a Chat server does, then of both when the local Codex CLI answers. These are the
tables that the translators work by, and tests hold them equal to the generated types: what is not here does not exist.

- **native**: the other protocol has the same.
- **emulated**: said in the other protocol's own means; the note says how.
- **ignored**: left out, because the answer has the right form without it. What weighs more than bookkeeping is reported
  in the header `x-wireloom-loss`, and refused under `--strict`.
- **refused**: the request fails with a 400 that names it.

What one upstream takes and another does not, its [profile](providers.md) says.

## What emulation means

- **A JSON schema** (`text.format`) goes to an upstream without `json_schema` as an instruction that holds the schema, with
  `json_object` where there is such a mode. Nothing enforces it: the header reports it, `--strict` refuses it.
- **Free-form tools** are functions with one string, `input`. A grammar stands in the description and is not enforced. The
  input is taken out of the JSON while it streams; a lone string under another name and bare text are understood too.
- **Namespaces** are functions named `<namespace>-<name>`, made to fit the upstream's characters and length with a hash, and
  given back with name and namespace.
- **`local_shell`, `shell`, `apply_patch` and `tool_search`** are functions. Their calls come back as items of their own
  kind; one whose arguments cannot be read comes as the function call that the model made.
- **Calls that another provider carried out** (a search, a run of code, an MCP call) are told as a call with its output.
- **Pictures that a tool returned** follow in a user message, since a Chat tool message holds text only.
- **Reasoning and a provider's own data** travel sealed in `encrypted_content` ([state.md](state.md#the-seal)).
- **A compaction** is a summary by the model, sealed.
"""


def page(table: Table) -> str:
    """The page.

    Args:
        table: renders a head and rows.
    """
    parts = [HEAD, "\n## Operations\n\n", table(("operation", "served"), _operations())]
    for title, rules in _RULES.items():
        parts += [f"\n## {title}\n\n", _counted(rules), table(("name", "how", "note"), _rules(rules))]
    parts += [
        "\n## Members of items, parts and tools that are left out\n\n",
        table(
            ("name", "how", "note"),
            ((f"`{k}`", "ignored", v) for k, v in sorted(LEFT_OUT.items()) if k != "type"),
        ),
        "\n## Events of a stream\n\n",
        table(("type", "how", "note"), _events()),
        "\n## What is read of a Chat answer\n\n",
        table(("member", "how", "note"), _chunks()),
    ]
    for section, words, tables in _SECTIONS:
        parts.append(f"\n# {section}\n\n{words}\n")
        for title, rules in tables.items():
            parts += [f"\n## {title}\n\n", _counted(rules), table(("name", "how", "note"), _rules(rules))]
    return "".join(parts)


_RULES: Mapping[str, Mapping[str, Rule[Any]]] = {
    "Fields of a request": responses_to_chat.FIELDS,
    "Formats of an answer": responses_to_chat.FORMATS,
    "Parts of an answer to include": responses_to_chat.INCLUDE,
    "Forms of `tool_choice`": tool_choice.CHOICES,
    "Items of the input": ITEMS,
    "Content parts": PARTS,
    "Tools": {kind: rule for kind, rule in tools.TOOLS.items() if kind != "unknown"},
}


def _noted(table: Mapping[str, tuple[How, str]]) -> Mapping[str, Rule[Any]]:
    return {name: Rule(how, None, note) for name, (how, note) in table.items()}


_CHAT_WORDS = """\
A Chat server as upstream (`chat`) gets a Chat request as it came, save what its profile does not take, and its answer goes
back as it came: no table applies. Before any other backend the request is said as one for a response, with these rules, and
then has those of that backend."""
_RESPONSES_WORDS = """\
`--upstream-wire responses`: the answer of an upstream whose profile is complete is passed on as it comes; of any other, this
is what becomes of its items."""
_APP_SERVER_WORDS = """\
`--backend app-server`: a thread of `codex app-server` for each request ([codex-backend.md](codex-backend.md))."""
_EXEC_WORDS = """\
`--backend exec`: a run of `codex exec` for each request. Its events and items have no published schema; these are those that
were recorded with CLI 0.169.0."""
_SECTIONS: tuple[tuple[str, str, Mapping[str, Mapping[str, Rule[Any]]]], ...] = (
    (
        "The Chat face",
        _CHAT_WORDS,
        {
            "Fields of a chat completion": chat_request.FIELDS,
            "Messages": chat_request_messages.MESSAGES,
            "Content parts of a user's message": chat_request_messages.PARTS,
            "Content parts of an assistant's message": chat_request_messages.SAID,
            "Calls in an assistant's message": chat_request_messages.CALLS,
            "Tools of a chat completion": chat_request.TOOLS,
            "Events of a response as chunks": responses_to_chat_chunks.EVENTS,
            "Output items in a completion": _noted(responses_to_chat_completion.OUTPUT),
            "Annotations in a completion": _noted(responses_to_chat_completion.ANNOTATIONS),
        },
    ),
    (
        "A Responses upstream",
        _RESPONSES_WORDS,
        {"Output items of an upstream": item_writer.OUTPUT},
    ),
    (
        "The Codex CLI by its app-server",
        _APP_SERVER_WORDS,
        {
            "Fields of a request to the app-server": responses_to_app_server.FIELDS,
            "Requests to the app-server": app_server_calls.METHODS,
            "Notifications of the app-server": app_server_to_responses.NOTIFICATIONS,
            "Raw items of a turn": app_server_to_responses.ITEMS,
            "Items of a thread": app_server_fields.THREAD_ITEMS,
            "Display of a message": answer_display.DISPLAYS,
            "What the app-server asks of its client": app_server_requests.REQUESTS,
            "Members of these messages that are not used": {
                path: Rule(How.IGNORED, None, reason) for path, reason in app_server_fields.UNUSED.items()
            },
        },
    ),
    (
        "The Codex CLI by `codex exec`",
        _EXEC_WORDS,
        {
            "Fields of a request to a run": responses_to_exec.FIELDS,
            "Events of a run": exec_to_responses.EVENTS,
            "Items of a run": exec_to_responses.ITEMS,
        },
    ),
)


def _rules(rules: Mapping[str, Rule[Any]]) -> Iterator[Row]:
    for name, rule in sorted(rules.items()):
        yield f"`{name}`", rule.how.value, rule.note


def _counted(rules: Mapping[str, Rule[Any]]) -> str:
    return _count(rule.how.value for rule in rules.values())


def _count(found: Iterable[str]) -> str:
    values = list(found)
    said = [f"{values.count(how.value)} {how.value}" for how in How if how.value in values]
    return f"{len(values)}: {', '.join(said)}.\n\n"


def _operations() -> Iterator[Row]:
    served = {(method, path) for method, path, _, _ in OPERATIONS}
    published = json.loads(PUBLISHED.read_text())["paths"]
    known = {(method.upper(), f"/v1{path}") for path, methods in published.items() for method in methods}
    for method, path in sorted(served | known, key=lambda at: (at[1], at[0])):
        yield f"`{method} {path}`", "yes" if (method, path) in served else "no"


def _events() -> Iterator[Row]:
    for kind in sorted(EMITTED.keys() | NEVER.keys()):
        yield f"`{kind}`", "native" if kind in EMITTED else "ignored", NEVER.get(kind, "")


def _chunks() -> Iterator[Row]:
    for schema, members in CHUNK_FIELDS.items():
        for name, treatment in members.items():
            how, _, note = treatment.partition(": ")
            yield f"`{schema}.{name}`", "native" if how == "mapped" else how, note
