"""OpenAI's SDK in front, the real Codex CLI behind: by its app-server and by `codex exec`, on both faces."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.support import responses_turns as r
from tests.support.codex import codex_version
from tests.support.codex_backend import MODEL, CodexGateway
from tests.support.responses_server import API_KEY, ResponsesServer

pytestmark = pytest.mark.e2e

Json = dict[str, Any]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
SCHEMA: Json = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
FACES = ["chat", "responses"]
ENGINES = ["app-server", "exec"]
USED = (11, 7, 2, 3)
"""Tokens of a scripted answer: read, written, of these cached and thought."""


@pytest.fixture(scope="module")
def provider() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


@pytest.fixture(scope="module")
def gateways(
    provider: ResponsesServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, CodexGateway]]:
    roots = {engine: tmp_path_factory.mktemp(engine) for engine in ENGINES}
    made = {engine: CodexGateway(engine, roots[engine], provider.base_url, traps=True) for engine in ENGINES}
    with made["app-server"], made["exec"]:
        yield made
    for gateway in made.values():
        assert "Traceback" not in gateway.stderr, gateway.stderr
        assert gateway.holds(API_KEY) == []
        assert gateway.holds("canary-secret") == []
        assert list(gateway.user.traces.iterdir()) == []


@pytest.fixture(params=ENGINES)
def gateway(request: pytest.FixtureRequest, gateways: dict[str, CodexGateway]) -> CodexGateway:
    return gateways[request.param]


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(gateway: CodexGateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60) as client:
        yield client


@dataclass
class Answer:
    """What a client got, whatever the face."""

    text: str
    reason: str
    usage: tuple[int, int, int, int] | None
    pieces: list[str]


def ask(client: OpenAI, face: str, messages: list[Json], *, stream: bool = False, **fields: Any) -> Answer:
    """Ask on a face, whole or streamed."""
    if face == "chat":
        return _chat(client, messages, stream, fields)
    return _responses(client, messages, stream, fields)


def _chat(client: OpenAI, messages: list[Json], stream: bool, fields: Json) -> Answer:
    body: Json = {"model": MODEL, "messages": messages, **fields}
    if not stream:
        made = client.chat.completions.create(**body)
        choice = made.choices[0]
        return Answer(choice.message.content or "", choice.finish_reason, _chat_usage(made.usage), [])
    answer = Answer("", "", None, [])
    for chunk in client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}):
        answer.usage = _chat_usage(chunk.usage) or answer.usage
        for each in chunk.choices:
            if each.delta.content:
                answer.pieces.append(each.delta.content)
            answer.reason = each.finish_reason or answer.reason
    answer.text = "".join(answer.pieces)
    return answer


def _chat_usage(usage: Any) -> tuple[int, int, int, int] | None:
    if usage is None:
        return None
    cached, thought = (
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )
    return usage.prompt_tokens, usage.completion_tokens, cached, thought


def _responses(client: OpenAI, messages: list[Json], stream: bool, fields: Json) -> Answer:
    body: Json = {"model": MODEL, "input": messages, **fields}
    pieces: list[str] = []
    if stream:
        with client.responses.stream(**body) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    pieces.append(event.delta)
                elif event.type in ("response.completed", "response.incomplete"):
                    made = event.response
    else:
        made = client.responses.create(**body)
    used, usage = made.usage, None
    if used is not None:
        cached, thought = used.input_tokens_details.cached_tokens, used.output_tokens_details.reasoning_tokens
        usage = used.input_tokens, used.output_tokens, cached, thought
    details = made.incomplete_details
    return Answer(made.output_text, (details.reason if details else None) or str(made.status), usage, pieces)


def said(provider: ResponsesServer) -> list[tuple[str, list[str]]]:
    """Role and texts of every message that the provider was last told."""
    items = provider.asked[-1]["input"]
    return [
        (item["role"], [part["text"] for part in item["content"] if "text" in part])
        for item in items
        if item["type"] == "message"
    ]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


# -- one answer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_with_its_usage(client: OpenAI, face: str, provider: ResponsesServer, stream: bool) -> None:
    provider.play(
        [r.told(r.reasoning("hm", summary=["thinking"], encrypted="ENC"), r.message("Hello there"))]
    )
    answer = ask(client, face, [user("hello")], stream=stream)
    assert (answer.text, answer.usage) == ("Hello there", USED)
    assert answer.reason in ("stop", "completed")
    (exchange,) = provider.exchanges
    assert exchange.size <= 2048
    assert exchange.body["tools"] == []
    assert said(provider)[-1] == ("user", ["hello"])


@pytest.mark.parametrize("model", [MODEL, "gpt-5.5", "gpt-6.1-sol"])
def test_the_provider_sees_no_more_than_what_was_asked(
    client: OpenAI, provider: ResponsesServer, model: str
) -> None:
    provider.play([r.told(r.message("hi"))])
    client.responses.create(model=model, input="hello")
    (exchange,) = provider.exchanges
    assert exchange.size <= 2048, exchange.body
    assert exchange.body["tools"] == []
    assert exchange.body["model"] == model
    assert "TRAP" not in json.dumps(exchange.body)


def test_roles_keep_their_places(
    client: OpenAI, face: str, gateway: CodexGateway, provider: ResponsesServer
) -> None:
    provider.play([r.told(r.message("fine"))])
    messages = [
        {"role": "system", "content": "System text."},
        {"role": "developer", "content": "Developer text."},
        user("first"),
        {"role": "assistant", "content": "second"},
        user("third"),
    ]
    assert ask(client, face, messages).text == "fine"
    told = [(role, text) for role, texts in said(provider) for text in texts]
    if gateway is not None and len(told) == 5:
        assert told == [
            ("developer", "System text."),
            ("developer", "Developer text."),
            ("user", "first"),
            ("assistant", "second"),
            ("user", "third"),
        ]
        return
    (system, prompt) = told  # the other engine has a prompt, and what goes before it
    assert system == ("developer", "System text.\n\nDeveloper text.")
    words = prompt[1].splitlines()
    assert [line for line in words[1:] if not line.startswith("[")] == ["first", "second", "third"]


def test_a_picture(client: OpenAI, face: str, gateway: CodexGateway, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("a dot"))])
    if face == "chat":
        parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}}]
    else:
        parts = [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
        ]
    assert ask(client, face, [{"role": "user", "content": parts}]).text == "a dot"
    content = [part for item in provider.asked[-1]["input"] for part in item.get("content", [])]
    (picture,) = [part for part in content if part["type"] == "input_image"]
    sent = base64.b64decode(picture["image_url"].partition(",")[2])
    assert sent.startswith(PIXEL[:4])
    assert not any(str(gateway.home) in part.get("text", "") for part in content)


def test_a_picture_elsewhere_is_refused_and_not_fetched(
    client: OpenAI, face: str, provider: ResponsesServer
) -> None:
    provider.play([])
    url = provider.base_url.replace("/v1", "/picture.png")
    if face == "chat":
        part: Json = {"type": "image_url", "image_url": {"url": url}}
        path = "messages[0].content[0].image_url"
    else:
        part = {"type": "input_image", "image_url": url, "detail": "auto"}
        path = "input[0].content[0].image_url"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, face, [{"role": "user", "content": [part]}])
    assert caught.value.param == path
    assert provider.exchanges == []


def test_an_answer_to_a_schema(client: OpenAI, face: str, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message('{"answer": 4}'))])
    form = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    if face == "chat":
        inner = {name: value for name, value in form.items() if name != "type"}
        fields: Json = {"response_format": {"type": "json_schema", "json_schema": inner}}
    else:
        fields = {"text": {"format": form}}
    assert json.loads(ask(client, face, [user("two and two?")], **fields).text) == {"answer": 4}
    sent = provider.asked[-1]["text"]["format"]
    assert (sent["type"], sent["schema"], sent["strict"]) == ("json_schema", SCHEMA, True)


def test_effort(client: OpenAI, face: str, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("ok"))])
    fields: Json = {"reasoning_effort": "high"} if face == "chat" else {"reasoning": {"effort": "high"}}
    ask(client, face, [user("think")], **fields)
    assert provider.asked[-1]["reasoning"]["effort"] == "high"


def test_several_messages_are_all_told(client: OpenAI, face: str, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("one"), r.message("two", item_id="msg_2"))])
    answer = ask(client, face, [user("count")])
    assert answer.text.replace("\n", "") == "onetwo"


# -- ends that are none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("why", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_short(
    client: OpenAI, face: str, provider: ResponsesServer, stream: bool, why: str, finish: str
) -> None:
    cut = r.response([], "incomplete", incomplete_details={"reason": why})
    provider.play([r.told(r.message("half"), terminal=cut)])
    answer = ask(client, face, [user("go on")], stream=stream)
    assert answer.text == "half"
    assert answer.reason == (finish if face == "chat" else why)
    assert len(provider.exchanges) == 1


def failing(status: int, code: str | None = None, message: str = "it broke") -> r.Answer:
    return r.Whole({"error": {"message": message, "code": code, "type": "error", "param": None}}, status)


def failed(code: str) -> r.Answer:
    response = r.response([], "failed", error={"code": code, "message": f"boom {code}"})
    return r.Streamed([*r.whole(terminal=response)])


FAILURES = [
    pytest.param(failing(401), 502, "upstream_authentication", id="401"),
    pytest.param(failing(403), 502, "upstream_authentication", id="403"),
    pytest.param(failing(400, "context_length_exceeded"), 400, "context_length_exceeded", id="context"),
    pytest.param(failed("context_length_exceeded"), 400, "context_length_exceeded", id="failed context"),
    pytest.param(failing(400, "other", "that is wrong"), 400, "other", id="400"),
    pytest.param(failing(400, "cyber_policy"), 400, "invalid_prompt", id="cyber"),
    pytest.param(failed("cyber_policy"), 400, "invalid_prompt", id="failed cyber"),
    pytest.param(failing(404, "model_not_found"), 404, "model_not_found", id="404"),
    pytest.param(failing(429), 429, "rate_limit_exceeded", id="429"),
    pytest.param(failing(429, "insufficient_quota"), 429, "insufficient_quota", id="quota"),
    pytest.param(failed("insufficient_quota"), 429, "insufficient_quota", id="failed quota"),
    pytest.param(failing(500), 502, "upstream_error", id="500"),
    pytest.param(failing(503), 503, "upstream_error", id="503"),
    pytest.param(failed("server_error"), 502, "upstream_error", id="failed"),
    pytest.param(failed("rate_limit_exceeded"), 429, "rate_limit_exceeded", id="failed rate"),
    pytest.param(r.Streamed(r.whole(r.message("x"))[:2], ending="cut"), 502, "upstream_error", id="cut"),
]


def posted(gateway: CodexGateway, face: str, *, stream: bool = False) -> httpx.Response:
    path = "/chat/completions" if face == "chat" else "/responses"
    body: Json = {"model": MODEL, "stream": stream}
    body |= {"messages": [user("x")]} if face == "chat" else {"input": "x"}
    headers = {"authorization": f"Bearer {gateway.token}"}
    return httpx.post(gateway.base_url + path, json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("answer", "status", "code"), FAILURES)
def test_failures_keep_their_status(
    gateways: dict[str, CodexGateway],
    provider: ResponsesServer,
    face: str,
    stream: bool,
    answer: r.Answer,
    status: int,
    code: str,
) -> None:
    provider.play([answer])
    response = posted(gateways["app-server"], face, stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code), response.text
    assert provider.base_url not in response.text
    assert len(provider.exchanges) == 1


def test_a_refusal_over_biology(
    gateways: dict[str, CodexGateway], provider: ResponsesServer, face: str
) -> None:
    """Releases before 0.171 have no word for it, so that only the provider's text is left."""
    provider.play([failed("bio_policy")])
    response = posted(gateways["app-server"], face)
    known = codex_version() >= (0, 171)
    expected = (400, "invalid_prompt") if known else (502, "upstream_error")
    assert (response.status_code, response.json()["error"]["code"]) == expected, response.text
    assert "boom bio_policy" in response.text


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [each for each in FAILURES if each.id in ("401", "context", "quota", "failed", "404")],
)
def test_failures_of_a_run(
    gateways: dict[str, CodexGateway], provider: ResponsesServer, answer: r.Answer, status: int, code: str
) -> None:
    provider.play([answer])
    gateway = gateways["exec"]
    with OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            ask(client, "chat", [user("x")])
    # A run tells of a failure in words alone, which do not always say what kind it is.
    assert caught.value.status_code in (status, 502)
    if caught.value.status_code == status:
        assert caught.value.code == code


# -- models, state, readiness ----------------------------------------------------------------------------------------


def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "codex-local"
    assert {"gpt-5.5", "gpt-5.5@low", "gpt-6.1-sol@max", MODEL} <= set(names)
    with pytest.raises(openai.NotFoundError, match=r"gpt-5\.5") as caught:
        client.responses.create(model="no-such-model", input="x")
    assert caught.value.code == "model_not_found"


def test_an_effort_may_stand_in_the_models_name(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("ok"))] * 2)
    client.responses.create(model="gpt-5.5@low", input="x")
    client.responses.create(model="codex-local", input="x")
    first, second = provider.asked
    assert (first["model"], first["reasoning"]["effort"]) == ("gpt-5.5", "low")
    assert second["model"] == MODEL


def test_a_conversation_by_its_last_response(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("four")), r.told(r.message("five"))])
    first = client.responses.create(model=MODEL, input="two and two?")
    second = client.responses.create(model=MODEL, input="and one?", previous_response_id=first.id)
    assert second.output_text == "five"
    told = "\n".join(text for _, texts in said(provider) for text in texts)
    assert [words in told for words in ("two and two?", "four", "and one?")] == [True] * 3


def test_a_large_prompt(client: OpenAI, face: str, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("read"))])
    text = "word " * 60_000
    assert ask(client, face, [user(text)]).text == "read"
    assert said(provider)[-1] == ("user", [text])


def test_readiness(gateway: CodexGateway) -> None:
    assert httpx.get(f"{gateway.root_url}/ready", timeout=30).status_code == 200


@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_that_is_not_there(engine: str, provider: ResponsesServer, tmp_path: Path) -> None:
    gateway = CodexGateway(engine, tmp_path, provider.base_url, "--codex-bin", "/nowhere/codex")
    with pytest.raises(AssertionError, match=r"There is no program '/nowhere/codex'.*--codex-bin"), gateway:
        pass


def test_an_agent_works_in_a_folder_that_may_be_named(provider: ResponsesServer, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    command = json.dumps({"cmd": "echo made > made.txt"})
    provider.play([r.told(r.call("exec_command", command)), r.told(r.message("done"))])
    flags = ("--agent", "--allowed-root", str(root))
    with CodexGateway("app-server", tmp_path, provider.base_url, *flags) as gateway:
        with OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60) as client:
            made = client.responses.create(model=MODEL, input="make it", metadata={"cwd": str(root)})
            with pytest.raises(openai.BadRequestError) as caught:
                client.responses.create(model=MODEL, input="make it", metadata={"cwd": str(tmp_path)})
    assert made.output_text == "done"
    assert caught.value.param == "metadata.cwd"
    assert "exec_command" in [tool.get("name") for tool in provider.asked[0]["tools"]]
    assert len(provider.asked) == 2
