"""Modules whose names are defined in another module, which is imported when one of them is used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def names_of(facade: str, module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a module that shows the names of another one.

    Args:
        facade: name of the module that shows the names; later uses find them in it directly.
        module: name of the module that defines them, relative to the package of the first.
    """

    package = facade.rpartition(".")[0]

    def load() -> dict[str, Any]:
        names = {
            name: value for name, value in vars(import_module(module, package)).items() if name[0] != "_"
        }
        vars(sys.modules[facade]).update(names)
        return names

    def getattribute(name: str) -> Any:
        # The import system and debuggers ask for such names; none of them is worth the import.
        names = {} if name.startswith("__") else load()
        if name not in names:
            raise AttributeError(f"module {facade!r} has no attribute {name!r}")
        return names[name]

    def listed() -> list[str]:
        return sorted(load())

    return getattribute, listed
