"""The key file: made once, for its owner alone, and refused where others could read it."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wireloom.config import ConfigError, Settings, load
from wireloom.config.files.seal_key import read_or_make, seal_keys
from wireloom.seal import new_key, parse_keys

UPSTREAM = {"upstream": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WIRELOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_or_make(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("umask")
def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "wireloom" / "seal.key"
    keys = read_or_make(path)
    assert len(keys) == 1
    assert read_or_make(path) == keys
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [entry.name for entry in path.parent.iterdir()] == ["seal.key"]


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    read_or_make(tmp_path / "seal.key")
    assert mode(tmp_path) == 0o755


def test_every_process_that_starts_at_once_has_the_same_key(tmp_path: Path) -> None:
    """Each waits at the same line, so that they reach the folder and the file together."""
    path = tmp_path / "new" / "seal.key"
    program = (
        "import sys; from pathlib import Path; from wireloom.config.files.seal_key import read_or_make\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(read_or_make(Path(sys.argv[1]))[0].hex())"
    )
    command = [sys.executable, "-c", program, str(path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=60)[0] for process in processes}
    assert keys == {f"{read_or_make(path)[0].hex()}\n"}
    assert [entry.name for entry in path.parent.iterdir()] == ["seal.key"]


def test_a_file_of_the_user_is_read_as_it_is(tmp_path: Path) -> None:
    text = f"# by hand\n{new_key()}\n{new_key()}\n"
    path = write(tmp_path / "keys", text, 0o400)
    assert read_or_make(path) == parse_keys(text)
    assert path.read_text() == text


@pytest.mark.parametrize("wide", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_others_may_not_use_it(wide: int, tmp_path: Path) -> None:
    path = write(tmp_path / "keys", new_key(), wide)
    said = refusal(path)
    assert f"chmod 600 {path}" in said
    assert f"{wide:04o}" in said


@pytest.mark.parametrize(
    "text",
    ["", "# none\n", "s3cret-K9Qx", b"\xff\xfe\x00", new_key() + "s3cret-K9Qx"],
    ids=["empty", "comment", "words", "bytes", "two"],
)
def test_what_is_no_key_is_refused_and_not_shown(text: str | bytes, tmp_path: Path) -> None:
    said = refusal(write(tmp_path / "keys", text))
    assert "key" in said
    assert "s3cret" not in said
    assert "delete" in said


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "file", "")
    assert "--seal-key-file" in refusal(tmp_path)
    assert "--seal-key-file" in refusal(file / "seal.key")


def test_the_settings_say_where_it_is(tmp_path: Path) -> None:
    keys = seal_keys(load(Settings, UPSTREAM))
    assert keys == read_or_make(tmp_path / "state" / "wireloom" / "seal.key")
    named = tmp_path / "named"
    assert seal_keys(load(Settings, {**UPSTREAM, "seal_key_file": str(named)})) == read_or_make(named) != keys


def test_the_scripted_model_leaves_no_file(tmp_path: Path) -> None:
    settings = load(Settings, {"backend": "demo"})
    assert seal_keys(settings) != seal_keys(settings)
    assert list(tmp_path.iterdir()) == []
    named = load(Settings, {"backend": "demo", "seal_key_file": str(tmp_path / "named")})
    assert seal_keys(named) == read_or_make(tmp_path / "named")


@pytest.mark.parametrize(
    ("owner", "user", "bits", "taken"),
    [(0, 10001, 0o440, True), (0, 10001, 0o444, False), (0, 0, 0o440, False), (7, 10001, 0o440, False)],
)
def test_a_file_that_root_has_lent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, user: int, bits: int, taken: bool
) -> None:
    path = write(tmp_path / "seal.key", new_key(), bits)
    real = os.fstat

    def owned(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[stat.ST_UID] = owner
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", owned)
    monkeypatch.setattr(os, "getuid", lambda: user)
    if taken:
        assert len(read_or_make(path)) == 1
    else:
        assert "chmod 600" in refusal(path)
