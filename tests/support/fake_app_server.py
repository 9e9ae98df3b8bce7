"""An app-server in the same process: it answers as the recorded ones do, and plays what a test gives it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

from tests.support.app_server_sessions import messages, session
from wireloom.wire.jsonrpc import Frame, FrameReader

Json = dict[str, Any]
Script = list[Json]


def _recorded(method: str) -> Json:
    """The recorded answer to a method."""
    lines = [json.loads(line) for line in session("07").read_text().splitlines()]
    (asked,) = [line["msg"]["id"] for line in lines if line["msg"].get("method") == method]
    (answer,) = [each["result"] for each in messages(session("07")) if each.get("id") == asked]
    return dict(answer)


INITIALIZED, STARTED, BEGUN = map(_recorded, ("initialize", "thread/start", "turn/start"))
ACCOUNT: Json = {"account": None, "requiresOpenaiAuth": False}
MODELS: Json = {"data": [], "nextCursor": None}


def news(method: str, **params: Any) -> Json:
    """Return a notification; the ids of thread and turn are put in when it is sent."""
    return {"method": method, "params": params}


def said(text: str) -> Script:
    """Return what a turn says that answers with a text."""
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    return [
        news("item/agentMessage/delta", itemId="msg_1", delta=text),
        news("rawResponseItem/completed", item=item),
        counted(),
    ]


def message(text: str, *, at_start: Json | None = None, at_end: Json | None = None) -> Script:
    """Return what a model call says that answers with a text; the provider's instructions for its display are given."""

    def item(text: str, display: Json | None) -> Json:
        moderation = None if display is None else {"moderated": True, "display": display}
        return {"type": "agentMessage", "id": "msg_1", "text": text, "moderation": moderation}

    first, deltas, last = said(text)[0], said(text)[1:-1], said(text)[-1]
    return [
        news("item/started", item=item("", at_start)),
        first,
        news("item/completed", item=item(text, at_end or at_start)),
        *deltas,
        last,
    ]


def counted(tokens: int = 3) -> Json:
    """Return the end of a model call."""
    usage = {"inputTokens": tokens - 1, "outputTokens": 1, "totalTokens": tokens}
    zero = {"cachedInputTokens": 0, "cacheWriteInputTokens": 0, "reasoningOutputTokens": 0}
    return news("rawResponse/completed", responseId="r", usage={**usage, **zero})


def called(*calls: tuple[str, str, str]) -> Script:
    """Return what a turn says that calls tools: call id, name and arguments of each."""
    items = [
        news(
            "rawResponseItem/completed",
            item={"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments},
        )
        for call_id, name, arguments in calls
    ]
    asks = [
        {
            "id": f"ask-{call_id}",
            "method": "item/tool/call",
            "params": {
                "callId": call_id,
                "tool": name,
                "namespace": None,
                "arguments": json.loads(arguments),
            },
        }
        for call_id, name, arguments in calls
    ]
    return [*items, counted(), *asks]


def ended(status: str = "completed", error: Json | None = None) -> Json:
    """Return the end of a turn."""
    return news("turn/completed", turn={"status": status, "error": error})


class FakeAppServer:
    """A channel with an app-server behind it.

    Args:
        scripts: what the turns say, one after the other; what follows an answered call is the next one's.
    """

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.asked: list[tuple[str, Json]] = []
        self.answered: list[tuple[Any, Json]] = []
        self.refused: list[Any] = []
        self.closed = False
        self.silent: set[str] = set()
        """Methods that are not answered."""
        self.results: dict[str, Callable[[Json], Any]] = {
            "initialize": lambda _: INITIALIZED,
            "thread/start": self._thread,
            "thread/inject_items": lambda _: {},
            "thread/unsubscribe": lambda _: {"status": "unsubscribed"},
            "turn/start": lambda _: {"turn": {**BEGUN["turn"], "id": "u"}},
            "turn/interrupt": lambda _: {},
            "account/read": lambda _: ACCOUNT,
            "model/list": lambda _: MODELS,
        }
        self.errors: dict[str, str] = {}
        self._threads = 0
        self._waiting: dict[Any, str] = {}
        self._frames: asyncio.Queue[list[Frame] | None] = asyncio.Queue()

    def named(self, method: str) -> list[Json]:
        """Return the params of the requests of a method."""
        return [params for name, params in self.asked if name == method]

    def die(self) -> None:
        """Go away."""
        self._frames.put_nowait(None)

    def play(self, thread_id: str, script: Script) -> None:
        """Say something about a thread."""
        for message in script:
            params = {"threadId": thread_id, "turnId": "u", **message["params"]}
            if message["method"] == "item/tool/call":
                self._waiting[message["id"]] = thread_id
            self._say({**message, "params": params})

    def send(self, message: bytes) -> None:
        """See `Channel.send`."""
        frame = json.loads(message)
        method = frame.get("method")
        if method is None:
            self._settle(frame)
        elif "id" in frame and method not in self.silent:
            self.asked.append((method, frame["params"]))
            if method in self.errors:
                self._say({"id": frame["id"], "error": {"code": -32600, "message": self.errors[method]}})
                return
            self._say({"id": frame["id"], "result": self.results[method](frame["params"])})
            if method == "turn/start" and self.scripts:
                thread_id = frame["params"]["threadId"]
                self.play(thread_id, [news("turn/started", turn={"id": "u"}), *self.scripts.pop(0)])
        else:
            self.asked.append((method, frame.get("params") or {}))

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        """See `Channel.frames`."""
        while (frames := await self._frames.get()) is not None:
            yield frames
        self._frames = asyncio.Queue()  # for the one that is started in its place

    async def aclose(self) -> None:
        """See `Channel.aclose`."""
        self.closed = True

    def _settle(self, frame: Json) -> None:
        if "error" in frame:
            self.refused.append(frame["id"])
            return
        self.answered.append((frame["id"], frame["result"]))
        thread_id = self._waiting.pop(frame["id"], None)
        if thread_id is not None and thread_id not in self._waiting.values() and self.scripts:
            self.play(thread_id, self.scripts.pop(0))

    def _thread(self, _: Json) -> Json:
        self._threads += 1
        return {**STARTED, "thread": {**STARTED["thread"], "id": f"t{self._threads}"}}

    def _say(self, message: Json) -> None:
        self._frames.put_nowait(FrameReader().feed(json.dumps(message).encode() + b"\n"))
