"""The local Codex CLI gets a home of its own, the login by a link, and nothing else of the user's."""

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from wireloom.backends.codex.home import CATALOGUE, MINIMAL, Codex, toml
from wireloom.backends.codex.models import CodexModel
from wireloom.errors import GatewayError, InvalidRequest

MODEL = {"slug": "m", "tool_mode": "code", "apply_patch_tool_type": "freeform", "context_window": 9}


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def installed(tmp_path: Path, **more: Any) -> Codex:
    program = script(tmp_path / "bin" / "codex", f"echo '{json.dumps({'models': [MODEL, {'no': 'slug'}]})}'")
    user_home = tmp_path / "user"
    user_home.mkdir(exist_ok=True)
    settings = {
        "binary": str(program),
        "home": tmp_path / "home",
        "user_home": user_home,
        "environment": {"PATH": "/bin"},
    }
    return Codex(**{**settings, **more})


# -- the program ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "native",
    [
        "@openai/codex-linux-x64/vendor/triple/bin/codex",
        "@openai/codex/node_modules/@openai/codex-linux-x64/vendor/triple/bin/codex",
        "@openai/codex/vendor/triple/bin/codex",
    ],
)
def test_the_native_program_is_found_behind_the_launcher(tmp_path: Path, native: str) -> None:
    modules = tmp_path / "node_modules"
    launcher = script(modules / "@openai/codex/bin/codex.js", "exit 1")
    (modules / ".bin").mkdir()
    (modules / ".bin/codex").symlink_to(launcher)
    found = script(modules / native, "exit 0")
    codex = installed(tmp_path, binary="codex", environment={"PATH": str(modules / ".bin")})
    assert codex.program() == found
    found.unlink()
    assert codex.program() == launcher


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="--codex-bin") as caught:
        installed(tmp_path, binary="no-such-codex").program()
    assert caught.value.status == 503


# -- the home ------------------------------------------------------------------------------------------------------


async def test_the_home_is_private_and_holds_the_catalogue(tmp_path: Path) -> None:
    codex = installed(tmp_path)
    await codex.prepare()
    await codex.prepare()
    assert stat.S_IMODE(codex.home.stat().st_mode) == 0o700
    assert codex.catalogue == [MODEL]
    file = codex.home / CATALOGUE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (kept,) = json.loads(file.read_bytes())["models"]
    assert kept["tool_mode"] is None
    assert kept["apply_patch_tool_type"] is None
    assert kept["context_window"] == 10**9
    assert codex.catalogued() == []  # what is not for show is not listed
    assert f"model_catalog_json={json.dumps(str(file))}" in codex.arguments()


async def test_models_of_the_users_own_are_catalogued(tmp_path: Path) -> None:
    listed = [
        {**MODEL, "slug": "gpt-5.5", "visibility": "list", "supported_reasoning_levels": [{"effort": "low"}]}
    ]
    program = script(tmp_path / "other", f"echo '{json.dumps({'models': listed})}'")
    codex = installed(tmp_path, binary=str(program), model="mine", models=("gpt-5.5", "other"))
    await codex.prepare()
    kept = {model["slug"]: model for model in json.loads((codex.home / CATALOGUE).read_bytes())["models"]}
    assert list(kept) == ["gpt-5.5", "mine", "other"]
    assert kept["mine"]["supported_reasoning_levels"] == []
    assert [model.name for model in codex.catalogued()] == ["gpt-5.5"]
    assert codex.own_models == ("mine", "gpt-5.5", "other")


async def test_an_agent_keeps_its_tools(tmp_path: Path) -> None:
    codex = installed(tmp_path, agent=True)
    await codex.prepare()
    (kept,) = json.loads((codex.home / CATALOGUE).read_bytes())["models"]
    assert kept == MODEL
    assert codex.sandbox == "workspace-write"
    assert "features.shell_tool" not in codex.config()
    assert codex.config()["web_search"] == "disabled"
    assert installed(tmp_path).sandbox == "read-only"
    assert installed(tmp_path).config() == {**MINIMAL, "tool_output_token_limit": 10**9}


async def test_the_login_is_linked_and_never_copied(tmp_path: Path) -> None:
    codex = installed(tmp_path)
    await codex.prepare()
    link, target = codex.home / "auth.json", codex.user_home / "auth.json"
    assert not link.exists()
    target.write_text("{}")
    await codex.prepare()
    assert link.readlink() == target
    target.unlink()
    await codex.prepare()
    assert not link.is_symlink()
    link.write_text("a login of its own")
    target.write_text("{}")
    await codex.prepare()
    assert link.read_text() == "a login of its own"


@pytest.mark.parametrize("text", ["exit 3", "echo no json", "echo '{}'", "echo '{\"models\": 3}'"])
async def test_a_program_that_tells_no_models(tmp_path: Path, text: str) -> None:
    codex = installed(tmp_path, binary=str(script(tmp_path / "other", text)))
    with pytest.raises(GatewayError, match="does not tell its models") as caught:
        await codex.prepare()
    assert (caught.value.code, caught.value.status) == ("upstream_unreachable", 503)


def test_the_child_has_a_home_of_its_own(tmp_path: Path) -> None:
    codex = installed(tmp_path)
    home = str(tmp_path / "home")
    assert codex.child_environment() == {"PATH": "/bin", "HOME": home, "CODEX_HOME": home}


@pytest.mark.parametrize(
    ("provider", "more", "trusts"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, {}, False),
        ({"base_url": "https://example.com/v1"}, {}, True),
        ({"base_url": "http://127.0.0.1:1/v1", "requires_openai_auth": True}, {}, True),
        ({}, {}, True),
        ({"base_url": "http://127.0.0.1:1/v1"}, {"model_providers.mine.base_url": "https://a"}, True),
        ({"base_url": "http://127.0.0.1:1/v1"}, {"model_provider": "openai"}, True),
    ],
)
async def test_certificates_are_read_where_something_is_encrypted(
    tmp_path: Path, provider: dict[str, Any], more: dict[str, Any], trusts: bool
) -> None:
    overrides = {"model_provider": "mine", "model_providers": {"mine": provider}, **more}
    codex = installed(tmp_path, overrides=overrides)
    await codex.prepare()
    variables = codex.child_environment()
    assert ("SSL_CERT_FILE" not in variables) is trusts
    if not trusts:
        assert Path(variables["SSL_CERT_FILE"]).read_bytes() == b""
        assert "SSL_CERT_FILE" not in installed(tmp_path, overrides=overrides, agent=True).child_environment()


# -- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["plain", 'a "b" \\ \n\t\u0001\U0001f600', 3, 1.5, True, ["a", 1], {"x-key": {"nested.name": ["v"]}}, {}],
)
def test_values_are_written_as_toml(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}") == {"value": value}


SILENT = [
    'web_search="disabled"',
    "include_permissions_instructions=false",
    "include_environment_context=false",
    "include_apps_instructions=false",
    "include_collaboration_mode_instructions=false",
    "skills.include_instructions=false",
    "project_doc_max_bytes=0",
    "tools.experimental_request_user_input.enabled=false",
    "features.goals=false",
    "features.multi_agent=false",
    "features.apps=false",
    "features.plugins=false",
    "features.sleep_tool=false",
    "features.image_generation=false",
    "features.hooks=false",
    "features.skill_search=false",
    "features.tool_suggest=false",
    "features.skill_mcp_dependency_install=false",
    "features.shell_snapshot=false",
]
"""Options of every run; without them Codex would add tools and texts of its own."""
POWERLESS = ["features.shell_tool=false", "features.unified_exec=false", "features.view_image=false"]
RUN = ["--json", "--skip-git-repo-check", "--ignore-user-config", "--ignore-rules"]


@pytest.mark.parametrize(
    ("settings", "flags", "options"),
    [
        (
            {},
            [*RUN, "--ephemeral", "--sandbox", "read-only"],
            [*SILENT, *POWERLESS, "tool_output_token_limit=1000000000"],
        ),
        ({"agent": True, "ephemeral": False}, [*RUN, "--sandbox", "workspace-write"], SILENT),
    ],
)
def test_a_run_has_no_power_and_no_words_of_its_own(
    tmp_path: Path, settings: dict[str, Any], flags: list[str], options: list[str]
) -> None:
    given = installed(tmp_path, **settings).exec_options()
    assert given[: len(flags)] == flags
    said = given[len(flags) :]
    assert said[::2] == ["-c"] * (len(said) // 2)
    assert sorted(said[1::2]) == sorted([*options, "thread_unload_delay_secs=1"])


PLAIN: dict[str, Any] = {
    "apply_patch_tool_type": None,
    "tool_mode": None,
    "multi_agent_version": None,
    "use_responses_lite": False,
    "experimental_supported_tools": [],
    "context_window": 10**9,
    "max_context_window": 10**9,
    "truncation_policy": {"mode": "bytes", "limit": 10**9},
}
NAMED: dict[str, Any] = {
    "display_name": "mine",
    "visibility": "hide",
    "default_reasoning_level": None,
    "supported_reasoning_levels": [],
    "service_tiers": [],
    "additional_speed_tiers": [],
}


async def test_a_model_is_catalogued_without_tools_of_its_own(tmp_path: Path) -> None:
    listed = {**MODEL, "slug": "gpt-5.5", "base_instructions": "b", "visibility": "list"}
    program = script(tmp_path / "other", f"echo '{json.dumps({'models': [listed]})}'")
    codex = installed(tmp_path, binary=str(program), model="mine")
    await codex.prepare()
    kept = json.loads((codex.home / CATALOGUE).read_bytes())["models"]
    assert kept == [{**listed, **PLAIN}, {**listed, **PLAIN, **NAMED, "slug": "mine"}]


@pytest.mark.parametrize(
    ("entry", "model"),
    [
        ({"slug": "m"}, CodexModel("m", (), ("text",), None, False)),
        (
            {
                "slug": "m",
                "supported_reasoning_levels": [{"effort": "low"}, {"other": 1}, {"effort": "high"}],
                "input_modalities": ["image", "smell", "text"],
                "context_window": 9,
                "priority": 1,
            },
            CodexModel("m", ("low", "high"), ("text", "image"), 9, True),
        ),
        (
            {
                "slug": "m",
                "supported_reasoning_levels": "low",
                "input_modalities": "image",
                "context_window": "9",
                "priority": 2,
            },
            CodexModel("m", (), ("text",), None, False),
        ),
    ],
)
def test_a_listed_model_has_the_facts_of_the_catalogue(
    tmp_path: Path, entry: dict[str, Any], model: CodexModel
) -> None:
    catalogue = [{**entry, "visibility": "list"}, {**entry, "visibility": "hide"}, entry]
    assert installed(tmp_path, catalogue=catalogue).catalogued() == [model]


def test_what_the_user_set_wins(tmp_path: Path) -> None:
    codex = installed(tmp_path, overrides={"web_search": "live", "model": "mine"})
    options = codex.arguments()
    assert options[::2] == ["-c"] * (len(options) // 2)
    assert 'web_search="live"' in options
    assert 'model="mine"' in options
    assert "thread_unload_delay_secs=1" in options
    assert 'web_search="disabled"' not in options


# -- folders -------------------------------------------------------------------------------------------------------


def test_a_request_may_choose_a_folder_within_a_root(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "in").mkdir(parents=True)
    other.mkdir()
    (root / "out").symlink_to(other)
    codex = installed(tmp_path, allowed_roots=(root,), cwd=other)
    assert codex.folder({}) == other
    assert codex.folder({"cwd": str(root)}) == root
    assert codex.folder({"cwd": f"{root}/in/../in"}) == root / "in"
    for named in (str(other), f"{root}/../other", f"{root}/out", f"{root}/none", "in", "", f"{root}x", "/"):
        with pytest.raises(InvalidRequest) as caught:
            codex.folder({"cwd": named})
        assert caught.value.param == "metadata.cwd"
        assert str(tmp_path) not in caught.value.message


def test_without_a_root_there_is_no_choice(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        installed(tmp_path).folder({"cwd": str(tmp_path)})


def test_a_tuple_is_a_list_in_toml() -> None:
    assert toml(("a", 1)) == '["a", 1]'
