"""Each content part is told in the form that an upstream takes, or refused by its place."""

import pytest
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.items import (
    GENERIC,
    PICTURE,
    Json,
    Lost,
    call,
    like,
    output,
    picture,
    said,
    translated,
    user,
)
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load
from wireloom.translate.conversation.notes import NO_PICTURE
from wireloom.translate.conversation.parts import PARTS
from wireloom.translate.rules.loss import How, Severity

OPENAI = load("openai")

URL = "https://example.com/a.png"
SOUND = {"data": "AA", "format": "wav"}
LOST = [("input[0].content[0].detail", "dropped", Severity.DEGRADING)]


@pytest.mark.parametrize(
    ("part", "profile", "expected", "lost"),
    [
        (picture(), GENERIC, {"type": "image_url", "image_url": {"url": PICTURE}}, []),
        (picture(detail="auto"), GENERIC, {"type": "image_url", "image_url": {"url": PICTURE}}, []),
        (picture(detail="high"), GENERIC, {"type": "image_url", "image_url": {"url": PICTURE}}, LOST),
        (
            picture(detail="high"),
            OPENAI,
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "high"}},
            [],
        ),
        (
            picture(detail="auto"),
            OPENAI,
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "auto"}},
            [],
        ),
        (picture(detail="original"), OPENAI, {"type": "image_url", "image_url": {"url": PICTURE}}, LOST),
        (picture(image_url=URL), GENERIC, {"type": "image_url", "image_url": {"url": URL}}, []),
        (
            picture(),
            like(GENERIC, image_urls=False),
            {"type": "image_url", "image_url": {"url": PICTURE}},
            [],
        ),
        (
            {"type": "input_file", "file_data": "data:x", "filename": "a.pdf"},
            OPENAI,
            {"type": "file", "file": {"file_data": "data:x", "filename": "a.pdf"}},
            [],
        ),
        (
            {"type": "input_file", "file_data": "data:x"},
            OPENAI,
            {"type": "file", "file": {"file_data": "data:x"}},
            [],
        ),
        (
            {"type": "input_audio", "input_audio": SOUND},
            OPENAI,
            {"type": "input_audio", "input_audio": SOUND},
            [],
        ),
    ],
)
def test_parts(part: Json, profile: Profile, expected: Json, lost: Lost) -> None:
    assert translated(said("user", part), profile=profile) == ([user([expected])], lost)


@pytest.mark.parametrize(
    ("part", "profile", "where"),
    [
        (picture(image_url=URL), like(GENERIC, image_urls=False), ".image_url"),
        ({"type": "input_image", "file_id": "file_1"}, OPENAI, ".file_id"),
        ({"type": "input_file", "file_data": "data:x"}, GENERIC, ""),
        ({"type": "input_file", "file_id": "file_1"}, OPENAI, ""),
        ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, OPENAI, ""),
        ({"type": "input_audio", "input_audio": SOUND}, GENERIC, ""),
    ],
)
def test_parts_that_cannot_be_read_are_refused(part: Json, profile: Profile, where: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(said("user", "a"), said("user", "b", part), profile=profile)
    assert (caught.value.code, caught.value.param) == ("unsupported_content", f"input[1].content[1]{where}")


@pytest.mark.parametrize(
    ("profile", "url"),
    [(like(GENERIC, images=False), PICTURE), (GENERIC, ""), (GENERIC, "data:image/png;base64,")],
)
def test_a_picture_that_cannot_be_shown_is_a_gap(profile: Profile, url: str) -> None:
    unseen = picture(image_url=url)
    items = [said("user", "a", unseen), call("1"), output("1", [unseen])]
    made, losses = translated(*items, profile=profile)
    assert [message["content"] for message in made] == [f"a\n{NO_PICTURE}", None, NO_PICTURE]
    paths = [path for path, action, _ in losses if action == "dropped"]
    assert paths == ["input[0].content[1]", "input[2].output[0]"]
    with pytest.raises(InvalidRequest) as caught:
        translated(*items[1:], profile=profile, strict=True)
    assert caught.value.param == "input[1].output[0]"


@pytest.mark.parametrize("role", ["assistant", "system", "developer"])
def test_only_the_user_shows_pictures(role: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(said(role, "a", picture()))
    assert caught.value.param == "input[0].content[1]"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "input_text", "text": "a"}, "a"),
        ({"type": "output_text", "text": "a", "annotations": [], "logprobs": []}, "a"),
        ({"type": "refusal", "refusal": "no"}, "no"),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant", "developer"])
def test_words_of_any_kind_are_words(role: str, part: Json, text: str) -> None:
    (alone,), _ = translated(said(role, part))
    assert alone["content"] == text
    (more,), _ = translated(said(role, part, "!"))
    assert more["content"] == (f"{text}\n!" if role == "user" else f"{text}!")
    (kept,), _ = translated(said("user", part, "!"), profile=like(GENERIC, text_parts=True))
    assert kept["content"] == [{"type": "text", "text": text}, {"type": "text", "text": "!"}]


# -- the contract --------------------------------------------------------------------------------------------------


def test_every_type_of_part_has_a_rule() -> None:
    known = contract.tags(m.MessageContentParam)
    assert sorted(known - PARTS.keys()) == []
    assert sorted(PARTS.keys() - known) == []
    assert sorted(contract.tags(m.FunctionAndCustomToolCallOutput) - PARTS.keys()) == []
    assert (
        sorted(contract.tags(contract.listed(m.FunctionCallOutputItemParam, "output")) - PARTS.keys()) == []
    )


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_a_rule_that_is_not_the_same_over_there_says_what_it_is(kind: str) -> None:
    assert PARTS[kind].note or PARTS[kind].how is How.NATIVE
