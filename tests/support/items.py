"""Items of a conversation, the messages they become, and the translation between them."""

from typing import Any, TypeAlias

from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.providers import Profile, load
from wireloom.translate.chat_upstream.items import messages
from wireloom.translate.hub import stored_items
from wireloom.translate.options import Unseal
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.table import FORMS

Json: TypeAlias = dict[str, Any]
Lost: TypeAlias = list[tuple[str, str, Severity]]
GENERIC = load("generic")
PICTURE = "data:image/png;base64,AA"
_ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[m.InputItem])


# -- items ---------------------------------------------------------------------------------------------------------


def said(role: str, *content: Any) -> Json:
    """Return a message item; texts stand for parts that are text."""
    kind = "output_text" if role == "assistant" else "input_text"
    parts = [{"type": kind, "text": part} if isinstance(part, str) else part for part in content]
    return {"type": "message", "role": role, "content": parts}


def call(call_id: str, name: str = "add", arguments: str = "{}", **more: Any) -> Json:
    """Return a call of a function."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **more}


def output(call_id: str, value: Any = "ok") -> Json:
    """Return the output of a function."""
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def thought(content: list[str] | None = None, *, summary: tuple[str, ...] = (), **more: Any) -> Json:
    """Return a reasoning item."""
    item: Json = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in summary],
        **more,
    }
    if content is not None:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in content]
    return item


def picture(**more: Any) -> Json:
    """Return a part that is a picture."""
    return {"type": "input_image", "image_url": PICTURE, **more}


# -- messages ------------------------------------------------------------------------------------------------------


def asked(*calls: tuple[str, str, str], content: str | None = None, **more: Any) -> Json:
    """Return an assistant message with calls, each an id, a name and arguments."""
    made = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": made, **more}


def answered(call_id: str, content: str | list[Json] = "ok") -> Json:
    """Return a tool message."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(content: Any) -> Json:
    """Return a message of the user."""
    return {"role": "user", "content": content}


def shown(*urls: str) -> Json:
    """Return a message of the user that shows pictures."""
    return user([{"type": "image_url", "image_url": {"url": url}} for url in urls or (PICTURE,)])


# -- from the one to the other -------------------------------------------------------------------------------------


def nothing(_: str, __: str) -> None:
    """Open nothing, as if all was sealed elsewhere."""


def translated(
    *items: Json,
    profile: Profile = GENERIC,
    instructions: str | None = None,
    tools: Tools | None = None,
    unseal: Unseal = nothing,
    recalled: int = 0,
    strict: bool = False,
) -> tuple[list[Json], Lost]:
    """Return the messages and what was lost."""
    losses = Losses(strict=strict)
    valid = _ITEMS.validate_python(items)
    made = messages(instructions, valid, tools or Tools(), profile, losses, unseal=unseal, recalled=recalled)
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def like(profile: Profile, **differences: Any) -> Profile:
    """Return a profile with differences."""
    return profile.model_copy(update=differences)


def in_stored_form(item: Any) -> Any:
    """An item as a list of stored items shows it."""
    form = FORMS[item["type"]]
    assert form is not None
    return stored_items.shown(item, form)
