"""Bytes and texts in all the ways in which a network or a model may cut them."""

from collections.abc import Iterable
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T", bytes, str)


def at(data: T, positions: Iterable[int]) -> list[T]:
    """Return `data` cut at `positions`, empty pieces included; one beyond the end stands for the end."""
    edges = [0, *sorted(min(position, len(data)) for position in positions), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


def singly(data: T) -> list[T]:
    """Return the single bytes or characters of `data`."""
    return at(data, range(1, len(data)))


def anywhere(data: T, most: int = 12) -> st.SearchStrategy[list[T]]:
    """Draw `data` cut at up to `most` places."""
    positions = st.lists(st.integers(0, len(data)), max_size=most)
    return positions.map(lambda chosen: at(data, chosen))
