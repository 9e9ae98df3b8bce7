"""Recorded turns of the app-server are read into well-formed streams."""

from pathlib import Path
from typing import Any, TypeAlias

import pytest
from wireloom_protocol import app_server as m
from wireloom_protocol import app_server_hot as hot
from wireloom_protocol import rpc

from tests.support import contract
from tests.support.app_server_sessions import SESSIONS, frames, session, threads
from tests.support.grammar import Told, check, decode
from tests.support.rpc_frames import frame, notification
from tests.support.streams import new_stream, seal, unseal
from wireloom.backends.codex.process import UNREAD
from wireloom.errors import GatewayError
from wireloom.translate.codex.app_server_news import READ, read
from wireloom.translate.codex.app_server_reader import ITEMS, NOTIFICATIONS, RETRIES, AppServerReader
from wireloom.translate.codex.schemas import Schema
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.base import Target, Tools
from wireloom.wire.jsonrpc import Frame
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]
WEATHER = Tools(by_flat_name={"get_weather": Target("get_weather")})
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


class Reading:
    """One response on its way from the news of a thread to a client's events."""

    def __init__(self, tools: Tools | None = None, schemas: Json | None = None, **more: Any) -> None:
        self.stream = new_stream()
        known = {name: Schema(schema) for name, schema in (schemas or {}).items()}
        self.reader = AppServerReader(self.stream, tools or Tools(), known, seal, **more)
        self.failure: GatewayError | None = None

    def read(self, told: list[Frame]) -> Told:
        """Feed news up to the end of the response; return what the client was told."""
        sent = b""
        try:
            for each in told:
                self.reader.feed(read(each))
                sent += encode(self.stream.take())
                if self.reader.suspended:
                    self.reader.close()
                    break
                if self.reader.done:
                    break
        except GatewayError as error:
            self.failure = error
            self.stream.fail(error.body(), "upstream_error")
        events = decode(sent + encode(self.stream.take()))
        assert [wrong for event in events if (wrong := contract.complaints(event))] == []
        return check(events)


def news(method: str, **params: Any) -> Frame:
    return notification(method, {"threadId": "t", "turnId": "u", **params})


def item(**fields: Any) -> Frame:
    return news("rawResponseItem/completed", item=fields)


STARTED = news("turn/started", turn={"id": "u"})
ENDED = news("turn/completed", turn={"id": "u", "status": "completed", "error": None})
CALL = {"type": "function_call", "id": "fc_1", "name": "get_weather", "arguments": '{ "city":1}'}


def delta(text: str, item_id: str = "msg_1") -> Frame:
    return news("item/agentMessage/delta", itemId=item_id, delta=text)


def over(**usage: int) -> Frame:
    return news("rawResponse/completed", responseId="r", usage=usage or None)


def retry(details: str, message: str = "Reconnecting... 1/5") -> Frame:
    error = {"message": message, "additionalDetails": details, "codexErrorInfo": "other"}
    return news("error", error=error, willRetry=True)


def failed(message: str) -> Frame:
    error = {"message": message, "codexErrorInfo": "other", "additionalDetails": None}
    return news("turn/completed", turn={"id": "u", "status": "failed", "error": error})


# -- tables --------------------------------------------------------------------------------------------------------


def test_every_notification_and_every_item_of_the_contract_has_a_rule() -> None:
    assert NOTIFICATIONS.keys() == rpc.SERVER_NOTIFICATIONS.keys()
    assert ITEMS.keys() == contract.tags(m.ResponseItem)
    rules: list[Rule[Any]] = [*NOTIFICATIONS.values(), *ITEMS.values()]
    assert all(rule.note or rule.how is How.NATIVE for rule in rules)


def test_a_notification_is_read_as_the_struct_of_its_params() -> None:
    contract_rows = {**rpc.SERVER_NOTIFICATIONS, **rpc.SERVER_REQUESTS}
    for method, message in READ.items():
        assert message.method == method
        assert message.kind is getattr(hot, contract_rows[method].params.__name__)
    native = {method for method, rule in NOTIFICATIONS.items() if rule.how is How.NATIVE}
    assert READ.keys() ^ native == {"account/rateLimits/updated", "item/tool/call"}
    assert {method for method, rule in NOTIFICATIONS.items() if rule.apply} == READ.keys() - {
        "item/tool/call"
    }
    assert not set(UNREAD) & native


# -- recordings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_every_recorded_turn_is_read_to_a_well_formed_end(path: Path) -> None:
    for thread_id in threads(path):
        tools = Tools(by_flat_name={name: Target(name) for name in ("get_weather", "lookup", "add")})
        reading = Reading(tools)
        told = frames(path, thread_id)
        if any(each.method == "turn/completed" for each in told):
            reading.read(told)
            assert reading.reader.lost == [] or path.stem[:2] in ("04", "06", "13")


def test_a_reasoning_turn() -> None:
    reading = Reading()
    told = reading.read(frames(session("07")))
    assert told.text == "The answer is 42."
    assert told.reasoning == "**Thinking**\n\nabout itraw cot"
    assert told.response["usage"] == USAGE
    assert unseal(told.response["output"][0]["encrypted_content"]) == {"encrypted": "ENC=="}
    assert told.response["status"] == "completed"


def test_two_messages_stay_two_and_a_refusal_is_told() -> None:
    def message(item_id: str, **part: str) -> Frame:
        return item(type="message", id=item_id, role="assistant", content=[part])

    told = Reading().read(
        [
            STARTED,
            delta("first", "msg_1"),
            message("msg_1", type="output_text", text="first"),
            delta("sec", "msg_2"),
            message("msg_2", type="output_text", text="second"),
            message("msg_3", type="refusal", refusal="no more"),
            over(totalTokens=1),
            delta("of another model call", "msg_1"),
            ENDED,
        ]
    )
    assert [kind for kind, _ in told.items] == ["message"] * 4
    assert told.text == "firstsecondof another model call"
    assert told.refusal == "no more"


def test_a_message_that_never_comes_was_a_refusal() -> None:
    begun = news("item/started", item={"type": "agentMessage", "id": "msg_1", "text": ""})
    reading = Reading()
    told = reading.read([STARTED, begun, over(totalTokens=1), ENDED])
    assert told.refusal == "The model refused. Codex does not pass on its words."
    assert reading.reader.lost == ["the words of a refusal"]
    empty = item(type="message", id="msg_1", role="assistant", content=[{"type": "output_text", "text": ""}])
    assert Reading().read([STARTED, begun, empty, over(totalTokens=1), ENDED]).refusal == ""


# -- calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count_first", [True, False])
def test_a_response_ends_when_all_its_calls_wait(count_first: bool) -> None:
    reading = Reading(WEATHER, {"get_weather": {"properties": {"city": {"type": "string"}}}})
    asks = [frame(method="item/tool/call", id=n, params={"threadId": "t", "callId": f"c{n}"}) for n in (2, 1)]
    counted = over(
        inputTokens=100, cachedInputTokens=40, outputTokens=20, reasoningOutputTokens=5, totalTokens=120
    )
    rest = [counted, *asks] if count_first else [*asks, counted]
    told = reading.read(
        [STARTED, delta("Let me look"), item(**CALL, call_id="c1"), item(**CALL, call_id="c2"), *rest]
    )
    calls = [one.item for one in told.calls]
    assert [one.said for one in told.calls] == ['{ "city":1}'] * 2
    assert told.response["usage"] == USAGE
    pending = reading.reader.pending
    assert [call["call_id"] for call in calls] == list(pending)
    assert not {"c1", "c2"} & pending.keys()
    assert [(each.request, each.name, each.arguments) for each in pending.values()] == [
        (1, "get_weather", '{ "city":1}'),
        (2, "get_weather", '{ "city":1}'),
    ]
    assert (
        reading.reader.lost
        == ["the arguments of get_weather do not fit its schema: properties/city/type"] * 2
    )
    assert not reading.reader.over


def test_a_call_of_what_is_not_offered_is_not_the_clients() -> None:
    reading = Reading(WEATHER)
    told = reading.read(
        [
            STARTED,
            item(**{**CALL, "name": "rm"}, call_id="c"),
            over(totalTokens=1),
            delta("so"),
            over(totalTokens=2),
            ENDED,
        ]
    )
    assert told.text == "so"
    assert told.calls == []
    assert told.response["usage"]["total_tokens"] == 3
    assert reading.reader.lost == ["a call of rm, which is not offered: Codex answers it itself"]


def test_tools_of_codexs_own_are_no_loss() -> None:
    reading = Reading(agent=True)
    reading.read([STARTED, item(**{**CALL, "name": "exec_command"}, call_id="c"), delta("done"), ENDED])
    assert reading.reader.lost == []


# -- ends ----------------------------------------------------------------------------------------------------------


def test_what_was_injected_is_not_told() -> None:
    echo = {
        "type": "message",
        "role": "assistant",
        "id": "m",
        "content": [{"type": "output_text", "text": "old"}],
    }
    before = notification(
        "rawResponseItem/completed", {"threadId": "t", "turnId": "auto-compact-0", "item": echo}
    )
    assert Reading().read([before, STARTED, delta("new"), ENDED]).text == "new"


def test_usage_that_is_not_told_is_none() -> None:
    assert Reading().read([STARTED, delta("a"), over(), ENDED]).response["usage"] is None


def test_a_retry_before_anything_was_told_is_none_of_the_clients() -> None:
    told = Reading().read([STARTED, *[retry("gone")] * RETRIES, delta("a"), ENDED])
    assert told.text == "a"
    assert told.response["status"] == "completed"


def test_retries_do_not_go_on_for_ever() -> None:
    reading = Reading()
    reading.read([STARTED, *[retry("no network")] * (RETRIES + 1), delta("a"), ENDED])
    assert reading.failure is not None
    assert (reading.failure.status, reading.failure.message) == (502, "no network")


def test_what_was_told_is_not_told_again() -> None:
    reading = Reading()
    told = reading.read([STARTED, delta("a"), retry("cut"), delta("a"), ENDED])
    assert told.text == "a"
    assert reading.failure is not None


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (failed("Incomplete response returned, reason: max_output_tokens"), "max_output_tokens"),
        (failed("Incomplete response returned, reason: content_filter"), "content_filter"),
        (retry("Incomplete response returned, reason: content_filter"), "content_filter"),
        (failed("Incomplete response returned, reason: unheard_of"), "max_output_tokens"),
    ],
)
def test_an_answer_that_was_cut_short(end: Frame, reason: str) -> None:
    reading = Reading()
    told = reading.read([STARTED, delta("hal"), end, delta("hal"), ENDED])
    assert told.text == "hal"
    assert told.response["status"] == "incomplete"
    assert told.response["incomplete_details"] == {"reason": reason}
    assert reading.reader.over is (end.method == "turn/completed")


def test_a_filtered_answer_is_a_failure_to_the_codex_cli() -> None:
    reading = Reading(codex=True)
    reading.read([STARTED, delta("a"), failed("Incomplete response returned, reason: content_filter")])
    assert reading.failure is not None
    assert reading.failure.code == "content_filter"


@pytest.mark.parametrize("status", ["interrupted", "inProgress", None])
def test_a_turn_that_is_broken_off(status: str | None) -> None:
    reading = Reading()
    reading.read([STARTED, news("turn/completed", turn={"id": "u", "status": status})])
    assert reading.failure is not None
    assert reading.failure.code == "upstream_incomplete"


@pytest.mark.parametrize(
    "odd",
    [
        notification("turn/completed", None),
        notification("item/completed", []),
        frame(method="item/started"),
        news("unheard/of"),
        news("error", error=None, willRetry=True),
        news("rawResponseItem/completed", item=None),
        news("rawResponse/completed", usage={"inputTokens": "many", "totalTokens": True}),
        news("item/agentMessage/delta"),
        news("item/reasoning/textDelta", itemId=3, delta=None, contentIndex="x"),
    ],
)
def test_news_without_sense_is_survived(odd: Frame) -> None:
    assert Reading().read([STARTED, odd, delta("a"), ENDED]).text == "a"


def test_an_item_of_an_unknown_kind_is_told_to_the_log() -> None:
    reading = Reading()
    reading.read([STARTED, item(type="hologram"), delta("a"), ENDED])
    assert reading.reader.lost == ["an item of type hologram"]
