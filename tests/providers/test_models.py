"""What holds for a model: sections of a profile, the table that comes with wireloom, and which of them wins."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from pydantic import ValidationError

from wireloom.backends.http.catalogue import of_profile
from wireloom.providers import ModelProfiles, Profile, ProfileError, load, names, parse
from wireloom.providers import profile as profiles
from wireloom.providers.by_model import TABLE, shipped
from wireloom.providers.derived import derived

GENERIC = load("generic")
OWN = 'name = "mine"\ntitle = "Mine"\ndocs = "https://a.example/"\n'


def test_the_table_is_no_profile() -> None:
    assert "models" not in names()


@pytest.mark.parametrize("pattern", shipped())
def test_each_section_of_the_table_holds_and_makes_a_difference(pattern: str) -> None:
    own = Profile.model_validate(
        {"name": "m", "title": "M", "docs": "", "models": {pattern: shipped()[pattern]}}
    )
    assert own.models[pattern]
    assert GENERIC.for_model(re.sub(r"\[(.).*?\]", r"\1", pattern).replace("*", "x")) is not GENERIC


def test_each_section_of_the_table_says_why() -> None:
    blocks = (files("wireloom.providers") / TABLE).read_text(encoding="utf-8").split("\n\n")
    sourced = [bool(re.match(r"#", block)) for block in blocks[1:]]
    for index, block in enumerate(blocks[1:]):
        of_same_vendor = (
            block[:6] == next(line for line in blocks[index].splitlines() if line[0] == "[")[:6]
            if index
            else 0
        )
        assert sourced[index] or of_same_vendor, block


REPLAY = [
    "deepseek-v4.1-flash",
    "DeepSeek-V3.2",
    "deepseek/deepseek-chat-v3.1:free",
    "deepseek-ai/DeepSeek-V3.1",
    "accounts/fireworks/models/deepseek-v3p2",
    "kimi-k3",
    "moonshotai/Kimi-K2-Thinking",
    "glm-5.3",
    "zai-org/GLM-4.6",
    "MiniMax-M3",
    "minimax/minimax-m2",
    "openai/gpt-oss-120b",
]


@pytest.mark.parametrize("model", REPLAY)
def test_models_that_want_their_reasoning_back(model: str) -> None:
    found = GENERIC.for_model(model)
    assert found.reasoning_replay == "tool_calls"
    assert (found.name, found.title) == ("generic", GENERIC.title)


@pytest.mark.parametrize(
    "model", ["m1", "gpt-5.5", "qwen3-max", "my-deepseek", "glm-4-plus", "deepseek-r1", "kimi"]
)
def test_models_of_which_nothing_of_the_kind_is_known(model: str) -> None:
    assert GENERIC.for_model(model).reasoning_replay == "never"


def test_a_model_of_which_nothing_is_known_has_the_profile_itself() -> None:
    assert GENERIC.for_model("m1") is GENERIC
    kept = ModelProfiles(GENERIC)
    assert kept.of("m1") is GENERIC
    assert kept.of("kimi-k3") is kept.of("kimi-k3")


def test_what_is_kept_of_models_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MOST_MODELS", 2)
    kept = ModelProfiles(GENERIC)
    first = kept.of("kimi-k3")
    kept.of("a")
    kept.of("b")
    assert kept.of("kimi-k3") is not first


def test_a_hosts_own_profile_wins_over_the_table() -> None:
    assert load("deepseek").for_model("deepseek-chat").reasoning_replay == "always"
    assert load("openrouter").for_model("kimi-k3").reasoning_replay_field == "reasoning"
    forbidding = derived("mine", {"reasoning_replay": "never"}, GENERIC)
    assert forbidding.for_model("kimi-k3").reasoning_replay == "never"
    assert load("openai").for_model("gemini-3").schemas == load("openai").schemas


def test_what_is_set_nowhere_gives_way_to_the_table_also_in_a_profile_of_ones_own() -> None:
    own = derived("mine", {"json_schema": False}, GENERIC)
    found = own.for_model("kimi-k3")
    assert (found.reasoning_replay, found.json_schema) == ("tool_calls", False)
    assert found.pinned == {"temperature": 1}


def test_a_section_of_the_profile_wins_over_all() -> None:
    own = parse(
        OWN
        + 'reasoning_replay = "always"\n[models."Kimi-*"]\nreasoning_replay = "never"\ndropped = ["stop"]\n'
    )
    found = own.for_model("moonshotai/kimi-k3")
    assert found.reasoning_replay == "never"
    assert set(found.dropped) == {*own.dropped, "stop"}
    assert own.for_model("m1") is own


def test_sections_of_a_base_are_kept() -> None:
    first = derived("a", {"models": {"x-*": {"images": False}}}, GENERIC)
    second = derived("b", {"models": {"y-*": {"audio": True}}}, first)
    assert second.for_model("x-1").images is False
    assert second.for_model("Y-1").audio is True


def test_tables_in_a_section_change_those_of_the_profile_key_by_key() -> None:
    own = parse(
        OWN + "minimums = { temperature = 0.1 }\nmaximums = { top_p = 0.9 }\n"
        '[models."a*"]\nminimums = { top_p = 0.1 }\nresponses = { reasoning = "text" }\nschemas = "gemini"\n'
    )
    found = own.for_model("abc")
    assert found.minimums == {"temperature": 0.1, "top_p": 0.1}
    assert found.responses.reasoning == "text"
    assert found.schemas.nullable == "keyword"


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("colour = 1", r"kimi-\*: colour: no such key in a profile"),
        ('images = "no"', r"kimi-\*: images: "),
        ('base_url = "https://a.example/v1"', r"kimi-\*: base_url belongs to the upstream"),
        ('schemas = "gemeni"', r"no dialect 'gemeni'; there are plain, "),
    ],
)
def test_a_section_that_does_not_hold_is_refused(section: str, why: str) -> None:
    with pytest.raises(ProfileError, match=why):
        parse(f'{OWN}[models."kimi-*"]\n{section}\n')


def test_a_section_must_be_a_table() -> None:
    with pytest.raises(ValidationError):
        derived("mine", {"models": {"kimi-*": 1}}, GENERIC)


def test_the_catalogue_says_what_a_model_reads() -> None:
    blind = derived("mine", {"models": {"blind-*": {"images": False}}}, GENERIC)
    assert of_profile(blind, "m1").modalities == ("text", "image")
    assert of_profile(blind, "a/Blind-2").modalities == ("text",)
