"""Pictures in the outputs of calls: Chat takes pictures only from a user, so a message of the user's shows them."""

from __future__ import annotations

from wireloom.translate.conversation.chat_work import Entry, Work
from wireloom.translate.conversation.notes import PICTURES_FOLLOW
from wireloom.wire.json import Json

PICTURE = "image_url"


def holds_pictures(message: Json) -> bool:
    """Whether an output has a picture among its parts."""
    content = message.get("content")
    return isinstance(content, list) and any(_is_picture(part) for part in content)


def shown_by_user(work: Work) -> None:
    """Move the pictures of outputs that stand together into a message of the user behind them."""
    entries: list[Entry] = []
    pictures: list[Json] = []
    at = 0
    for entry in work.entries:
        if entry.role != "tool" and pictures:
            entries.append(Entry(at, {"role": "user", "content": pictures}))
            pictures = []
        if entry.role == "tool" and holds_pictures(entry.message):
            at = entry.at
            parts = entry.message["content"]
            pictures += [part for part in parts if _is_picture(part)]
            text = {"type": "text", "text": PICTURES_FOLLOW}
            kept = [*(part for part in parts if not _is_picture(part)), text]
            entry = Entry(at, {**entry.message, "content": kept})
            work.note(at, "pictures follow as a user message", member=".content")
        entries.append(entry)
    if pictures:
        entries.append(Entry(at, {"role": "user", "content": pictures}))
    work.entries = entries


def _is_picture(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == PICTURE
