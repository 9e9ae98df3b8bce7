"""The output items of a Responses upstream, matched by the ids, calls and indexes of its events."""

from typing import Any

import pytest

from wireloom.translate.responses_upstream.output import Ledger, Told, can_come_back, texts_of

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("parts", "kind", "texts"),
    [
        ([{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}], "output_text", ["a"]),
        ([{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}], "refusal", ["b"]),
        ([{"type": "reasoning_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "summary_text", ["b"]),
        ([{"type": "reasoning_text", "text": "a"}, {"type": "reasoning_text", "text": 5}], "reasoning_text", ["a"]),
        (["a", {"type": "output_text"}], "output_text", []),
        ("a", "output_text", []),
        (None, "output_text", []),
    ],
)  # fmt: skip
def test_the_texts_of_one_kind_among_the_parts(parts: Any, kind: str, texts: list[str]) -> None:
    assert list(texts_of(parts, kind)) == texts


def test_an_item_can_come_back_where_a_request_may_hold_it() -> None:
    search = {
        "type": "web_search_call",
        "id": "w",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    assert can_come_back(search)
    assert not can_come_back({**search, "action": 5})
    assert not can_come_back({"type": "vendor:thing"})


def test_known_facts_of_an_item_stay() -> None:
    result = Told("function_call")
    result.name_it({"item_id": "a", "name": "f"}, 2)
    result.name_it({"id": "b", "call_id": "c", "name": "g", "namespace": "n"}, 3)
    result.name_it({"id": 5, "call_id": 5, "name": None, "namespace": 7}, "4")
    found = (result.id, result.index, result.call_id, result.name, result.namespace)
    assert found == ("a", 2, "c", "f", "n")


def test_members_of_other_types_name_nothing() -> None:
    result = Told("function_call")
    result.name_it({"id": 5, "call_id": 5, "name": 5, "namespace": 5}, "5")
    assert (result.id, result.index, result.call_id, result.name, result.namespace) == (
        None,
        None,
        "",
        "",
        None,
    )


def test_a_part_without_an_index_is_the_one_that_grew_last() -> None:
    result = Told("reasoning")
    assert result.index_of("summary_text", {}) == 0
    result.add("summary_text", 0, "a")
    result.add("summary_text", 3, "b")
    result.add("reasoning_text", 1, "c")
    assert result.index_of("summary_text", {}) == 3
    assert result.index_of("summary_text", {"content_index": 5, "summary_index": None}) == 3
    assert result.index_of("summary_text", {"summary_index": 1}) == 1
    assert result.index_of("reasoning_text", {"summary_index": 5}) == 1
    assert result.index_of("reasoning_text", {"content_index": 5}) == 5
    assert (result.said("summary_text"), result.said("reasoning_text")) == ("ab", "c")


@pytest.mark.parametrize(
    ("index", "text", "rest"),
    [(0, "abcd", "cd"), (0, "ab", ""), (0, "xbcd", ""), (1, "abcd", ""), (1, "new", "")],
)
def test_the_rest_of_a_part_is_the_text_after_its_deltas(index: int, text: str, rest: str) -> None:
    result = Told("message")
    assert result.rest_of_part("output_text", 4, text) == text
    result.add("output_text", 0, "a")
    result.add("output_text", 0, "b")
    assert result.rest_of_part("output_text", index, text) == rest


@pytest.mark.parametrize(
    ("so_far", "texts", "rest"),
    [
        ("", ["ab", "c"], [(0, "ab"), (1, "c")]),
        ("a", ["ab", "c"], [(0, "b"), (1, "c")]),
        ("ab", ["ab", "c"], [(1, "c")]),
        ("abc", ["ab", "c"], []),
        ("abc", ["ab", "cd"], [(1, "d")]),
        ("x", ["ab"], None),
        ("abc", ["ab"], None),
        ("abc", [], []),
        ("", [], []),
    ],
)
def test_the_rest_of_an_item_is_the_text_after_its_parts(
    so_far: str, texts: list[str], rest: list[tuple[int, str]] | None
) -> None:
    result = Told("message")
    result.add("output_text", 0, so_far)
    assert result.rest("output_text", texts) == rest


# -- which item an event means -------------------------------------------------------------------------------------


def item(kind: str, **members: Any) -> Json:
    """An item as an event shows it."""
    return {"type": kind, **members}


def test_an_announced_item_is_new_unless_its_events_came_first() -> None:
    ledger = Ledger()
    first = ledger.spoken("message", {"item_id": "a", "output_index": 0})
    assert ledger.opened(item("message", id="a"), 0) is first
    second = ledger.opened(item("message", id="b"), 1)
    assert second is not first
    assert ledger.opened(item("message"), 0) not in (first, second)
    assert ledger.opened(item("reasoning", id="a"), 0) is not first
    assert (second.id, second.index, second.kind) == ("b", 1, "message")


def test_a_delta_belongs_to_its_id_else_to_its_index_else_to_the_last_open_item() -> None:
    ledger = Ledger()
    first, second, other = (
        ledger.opened(item("message", id="a"), 0),
        ledger.opened(item("message", id="b"), 1),
        ledger.opened(item("reasoning", id="c"), 2),
    )
    assert ledger.spoken("message", {"item_id": "a", "output_index": 1}) is first
    assert ledger.spoken("message", {"item_id": "x", "output_index": 0}) is first
    assert ledger.spoken("message", {"output_index": 0}) is first
    assert ledger.spoken("message", {"output_index": 1}) is second
    assert ledger.spoken("message", {"output_index": 2}) is second
    assert ledger.spoken("message", {}) is second
    assert ledger.spoken("message", {"item_id": 5, "output_index": "0"}) is second
    assert ledger.spoken("reasoning", {}) is other
    second.done = True
    assert ledger.spoken("message", {"output_index": 1}) is first
    first.done = True
    third = ledger.spoken("message", {"item_id": "y", "output_index": 4})
    assert third not in (first, second, other)
    assert (third.id, third.index) == ("y", 4)


def test_of_items_with_one_index_the_last_is_meant() -> None:
    ledger = Ledger()
    ledger.opened(item("message", id="a"), 0)
    second = ledger.opened(item("message", id="b"), 0)
    assert ledger.spoken("message", {"output_index": 0}) is second


def test_an_item_that_is_done_is_known_by_its_id_or_its_call() -> None:
    ledger = Ledger()
    kind = "function_call"
    first = ledger.opened(item(kind, id="a", call_id="1"), 0)
    second = ledger.opened(item(kind, id="b", call_id="2"), 1)
    assert ledger.ended(item(kind, id="b", call_id="1"), 0) is second
    assert ledger.ended(item(kind, id="x", call_id="1"), 1) is first
    assert ledger.ended(item(kind, id="x"), 0) is first
    assert ledger.ended(item(kind, id="x"), 9) is second
    assert ledger.ended(item(kind, id="x", call_id=7), 0) not in (first, second)


def test_a_call_that_is_done_takes_the_first_open_item_without_a_call() -> None:
    ledger = Ledger()
    kind = "function_call"
    named = ledger.opened(item(kind, call_id="1"), 0)
    first, second = ledger.opened(item(kind), 1), ledger.opened(item(kind), 2)
    assert ledger.ended(item(kind, call_id="3"), 2) is first
    assert ledger.ended(item(kind, call_id="4"), 1) is second
    third = ledger.ended(item(kind, call_id="5"), 0)
    assert third not in (named, first, second)


def test_the_final_items_match_the_streamed_ones_in_order() -> None:
    ledger = Ledger()
    first, second = ledger.opened(item("message", id="a"), 0), ledger.opened(item("message", id="b"), 1)
    assert ledger.final(item("message", id="b")) is second
    assert ledger.final(item("message", id="x")) is first
    third = ledger.final(item("message", id="a"))
    assert third not in (first, second)
    assert ledger.final(item("reasoning", id="a")).kind == "reasoning"


def test_a_final_call_is_never_another_call() -> None:
    ledger = Ledger()
    kind = "function_call"
    first = ledger.opened(item(kind, call_id="1"), 0)
    nameless = ledger.opened(item(kind), 1)
    assert ledger.final(item(kind, call_id="2")) is nameless
    assert ledger.final(item(kind)) is first
    second = ledger.final(item(kind, call_id="1"))
    assert second is not first
    assert second.call_id == "1"


def test_calls_without_an_end_are_unfinished() -> None:
    ledger = Ledger()
    kinds = ("custom_tool_call", "function_call", "message", "function_call")
    items = [ledger.opened(item(kind), index) for index, kind in enumerate(kinds)]
    items[1].done = True
    assert list(ledger.unfinished()) == [items[3], items[0]]
