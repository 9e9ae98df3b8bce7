"""A search of the web is left to the upstream where it has one, and its absence is reported where it has none."""

from typing import Any

import pytest

from tests.support.captures import validated
from tests.support.tools import Json, Lost, flat, function, offered
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.chat_upstream.request import request
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses, Severity

DEGRADING = Severity.DEGRADING
KINDS = ["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"]
ADD = function("add")
ADDED = {"type": "function", "function": {"name": "add", "parameters": ADD["parameters"]}}

# Profile, a model that searches, what its request gets beside the functions, one that does not.
SEARCHING: list[tuple[str, str, Json, str | None]] = [
    ("groq", "openai/gpt-oss-120b", {"tools": [{"type": "browser_search"}]}, "llama-3.3-70b-versatile"),
    (
        "kimi",
        "kimi-k2.5",
        {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
        None,
    ),
    ("openai", "gpt-4o-search-preview", {"web_search_options": {}}, "gpt-5.5"),
    ("openai", "gpt-4o-mini-search-preview", {"web_search_options": {}}, "gpt-4o"),
    ("openai", "gpt-5-search-api", {"web_search_options": {}}, "my-gpt-5-search-api"),
    ("openrouter", "some/model", {"tools": [{"type": "openrouter:web_search"}]}, None),
    ("qwen", "qwen3-max", {"enable_search": True}, None),
    (
        "zai",
        "glm-4.7",
        {"tools": [{"type": "web_search", "web_search": {"enable": True, "search_result": True}}]},
        None,
    ),
]
SILENT = sorted(set(names()) - {name for name, *_ in SEARCHING})


def ask(profile: Profile, model: str, *tools: Json, strict: bool = False, **fields: Any) -> tuple[Json, Lost]:
    """The Chat body of a greeting with these tools, without what every body has; and what was lost."""
    losses = Losses(strict=strict)
    body = validated({"model": "m", "input": "hello", "tools": list(tools), **fields})
    made = request(body, profile, Options(model), losses, stream=False)
    rest = {name: value for name, value in made.body.items() if name not in ("model", "messages")}
    return rest, [(loss.path, loss.action, loss.severity) for loss in losses.items]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "model", "added", "other"), SEARCHING)
def test_an_upstream_searches_by_its_own_means(
    name: str, model: str, added: Json, other: str | None, kind: str
) -> None:
    profile = load(name)
    assert ask(profile, model, {"type": kind}) == (added, [])
    both, _ = ask(profile, model, {"type": kind}, ADD)
    assert both == {**added, "tools": [ADDED, *added.get("tools", ())]}
    assert ask(profile, model, {"type": kind}, {"type": kind}) == (added, [])
    if other is not None:
        assert ask(profile, other, {"type": kind}) == ({}, [("tools[0]", "dropped", DEGRADING)])


@pytest.mark.parametrize(("name", "model", "added", "_"), SEARCHING)
def test_a_request_without_a_search_does_not_search(name: str, model: str, added: Json, _: Any) -> None:
    assert ask(load(name), model, ADD) == ({"tools": [ADDED]}, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SILENT)
def test_an_upstream_that_cannot_search_is_told_nothing(name: str, kind: str) -> None:
    made, losses = ask(load(name), "any", ADD, {"type": kind})
    assert made == {"tools": [ADDED]}
    assert losses == [("tools[1]", "dropped", DEGRADING)]
    with pytest.raises(InvalidRequest) as caught:
        ask(load(name), "any", ADD, {"type": kind}, strict=True)
    assert (caught.value.status, caught.value.param) == (400, "tools[1]")


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_search_of_what_is_cached_is_not_one_of_the_live_web(kind: str) -> None:
    qwen = load("qwen")
    assert ask(qwen, "m", {"type": kind, "external_web_access": True}) == ({"enable_search": True}, [])
    assert ask(qwen, "m", {"type": kind, "external_web_access": None}) == ({"enable_search": True}, [])
    cached = {"type": kind, "external_web_access": False}
    assert ask(qwen, "m", cached) == ({}, [("tools[0]", "dropped", DEGRADING)])
    with pytest.raises(InvalidRequest) as caught:
        ask(qwen, "m", cached, strict=True)
    assert caught.value.param == "tools[0]"


WISHES: Json = {
    "filters": {"allowed_domains": ["example.com"]},
    "user_location": {"type": "approximate", "country": "CH"},
    "search_context_size": "high",
}


def test_wishes_about_a_search_are_reported() -> None:
    made, losses = ask(load("qwen"), "m", {"type": "web_search", **WISHES, "search_content_types": ["text"]})
    assert made == {"enable_search": True}
    assert losses == [(f"tools[0].{name}", "dropped", DEGRADING) for name in sorted(WISHES)]
    with pytest.raises(InvalidRequest) as caught:
        ask(load("qwen"), "m", {"type": "web_search", **WISHES}, strict=True)
    assert caught.value.param == "tools[0].filters"
    assert ask(load("qwen"), "m", {"type": "web_search", **dict.fromkeys(WISHES)}, strict=True)[1] == []


def test_a_search_comes_with_the_items_of_a_conversation_too() -> None:
    items = [{"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}]
    made, losses = offered(items=items, profile=load("qwen"))
    assert (made.search, flat(made), losses) == (True, [], [])
    made, losses = offered(items=items)
    assert (made.search, losses) == (False, [("input[0].tools[0]", "dropped", DEGRADING)])


# -- the choice between tools --------------------------------------------------------------------------------------

SEARCH: Json = {"type": "web_search"}
QWEN: Json = {"enable_search": True}


def allowed(mode: str, *tools: Json) -> Json:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {**QWEN, "tools": [ADDED]}),
        ("none", {"tools": [ADDED], "tool_choice": "none"}),
        (allowed("auto", SEARCH), QWEN),
        (allowed("auto", {"type": "web_search_preview"}, {"type": "function", "name": "add"}), None),
        (allowed("auto", {"type": "function", "name": "add"}), {"tools": [ADDED]}),
        (allowed("auto"), {}),
    ],
)
def test_a_search_follows_the_choice(choice: Any, expected: Json | None) -> None:
    made, _ = ask(load("qwen"), "m", SEARCH, ADD, tool_choice=choice)
    assert made == (expected if expected is not None else {**QWEN, "tools": [ADDED]})


@pytest.mark.parametrize("profile", ["qwen", "kimi", "generic"])
@pytest.mark.parametrize(
    ("tools", "choice", "code"),
    [
        ([SEARCH], "required", "unsupported_parameter"),
        ([SEARCH], allowed("required", SEARCH), "unsupported_parameter"),
        ([SEARCH, ADD], {"type": "web_search_preview"}, "unsupported_tool"),
        ([{"type": "web_search_preview"}], {"type": "web_search_preview"}, "unsupported_tool"),
        (
            [SEARCH, function("web_search_preview")],
            {"type": "web_search_preview"},
            "unsupported_tool",
        ),
    ],
)
def test_a_search_cannot_be_forced(profile: str, tools: list[Json], choice: Any, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(load(profile), "m", *tools, tool_choice=choice)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, "tool_choice")


def test_an_upstream_that_cannot_be_told_to_call_nothing_does_not_search() -> None:
    made, _ = ask(load("zai"), "m", SEARCH, ADD, tool_choice="none")
    assert made == {}
