"""What the list of models says of each: the user's word first, then the upstream's, then the profile's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from wireloom_protocol import responses as m

from tests.support.live import answer, gateway, raw
from wireloom.api.models import BASE_INSTRUCTIONS

LISTED = {
    "data": [
        {"id": "seen", "context_length": 4096, "architecture": {"input_modalities": ["text"]}},
        {"id": "plain"},
        {"id": "odd", "context_length": True, "max_model_len": -1, "context_window": 2**70},
        {"id": "later", "context_length": 0, "max_model_len": 512},
    ]
}


def listing(body: Any, status: str = "200 OK") -> Any:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(json.dumps(body).encode(), kind="application/json", status=status))

    return handler


async def catalogue(handler: Any, **settings: Any) -> dict[str, dict[str, Any]]:
    async with raw(handler) as (url, _), gateway(url, **settings) as base, httpx.AsyncClient() as client:
        found = (await client.get(f"{base}/v1/models")).raise_for_status().json()
    assert [model["id"] for model in found["data"]] == [model["slug"] for model in found["models"]]
    read = m.ListModelsResponse.model_validate(found)
    assert [model.model_extra for model in read.models] == [{}] * len(read.models), "unknown to the contract"
    assert [model["priority"] for model in found["models"]] == list(range(len(found["models"])))
    return {model["slug"]: model for model in found["models"]}


def efforts(model: dict[str, Any]) -> list[str]:
    return [level["effort"] for level in model["supported_reasoning_levels"]]


async def test_the_upstream_wins_over_the_profile() -> None:
    models = await catalogue(listing(LISTED))
    assert [model["context_window"] for model in models.values()] == [4096, None, None, 512]
    assert models["seen"]["input_modalities"] == ["text"]
    assert models["plain"]["input_modalities"] == ["text", "image"]
    assert efforts(models["plain"]) == ["low", "medium", "high"]
    assert models["plain"]["default_reasoning_level"] == "medium"
    assert models["plain"]["base_instructions"] == BASE_INSTRUCTIONS
    assert models["plain"]["support_verbosity"] is False
    assert models["plain"]["supports_search_tool"] is False
    assert "web_search_tool_type" not in models["plain"]


async def test_the_profile_says_what_its_upstream_takes() -> None:
    openai = await catalogue(listing({"data": [{"id": "gpt-4o-search-preview"}]}), provider="openai")
    deepseek = await catalogue(listing({"data": [{"id": "deepseek-chat"}]}), provider="deepseek")
    assert openai["gpt-4o-search-preview"]["support_verbosity"] is True
    assert deepseek["deepseek-chat"]["support_verbosity"] is False
    assert openai["gpt-4o-search-preview"]["web_search_tool_type"] == "text"
    assert "web_search_tool_type" not in deepseek["deepseek-chat"]
    assert efforts(deepseek["deepseek-chat"]) == ["none", "low", "high", "max"]


async def test_the_user_wins_over_the_upstream(tmp_path: Path) -> None:
    (tmp_path / "base.md").write_text("Be brief.")
    said = {
        "context_window": 99,
        "modalities": ["text", "image"],
        "efforts": ["low", "high"],
        "verbosity": True,
        "apply_patch": False,
        "web_search": True,
        "tool_search": True,
        "base_instructions_file": str(tmp_path / "base.md"),
    }
    seen = (await catalogue(listing(LISTED), models={"seen": said}))["seen"]
    assert seen["context_window"] == 99
    assert seen["input_modalities"] == ["text", "image"]
    assert (efforts(seen), seen["default_reasoning_level"]) == (["low", "high"], None)
    assert seen["support_verbosity"] is True
    assert seen["apply_patch_tool_type"] is None
    assert seen["web_search_tool_type"] == "text"
    assert seen["supports_search_tool"] is True
    assert seen["base_instructions"] == "Be brief."


async def test_a_modality_that_the_cli_does_not_have_is_left_out() -> None:
    """The contract's catalogue is the CLI's, which has text and images."""
    models = await catalogue(listing(LISTED), models={"seen": {"modalities": ["text", "audio"]}})
    assert models["seen"]["input_modalities"] == ["text"]


async def test_what_the_user_leaves_out_stays() -> None:
    models = await catalogue(listing(LISTED), models={"seen": {"efforts": []}})
    assert (models["seen"]["context_window"], efforts(models["seen"])) == (4096, [])


async def test_a_model_that_is_not_listed_is_added() -> None:
    models = await catalogue(listing(LISTED), models={"hidden": {"context_window": 7}}, provider="kimi")
    assert list(models) == ["seen", "plain", "odd", "later", "hidden"]
    assert models["hidden"]["context_window"] == 7
    assert efforts(models["hidden"]) == efforts(models["plain"])


async def test_a_mapped_name_has_what_its_model_has() -> None:
    models = await catalogue(
        listing(LISTED),
        models={"seen": {"context_window": 5}, "special": {"modalities": ["text", "image"]}},
        model_map={"alias": "seen", "special": "seen", "plain": "later", "away": "nowhere"},
    )
    assert list(models) == ["seen", "plain", "odd", "later", "alias", "special", "away"]
    assert (models["alias"]["context_window"], models["alias"]["input_modalities"]) == (5, ["text"])
    assert (models["special"]["context_window"], models["special"]["input_modalities"]) == (
        5,
        ["text", "image"],
    )
    assert models["plain"]["context_window"] == 512, "a name that is mapped away is the model it is mapped to"
    assert efforts(models["away"]) == efforts(models["plain"])


async def test_an_upstream_that_lists_nothing_leaves_what_the_user_said() -> None:
    failing = listing({"error": {"message": "no such path"}}, "404 Not Found")
    models = await catalogue(failing, models={"mine": {"context_window": 8}}, model_map={"alias": "mine"})
    assert [(name, model["context_window"]) for name, model in models.items()] == [("mine", 8), ("alias", 8)]
    async with raw(failing) as (url, _), gateway(url) as base, httpx.AsyncClient() as client:
        assert (await client.get(f"{base}/v1/models")).is_error
