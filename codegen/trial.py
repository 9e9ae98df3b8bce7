"""Whether the contracts compile, found out without compiling them: a sentence for each thing that is in the way."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from jsonpath_ng.ext.parser import parse

from codegen import generate, normalise, overlay, sdk_overlay
from codegen.failure import sentence

Json = Any

OVERLAYS = "openapi/overlays"


def problems() -> list[str]:
    """Look at every action of every overlay, and then at what the model generator would get."""
    found = _idle_actions() or generate.faults()
    if found:
        return found
    try:
        _documents()
    except Exception as error:  # noqa: BLE001 - a foreign document may break any assumption; the maintainer needs a sentence
        return [sentence(error)]
    return []


def _idle_actions() -> list[str]:
    document = generate.base()
    found = []
    for path in generate.numbered():
        document, idle = _attempt(document, path)
        found += idle
    _, idle = _attempt(document, generate.OPENAPI / "overlays" / "served.overlay.yaml")
    messages = json.loads((generate.OPENAPI / "app_server.json").read_text())
    _, more = _attempt(messages, generate.OPENAPI / "overlays" / "app-server.overlay.yaml")
    return found + idle + more


def _attempt(document: Json, path: Path) -> tuple[Json, list[str]]:
    """Apply what fits of an overlay, and name the actions that do not."""
    place = f"{OVERLAYS}/{path.name}"
    try:
        loaded = overlay.load(path)
    except Exception as error:  # noqa: BLE001 - as above
        return document, [f"{place}: {sentence(error)}"]
    try:
        return overlay.apply(document, loaded), []
    except overlay.OverlayError:
        idle = []  # of several actions that fail only the first was named, so they are tried one by one
    for number, action in enumerate(loaded["actions"], 1):
        try:
            document = overlay.apply(document, {"info": {"title": path.name}, "actions": [action]})
        except overlay.OverlayError as error:
            idle.append(f"{place}: action {number} {_why(document, action, error)}; {_remedy(path)}")
    return document, idle


def _why(document: Json, action: Json, error: overlay.OverlayError) -> str:
    target = action["target"]
    if not parse(target).find(document):
        return f"has a target that is gone: {target}"
    if "changes nothing" in str(error):
        return f"adds what the document has at {target} already"
    return str(error).partition("action 1 ")[2]


def _remedy(path: Path) -> str:
    if path.name == sdk_overlay.FILE:
        return "write the overlay again with `nox -s refresh -- openai@VERSION`"
    return "correct the action or remove it"


def _documents() -> None:
    """Make the parts that the model generator gets."""
    operations = tomllib.loads((generate.OPENAPI / "operations.toml").read_text())
    document = normalise.contract(generate.corrected())
    generate.divided(document, operations)
    normalise.hot(document, **operations["hot"])
