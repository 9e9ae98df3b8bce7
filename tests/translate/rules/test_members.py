"""Every member of what is translated is carried or left out for a reason."""

from typing import Any

from pydantic import BaseModel
from wireloom_protocol import responses as m

from tests.support import contract
from wireloom.translate.chat_upstream.items import ITEMS
from wireloom.translate.conversation.parts import PARTS
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.rules.members import LEFT_OUT
from wireloom.translate.tools.table import CARRIED, TOOLS

TABLES: dict[str, Rule[Any]] = {**ITEMS, **PARTS, **TOOLS}
MODELS = {
    tag: model
    for union in (m.InputItem, m.MessageContentParam, m.Tool)
    for model in contract.members(union)
    for tag in contract.types(model)
    if tag in TABLES and TABLES[tag].how is not How.REFUSED  # `codegen.review` reports a tag without a rule
}


def wire_names(model: type[BaseModel]) -> set[str]:
    """The members' names in JSON, where a word of Python may be one."""
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_table_is_that_of_the_contract() -> None:
    assert sorted(CARRIED.keys() ^ MODELS.keys()) == []


def test_each_member_has_its_line() -> None:
    known = {tag: wire_names(model) for tag, model in MODELS.items()}
    assert {tag: sorted(CARRIED[tag] - names) for tag, names in known.items() if CARRIED[tag] - names} == {}
    missing = {tag: sorted(names - CARRIED[tag] - LEFT_OUT.keys()) for tag, names in known.items()}
    assert {tag: names for tag, names in missing.items() if names} == {}


def test_no_reason_stands_for_nothing() -> None:
    left = {name for tag, model in MODELS.items() for name in wire_names(model) - CARRIED[tag]}
    assert sorted(LEFT_OUT.keys() - left) == []
