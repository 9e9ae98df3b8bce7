"""The weekly workflow: its steps are run as they stand, with stand-ins for what reaches the network."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/refresh.yml").read_text())
(JOB,) = WORKFLOW["jobs"].values()
STEPS: dict[str, Any] = {step["name"]: step for step in JOB["steps"] if "name" in step}
TAKE, OPEN, FAIL = STEPS
GH = '#!/bin/sh\necho "$@" >> "$LOG"\ncase "$*" in *commits*) echo abc;; *contents*) echo "{}";; *create*) exit $EXISTS;; esac\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of a repository with one file, and stand-ins for `gh` and `nox` beside it."""
    git("init", "-q", "--bare", "-b", "main", str(tmp_path / "origin"), cwd=tmp_path)
    git("clone", "-q", str(tmp_path / "origin"), "clone", cwd=tmp_path)
    folder = tmp_path / "clone"
    (folder / "contract").write_text("old\n")
    git("add", "--all", cwd=folder)
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "begin", cwd=folder)
    git("push", "-q", "origin", "HEAD:main", cwd=folder)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "nox").write_text('#!/bin/sh\necho "nox $@" >> "$LOG"\nsh -c "$NOX"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return folder


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def run(name: str, clone: Path, nox: str = "true", exists: bool = False) -> tuple[int, str]:
    """Run a step as the runner does; return its exit code and what was asked of the stand-ins."""
    log = clone.parent / "log"
    log.write_text("")
    given = {key: value.replace("${{ github.workspace }}", str(clone)) for key, value in JOB["env"].items()}
    environment = {**os.environ, **given, "LOG": str(log), "NOX": nox, "EXISTS": str(int(exists))}
    environment["PATH"] = f"{clone.parent / 'programs'}:{os.environ['PATH']}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, log.read_text()


def test_news_become_a_pull_request(clone: Path) -> None:
    code, asked = run(TAKE, clone, nox="echo '  fields'; echo new > contract")
    assert code == 0
    assert f"nox -s refresh -- {clone}/../openapi.json codex@latest openai@latest --commit abc" in asked
    code, asked = run(OPEN, clone)
    assert code == 0
    assert "pr create --head refresh" in asked
    assert "pr edit" not in asked
    assert (clone.parent / "news.txt.md").read_text() == "```text\n  fields\n```\n"
    assert git("show", "origin/refresh:contract", cwd=clone) == "new\n"


def test_a_second_week_updates_it(clone: Path) -> None:
    for text in ("one", "two"):
        git("switch", "-q", "-C", "main", "origin/main", cwd=clone)
        run(TAKE, clone, nox=f"echo {text}; echo {text} > contract")
        code, asked = run(OPEN, clone, exists=text == "two")
        assert code == 0
        assert ("pr edit refresh" in asked) is (text == "two")
        assert git("show", "origin/refresh:contract", cwd=clone) == f"{text}\n"


def test_nothing_new_opens_nothing(clone: Path) -> None:
    assert run(TAKE, clone, nox="echo nothing new")[0] == 0
    assert run(OPEN, clone) == (0, "")


def test_what_has_to_be_changed_fails_after_it_was_shown(clone: Path) -> None:
    code, _ = run(TAKE, clone, nox="echo 'to change by hand'; echo new > contract; exit 1")
    assert code == 1
    assert STEPS[TAKE]["continue-on-error"] is True
    assert "pr create" in run(OPEN, clone)[1]
    assert STEPS[FAIL]["if"] == f"steps.{STEPS[TAKE]['id']}.outcome == 'failure'"
    assert run(FAIL, clone)[0] == 1
