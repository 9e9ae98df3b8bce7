"""What a request asked of its answer, as far as the answer is read by it or held to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wireloom.providers.profile import Profile
from wireloom.translate.answer.markup_tokens import MarkupRules, own_ends
from wireloom.translate.tools.base import Tools

# Forms of an answer that are JSON, and the types of a choice that names a tool of the client.
JSON_FORMS = frozenset({"json_object", "json_schema"})
NAMED = frozenset({"function", "custom"})


class Asked(msgspec.Struct, frozen=True):
    """What a request asked for.

    Args:
        model: the model's name upstream.
        inside: whether answers of the model begin inside a thought, as was learnt before.
        json: whether the answer is to be JSON.
        schema: the JSON Schema that it is to fit, or None.
        limit: tokens of an answer at most, or None.
        must_call: the name of the tool that has to be called, an empty text for any, or None.
        logprobs: whether the probabilities of tokens were asked for.
        stop: texts at which the answer ends.
        n: how many answers.
        repairs: whether an answer that is not the JSON that was asked for is asked for once more.
    """

    model: str = ""
    inside: bool = False
    json: bool = False
    schema: Any = None
    limit: int | None = None
    must_call: str | None = None
    logprobs: bool = False
    stop: tuple[str, ...] = ()
    n: int = 1
    repairs: bool = False

    def is_reached(self, tokens: Any) -> bool:
        """Whether an answer of so many tokens is as long as was allowed, so that it was cut whatever its status says.

        Args:
            tokens: as the upstream counted them, or nothing.
        """
        return self.limit is not None and isinstance(tokens, int | float) and tokens >= self.limit


NOTHING = Asked()
"""Nothing in particular."""


def asked_of_chat(body: Mapping[str, Any], *, inside: bool = False, repairs: bool = False) -> Asked:
    """What a Chat request asks for.

    Args:
        body: JSON of the request as it goes upstream.
        inside: see `Asked`.
        repairs: see `Asked`.
    """
    form = body.get("response_format")
    form = form if isinstance(form, dict) else {}
    schema = form.get("json_schema")
    limits = (body.get("max_completion_tokens"), body.get("max_tokens"))
    stop = body.get("stop")
    return Asked(
        model=str(body.get("model", "")),
        inside=inside,
        json=form.get("type") in JSON_FORMS,
        schema=schema.get("schema") if isinstance(schema, dict) else None,
        limit=next((limit for limit in limits if type(limit) is int), None),
        must_call=_forced(body.get("tool_choice")),
        logprobs=body.get("logprobs") is True,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        n=body.get("n") or 1,
        repairs=repairs and form.get("type") in JSON_FORMS,
    )


def asked_of_responses(body: Mapping[str, Any], *, inside: bool = False) -> Asked:
    """What a Responses request asks for.

    Args:
        body: JSON of the request as it goes upstream.
        inside: see `Asked`.
    """
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    form = form if isinstance(form, dict) else {}
    limit = body.get("max_output_tokens")
    return Asked(
        model=str(body.get("model", "")),
        inside=inside,
        json=form.get("type") in JSON_FORMS,
        schema=form.get("schema"),
        limit=limit if type(limit) is int else None,
        must_call=_forced_by_name(body.get("tool_choice")),
    )


def _forced_by_name(choice: Any) -> str | None:
    """The tool that a `tool_choice` of the Responses API forces, an empty text for any, or None."""
    if isinstance(choice, dict) and choice.get("type") in NAMED:
        return str(choice.get("name", ""))
    return "" if choice == "required" else None


def _forced(choice: Any) -> str | None:
    """The tool that a `tool_choice` forces, an empty text for any, or None."""
    if choice in ("required", "any"):
        return ""
    function = choice.get("function") if isinstance(choice, dict) else None
    return str(function.get("name", "")) if isinstance(function, dict) else None


def markup_rules(profile: Profile, asked: Asked, tools: Tools) -> MarkupRules:
    """What counts as markup in the answer to a request.

    Args:
        profile: of the upstream.
        asked: what the request asked for.
        tools: the tools of the request.
    """
    names = {*tools.by_flat_name, *tools.native} if profile.recover_calls else set()
    return MarkupRules(
        thoughts=profile.think_tags or asked.inside or profile.answers_in_thought,
        inside=asked.inside or profile.answers_in_thought,
        offered=frozenset(name for name in names if tools.may_call(name)),
        bare=not asked.json,
        ends=(*own_ends(asked.model), *profile.end_tokens),
    )
