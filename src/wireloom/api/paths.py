"""What a path that is not served is probably meant to be."""

from __future__ import annotations

import difflib

from fastapi import Request
from starlette.routing import Match
from wireloom_protocol.operations import OPERATIONS

from wireloom.errors import NotFound

VERSION = "/v1"
# How alike two paths are that may be one: 1 is the same.
ALIKE = 0.8
LONGEST_PATH = 200
PLAIN = tuple(dict.fromkeys(path for _, path, _, _ in OPERATIONS if "{" not in path))
"""The paths of the contract that have no parameter."""


def unserved(request: Request) -> NotFound:
    """The error for a path at which nothing is served.

    Args:
        request: a request that no route of its application takes.
    """
    path = request.url.path
    told = f"There is no {path[:LONGEST_PATH]} here"
    if _served(request, f"{VERSION}{path}"):
        return NotFound(f"{told}; the API is under {VERSION}.")
    near = difflib.get_close_matches(path, PLAIN, 1, ALIKE)
    return NotFound(f"{told}; did you mean {near[0]}?" if near else f"{told}.")


def _served(request: Request, path: str) -> bool:
    """Whether there is a route for a path, with whatever method."""
    scope = {**request.scope, "path": path}
    return any(route.matches(scope)[0] is not Match.NONE for route in request.app.routes)
