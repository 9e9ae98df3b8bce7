"""What a request goes on from: its context put before its input, and its answer kept for the next one."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import ConfigDict, TypeAdapter, ValidationError
from wireloom_protocol import responses as m

from wireloom.archive import with_ids
from wireloom.errors import InvalidRequest, Unavailable
from wireloom.history.base import Context, Full, History, ItemJson, Record

if TYPE_CHECKING:
    from wireloom_protocol import replies

log = logging.getLogger("wireloom.history")

_ITEMS: TypeAdapter[list[m.InputItem]] = TypeAdapter(
    list[m.InputItem], config=ConfigDict(hide_input_in_errors=True)
)
# JSON of the chains that are kept in memory as they were read: a few long ones, or hundreds of short ones.
RECENT_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Continuation:
    """A request with all that it goes on from.

    Args:
        body: the request, its context put before its input and its references resolved.
        own: the request's own items, references resolved.
        recalled: how many items of the body's input are context.
        context: held while the answer is made, so that it stays.
        conversation: id of the conversation, or None.
        read: the items of the context, as far as they belong to a chain of responses.
    """

    body: m.CreateResponse
    own: str | Sequence[Any]
    recalled: int = 0
    context: Context | None = None
    conversation: str | None = None
    read: Sequence[Any] = ()

    @property
    def stored(self) -> bool:
        """Whether the response is to be kept."""
        return self.body.store is not False

    @property
    def keeps(self) -> bool:
        """Whether anything of the answer is to be kept."""
        return self.stored or self.conversation is not None


class _Recent:
    """Chains as they were read last, so that a turn costs what is new in it; the store alone knows what is there."""

    def __init__(self) -> None:
        self._chains: OrderedDict[str, tuple[int, list[Any]]] = OrderedDict()
        self._bytes = 0

    def take(self, response_id: str, count: int) -> list[Any] | None:
        """The items up to the end of a response, if they are still as many as the store has."""
        if response_id not in self._chains:
            return None
        _, items = self._chains[response_id]
        return items if len(items) == count else None

    def put(self, response_id: str, items: list[Any], size: int, before: str | None) -> None:
        """Have a chain go on: its new end takes the place of the one before."""
        if before is not None:
            self._drop(before)
        self._chains[response_id] = (size, items)
        self._bytes += size
        while self._bytes > RECENT_BYTES:
            self._drop(next(iter(self._chains)))

    def _drop(self, response_id: str) -> None:
        if response_id in self._chains:
            size, _ = self._chains.pop(response_id)
            self._bytes -= size


class Continuations:
    """Finds what requests go on from, and keeps what they lead to.

    Args:
        history: the store.
        new_id: makes an id for a prefix.
    """

    def __init__(self, history: History, new_id: Callable[[str], str]) -> None:
        self._history = history
        self._new_id = new_id
        self._recent = _Recent()

    async def begin(self, body: m.CreateResponse, principal: str) -> Continuation:
        """Put a request together.

        Raises:
            InvalidRequest: it names something that is not stored here for this principal, or cannot be read.
            Unavailable: the store cannot be read.
        """
        conversation = _conversation(body)
        try:
            context = await self._context(body, conversation, principal)
            own = await self._resolved(body.input, principal)
        except Full as error:
            raise Unavailable("The history cannot be read now.", code="store_full", retry_after=1) from error
        if context is None:
            whole = body if own is body.input else body.model_copy(update={"input": own})
            return Continuation(whole, own, conversation=conversation)
        previous = body.previous_response_id
        recent = None if previous is None else self._recent.take(previous, len(context.items))
        read = recent if recent is not None else _read(context.items)
        recalled = _since_compaction(read)
        whole = body.model_copy(update={"input": [*recalled, *_listed(own)]})
        return Continuation(whole, own, len(recalled), context, conversation, read if previous else ())

    async def keep(self, begun: Continuation, response: replies.Response, principal: str) -> None:
        """Keep a response that has ended well, and say on it whether it was kept.

        Args:
            begun: what it came from.
            response: the response object; its `store` is made true to the facts.
            principal: whose it is.
        """
        if not _readable(response["output"]):
            response["store"] = False
            log.warning(
                "%s is not kept: its output holds an item of a form that is not known", response["id"]
            )
            return
        own = [item.model_dump(mode="json", by_alias=True, exclude_unset=True) for item in _listed(begun.own)]
        inputs = list(map(msgspec.json.encode, with_ids(own, self._new_id)))
        outputs = list(map(msgspec.json.encode, response["output"]))
        try:
            if begun.stored:
                await self._history.keep(principal, _record(begun, response, inputs, outputs))
                if begun.conversation is None:
                    self._remember(begun, response["id"], [*inputs, *outputs])
            elif begun.conversation is not None:
                items = [*inputs, *outputs]
                if not await self._history.add(principal, begun.conversation, items):
                    log.warning("%s is not kept: its conversation has gone", response["id"])
        except Full as error:
            response["store"] = False
            log.warning("%s is not kept: %s", response["id"], error)

    def _remember(self, begun: Continuation, response_id: str, new: list[ItemJson]) -> None:
        before = () if begun.context is None else begun.context.items
        size = sum(map(len, before)) + sum(map(len, new))
        with suppress(InvalidRequest):  # the next turn says so, if it ever comes
            items = [*begun.read, *_read(new)]
            self._recent.put(response_id, items, size, begun.body.previous_response_id)

    async def _context(
        self, body: m.CreateResponse, conversation: str | None, principal: str
    ) -> Context | None:
        previous = body.previous_response_id
        if previous is not None and conversation is not None:
            raise InvalidRequest(
                "previous_response_id and conversation name two contexts; give one of them.",
                param="conversation",
            )
        if previous is not None:
            context = await self._history.context(principal, previous)
            if context is None:
                raise InvalidRequest(
                    f"No response {previous!r} is stored here; send the whole conversation as input.",
                    code="previous_response_not_found",
                    param="previous_response_id",
                )
            return context
        if conversation is None:
            return None
        context = await self._history.dialogue(principal, conversation)
        if context is None:
            raise InvalidRequest(
                f"There is no conversation {conversation!r} here.",
                code="conversation_not_found",
                param="conversation",
            )
        return context

    async def _resolved(self, items: str | list[Any], principal: str) -> str | list[Any]:
        """The items of a request, with what references stand for in their place."""
        if isinstance(items, str):
            return items
        wanted = [item.id for item in items if item.type == "item_reference"]
        if not wanted:
            return items
        found = await self._history.items(principal, wanted)
        for index, item in enumerate(items):
            if item.type == "item_reference" and item.id not in found:
                at = f"input[{index}].id"
                raise InvalidRequest(
                    f"{at}: no item {item.id!r} is stored here.", code="item_not_found", param=at
                )
        return [_read([found[item.id]])[0] if item.type == "item_reference" else item for item in items]


def _conversation(body: m.CreateResponse) -> str | None:
    given = body.conversation
    return given if given is None or isinstance(given, str) else given.id


def _listed(items: str | Sequence[Any]) -> Sequence[Any]:
    if not isinstance(items, str):
        return items
    return [m.MessageItemParam(type="message", role="user", content=items)]


def _readable(output: Sequence[Any]) -> bool:
    """Whether the items of an answer can be read again as input; an upstream may be ahead of the contract."""
    if not all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in output):
        return False
    try:
        _ITEMS.validate_python(output)
    except (ValidationError, RecursionError):
        return False
    return True


def _read(items: Sequence[ItemJson]) -> list[Any]:
    """Items as they were stored.

    Raises:
        InvalidRequest: another version of the gateway has stored what this one does not know.
    """
    try:
        return _ITEMS.validate_json(b"[" + b",".join(items) + b"]")
    except ValidationError:
        # Not as its cause: the error quotes what was said, and a log would show it.
        raise InvalidRequest(
            "What is stored there holds an item of a form that is not known here; send the whole conversation as input.",
            code="unsupported_item",
        ) from None


def _since_compaction(items: list[Any]) -> list[Any]:
    """What is left to be told once the conversation was summed up: the summary, what follows, and what instructs."""
    last = max((index for index, item in enumerate(items) if item.type == "compaction"), default=0)
    standing = [
        item for item in items[:last] if item.type == "message" and item.role in ("system", "developer")
    ]
    return [*standing, *items[last:]]


def _record(
    begun: Continuation, response: Mapping[str, Any], inputs: list[ItemJson], outputs: list[ItemJson]
) -> Record:
    head = {name: value for name, value in response.items() if name != "output"}
    return Record(
        id=response["id"],
        created_at=response["created_at"],
        response=msgspec.json.encode(head),
        inputs=inputs,
        outputs=outputs,
        previous=begun.body.previous_response_id,
        conversation=begun.conversation,
    )
