"""Requests for Responses upstreams, made from client requests."""

import copy
from typing import Any

from wireloom_protocol import responses as m

from wireloom.api.bodies import prepare
from wireloom.providers import Profile, load
from wireloom.translate.options import Options
from wireloom.translate.responses_upstream.request import UpstreamRequest, request
from wireloom.translate.rules.loss import Losses

Json = dict[str, Any]
OPENAI = load("openai")
# A server of which nothing is known, and that takes no pictures in outputs either.
_PLAIN = load("generic")
GENERIC = _PLAIN.model_copy(update={"responses": _PLAIN.responses.model_copy(update={"output_parts": False})})
USER: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
PICTURE = "data:image/png;base64,AAAA"


def unseal(purpose: str, token: str) -> Any:
    """Open a token of the form `purpose:member=value`."""
    kind, _, rest = token.partition(":")
    name, _, value = rest.partition("=")
    return {name: value} if kind == purpose else None


def asked(body: Json, profile: Profile = GENERIC, **options: Any) -> tuple[UpstreamRequest, Losses]:
    """Return the request that is made of a body, and its losses."""
    whole = copy.deepcopy({"model": "given", "input": "hi", **body})
    prepare(whole)
    losses = Losses()
    validated = m.CreateResponse.model_validate(whole)
    return request(validated, profile, Options("sent", unseal=unseal, **options), losses), losses


def sent(body: Json, profile: Profile = GENERIC, **options: Any) -> Json:
    """Return the JSON of the request that is made of a body."""
    return asked(body, profile, **options)[0].body


def items(*given: Json, profile: Profile = GENERIC, **more: Any) -> list[Json]:
    """Return the input that is sent for some items."""
    result: list[Json] = sent({"input": list(given), **more}, profile)["input"]
    return result


def with_wire(**flags: Any) -> Profile:
    """Return the generic profile with other abilities of a Responses server."""
    return GENERIC.model_copy(update={"responses": GENERIC.responses.model_copy(update=flags)})
