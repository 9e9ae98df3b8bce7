"""Folders that are made: for their owner alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from wireloom.config.files.folders import make_private, private_folder


@pytest.fixture(params=[0, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_each_folder_that_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    assert private_folder(path, "--record") == path
    assert [mode(each) for each in (path, path.parent, path.parent.parent)] == [0o700] * 3


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o755)
    make_private(open_folder / "own")
    assert (mode(open_folder), mode(open_folder / "own")) == (0o755, 0o700)
    make_private(open_folder)
    assert mode(open_folder) == 0o755
