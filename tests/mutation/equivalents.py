"""The mutants that change nothing which a test could notice: `equivalent.toml` lists them, each with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.mutation.covering import PACKAGE
from tests.mutation.mutants import Mutant, mutants

FILE = Path(__file__).parent / "equivalent.toml"
_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Equivalents:
    """The list: entries by (module, within, was, becomes), as `Mutant` names them, each with a reason."""

    reasons: dict[_Key, str]

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """Read a list.

        Args:
            file: TOML with tables `[[mutant]]`.
        """
        entries = tomllib.loads(file.read_text()).get("mutant", [])
        return cls(
            {(one["module"], one["within"], one["was"], one["becomes"]): one["reason"] for one in entries}
        )

    def others(self, pool: Iterable[Mutant]) -> list[Mutant]:
        """The mutants that are not on the list."""
        return [mutant for mutant in pool if _key(mutant) not in self.reasons]

    def unmatched(self) -> list[str]:
        """A sentence for each entry that is no mutant of the source as it is now, or gives no reason."""
        modules = {module for module, *_ in self.reasons}
        sources = {name: PACKAGE / name for name in modules}
        there = {
            _key(mutant)
            for name, path in sources.items()
            if path.exists()
            for mutant in mutants(name, path.read_bytes())
        }
        return [
            f"{FILE.name}: {module} {within}: {was!r} -> {becomes!r} is no mutant now; remove or adapt it."
            for module, within, was, becomes in self.reasons
            if (module, within, was, becomes) not in there
        ] + [
            f"{FILE.name}: {key[0]} {key[1]}: give a reason."
            for key, reason in self.reasons.items()
            if not reason
        ]


def _key(mutant: Mutant) -> _Key:
    return mutant.module, mutant.within, mutant.was, mutant.becomes
