"""Free-form input is told while its arguments arrive, all of it, whatever way they are cut or misspelt."""

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cuts
from wireloom.translate.tools.free_input import FreeInput, unwrap, wrap


def read(fragments: Iterable[str]) -> list[str]:
    """What is told at each fragment, and at the end."""
    reader = FreeInput(unwrap)
    return [*(reader.feed(fragment) for fragment in fragments), reader.close()]


def spaced(text: str) -> str:
    return json.dumps({"input": text}, ensure_ascii=False, indent=2) + "\n"


def escaped(text: str) -> str:
    """Each character as an escape, those beyond the first plane as two."""
    units = text.encode("utf-16-be").hex()
    return '{"input":"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"}'


def followed(text: str) -> str:
    return json.dumps({"input": text, "reason": 'for "input": none'})


def slashed(text: str) -> str:
    return wrap(text).replace("/", "\\/")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "compact": wrap,
    "ASCII": lambda text: json.dumps({"input": text}),
    "spaced": spaced,
    "escaped": escaped,
    "followed by another member": followed,
    "slashes escaped": slashed,
}
texts = st.text(max_size=30) | st.text(alphabet='ab"\\/{},: \n\t\u20ac\U0001f600', max_size=30)


@pytest.mark.parametrize("name", SPELLINGS)
def test_any_text_in_any_spelling_and_any_cut_is_told(name: str) -> None:
    spell = SPELLINGS[name]

    @settings(max_examples=200, deadline=None)
    @given(texts.flatmap(lambda text: st.tuples(st.just(text), cuts.anywhere(spell(text)))))
    def tell(case: tuple[str, list[str]]) -> None:
        text, fragments = case
        assert "".join(read(fragments)) == text
        assert "".join(read(cuts.singly(spell(text)))) == text

    tell()


@settings(max_examples=200, deadline=None)
@given(texts.flatmap(lambda text: st.tuples(st.just(text), cuts.anywhere(text))))
def test_text_that_is_no_json_is_the_input(case: tuple[str, list[str]]) -> None:
    text, fragments = case
    if text.lstrip()[:1] in ("", "{", "[", '"'):
        return
    assert "".join(read(fragments)) == text


@settings(max_examples=300, deadline=None)
@given(
    (st.text(max_size=12) | st.text(alphabet='{}[]"\\u0d8c,:inptu \n', max_size=40)).flatmap(cuts.anywhere)
)
def test_no_arguments_break_it_and_no_cut_changes_what_is_told(fragments: list[str]) -> None:
    assert "".join(read(fragments)) == "".join(read(["".join(fragments)]))


# -- early ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fragments", "told"),
    [
        (['{"input":', '"a', 'b"}'], ["", "a", "b", ""]),
        (['{"inp', 'ut" ', ': "a', "b"], ["", "", "a", "b", ""]),
        (["*** Begin", " Patch\n"], ["*** Begin", " Patch\n", ""]),
        ([" ", "\nls"], ["", " \nls", ""]),
        (['{"input":"a\\', "n", 'b"}'], ["a", "\n", "b", ""]),
        (['{"input":"\\u20', 'ac"}'], ["", "\u20ac", ""]),
        (['{"input":"a\\ud83d', '\\ude00b"}'], ["a", "\U0001f600b", ""]),
        (['{"input":"a\\ud83d\\', 'ude00"}'], ["a", "\U0001f600", ""]),
        (['{"input":"a"', "}"], ["a", "", ""]),
        (['{"input":"a"', ' ,"b":"c"}'], ["a", "", ""]),
    ],
)
def test_what_is_known_is_told_at_once(fragments: list[str], told: list[str]) -> None:
    assert read(fragments) == told


def test_a_long_input_does_not_wait_for_its_end() -> None:
    fragments = cuts.singly(wrap("x" * 1000))
    told = read(fragments)
    assert told[len('{"input":"') : -3] == ["x"] * 1000


# -- what models do in place of what they were asked for -------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"patch":"*** Begin"}', "*** Begin"),
        ('{"unheard_of":"ls"}', "ls"),
        ('{"why":"because","patch":"*** Begin"}', "*** Begin"),
        ('{"input":7}', '{"input":7}'),
        ('{"input":["ls"]}', '{"input":["ls"]}'),
        ('"ls -l"', "ls -l"),
        ('["ls"]', '["ls"]'),
        ("{}", "{}"),
        ("", ""),
        ("  ", "  "),
        ("7", "7"),
        ("ls", "ls"),
        ('print("{}")', 'print("{}")'),
        ('{\n  "a": 1,\n}', '{\n  "a": 1,\n}'),
    ],
)
def test_another_form(arguments: str, text: str) -> None:
    assert "".join(read([arguments])) == text
    assert "".join(read(cuts.singly(arguments))) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (r'{"input":"C:\dir\q"}', r"C:\dir\q"),
        (r'{"input":"grep \$x \'y\'"}', r"grep \$x \'y\'"),
        (r'{"input":"\u00"}', r"\u00"),
        (r'{"input":"\u1"}', r"\u1"),
        (r'{"input":"\uzzzz!"}', r"\uzzzz!"),
        (r'{"input":"\ud83d"}', "\ufffd"),
        (r'{"input":"\ude00x"}', "\ufffdx"),
        (r'{"input":"\ud83d\u0041"}', "\ufffdA"),
        (r'{"input":"\ud83d\ud83d\ude00"}', "\ufffd\U0001f600"),
        ('{"input":"a\nb\tc"}', "a\nb\tc"),
    ],
)
def test_wrong_escapes_are_meant_as_they_stand(arguments: str, text: str) -> None:
    assert "".join(read([arguments])) == text
    assert "".join(read(cuts.singly(arguments))) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"say "hi" now"}', 'say "hi" now'),
        ('{"input":"echo "hi""}', 'echo "hi"'),
        ('{"input":""hi" said"}', '"hi" said'),
        ('{"input":"f("a", "b")"}', 'f("a", "b")'),
        ('{"input":"x = {"a": "b"}; y"}', 'x = {"a": "b"}; y'),
    ],
)
def test_quotation_marks_that_are_not_escaped_belong_to_the_input(arguments: str, text: str) -> None:
    assert "".join(read([arguments])) == text
    assert "".join(read(cuts.singly(arguments))) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"half a', "half a"),
        ('{"input":"half a"', "half a"),
        ('{"input":"half a\\', "half a\\"),
        ('{"input":"half a\\u00', "half a\\u00"),
        ('{"input":"', ""),
        ('{"input":', '{"input":'),
        ('{"patch":"half', '{"patch":"half'),
        ("half a lin", "half a lin"),
    ],
)
def test_arguments_that_are_cut_short_tell_what_there_is(arguments: str, text: str) -> None:
    assert "".join(read([arguments])) == text
    assert "".join(read(cuts.singly(arguments))) == text


@pytest.mark.parametrize(
    ("escapes", "text"),
    [
        (r"\ud7ff", "\ud7ff"),
        (r"\ud800", "\ufffd"),
        (r"\udbff", "\ufffd"),
        (r"\udc00", "\ufffd"),
        (r"\udfff", "\ufffd"),
        (r"\ue000", "\ue000"),
        (r"\ud800\udc00", "\U00010000"),
        (r"\udbff\udfff", "\U0010ffff"),
        (r"\ud800\ue000", "\ufffd\ue000"),
        (r"\ud800\udbff\udc00", "\ufffd\U0010fc00"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ud800x", "\ufffdx"),
        (r"\ud800\n", "\ufffd\n"),
        (r"\uzzzz", r"\uzzzz"),
    ],
)
def test_escapes_of_halves_of_characters(escapes: str, text: str) -> None:
    arguments = f'{{"input":"{escapes}"}}'
    assert "".join(read(cuts.singly(arguments))) == text
    assert "".join(read([arguments])) == text


def test_a_second_half_alone_is_emitted_at_once() -> None:
    told = read(['{"input":"\\udc00', "\\", 'udc00"}'])
    assert told[0] == "\ufffd"


@pytest.mark.parametrize("start", ['"', "[", "{"])
def test_text_that_may_be_json_waits_for_its_end(start: str) -> None:
    reader = FreeInput(unwrap)
    assert (reader.feed(start), reader.feed("X")) == ("", "")
    assert reader.close() == f"{start}X"
    bare = FreeInput(unwrap)
    assert (bare.feed(" "), bare.feed("X["), bare.feed("{")) == ("", " X[", "{")


@pytest.mark.parametrize("name", ["input", "patch", "text", "content", "code", "command"])
def test_a_member_that_models_use_for_the_input_is_the_input(name: str) -> None:
    assert unwrap(json.dumps({"other": "b", name: "a"})) == "a"
    assert unwrap(json.dumps({name: 5})) == json.dumps({name: 5})
    assert unwrap(json.dumps({"input": "b", name: "a"})) == ("a" if name == "input" else "b")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('"a"', "a"),
        ("a", "a"),
        ('{"lone": "a"}', "a"),
        ('{"one": "a", "other": "b"}', '{"one": "a", "other": "b"}'),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 100_000),
        ("5", "5"),
    ],
)
def test_arguments_of_another_form_are_the_input_itself(arguments: str, text: str) -> None:
    assert unwrap(arguments) == text


def test_escapes_are_read_as_json_has_them() -> None:
    assert "".join(read([r'{"input":"\n\t\r\b\f\"\\\/\q"}'])) == '\n\t\r\b\f"\\/\\q'
