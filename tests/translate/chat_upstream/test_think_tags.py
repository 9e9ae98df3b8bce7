"""Leading thoughts are parted from the answer, however the two are cut into deltas."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cuts
from wireloom.translate.chat_upstream.think_tags import ThinkTags

CASES: dict[str, tuple[str, str, str]] = {
    "nothing": ("", "", ""),
    "no tags": ("An answer.", "", "An answer."),
    "thought and answer": ("<think>Hm.</think>An answer.", "Hm.", "An answer."),
    "line ends around the tags": ("\n<think>\nHm.\n</think>\n\nAn answer.\n", "Hm.\n", "An answer.\n"),
    "no thought": ("<think>\n\n</think>\n\nAn answer.", "", "An answer."),
    "no answer": ("<think>Hm.</think>", "Hm.", ""),
    "tag never closed": ("<think>Hm.", "Hm.", ""),
    "closing tag cut short": ("<think>Hm.</thin", "Hm.</thin", ""),
    "opening tag cut short": ("<thin", "", "<thin"),
    "what looks like a closing tag": ("<think>a </b> < / </thinks></think>b", "a </b> < / </thinks>", "b"),
    "another tag": ("<b>bold</b>", "", "<b>bold</b>"),
    "what looks like an opening tag": ("<thinker>", "", "<thinker>"),
    "a tag in the middle": ("Use <think>x</think>.", "", "Use <think>x</think>."),
    "a second thought": ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
    "a tag within a thought": ("<think>a<think>b</think>c", "a<think>b", "c"),
    "white space alone": (" \n", "", " \n"),
    "white space before an answer": ("\n\n  An answer.", "", "\n\n  An answer."),
    "indented answer": ("<think>Hm.</think>\n    code", "Hm.", "    code"),
}


def read(deltas: list[str]) -> tuple[str, str]:
    tags = ThinkTags()
    pairs = [tags.feed(delta) for delta in deltas]
    pairs.append(tags.close())
    return "".join(thought for thought, _ in pairs), "".join(text for _, text in pairs)


@pytest.mark.parametrize("name", CASES)
def test_thoughts_are_parted_from_the_answer(name: str) -> None:
    content, thought, text = CASES[name]
    assert read([content]) == (thought, text)
    assert read(cuts.singly(content)) == (thought, text)
    for position in range(len(content) + 1):
        assert read([content[:position], content[position:]]) == (thought, text)


contents = st.lists(
    st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</th", "ink>", "<", "\n", " ", "a", "b "]),
    max_size=10,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(contents.flatmap(lambda content: st.tuples(st.just(content), cuts.anywhere(content, most=5))))
def test_no_cut_changes_what_is_read(case: tuple[str, list[str]]) -> None:
    content, deltas = case
    assert read(deltas) == read([content])


@settings(max_examples=200, deadline=None)
@given(contents)
def test_what_is_read_is_what_the_rule_says(content: str) -> None:
    rule = re.fullmatch(r"\s*<think>\n*(.*?)(?:</think>\n*(.*))?", content, re.DOTALL)
    assert read([content]) == ((rule[1], rule[2] or "") if rule else ("", content))


def test_it_says_when_all_that_follows_is_text() -> None:
    def steps(*deltas: str) -> list[tuple[str, str, bool]]:
        tags = ThinkTags()
        return [(*tags.feed(delta), tags.decided) for delta in deltas]

    assert steps("\n ", "b", "c") == [("", "", False), ("", "\n b", True), ("", "c", True)]
    assert steps("<think>a</th", "ink>", "\n", "b") == [
        ("a", "", False),
        ("", "", False),
        ("", "", False),
        ("", "b", True),
    ]
