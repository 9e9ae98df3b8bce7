"""Arguments that are not one object are read as the one that is meant; all others stay byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cuts
from tests.support.meant_calls import ARGUMENTS, CLEAN, CMD, EXEC, UNREPAIRED, Written
from wireloom.translate.answer.argument_stream import ArgumentStream
from wireloom.translate.answer.arguments import LONGEST_LITERAL, REPAIRS, Repair, read_arguments

SCHEMA = EXEC["parameters"]


def streamed(fragments: list[str], schema: Any = SCHEMA, **options: Any) -> tuple[list[str], ArgumentStream]:
    """What is passed on at each fragment, and at the end."""
    reader = ArgumentStream(schema, **options)
    passed = [reader.feed(fragment) for fragment in fragments if fragment]
    return [*passed, reader.close()], reader


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.name)
def test_each_repair_reads_its_example(repair: Repair) -> None:
    reading = read_arguments(repair.example, None)
    assert reading is not None
    assert reading.note == repair.name
    assert json.loads(reading.text) == reading.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("  \n", {}),
        ("NULL", {}),
        ('"null"', {}),
        ('""', {}),
        ("undefined", {}),
        ("<|message|>{}<|call|>", {}),
        ("<tool_call>" + CMD + "</tool_call>", {"cmd": "ls"}),
        ("```\n" + CMD + "```", {"cmd": "ls"}),
        ("```json\r\n" + CMD + "\r\n```<|im_end|>", {"cmd": "ls"}),
        (json.dumps("```json\n" + CMD + "\n```"), {"cmd": "ls"}),
        (json.dumps(CMD + CMD), {"cmd": "ls"}),
        ('{"cmd":"ls","tty":true,}', {"cmd": "ls", "tty": True}),
        ('{"cmd":"a,}b",}', {"cmd": "a,}b"}),
        ('{"cmd":"a\tb\x01",\n}', {"cmd": "a\tb\x01"}),
        ("{'cmd': \"it's\"}", {"cmd": "it's"}),
        ('{cmd: "ls", tty: false}', {"cmd": "ls", "tty": False}),
        ('{"cmd": "ls", "tty": True}', {"cmd": "ls", "tty": True}),
        (CMD + "```", {"cmd": "ls"}),
        (CMD + "])}", {"cmd": "ls"}),
        ('{"args":' + CMD + "}", {"cmd": "ls"}),
        ('{"type":"function","name":"exec_command","arguments":' + CMD + "}", {"cmd": "ls"}),
        (json.dumps({"arguments": CMD}) * 2, {"cmd": "ls"}),
    ],
)
def test_members_of_the_kinds(text: str, value: Any) -> None:
    reading = read_arguments(text, SCHEMA)
    assert reading is not None
    assert (reading.value, json.loads(reading.text)) == (value, value)
    assert reading.note


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "true",
        '"ls"',
        "ls -la",
        "[]",
        f"[{CMD}]" * 2,
        f"[{CMD},{CMD}]",
        CMD * 4,
        CMD + '{"cmd":"rm"}',
        '{"cmd":"ls"',
        '{"cmd":ls}',
        '{"cmd":"ls" "tty":true}',
        "{'cmd': ls}",
        "{'cmd': {1}}",
        "{'cmd': b'x'}",
        "{'cmd': 'a', 'cmd': 'b'}",
        "{**{}}",
        "{'cmd': f'{x}'}",
        "{'cmd': 1e999}",
        '[{"dir":"ls"}]',
        '"{\\"dir\\":\\"ls\\"}"',
        "{'cmd': 5}",
        "{" * 5000,
        "{'cmd':" + "-" * 100_000 + "1}",
        "{'cmd': '" + "x" * LONGEST_LITERAL + "'}",
    ],
)
def test_what_has_no_one_meaning_is_not_read(text: str) -> None:
    assert read_arguments(text, SCHEMA) is None


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (None, '{"arguments":{"cmd":"ls"}}'),
        ({"type": "object"}, '{"arguments":{"cmd":"ls"}}'),
        ({"properties": {"input": {}}}, '{"input":{"cmd":"ls"}}'),
        (SCHEMA, '{"arguments":{"dir":"ls"}}'),
        (SCHEMA, '{"arguments":{"cmd":"ls"},"tty":true}'),
        (SCHEMA, '{"arguments":{"cmd":"ls"},"input":{"cmd":"ls"}}'),
        (SCHEMA, '{"arguments":{"cmd":"ls"},"other":1}'),
        (SCHEMA, '{"arguments":[1]}'),
    ],
)
def test_a_wrapper_is_one_only_where_the_tool_has_no_such_member(schema: Any, text: str) -> None:
    reading = read_arguments(text, schema)
    assert reading is not None
    assert (reading.text, reading.note) == (text, "")
    passed, _ = streamed(cuts.singly(text), schema)
    assert "".join(passed) == text


# -- while they arrive -----------------------------------------------------------------------------------------------


def fragments_of(written: Written) -> list[str]:
    return [each if isinstance(each, str) else json.dumps(each) for each in written.arguments]


REPAIRED = [each for each in ARGUMENTS if each.name == "exec_command"]


@pytest.mark.parametrize("written", REPAIRED, ids=lambda each: each.case)
def test_deltas_add_up_to_what_is_meant(written: Written) -> None:
    passed, reader = streamed(fragments_of(written))
    assert json.loads("".join(passed)) == json.loads(written.meant[2])
    assert not reader.broken
    assert bool(reader.report("f")) is written.told


@pytest.mark.parametrize("written", UNREPAIRED, ids=lambda each: each.case)
def test_what_is_not_repaired_is_passed_on_as_it_is_and_reported(written: Written) -> None:
    passed, reader = streamed(fragments_of(written))
    assert "".join(passed) == written.meant[2]
    assert bool(reader.report("f")) is written.told


@pytest.mark.parametrize("written", CLEAN, ids=lambda each: each.case)
def test_clean_deltas_stay_as_they_come(written: Written) -> None:
    fragments = fragments_of(written)
    passed, reader = streamed(fragments)
    if written.case != "the same object within itself":
        assert passed == [*fragments, ""]
    assert "".join(passed) == written.meant[2]
    assert reader.report("f") == []


def test_a_cut_answer_gets_nothing_added() -> None:
    for text in ('{"cmd":"l', '"{\\"cmd', "nul", "```json\n{", ""):
        reader = ArgumentStream(SCHEMA)
        assert reader.feed(text) + reader.close(cut_short=True) == text if text else True
        assert reader.report("f") == []


def test_a_comma_that_was_passed_on_is_not_taken_back() -> None:
    passed, reader = streamed(['{"cmd":"ls",', "}"])
    assert ("".join(passed), reader.broken) == ('{"cmd":"ls",}', True)


def test_whole_arguments_are_known_to_be_whole_however_they_are_written() -> None:
    for text in (CMD, json.dumps(CMD), "[1]", CMD + CMD):
        reader = ArgumentStream(SCHEMA)
        reader.feed(text)
        assert reader.whole
        assert reader.repeats(text)
    reader = ArgumentStream(SCHEMA)
    reader.feed('{"cmd":')
    assert not reader.whole


CUTTABLE = [
    *(each for each in ARGUMENTS if "snapshots" not in each.case and "comma" not in each.case),
    *UNREPAIRED,
    *CLEAN,
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CUTTABLE).flatmap(
        lambda one: st.tuples(st.just(one), cuts.anywhere("".join(fragments_of(one))))
    )
)
def test_no_cut_changes_what_is_meant(case: tuple[Written, list[str]]) -> None:
    written, fragments = case
    schema = SCHEMA if written.name == "exec_command" else None
    text = "".join(fragments_of(written))
    passed, reader = streamed(fragments, schema)
    at_once, other = streamed([text], schema)
    # White space behind the object may have gone on before it was known to be the last.
    assert "".join(passed).rstrip() == "".join(at_once).rstrip()
    assert reader.report("f") == other.report("f")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet='ab{}[]",\\\n \u2028é', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=8) | st.sampled_from(["arguments", "input", "a", "args"]), values, max_size=3
    ),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.data(),
)
def test_one_object_passes_unchanged(
    value: Any, indent: int | None, plain: bool, data: st.DataObject
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    for schema in (None, {"type": "object", "properties": {name: {} for name in value}}):
        passed, reader = streamed(data.draw(cuts.anywhere(text)), schema)
        assert "".join(passed) == text
        assert reader.report("f") == []


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}[]\"\\,: \nabtrue1'`<|>", max_size=40).flatmap(cuts.anywhere), st.booleans())
def test_what_is_not_repaired_is_passed_on_whole(fragments: list[str], free: bool) -> None:
    passed, reader = streamed(fragments, SCHEMA, free=free)
    if not reader.note:
        assert "".join(passed) == "".join(fragments)
