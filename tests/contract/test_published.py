"""The published document against all that was decided about it: nothing new is silent, and each edit gives a sentence."""

from __future__ import annotations

import re

import pytest

from codegen import review
from tests.support.contract_edits import CHAT, RESPONSES, Edit, edited
from tests.support.rule_tables import MEMBERS, ROOT, TABLES

pytestmark = pytest.mark.contract

CONTRACT = review.load()
FILE = re.compile(r"(?:src|openapi)/[\w./-]+\.(?:py|toml|yaml)")


def reviewed(contract: review.Contract) -> list[str]:
    return review.review(contract, TABLES, MEMBERS)


def test_nothing_of_the_published_document_is_undecided() -> None:
    assert "\n".join(reviewed(CONTRACT)) == ""


@pytest.mark.parametrize("edit", [*RESPONSES, *CHAT], ids=lambda edit: edit.title)
def test_an_edit_is_reported_by_its_name_and_the_file_of_its_rule(edit: Edit) -> None:
    sentences = reviewed(edited(CONTRACT, edit))
    text = "\n".join(sentences)
    assert [name for name in edit.names if f"`{name}`" not in text] == [], text
    assert [file for file in edit.files if file not in text] == [], text
    for sentence in sentences:
        assert re.fullmatch(r"[A-Z`].+\.", sentence)
        assert all((ROOT / file).exists() for file in FILE.findall(sentence)), sentence
        assert FILE.search(sentence) or "codegen.review --write" in sentence, sentence
