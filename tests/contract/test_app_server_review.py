"""Whatever a newer CLI brings is named with the file where its rule belongs: no edit of the contract is silent."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from codegen import app_server, app_server_read, overlay, review_app_server
from codegen.review_app_server import READ_FILE, Tables
from tests.support.app_server_edits import EDITS, HOMES, Edit
from wireloom.backends.codex import calls as app_server_calls
from wireloom.translate.codex import answer_display, app_server_fields
from wireloom.translate.codex import app_server_reader as app_server_to_responses
from wireloom.translate.codex import errors as codex_errors
from wireloom.translate.codex import server_requests as app_server_requests
from wireloom.translate.rules.loss import How, Rule

Json = dict[str, Any]
OPENAPI = Path(__file__).parents[2] / "openapi"
KEPT = app_server.read_methods(OPENAPI / "app_server_methods.toml")
RULES: dict[str, Rule[Any]] = {
    **app_server_calls.METHODS,
    **app_server_requests.REQUESTS,
    **app_server_to_responses.NOTIFICATIONS,
}
TABLES = Tables(
    methods={
        "client_requests": app_server_calls.METHODS,
        "client_notifications": {"initialized"},
        "server_requests": app_server_requests.REQUESTS,
        "server_notifications": app_server_to_responses.NOTIFICATIONS,
    },
    used={
        "params": {name for name, rule in RULES.items() if rule.how is How.NATIVE},
        "result": {
            *(name for name, rule in app_server_calls.METHODS.items() if rule.apply and rule.apply.result),
            "item/tool/call",
        },
    },
    kinds={
        "ResponseItem": app_server_to_responses.ITEMS,
        "ThreadItem": app_server_fields.THREAD_ITEMS,
        "AgentMessageDisplay": answer_display.DISPLAYS,
        "AnswerReplacement": answer_display.REPLACEMENTS,
        "BlockReason": answer_display.REASONS,
        "CodexErrorInfo": codex_errors.DETAILED,
        **app_server_fields.SENT_KINDS,
    },
    words={
        "CodexErrorInfo": codex_errors.KINDS.keys() | {"other"},
        **app_server_fields.WORDS,
    },
    reading=app_server_read.load(OPENAPI / "app_server_read.toml"),
    left_out=KEPT.left_out,
    unread=app_server_fields.UNUSED,
    homes=HOMES,
)


def contract() -> Json:
    base = json.loads((OPENAPI / "app_server.json").read_text())
    corrected: Json = overlay.apply(base, overlay.load(OPENAPI / "overlays" / "app-server.overlay.yaml"))
    return corrected


BASE = contract()


def test_the_contract_has_a_rule_for_everything() -> None:
    assert review_app_server.review(BASE, TABLES) == []


def test_the_homes_are_there() -> None:
    for home in HOMES.values():
        files = [OPENAPI.parent / path for path in re.findall(r"\S+\.py", home)]
        text = "".join(path.read_text() for path in files)
        names = re.findall(r"\b(?:[A-Z_]{4,}|greet)\b", home)
        assert files
        assert names
        assert all(name in text for name in names), home


@pytest.mark.parametrize(("edit", "sentences"), EDITS.values(), ids=EDITS)
def test_an_edit_is_read_as_sentences(edit: Edit, sentences: list[str]) -> None:
    base = copy.deepcopy(BASE)
    edit(base)
    assert review_app_server.review(base, TABLES) == sentences
    assert all(
        (sentence.endswith(".") and ".toml" in sentence) or ".py" in sentence for sentence in sentences
    )


def test_an_edited_contract_compiles() -> None:
    """News is reported by the review, and never stops the compiler of the structs."""
    for edit, _ in EDITS.values():
        base = copy.deepcopy(BASE)
        edit(base)
        assert app_server_read.document(base, TABLES.reading)["components"]["schemas"]


def test_a_reason_for_what_is_used_is_noticed() -> None:
    tables = Tables(**{**vars(TABLES), "unread": {**TABLES.unread, "Turn.id": "why not"}})
    assert review_app_server.review(BASE, tables) == [
        f"Turn.id is listed in {READ_FILE}, and has a reason for not being used: {HOMES['unread']}."
    ]


def test_a_union_without_a_table_is_noticed() -> None:
    kinds = {name: known for name, known in TABLES.kinds.items() if name != "ThreadItem"}
    assert review_app_server.review(BASE, Tables(**{**vars(TABLES), "kinds": kinds})) == [
        f"The kinds of ThreadItem have no table, though members of them are listed in {READ_FILE}."
    ]


def test_the_tables_give_reasons() -> None:
    assert all(app_server_fields.UNUSED.values())
    assert all(rule.note for rule in app_server_fields.THREAD_ITEMS.values())
    assert all(reason for rows in KEPT.left_out.values() for reason in rows.values())
    families = [pattern for rows in KEPT.left_out.values() for pattern in rows if "*" in pattern]
    assert [pattern for pattern in families if pattern.startswith(("turn/", "item/", "rawResponse"))] == []
