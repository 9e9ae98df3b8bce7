"""The name in a call means one offered tool, or stays as the model wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wireloom.translate.answer.tool_names import (
    LEAKS,
    LONGEST,
    SPELLINGS,
    Leak,
    Spelling,
    name_in_id,
    resolve,
)
from wireloom.translate.tools.base import Target, Tools


def offering(*names: str, native: tuple[str, ...] = ()) -> Tools:
    """Tools by their flat names; what stands before the first dash is a namespace."""
    tools = Tools(native=set(native))
    for flat in names:
        namespace, joint, name = flat.partition("-")
        tools.by_flat_name[flat] = Target(name, namespace) if joint else Target(flat)
    return tools


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_each_leak_is_taken_off_its_example(leak: Leak) -> None:
    resolved = resolve(offering("exec_command", "mcp__tiny-add"), leak.example)
    assert resolved.flat_name == "exec_command"
    assert resolved.note.endswith("was read as exec_command")


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
def test_each_spelling_means_its_tool(spelling: Spelling) -> None:
    tools = offering(spelling.offered, "other-tool", "another")
    assert resolve(tools, spelling.example).flat_name == spelling.offered


@pytest.mark.parametrize(
    ("offered", "written"),
    [
        (("one-add", "two-add"), "add"),
        (("exec_command", "exec-command"), "Exec_Command"),
        (("exec_command", "execCommand"), "EXEC_COMMAND"),
        (("functions-exec_command", "exec_command"), "functions.exec_command"),
        (("a_b-c", "a-b_c"), "a.b.c"),
    ],
)
def test_a_name_that_could_mean_two_tools_stays(offered: tuple[str, ...], written: str) -> None:
    resolved = resolve(offering(*offered), written)
    assert resolved.flat_name == written
    assert "could mean 2 offered tools" in resolved.note


@pytest.mark.parametrize("written", ["delete", "", "<|call|>", "functions.", "_", "exec_command" * LONGEST])
def test_a_name_that_means_no_tool_stays(written: str) -> None:
    resolved = resolve(offering("exec_command"), written)
    assert resolved.flat_name == written
    assert "means no tool" in resolved.note


@pytest.mark.parametrize("name", ["add", "exec_command", "functions.add", "add:0", "mcp__a__b", "add_tool"])
def test_an_exact_name_always_means_its_tool(name: str) -> None:
    tools = offering("add", "exec_command", "x-add")
    tools.by_flat_name[name] = Target(name)
    assert resolve(tools, name) == type(resolve(tools, name))(name)


def test_a_tool_that_the_upstream_has_itself_is_meant_before_any_spelling() -> None:
    tools = offering("tiny-exec", native=("exec", "run"))
    assert resolve(tools, "exec").flat_name == "exec"
    assert resolve(tools, "functions.run").flat_name == "run"
    assert resolve(tools, "Exec").flat_name == "Exec"


def test_nothing_is_read_where_no_tool_is_offered() -> None:
    assert resolve(Tools(), "functions.f").note == ""


def test_a_long_name_is_shortened_in_the_log() -> None:
    assert len(resolve(offering("f"), "x" * 5000).note) < 200


@pytest.mark.parametrize(
    ("call_id", "name"),
    [("functions.exec_command:0", "exec_command"), ("functions.other:0", None), ("call_1", None), ("", None)],
)
def test_an_id_of_kimi_names_its_tool(call_id: str, name: str | None) -> None:
    assert name_in_id(offering("exec_command"), call_id) == name


@given(st.text(max_size=80))
def test_any_name_means_an_offered_tool_or_itself(name: str) -> None:
    tools = offering("exec_command", "mcp__tiny-add")
    assert resolve(tools, name).flat_name in {*tools.by_flat_name, name}
