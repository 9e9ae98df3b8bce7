"""Where the command line imports what is slow to import, only when it is needed."""

from importlib import import_module
from typing import Any


def resolve(path: str) -> Any:
    """Return the object at ``path``, written ``module:name``, importing the module."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
