"""Content parts of Responses items as the parts of Chat messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.providers.profile import Profile
from wireloom.translate.conversation.content import gap_of_picture
from wireloom.translate.conversation.notes import NO_PICTURE
from wireloom.translate.hub.stored_items import AGENT_TEXTS
from wireloom.translate.rules.loss import How, Losses, Rule, refused
from wireloom.wire.json import Json


@dataclass(frozen=True, slots=True)
class At:
    """Where a part goes.

    Args:
        profile: what the upstream takes.
        losses: where what is left out is noted.
    """

    profile: Profile
    losses: Losses


def _text(_: At, __: str, part: Any) -> Json:
    return {"type": "text", "text": part.text}


def _image(at: At, path: str, part: Any) -> Json:
    if part.image_url is None:
        raise refused(f"{path}.file_id", "files live at the provider that stores them", "unsupported_content")
    gap = gap_of_picture(at.profile, part.image_url)
    if gap is not None:
        at.losses.add(path, "dropped", gap)
        return {"type": "text", "text": NO_PICTURE}
    if not at.profile.image_urls and not part.image_url.startswith("data:"):
        raise refused(
            f"{path}.image_url",
            f"{at.profile.title} takes images as data URLs only",
            "unsupported_content",
        )
    image: Json = {"url": part.image_url}
    detail = getattr(part, "detail", None)
    if DETAILS.get(detail or "") is How.NATIVE and at.profile.image_detail:
        image["detail"] = detail
    elif detail not in (None, "auto"):
        at.losses.add(f"{path}.detail", "dropped", "no such level of detail upstream")
    return {"type": "image_url", "image_url": image}


def _file(at: At, path: str, part: Any) -> Json:
    if not at.profile.files:
        raise refused(path, f"{at.profile.title} takes no files", "unsupported_content")
    if part.file_data is None:
        raise refused(path, "only files given as file_data can be carried", "unsupported_content")
    file: Json = {"file_data": part.file_data}
    if part.filename is not None:
        file["filename"] = part.filename
    return {"type": "file", "file": file}


def _audio(at: At, path: str, part: Any) -> Json:
    if not at.profile.audio:
        raise refused(path, f"{at.profile.title} takes no audio", "unsupported_content")
    return {"type": "input_audio", "input_audio": part.input_audio.model_dump(exclude_unset=True)}


def _refusal(_: At, __: str, part: Any) -> Json:
    return {"type": "text", "text": part.refusal}


DETAILS: Mapping[str, How] = {
    "auto": How.NATIVE,
    "low": How.NATIVE,
    "high": How.NATIVE,
    "original": How.IGNORED,
}
"""Every level of detail of an image."""


def agent_text(item: m.AgentMessageItemParam) -> str:
    """The whole text that an agent wrote."""
    return "".join(getattr(part, AGENT_TEXTS[part.type]) for part in item.content)


PartRule: TypeAlias = Rule[Callable[[At, str, Any], Json]]

PARTS: Mapping[str, PartRule] = {
    "input_text": Rule(How.NATIVE, _text),
    "output_text": Rule(How.NATIVE, _text),
    "refusal": Rule(How.EMULATED, _refusal, "as text, since it is part of what was said"),
    "input_image": Rule(How.NATIVE, _image, "an id of a stored file is refused"),
    "input_file": Rule(How.NATIVE, _file, "as file_data, where the upstream takes files"),
    "input_audio": Rule(How.NATIVE, _audio, "where the upstream takes audio"),
}
WORDS: Mapping[str, str] = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
"""Type of a part that is nothing but text -> its member that holds the text."""
