"""Provider profiles of the user's own: tables of the config file, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wireloom.app import catalogue_of
from wireloom.config import ConfigError, Settings, load
from wireloom.providers import load as built_in

Write = Callable[[str], Path]

ACME = """
[profiles.acme]
base = "deepseek"
title = "Acme"
base_url = "https://llm.acme.example/v1"
hosts = ["acme.example"]
api-key-env = "ACME_KEY"
images = false
dropped = ["top_p"]
accepted = ["metadata"]
[profiles.acme.responses]
counts = true
"""

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
OWN_PROFILE = "[profiles.acme]" + PAGE.partition("[profiles.acme]")[2].partition("```")[0]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)

    def written(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        monkeypatch.setenv("WIRELOOM_CONFIG", str(path))
        return path

    return written


def refused(**given: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(Settings, given)
    return str(caught.value)


def test_a_profile_of_the_file_is_a_provider(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(ACME)
    monkeypatch.setenv("ACME_KEY", "k")
    settings = load(Settings, {"provider": "acme"})
    made, base = settings.upstream_profile, built_in("deepseek")
    assert settings.upstream == "https://llm.acme.example/v1"
    assert settings.upstream_key is not None
    assert (made.name, made.title, made.images, base.audio) == ("acme", "Acme", False, False)
    assert (made.effort_style, made.reasoning_replay) == (base.effort_style, base.reasoning_replay)
    assert {*made.dropped} == {*base.dropped, "top_p"} - {"metadata"}
    assert made.responses == base.responses.model_copy(update={"counts": True})
    assert catalogue_of(settings) is not None


def test_backends_name_it_and_its_hosts_are_recognised(write: Write) -> None:
    write(f'{ACME}[backends.a]\nprovider = "acme"\n[backends.b]\nupstream = "https://eu.acme.example/v1"\n')
    named = load(Settings, {}).named
    assert [entry.upstream_profile.name for entry in named.values()] == ["acme", "acme"]
    write('[backends.b]\nupstream = "https://eu.acme.example/v1"\n')
    assert load(Settings, {}).named["b"].upstream_profile.name == "generic"


def test_one_starts_from_another(write: Write) -> None:
    write(
        '[profiles.b]\nbase = "a"\nimages = true\n[profiles.a]\nimages = false\nfiles = true\nbase_url = "http://a/v1"\n'
    )
    made = load(Settings, {"provider": "b"}).upstream_profile
    assert (made.images, made.files, made.title) == (True, True, "b")


def test_one_of_a_known_name_takes_its_place(write: Write) -> None:
    write('[profiles.groq]\nbase = "groq"\nimages = false\n')
    made = load(Settings, {"provider": "groq"}).upstream_profile
    assert made == built_in("groq").model_copy(
        update={"images": False, "title": "groq", "hosts": (), "ports": ()}
    )


def test_another_address_leaves_the_key_of_the_base_behind(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "canary")
    write('[profiles.near]\nbase = "deepseek"\nbase_url = "http://127.0.0.1:9/v1"\n')
    assert load(Settings, {"provider": "near"}).upstream_key is None


def test_a_profile_in_a_file(write: Write, tmp_path: Path) -> None:
    write(ACME)
    file = tmp_path / "my-server.toml"
    file.write_text('base = "acme"\nbase_url = "http://127.0.0.1:8000/v1"\njson-schema = false\n')
    settings = load(Settings, {"profile": str(file)})
    assert settings.upstream == "http://127.0.0.1:8000/v1"
    assert (settings.upstream_profile.name, settings.upstream_profile.json_schema) == ("my-server", False)
    assert settings.upstream_profile.images is False
    write(f'[backends.a]\nprofile = "{file}"\n')
    file.write_text('name = "named"\nbase_url = "http://127.0.0.1:8000/v1"\n')
    assert load(Settings, {}).named["a"].upstream_profile.name == "named"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            '[profiles.a]\nbase = "deepsek"\n',
            2,
            "profiles.a.base: there is no provider deepsek; did you mean deepseek?",
        ),
        (
            '[profiles.a]\nbase = "b"\n[profiles.b]\nbase = "a"\n',
            2,
            "profiles.a.base: a -> b -> a start from each other.",
        ),
        (
            "[profiles.a]\nimage = false\n",
            2,
            "profiles.a.image: a profile has no such key; did you mean images?",
        ),
        ('[profiles.a]\nimages = "no"\n', 2, "profiles.a.images: input should be a valid boolean."),
        (
            "[profiles.a.responses]\ncount = true\n",
            2,
            "profiles.a.responses.count: a profile has no such key",
        ),
        ("[profiles]\na = 3\n", 2, "profiles.a: this must be a table."),
        ('[profiles."A b"]\nimages = true\n', 1, 'profiles."A b"'),
        (
            '[profiles.acme]\n[backends.x]\nprovider = "acmee"\n',
            3,
            "there is no provider acmee; did you mean acme?",
        ),
        (
            '[profiles.a]\neffort_style = "enable_thinking"\n',
            1,
            "must be true or false for style enable_thinking.",
        ),
    ],
)
def test_what_is_wrong_in_one(write: Write, text: str, line: int, words: str) -> None:
    path = write(text)
    said = [each for each in refused(backend="demo").splitlines() if each.startswith(f"{path}:{line}: ")]
    assert said, refused(backend="demo")
    assert words in said[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "--profile: {file} cannot be read: No such file or directory."),
        (b"\xff", "--profile: {file} is not UTF-8."),
        (b"a b\n", "--profile: {file}:1: this is not TOML: a key needs an = and a value."),
        (
            b'base = "generic"\nimage = 1\n',
            "--profile: {file}:2: image: a profile has no such key; did you mean images?",
        ),
        (b'base = "nobody"\n', "--profile: {file}:1: base: there is no provider nobody; there are"),
        (
            b'images = "x}"\n',
            '--profile: {file}:1: images: input should be a valid boolean.\n  1 | images = "x}}"',
        ),
        (b'name = "A b"\n', "--profile: {file}:1: name: string should match"),
    ],
)
def test_what_is_wrong_in_a_file(write: Write, tmp_path: Path, text: bytes | None, words: str) -> None:
    write("")
    file = tmp_path / "acme.toml"
    if text is not None:
        file.write_bytes(text)
    assert words.format(file=file) in refused(profile=str(file), upstream="http://a")


def test_the_documented_one(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "k")
    write(f'provider = "acme"\n{OWN_PROFILE}')
    made = load(Settings, {})
    assert (made.upstream, made.upstream_profile.json_schema) == ("https://llm.acme.example/v1", False)
    file = tmp_path / "acme.toml"
    file.write_text(OWN_PROFILE.partition("\n")[2])
    assert load(Settings, {"profile": str(file)}).upstream_profile == made.upstream_profile


def test_one_or_the_other(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text('base_url = "http://a"\n')
    write("")
    assert refused(profile=str(file), provider="groq").startswith(
        "--profile: contradicts --provider: leave one out."
    )
    write('provider = "groq"\n')
    assert load(Settings, {"profile": str(file)}).upstream == "http://a"
    write(f'profile = "{file}"\n')
    assert load(Settings, {"provider": "xai"}).profile is None


def test_the_key_of_one_provider_does_not_go_to_the_server_of_another(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('provider = "kimi"\nupstream = "https://api.deepseek.com/v1"\n')
    assert refused().startswith(
        f"{path}:2: upstream: is a server of DeepSeek, and provider kimi would send it the key in MOONSHOT_API_KEY: "
        "leave one out, or say which key it gets with api_key_env."
    )
    monkeypatch.setenv("MY_KEY", "k")
    assert load(Settings, {"api_key_env": "MY_KEY"}).upstream_profile.name == "kimi"
    write('provider = "kimi"\nupstream = "http://127.0.0.1:1/v1"\n')
    assert load(Settings, {}).upstream == "http://127.0.0.1:1/v1"
