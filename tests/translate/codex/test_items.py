"""The conversation that the app-server takes over: roles, pictures, and calls with their outputs."""

import base64
import copy
from typing import Any

import pytest
from wireloom_protocol import responses as m

from wireloom.api.bodies import prepare
from wireloom.errors import InvalidRequest
from wireloom.translate.codex.app_server_request import plan
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses, Severity

Json = dict[str, Any]


def taken_over(*items: Json, recalled: int = 0) -> tuple[list[Json], Losses]:
    """The items that are injected."""
    whole = copy.deepcopy({"model": "given", "input": list(items)})
    prepare(whole)
    losses = Losses()
    options = Options("sent", recalled=recalled)
    return plan(m.CreateResponse.model_validate(whole), options, losses).items, losses


def message_from(role: str, content: Any) -> Json:
    return {"type": "message", "role": role, "content": content}


def image(url: str | None, **members: Any) -> Json:
    return {"type": "input_image", "image_url": url, **members}


def encoded(data: bytes, kind: str = "image/png;base64") -> str:
    return f"data:{kind},{base64.b64encode(data).decode()}"


PNG = encoded(b"\x89PNG and more")
CALL: Json = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c", "output": "o"}


def test_roles_and_texts_are_in_the_form_that_is_not_dropped() -> None:
    made, losses = taken_over(
        message_from("system", "a"),
        message_from("developer", [{"type": "input_text", "text": "b"}]),
        message_from("user", "c"),
        message_from("assistant", "d"),
        message_from("system", [{"type": "input_text", "text": "e"}]),
    )
    parts = [(item["role"], [(part["type"], part["text"]) for part in item["content"]]) for item in made]
    assert parts == [
        ("developer", [("input_text", "a")]),
        ("developer", [("input_text", "b")]),
        ("user", [("input_text", "c")]),
        ("assistant", [("output_text", "d")]),
        ("developer", [("input_text", "e")]),
    ]
    assert losses.items == []


@pytest.mark.parametrize(
    "data", [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF1234WEBP", b"\xff\xd8\xff" + bytes(100)]
)
def test_a_picture_that_codex_reads_goes_as_it_is(data: bytes) -> None:
    given = message_from("user", [image(encoded(data), detail="high")])
    assert taken_over(given)[0] == [given]


NO_PICTURE = "no PNG, JPEG, GIF or WebP in base64."
ELSEWHERE = "cannot be served here: Codex takes images as data URLs only, and none is fetched here."


@pytest.mark.parametrize(
    ("part", "param", "reason"),
    [
        (image(encoded(b"BM and more")), "image_url", NO_PICTURE),
        (image(encoded(b"PNG")), "image_url", NO_PICTURE),
        (image(encoded(b"\xff\xd8")), "image_url", NO_PICTURE),
        (image(encoded(b"RIFF1234WAVE")), "image_url", NO_PICTURE),
        (image(encoded(b"WEBP")), "image_url", NO_PICTURE),
        (image(encoded(b"")), "image_url", NO_PICTURE),
        (image("data:image/png,GIF8"), "image_url", NO_PICTURE),
        (image(PNG.replace("iVBO", "iV!BO")), "image_url", NO_PICTURE),
        (image("data:image/png;base64,iVBOR"), "image_url", NO_PICTURE),
        (image(encoded(b"\x89PNG", "image/png")), "image_url", NO_PICTURE),
        (image("https://a.example/b.png"), "image_url", ELSEWHERE),
        (
            image(None, file_id="f"),
            "file_id",
            "cannot be served here: files live at the provider that stores them.",
        ),
    ],
)
@pytest.mark.parametrize("place", ["content", "output"])
def test_a_picture_that_codex_does_not_read_is_refused_by_its_place(
    part: Json, param: str, reason: str, place: str
) -> None:
    text = {"type": "input_text", "text": "see"}
    message = message_from("user", [text, part])
    items = [message] if place == "content" else [CALL, {**OUTPUT, "output": [text, part]}]
    with pytest.raises(InvalidRequest) as caught:
        taken_over(*items)
    assert caught.value.param == f"input[{len(items) - 1}].{place}[1].{param}"
    assert caught.value.code == "unsupported_content"
    assert caught.value.message.endswith(reason)


def test_a_picture_of_low_detail_would_be_left_out_so_it_is_sent_as_another() -> None:
    made, losses = taken_over(message_from("user", [image(PNG, detail="low")]))
    assert made[0]["content"] == [image(PNG, detail="auto")]
    assert [(one.path, one.action, one.severity) for one in losses.items] == [
        ("input[0].content[0].detail", "changed", Severity.DEGRADING)
    ]


@pytest.mark.parametrize(
    ("items", "recalled", "param", "reason"),
    [
        ([OUTPUT], 0, "input[0].call_id", "there is no call of this id before it"),
        ([CALL], 0, "input[0].call_id", "this call has no output"),
        ([CALL, OUTPUT, {**CALL, "call_id": "d"}], 1, "input[1].call_id", "this call has no output"),
        ([CALL, message_from("user", "a")], 1, "history.call_id", "this call has no output"),
    ],
)
def test_a_call_and_its_output_come_together(
    items: list[Json], recalled: int, param: str, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        taken_over(*items, recalled=recalled)
    assert (caught.value.param, caught.value.code) == (param, "unpaired_call")
    assert caught.value.message == f"{param}: {reason}."
    assert taken_over(CALL, OUTPUT)[0] == [CALL, OUTPUT]
