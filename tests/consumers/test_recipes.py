"""The TypeScript recipes: they compile in strict mode, and events.ts reads what events.py reads."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.stream_cases import CASES, CUTS, pieces

pytestmark = pytest.mark.consumers

HERE = Path(__file__).parent
RECIPES = HERE.parents[1] / "docs" / "recipes"
SECONDS = 180.0
TSC = ("--strict", "--target", "es2022", "--module", "nodenext", "--pretty", "false", "--outDir", "compiled")
# Reads each case in pieces, and reports what came and whether the stream was whole.
PROGRAM = """\
import { StreamCut, events } from "./compiled/events.js";

const cases = JSON.parse(process.argv[2]);
const report = {};
for (const [name, chunks] of Object.entries(cases)) {
  const seen = { events: [], cut: false, cancelled: false };
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(Buffer.from(chunk, "base64"));
      controller.close();
    },
  });
  try {
    for await (const event of events(body)) seen.events.push(event);
  } catch (error) {
    if (!(error instanceof StreamCut)) throw error;
    seen.cut = true;
  }
  report[name] = seen;
}
let cancelled = false;
const endless = new ReadableStream({
  pull(controller) { controller.enqueue(Buffer.from("data: 1\\n\\n")); },
  cancel() { cancelled = true; },
});
for await (const event of events(endless)) break;
report.left = cancelled;
process.stdout.write(JSON.stringify(report));
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("recipes")
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules" / ".bin" / "tsc").exists():
        pytest.fail("no TypeScript tools: install Node 20 or later and run `npm ci` in tests/consumers")
    (folder / "node_modules").symlink_to(HERE / "node_modules", target_is_directory=True)
    (folder / "package.json").write_text('{"type": "module"}')
    recipes = [path for path in RECIPES.iterdir() if path.suffix == ".ts"]
    for path in recipes:
        shutil.copy(path, folder)
    names = [path.name for path in recipes]
    tsc = [node, str(HERE / "node_modules" / ".bin" / "tsc"), *TSC, *names]
    compiled = subprocess.run(tsc, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (compiled.returncode, compiled.stdout) == (0, ""), compiled.stdout
    (folder / "program.js").write_text(PROGRAM)
    cases = {
        f"{name}:{size}": [base64.b64encode(piece).decode() for piece in pieces(stream, size)]
        for name, (stream, _) in (CASES | CUTS).items()
        for size in (1, 5, 1000)
    }
    done = subprocess.run(
        [node, "program.js", json.dumps(cases)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES | CUTS)
def test_events_of_any_pieces(name: str, report: Any) -> None:
    _, wanted = (CASES | CUTS)[name]
    for size in (1, 5, 1000):
        seen = report[f"{name}:{size}"]
        assert (seen["events"], seen["cut"]) == (wanted, name in CUTS)


def test_a_loop_that_is_left_ends_the_request(report: Any) -> None:
    assert report["left"] is True
