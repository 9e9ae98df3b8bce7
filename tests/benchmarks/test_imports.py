"""The cost of imports: what is measured, and what is printed."""

import json
from pathlib import Path

import pytest

from benchmarks import imports


def test_a_first_use_is_measured_beside_the_import() -> None:
    lazy, whole = imports.cost("rpc", runs=1), imports.cost("operations", runs=1)
    assert lazy["import_ms"] > 0
    assert lazy["use_ms"] is not None
    assert whole["import_ms"] > 0
    assert whole["use_ms"] is None


def test_every_module_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cost(module: str) -> imports.Cost:
        return {"import_ms": 12.5, "use_ms": 200.0 if module in imports.USES else None}

    monkeypatch.setattr(imports, "cost", cost)
    monkeypatch.setattr(imports, "RESULTS", tmp_path / "imports.json")
    assert imports.main([]) == 0
    assert not imports.RESULTS.exists()
    assert imports.main(["--write"]) == 0
    assert list(json.loads(imports.RESULTS.read_text())) == imports.modules()
    assert "rpc                12.5 ms   200.0 ms at the first use" in capsys.readouterr().out
