"""The one road: a request is put together, routed, understood, answered, kept."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from wireloom_protocol import chat
from wireloom_protocol import responses as m

from wireloom.archive import Archive
from wireloom.backends.base import Ask, Caller, Metered, ModelInfo, Relayed, Relays, Turn
from wireloom.continuation import Continuation, Continuations
from wireloom.errors import NotFound, Unavailable, did_you_mean
from wireloom.history.base import History
from wireloom.routing.admission import Admission
from wireloom.routing.fallback import Attempts, FallbackRelay, FallbackTurn
from wireloom.routing.quotas import Quota, SharedRelay, SharedTurn
from wireloom.routing.routing import Place, Routing
from wireloom.seal import NONCE_BYTES, Sealer
from wireloom.translate import compaction
from wireloom.translate.hub.fold import fold
from wireloom.translate.hub.include import ENCRYPTED_REASONING
from wireloom.translate.hub.opening import opening
from wireloom.translate.hub.relay import take_over
from wireloom.translate.hub.sequence import Event
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.rules.loss import LOSS_HEADER, Loss, Losses, Severity

if TYPE_CHECKING:
    from wireloom_protocol import replies

# Fields of a request to count or to compact that no request for a response has -> why they are left out.
ASIDE = {"personality": "no model here has one"}
NO_USAGE: replies.ResponseUsage = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


def new_id(prefix: str) -> str:
    """A fresh id, such as `resp_1f...`."""
    return f"{prefix}_{secrets.token_hex(16)}"


def nonce() -> bytes:
    """Random bytes for one seal."""
    return secrets.token_bytes(NONCE_BYTES)


@dataclass(frozen=True, slots=True)
class Run:
    """A request on its way.

    Args:
        stream: what the answer is told to.
        losses: what could not be carried.
        turn: the work, not begun yet.
        keep: keeps the response once it has ended well, or None where nothing is kept.
        limits: headers that tell of the backend's account.
    """

    stream: ResponseStream
    losses: Losses
    turn: Turn
    keep: Callable[[], Any] | None = None
    limits: Mapping[str, str] = field(default_factory=dict)

    def headers(self, of_answer: Iterable[str] = ()) -> dict[str, str]:
        """The headers of the answer: what was lost, and how the backend's account is.

        Args:
            of_answer: what of the answer was changed, in words, where it is known before the headers leave.
        """
        lost = self.losses.header(of_answer)
        return {**({LOSS_HEADER: lost} if lost else {}), **self.limits}

    def events(self) -> AsyncGenerator[list[Event], None]:
        """Do the work: batches of events; the last one comes when what it tells has been kept."""
        return self.turn.events() if self.keep is None else self._kept(self.keep)

    async def _kept(self, keep: Callable[[], Any]) -> AsyncGenerator[list[Event], None]:
        async with aclosing(self.turn.events()) as batches:
            async for batch in batches:
                if self.stream.ended and self.stream.lasting:
                    await keep()
                yield batch


class Gateway:
    """Takes requests to backends.

    Args:
        history: the store of what was said before.
        sealer: closes what clients carry.
        quotas: name of an inbound key -> what it opens; all for those that are not there.
        strict: whether a degrading loss refuses a request.
        now: tells the time in seconds since the epoch.
    """

    def __init__(
        self,
        history: History,
        sealer: Sealer,
        *,
        quotas: Mapping[str, Quota] | None = None,
        strict: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._routing: Routing | None = None
        self._sealer = sealer
        self._admission = Admission(quotas or {})
        self.strict = strict
        self._now = now
        self._continuations = Continuations(history, new_id)
        self.archive = Archive(history, new_id, now)

    @contextmanager
    def using(self, routing: Routing) -> Iterator[None]:
        """Take answers from backends while the context lasts."""
        self._routing = routing
        try:
            yield
        finally:
            self._routing = None

    @property
    def routing(self) -> Routing:
        """Where answers come from.

        Raises:
            Unavailable: the gateway is starting or stopping.
        """
        if self._routing is None:
            raise Unavailable("The gateway is not serving now.", retry_after=1)
        return self._routing

    async def respond(self, body: m.CreateResponse, caller: Caller) -> Run:
        """Begin a response; nothing leaves before the batches are asked for.

        Args:
            body: the validated request.
            caller: who asks.

        Raises:
            InvalidRequest: something that cannot be carried and must not be left out, or is not stored here.
        """
        places = await self._places(body.model, body.prompt_cache_key, caller)
        self._admission.admit(places[0], caller, others=len(places) > 1)
        begun = await self._continuations.begin(body, caller.principal)
        ask = self._ask(begun, caller, places[0])
        response = opening(body, new_id("resp"), int(self._now()))
        response["store"] = begun.stored
        if begun.conversation is not None:
            response["conversation"] = {"id": begun.conversation}
        stream = self._stream(ask, response)
        if isinstance(stream, compaction.CompactionStream):
            ask = replace(ask, body=compaction.request(ask.body))
        caller.exchange.answer = stream
        turn = places[0].at.backend.turn(ask, stream)
        if len(places) > 1:
            turn = self._with_others(turn, places, ask, begun, stream)
        slots = self._admission.slots(caller)
        if slots is not None:
            turn = SharedTurn(turn, slots, caller.exchange)
        keep = partial(self._continuations.keep, begun, response, caller.principal) if begun.keeps else None
        backend = places[0].at.backend
        return Run(stream, ask.losses, turn, keep, backend.limits() if isinstance(backend, Metered) else {})

    def _with_others(
        self, first: Turn, places: list[Place], ask: Ask, begun: Continuation, stream: ResponseStream
    ) -> Turn:
        """A turn that goes on at the other places where the first does not answer."""
        opened = stream.response.copy()

        def begin(place: Place) -> Turn:
            other = replace(self._ask(begun, ask.caller, place), body=ask.body, losses=ask.losses)
            take_over(stream, opened, partial(other.seals["reasoning"].close, "reasoning"))
            return place.at.backend.turn(other, stream)

        def told() -> bool:
            return stream.has_output or stream.ended

        attempts = Attempts(
            places, begin, told, self._admission.budget, self.routing.now, ask.caller.exchange
        )
        return FallbackTurn(attempts, first)

    async def _places(self, model: str, affinity: str | None, caller: Caller) -> list[Place]:
        """Where a request goes, as far as its key opens that; see `Admission.places`."""
        return await self._admission.places(self.routing, model, affinity, caller)

    def limits(self) -> Mapping[str, str]:
        """Headers that tell how the account of a backend is, where one has limits."""
        return {} if self._routing is None else self._routing.limits()

    async def relay(
        self, body: chat.CreateChatCompletionRequest, caller: Caller, losses: Losses
    ) -> Relayed | None:
        """Pass a chat completion on to an upstream that speaks Chat itself; nothing leaves yet.

        Args:
            body: the validated request.
            caller: who asks.
            losses: where is noted what the upstream does not take.

        Returns:
            None where the backend speaks something else, so that the request has to be translated.

        Raises:
            InvalidRequest: something that the upstream cannot do and must not be left out.
        """
        places = await self._places(body.model, body.prompt_cache_key, caller)
        relaying = [(place, place.at.backend) for place in places if isinstance(place.at.backend, Relays)]
        if not relaying or relaying[0][0] is not places[0]:
            return None
        self._admission.admit(places[0], caller, others=len(relaying) > 1)
        asked = body.model_dump(mode="json", by_alias=True, exclude_unset=True)

        def begin(place: Place) -> Relayed:
            assert isinstance(place.at.backend, Relays)
            return place.at.backend.relay(asked, place.model, caller, losses)

        relayed: Relayed
        if len(relaying) == 1:
            relayed = begin(places[0])
        else:
            able = [place for place, _ in relaying]
            relayed = FallbackRelay(able, begin, self._admission.budget, self.routing.now, caller.exchange)
        slots = self._admission.slots(caller)
        return relayed if slots is None else SharedRelay(relayed, slots, caller.exchange)

    async def compact(
        self, body: m.CompactResponseMethodPublicBody, caller: Caller
    ) -> tuple[replies.CompactResource, str | None]:
        """Sum a conversation up.

        Args:
            body: the validated request.
            caller: who asks.

        Returns:
            The compaction, and the value of the loss header.

        Raises:
            InvalidRequest: see `respond`.
            UpstreamError: the model gave no summary.
        """
        asked = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
        items = [*_items(asked.get("input")), {"type": compaction.TRIGGER}]
        request = _request(body, asked, input=items, store=False)
        run = await self.respond(request, caller)
        _report_aside(asked, request, run.losses)
        response = None
        async with aclosing(run.events()) as batches:
            async for batch in batches:
                response = fold(batch, response)
        assert response is not None
        made: replies.CompactResource = {
            "id": response["id"],
            "object": "response.compaction",
            "created_at": response["created_at"],
            "output": [item for item in response["output"] if item["type"] == "compaction"],
            "usage": response["usage"] or NO_USAGE,
        }
        return made, run.losses.header()

    async def count_input_tokens(self, body: m.TokenCountsBody, caller: Caller) -> tuple[int, str | None]:
        """How many tokens a request would cost to read.

        Args:
            body: the validated request.
            caller: who asks.

        Returns:
            Tokens, and the value of the loss header: how they were found, where not by the upstream itself.

        Raises:
            InvalidRequest: see `respond`.
        """
        asked = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
        request = _request(body, asked, input=asked.get("input") or "")
        place = (await self._places(request.model, request.prompt_cache_key, caller))[0]
        self._admission.admit(place, caller)
        ask = self._ask(await self._continuations.begin(request, caller.principal), caller, place)
        tokens, how = await place.at.backend.count(ask)
        if how == "upstream":
            caller.exchange.answers()
        _report_aside(asked, request, ask.losses)
        if how != "upstream":
            # Of the answer, not of the request: there is nothing to refuse.
            ask.losses.items.append(Loss("input_tokens", "emulated", how))
        return tokens, ask.losses.header()

    def _ask(self, begun: Continuation, caller: Caller, place: Place) -> Ask:
        route = place.at.backend.route(place.model)
        seals = {
            "reasoning": self._sealer.bind(caller.principal, route, nonce),
            # Whatever model goes on from a summary can read it.
            "compaction": self._sealer.bind(caller.principal, "", nonce),
        }
        return Ask(begun.body, place.model, caller, Losses(strict=self.strict), seals, begun.recalled)

    def _stream(self, ask: Ask, response: replies.Response) -> ResponseStream:
        if compaction.asked(ask.body):
            seal = partial(ask.seals["compaction"].close, "compaction")
            return compaction.CompactionStream(response, new_id, self._now, seal)
        asked = ask.body.reasoning
        return ResponseStream(
            response,
            new_id,
            self._now,
            summarise=asked is not None and (asked.summary or asked.generate_summary) is not None,
            seal=partial(ask.seals["reasoning"].close, "reasoning"),
            seal_reasoning=ENCRYPTED_REASONING in (ask.body.include or ()),
        )

    async def models(self, caller: Caller) -> list[ModelInfo]:
        """Every model that a client may use, under the names it may use.

        Raises:
            GatewayError: see `Routing.models`.
        """
        found = await self.routing.models(caller.upstream_key)
        quota = self._admission.quota(caller)
        if quota is None:
            return found
        permitted = []
        for info in found:
            places = await self.routing.places(info.id, None, caller.upstream_key)
            if any(quota.permits(info.id, place) for place in places):
                permitted.append(info)
        return permitted

    async def model(self, name: str, caller: Caller) -> ModelInfo:
        """One model.

        Raises:
            NotFound: there is none of that name.
        """
        found = await self.models(caller)
        for info in found:
            if info.id == name:
                return info
        near = did_you_mean(name, (info.id for info in found))
        hint = "GET /v1/models lists those there are." if near is None else f"Did you mean {near}?"
        raise NotFound(f"There is no model {name!r} here. {hint}", code="model_not_found", param="model")


def _items(given: Any) -> list[Any]:
    """A request's input as a list of items."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given or ())


def _request(source: BaseModel, asked: dict[str, Any], **changed: Any) -> m.CreateResponse:
    """Another operation's request as the one for a response that says the same.

    Args:
        source: the validated request; what its type does not know was not validated and is left out.
        asked: its JSON.
        changed: members that take the place of its own.
    """
    shared = type(source).model_fields.keys() & m.CreateResponse.model_fields.keys() & asked.keys()
    return m.CreateResponse.model_validate({**{name: asked[name] for name in shared}, **changed})


def _report_aside(asked: Mapping[str, Any], request: m.CreateResponse, losses: Losses) -> None:
    """Report the fields of another operation's request that no request for a response has."""
    for name in sorted(asked.keys() - request.model_fields_set):
        reason = ASIDE.get(name, "no such field in the contract")
        losses.add(name, "dropped", reason, Severity.IMMATERIAL)
