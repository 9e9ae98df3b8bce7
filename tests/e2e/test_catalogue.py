"""The gateway's catalogue read by the real Codex CLI: every entry is accepted, and what it says has effect."""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from wireloom_protocol import replies

from tests.e2e.test_codex import png
from tests.support.chat_server import API_KEY, ChatServer
from tests.support.chat_turns import Turn
from tests.support.codex import Codex, find_codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap
from wireloom.api.models import catalogue
from wireloom.backends.base import ModelInfo
from wireloom.backends.http.catalogue import of_profile
from wireloom.providers import profile, shipped

pytestmark = pytest.mark.e2e

MODELS = {
    "rich": {
        "context_window": 50_000,
        "modalities": ["text", "image"],
        "efforts": ["low", "medium"],
        "verbosity": True,
        "tool_search": True,
        "web_search": True,
    },
    "bare": {"context_window": 20_000, "modalities": ["text"], "efforts": [], "apply_patch": False},
}


@pytest.fixture(scope="module")
def described(
    chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Tap]]:
    """A gateway whose settings describe two models that its upstream does not list, and a tap in front."""
    folder = tmp_path_factory.mktemp("described")
    instructions = folder / "base.md"
    instructions.write_text("Speak like a weaver.")
    models = {**MODELS, "bare": {**MODELS["bare"], "base_instructions_file": str(instructions)}}
    flags = ("--models", json.dumps(models), "--model-map", "mapped:rich")
    with (
        Gateway(chat_server.base_url, folder, *flags, api_key=API_KEY) as gateway,
        Tap(gateway.base_url) as tap,
    ):
        yield gateway, tap


def first_request(
    described: tuple[Gateway, Tap],
    upstream: ChatServer,
    root: Path,
    model: str,
    *flags: str,
    **settings: str,
) -> tuple[dict[str, Any], int, Codex]:
    """What the CLI sends for a model, the context window that it counts with, and the CLI itself."""
    gateway, tap = described
    codex = Codex(root, tap.base_url, gateway.token, model, catalog=True, settings=settings)
    (codex.workspace / "red.png").write_bytes(png(255, 0, 0))
    upstream.play([Turn(text="ready")])
    before = len(tap.posts("/responses"))
    run = codex.run("hello", *flags)
    assert (run.exit_code, run.last_message, run.items("error")) == (0, "ready", []), run.report
    (record,) = codex.home.glob("sessions/**/rollout-*.jsonl")
    payloads = [json.loads(line)["payload"] for line in record.read_text().splitlines()]
    window = next(each["model_context_window"] for each in payloads if "model_context_window" in each)
    body: dict[str, Any] = tap.posts("/responses")[before].body
    return body, window, codex


def kinds(body: dict[str, Any]) -> set[str]:
    return {tool["name"] if tool["type"] == "custom" else tool["type"] for tool in body["tools"]}


@pytest.mark.parametrize("model", ["rich", "mapped"])
def test_what_the_user_says_of_a_model_reaches_the_cli(
    model: str, described: tuple[Gateway, Tap], upstream: ChatServer, tmp_path: Path
) -> None:
    image = "--image=red.png"
    body, window, _ = first_request(described, upstream, tmp_path, model, image, model_verbosity="low")
    assert window == 47_500, "all but the twentieth that Codex keeps free"
    assert body["reasoning"]["effort"] == "medium"
    assert body["text"] == {"verbosity": "low"}
    assert {"apply_patch", "tool_search", "web_search"} <= kinds(body)
    assert '"input_image"' in json.dumps(body["input"])


def test_what_a_model_lacks_reaches_the_cli(
    described: tuple[Gateway, Tap], upstream: ChatServer, tmp_path: Path
) -> None:
    body, window, _ = first_request(
        described, upstream, tmp_path, "bare", "--image=red.png", model_verbosity="low"
    )
    assert window == 19_000
    assert "effort" not in body["reasoning"]
    assert "text" not in body
    assert not {"apply_patch", "tool_search"} & kinds(body)
    assert '"input_image"' not in json.dumps(body["input"])
    assert body["input"][0]["content"][0]["text"] == "Speak like a weaver."


def every_entry() -> list[replies.CodexModel]:
    """Entries in all combinations of what an entry may say, and one as each profile has it."""
    efforts = get_args(profile.Effort)
    parts = itertools.product(
        (None, 1, 2**53 - 1), (("text",), ("text", "image", "audio")), ((), efforts), (False, True)
    )
    made = [
        ModelInfo(
            f"combination {position}",
            context_window=window,
            modalities=modalities,
            efforts=levels,
            verbosity=flag,
            apply_patch=flag,
            web_search=flag,
            tool_search=flag,
            instructions="" if flag else None,
        )
        for position, (window, modalities, levels, flag) in enumerate(parts)
    ]
    return catalogue([*made, *(of_profile(shipped.load(name), f"{name}/m:1") for name in shipped.names())])


def test_every_entry_is_accepted_as_it_is(tmp_path: Path) -> None:
    entries = every_entry()
    (tmp_path / "models.json").write_text(json.dumps({"models": entries}))
    (tmp_path / "config.toml").write_text(f'model_catalog_json = "{tmp_path}/models.json"\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CODEX_HOME": str(tmp_path)}
    shown = subprocess.run(
        [find_codex(), "debug", "models"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    read = {model["slug"]: model for model in json.loads(shown.stdout)["models"]}
    assert list(read) == [entry["slug"] for entry in entries]
    for entry in entries:
        taken = {name: value for name, value in entry.items() if value is not None}
        assert {name: read[entry["slug"]].get(name) for name in taken} == taken
