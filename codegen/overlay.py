"""Corrections to contracts: OpenAPI Overlay documents, each action with a reason and an effect."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from jsonpath_ng.ext.parser import parse

Json = Any


class OverlayError(ValueError):
    """An overlay that cannot be read, an action without a reason, or one that changes nothing."""


def load(path: Path) -> Json:
    """Read an overlay file and check that every action says why it is there.

    Raises:
        OverlayError: a file that is not YAML, or an action without a description.
    """
    try:
        overlay = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise OverlayError(f"{path.name}: not YAML: {error}. Quote texts with `: ` or ` #`.") from error
    for number, action in enumerate(overlay["actions"], 1):
        if not action.get("description", "").strip():
            raise OverlayError(f"{path.name}: action {number} ({action['target']}) gives no reason")
    return overlay


def apply(document: Json, overlay: Json) -> Json:
    """Apply an overlay action by action.

    Args:
        document: an OpenAPI document; not changed.
        overlay: a parsed OpenAPI Overlay document.

    Raises:
        OverlayError: an action that changes nothing: its target is gone or says already what the action says.
    """
    document = copy.deepcopy(document)
    title = overlay["info"]["title"]
    for number, action in enumerate(overlay["actions"], 1):
        if not _act(document, action):
            raise OverlayError(f"{title}: action {number} changes nothing: {action['target']}")
    return document


def _act(document: Json, action: Json) -> bool:
    matches = parse(action["target"]).find(document)
    if action.get("remove"):
        for match in reversed(matches):  # from the end, so that indexes of a list stay true
            match.full_path.filter(lambda _: True, document)
        return bool(matches)
    changed = False
    for match in matches:
        before = copy.deepcopy(match.value)
        after = _merged(match.value, copy.deepcopy(action["update"]))
        if after is not match.value:
            match.full_path.update(document, after)
        changed |= after != before
    return changed


def _merged(old: Json, new: Json) -> Json:
    """The Overlay specification's update: objects merge, lists are appended to, anything else is replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in new.items():
            old[key] = _merged(old[key], value) if key in old else value
        return old
    if isinstance(old, list):
        old.extend(new if isinstance(new, list) else [new])
        return old
    return new
