"""Each kind of fault, where it is put, and where it is not."""

from __future__ import annotations

import pytest

from tests.mutation.equivalents import Equivalents
from tests.mutation.mutants import Mutant, mutants


def made(source: str) -> set[str]:
    return {mutant.becomes for mutant in mutants("m.py", source.encode()) if mutant.compiles()}


FAULTS = {
    "a comparison": ("a = b == c", {"a = b != c"}),
    "a bound": ("a = b < c <= d", {"a = b <= c <= d", "a = b < c < d"}),
    "an identity": ("a = b is not c", {"a = b is c"}),
    "a membership": ("a = b in c", {"a = b not in c"}),
    "and": ("a = b and c", {"a = b or c"}),
    "or": ("a = (b) or (c)", {"a = (b) and (c)"}),
    "not": ("a = not b", {"a = b"}),
    "arithmetic": ("a = b + c * d", {"a = b - c * d", "a = b + c // d"}),
    "a sequence": ("a = b + [c]", {"a = b"}),
    "a union": ("a = b | c", {"a = b"}),
    "a number": ("a = 1", {"a = 2"}),
    "a truth value": ("a = True", {"a = False"}),
    "a word": ("a = 'b'", {"a = 'bXX'"}),
    "bytes": ("a = b''", {"a = b'XX'"}),
    "a condition": ("if a > b: c = d", {"if a >= b: c = d", "if (not (a > b)): c = d"}),
    "a loop": ("while a: b = c", {"while (not (a)): b = c"}),
    "a choice": ("a = b if c else d", {"a = b if (not (c)) else d"}),
    "a filter": ("a = [b for b in c if b]", {"a = [b for b in c if (not (b))]"}),
    "a break": ("for a in b: break", {"for a in b: continue"}),
    "a continue": ("for a in b: continue", {"for a in b: break"}),
    "an entry": ("A = {b: c, **d}", {"A = {**d}", "A = {b: c, }"}),
    "an element": (
        "A = ('b', 'c')",
        {"A = ('b',)", "A = ('c',)", "A = ('bXX', 'c')", "A = ('b', 'cXX')"},
    ),
    "an alternative": ("try: a()\nexcept (B, C): d = e", {"except (B,): d = e", "except (C,): d = e", "try: pass"}),
    "a call": ("a()", {"pass"}),
    "an awaited call": ("async def f():\n await a()", {"pass"}),
    "a raise": ("raise A", {"pass"}),
    "an addition": ("a += b", {"pass"}),
    "a deletion": ("del a[b]", {"pass"}),
    "an attribute": ("a.b = c", {"pass"}),
    "a return": ("def f():\n return a", {"return None"}),
    "an end": ("def f():\n return", {"pass"}),
    "a default": ("def f(a=1, *, b=True): c = d", {"def f(a=2, *, b=True): c = d", "def f(a=1, *, b=False): c = d"}),
    "a guard": ("match a:\n case b if c: d = e", {"case b if (not (c)): d = e"}),
}  # fmt: skip


@pytest.mark.parametrize(("source", "becomes"), FAULTS.values(), ids=FAULTS.keys())
def test_faults(source: str, becomes: set[str]) -> None:
    assert made(source) == becomes


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "a = 'some prose'",
        "a = f'{b == c}'",
        "assert a == 1",
        "raise NotImplementedError",
        "@a(b=True)\ndef f(): c = d",
        "def f(a: Literal['b'] = c) -> Literal['d']: e = g",
        "a: Literal['b'] = c",
        "if TYPE_CHECKING: import a",
        "Alpha = Beta | None",
        "Alpha = dict[str, int | float]",
        "Alpha: TypeAlias = dict[str, tuple[int, float]]",
        "a = cast('B', c)",
        "a = Rule(B.C, d, 'note')",
        "a = b",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert made(source) == set()


def test_a_mutant_names_its_place_and_its_statement() -> None:
    source = "class A:\n    def f(self):\n        return g(\n            1,\n            'ä b',\n        )\n"
    (first, second) = mutants("a/m.py", source.encode())
    assert (first.becomes, first.line, first.first, first.last, first.within) == (
        "return None",
        3,
        3,
        6,
        "A.f",
    )
    assert (second.becomes, second.line, second.first, second.last, second.within) == ("2,", 4, 3, 6, "A.f")
    assert second.source.decode() == source.replace("1", "2")
    assert second.module == "a/m.py"


def test_equivalent_mutants_are_left_out_and_each_entry_matches_one() -> None:
    pool = mutants("errors.py", b"a = 1\nb = True\n")
    known = Equivalents({("errors.py", "", "a = 1", "a = 2"): "as good"})
    assert known.others(pool) == [pool[1]]
    assert known.unmatched() == [
        "equivalent.toml: errors.py : 'a = 1' -> 'a = 2' is no mutant now; remove or adapt it."
    ]


def test_the_list_of_equivalent_mutants_is_up_to_date() -> None:
    assert Equivalents.read().unmatched() == []


def test_an_equivalent_mutant_without_a_reason_is_reported() -> None:
    known = Equivalents({("nowhere.py", "f", "a", "b"): ""})
    assert [text for text in known.unmatched() if "give a reason" in text]


def test_what_does_not_compile_is_noticed() -> None:
    assert not Mutant("m.py", 1, 1, 1, "", "a", "(", b"(").compiles()
