"""Overlays that a user brings: applied after the project's own, compiled into a package beside the one of the release."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from codegen import overlay

Json = Any

CONTRACT, APP_SERVER = "openai.json", "app_server.json"


class Additions(NamedTuple):
    """Overlays by the document that they change.

    Args:
        contract: those of the Responses, Chat and other HTTP contracts.
        app_server: those of the app-server protocol.
        digests: file name -> sha256 of its content.
    """

    contract: tuple[Json, ...] = ()
    app_server: tuple[Json, ...] = ()
    digests: Mapping[str, str] = {}


NOTHING = Additions()


def load(paths: Sequence[Path]) -> Additions:
    """Read overlays; `extends` names the document that one changes, and may be left out for the HTTP contracts.

    Args:
        paths: the files, in the order in which they are applied.

    Raises:
        overlay.OverlayError: a file that cannot be read, or that extends another document.
    """
    by_document: dict[str, list[Json]] = {CONTRACT: [], APP_SERVER: []}
    for path in paths:
        loaded = overlay.load(path)
        document = Path(loaded.get("extends", CONTRACT)).name
        if document not in by_document:
            raise overlay.OverlayError(
                f"{path.name} extends {document}; write `extends: {CONTRACT}` or `extends: {APP_SERVER}`"
            )
        by_document[document].append(loaded)
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return Additions(tuple(by_document[CONTRACT]), tuple(by_document[APP_SERVER]), digests)
