"""The content of a Chat message: whether it says anything, is nothing but text, or holds pictures nobody can see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wireloom.providers.profile import Profile
from wireloom.translate.conversation.notes import NO_PICTURE
from wireloom.wire.json import Json

PLAIN = {"type", "text"}


def is_blank(content: Any) -> bool:
    """Whether content says nothing: none, white space, or no part but such texts."""
    if isinstance(content, str):
        return not content.strip()
    return not content or (isinstance(content, list) and all(map(_is_blank_part, content)))


def has_blank_part(content: Sequence[Any]) -> bool:
    """Whether a text among other parts is empty, which some servers refuse."""
    return len(content) > 1 and any(
        part.get("type") == "text" and not part.get("text") for part in _parts(content)
    )


def is_plain_text(content: Any) -> bool:
    """Whether content is a list of texts, with nothing besides that a string would lose."""
    return isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and part.keys() == PLAIN for part in content
    )


def unseen(profile: Profile, content: Sequence[Any]) -> bool:
    """Whether a part is a picture that the upstream cannot be shown."""
    return any(_picture_gap(profile, part) for part in _parts(content))


def gap_of_picture(profile: Profile, url: Any) -> str | None:
    """Why a picture cannot be shown upstream: it has no data, or the upstream takes none; None if it can be."""
    if not url or (isinstance(url, str) and url.startswith("data:") and not url.partition(",")[2]):
        return "the picture is empty"
    return None if profile.images else f"{profile.title} takes no images"


def with_gaps(profile: Profile, content: Sequence[Any]) -> tuple[list[Any], set[str]]:
    """The parts with a text in place of each picture that cannot be shown, and the reasons."""
    made, reasons = [], set()
    for part in content:
        reason = _picture_gap(profile, part) if isinstance(part, dict) else None
        if reason is None:
            made.append(part)
        else:
            reasons.add(reason)
            made.append({"type": "text", "text": NO_PICTURE})
    return made, reasons


def as_parts(content: Any) -> list[Any]:
    """Content as a list of parts."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def joined(first: Any, second: Any) -> Any:
    """The contents of two messages as that of one, in their order."""
    if isinstance(first, list) or isinstance(second, list):
        return [*as_parts(first), *as_parts(second)]
    return f"{first}\n\n{second}" if first and second else first or second


def text_of(content: Any) -> str:
    """The text of content; parts of other kinds have none."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in _parts(content or ()) if part.get("text"))


def _picture_gap(profile: Profile, part: Json) -> str | None:
    if part.get("type") != "image_url":
        return None
    image = part.get("image_url")
    return gap_of_picture(profile, image.get("url") if isinstance(image, dict) else image)


def _parts(content: Sequence[Any]) -> list[Json]:
    return [part for part in content if isinstance(part, dict)]


def _is_blank_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and not str(part.get("text") or "").strip()
