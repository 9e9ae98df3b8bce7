"""A whole call is read as one of the offered tools with the arguments that it takes."""

import json

import pytest

from tests.support.meant_calls import ARGUMENTS, BODY, CLEAN, NAMES, TOOLS, UNREPAIRED, Written
from tests.support.tools import offered
from wireloom.translate.answer.meant_call import meant, valid

TOOLSET, _ = offered(*TOOLS)


@pytest.mark.parametrize("written", [*NAMES, *ARGUMENTS, *UNREPAIRED, *CLEAN], ids=lambda each: each.case)
def test_a_call_is_read_as_it_is_meant(written: Written) -> None:
    if "snapshots" in written.case:
        return  # only fragments show them
    arguments = "".join(each if isinstance(each, str) else json.dumps(each) for each in written.arguments)
    read = meant(TOOLSET, written.name, arguments)
    tool = TOOLSET.restore(read.flat_name)
    namespace, name, wanted = written.meant
    assert (tool.namespace, tool.name) == (namespace, name)
    assert read.arguments == wanted or json.loads(read.arguments) == json.loads(wanted)
    assert bool(read.notes) is written.told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (json.dumps({"input": BODY}), False),
        (BODY, True),
        (json.dumps({"command": ["apply_patch", BODY]}), True),
        (json.dumps(["bash", "-lc", f"apply_patch <<'EOF'\n{BODY}\nEOF"]), True),
        (f"```\n{BODY}\n```", True),
        (json.dumps({"input": f"```\n{BODY}\n```"}), True),
    ],
)
def test_a_custom_tool_gets_its_input(arguments: str, told: bool) -> None:
    read = meant(TOOLSET, "functions.apply_patch", arguments)
    assert json.loads(read.arguments) == {"input": BODY}
    assert len(read.notes) == 1 + told
    assert valid(TOOLSET, read.flat_name, read.arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("exec_command", '{"cmd":"ls"}', True),
        ("exec_command", '{"cmd":"ls","tty":false}', True),
        ("exec_command", '{"cmd":1}', False),
        ("exec_command", "{}", False),
        ("exec_command", '{"cmd":"ls","dir":"a"}', False),
        ("exec_command", '"ls"', False),
        ("exec_command", "no JSON", False),
        ("mcp__tiny-add", "{}", True),
        ("mcp__tiny.add", "{}", False),
        ("other", "{}", False),
        ("apply_patch", '{"input":"x"}', True),
        ("apply_patch", '{"patch":"x"}', False),
    ],
)
def test_a_call_is_valid_where_the_tool_takes_its_arguments(name: str, arguments: str, allowed: bool) -> None:
    assert valid(TOOLSET, name, arguments) is allowed


def test_a_tool_that_may_not_be_called_is_not_valid() -> None:
    tools, _ = offered(*TOOLS)
    tools.allowed = frozenset({"apply_patch"})
    assert not valid(tools, "exec_command", '{"cmd":"ls"}')
