"""A user's overlays: compiled into a package of their own, beside the one of the release."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from wireloom_protocol import responses

from codegen import additions, generate

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "acme.overlay.yaml"
SECONDS = 300.0
NAME = "acme_protocol"
ASKED = {"model": "m", "input": "hi"}


def content(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package that the documented command writes, importable by its own name."""
    folder = tmp_path_factory.mktemp("mine") / NAME
    before = content(generate.PACKAGE)
    command = [sys.executable, "-m", "codegen.generate", "--overlay", str(EXAMPLE), "--out", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(generate.PACKAGE) == before
    sys.path.insert(0, str(folder.parent))
    yield folder
    sys.path.remove(str(folder.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def test_a_member_of_an_overlay_is_in_the_models_and_the_documents(compiled: Path) -> None:
    model = importlib.import_module(f"{NAME}.responses").CreateResponse
    assert model.model_validate({**ASKED, "acme_priority": 3}).acme_priority == 3
    with pytest.raises(ValidationError, match="acme_priority"):
        model.model_validate({**ASKED, "acme_priority": 30})
    assert "acme_priority" in importlib.import_module(f"{NAME}.requests").CreateResponse.__annotations__
    assert "acme_priority" not in responses.CreateResponse.model_fields
    for document in ("contract.json", "contract-3.1.json"):
        assert "acme_priority" in (compiled / document).read_text()


def test_the_package_is_whole_and_imports_nothing_of_the_release(compiled: Path) -> None:
    assert content(compiled).keys() == content(generate.PACKAGE).keys()
    assert [name for name, text in content(compiled).items() if b"import wireloom_protocol" in text] == []
    assert [name for name, text in content(compiled).items() if b"from wireloom_protocol" in text] == []
    rpc = importlib.import_module(f"{NAME}.rpc")
    assert rpc.TURN_START.params is importlib.import_module(f"{NAME}.app_server").TurnStartParams


def test_the_manifest_names_the_overlay(compiled: Path) -> None:
    made = json.loads((compiled / "manifest.json").read_text())
    assert made.pop("overlays").keys() == {EXAMPLE.name}
    assert made == json.loads((generate.PACKAGE / "manifest.json").read_text())


# -- what is refused -------------------------------------------------------------------------------------------------

BOUND: Any = {
    "target": "$.components.schemas.CreateResponse",
    "description": "Why.",
    "update": {"properties": {"acme_priority": {"type": "integer", "description": "A place."}}},
}
IDLE: Any = {"target": "$.components.schemas.CreateRespons", "description": "Why.", "update": {"a": 1}}


def written(folder: Path, *actions: Any, **members: Any) -> Path:
    path = folder / "mine.overlay.yaml"
    path.write_text(yaml.safe_dump({"info": {"title": "mine"}, "actions": list(actions), **members}))
    return path


@pytest.mark.parametrize(
    ("actions", "extends", "message"),
    [
        (
            [BOUND, IDLE],
            "openai.json",
            "mine.overlay.yaml: action 2 changes nothing: $.components.schemas.CreateRespons",
        ),
        ([BOUND, BOUND], "openai.json", "mine.overlay.yaml: action 2 changes nothing"),
        ([{**BOUND, "description": ""}], "openai.json", "mine.overlay.yaml: action 1 ($.components.schemas"),
        ([BOUND], "other.json", "mine.overlay.yaml extends other.json; write `extends: openai.json` or"),
        ([BOUND], "app_server.json", "mine.overlay.yaml: action 1 changes nothing"),
        (
            [{**BOUND, "update": {"properties": {"a": {"typ": "integer"}}}}],
            "openai.json",
            "components.schemas.CreateResponse",
        ),
    ],
)
def test_an_overlay_that_does_not_fit_writes_nothing(
    actions: list[Any], extends: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = written(tmp_path, *actions, extends=extends), tmp_path / "out"
    assert generate.main(["--overlay", str(path), "--out", str(folder)]) == 1
    assert message in capsys.readouterr().out
    assert not folder.exists()


def test_a_file_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--overlay", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "out")]) == 1
    assert "no.yaml" in capsys.readouterr().out


def test_an_overlay_does_not_go_into_the_package_of_the_release(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        generate.main(["--overlay", str(EXAMPLE)])
    assert "--overlay needs --out" in capsys.readouterr().err
    assert generate.main(["--overlay", str(EXAMPLE), "--out", str(generate.PACKAGE)]) == 1
    assert "has the package of the release" in capsys.readouterr().out


def test_other_files_are_not_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "thesis.txt"
    kept.write_text("three years of work")
    for folder, reason in ((tmp_path, "has other files"), (kept, "is a file")):
        assert generate.main(["--overlay", str(EXAMPLE), "--out", str(folder)]) == 1
        assert reason in capsys.readouterr().out
    assert kept.read_text() == "three years of work"


# -- what is written -------------------------------------------------------------------------------------------------


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[additions.Additions]:
    """The overlays of each compilation, which writes two files at once."""
    seen: list[additions.Additions] = []

    def emit(folder: Path, more: additions.Additions) -> None:
        seen.append(more)
        (folder / "manifest.json").write_text("{}")
        (folder / "rpc.py").write_text("# of tomorrow\n")

    monkeypatch.setattr(generate, "emit", emit)
    monkeypatch.setattr(generate, "faults", lambda more: [])
    return seen


def test_a_package_is_written_again_and_compared(
    emitted: list[additions.Additions], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = written(tmp_path, BOUND), tmp_path / "out"
    arguments = ["--overlay", str(path), "--overlay", str(EXAMPLE), "--out", str(folder)]
    assert generate.main([*arguments, "--check"]) == 1
    assert generate.main(arguments) == 0
    assert generate.main([*arguments, "--check"]) == 0
    (folder / "rpc.py").write_text("# of today\n")
    assert generate.main([*arguments, "--check"]) == 1
    assert f"{folder} is not what the contracts compile to" in capsys.readouterr().out
    assert generate.main(arguments) == 0
    assert (folder / "rpc.py").read_text() == "# of tomorrow\n"
    assert {tuple(each.digests) for each in emitted} == {(path.name, EXAMPLE.name)}


def test_an_overlay_of_the_app_server_contract(tmp_path: Path) -> None:
    action = {
        "target": "$.definitions.TurnStartParams.properties",
        "description": "Why.",
        "update": {"acmeQueue": {"type": "string"}},
    }
    more = additions.load([written(tmp_path, action, extends="../app_server.json")])
    assert (more.contract, len(more.app_server)) == ((), 1)
    assert "acmeQueue" in generate.app_server_base(more)["definitions"]["TurnStartParams"]["properties"]
    assert generate.corrected(more=more) == generate.corrected()
    assert generate.faults(more) == []
