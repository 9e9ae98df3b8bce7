"""`--record`: one private file a request, before its answer begins, and a table of who sent what."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard

from tests.support.live import gateway
from wireloom.api.observe.record import Recording
from wireloom.config import ConfigError, Settings
from wireloom.config.files.folders import private_folder

KEY = {"authorization": "Bearer s3cret-K9Qx", "user-agent": "codex_exec/0.170.0 (Mac OS 15; arm64) iTerm"}
BODY = {
    "model": "demo",
    "input": [{"role": "user", "content": "b" * 999}, {"type": "reasoning", "id": "rs_1", "summary": []}],
    "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "c"}]}],
}


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def recorded(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def table(folder: Path) -> list[list[str]]:
    lines = (folder / "VERSIONS.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][
        1:
    ]


async def send(folder: Path, *requests: tuple[str, str, dict[str, Any]]) -> list[int]:
    """Send requests (method, path, options of httpx) to a gateway that records; return their statuses."""
    settings = {
        "backend": "demo",
        "token": {"laptop": "s3cret-K9Qx"},
        "record": str(folder),
        "max_body_mb": 1,
    }
    async with gateway(None, **settings) as base, httpx.AsyncClient(timeout=20) as client:
        return [
            (await client.request(method, base + path, **{"headers": KEY, **options})).status_code
            for method, path, options in requests
        ]


@pytest.mark.usefixtures("umask")
async def test_a_request_becomes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "recorded"
    statuses = await send(
        folder,
        ("POST", "/v1/responses?api_key=s3cret", {"json": {**BODY, "tools": []}}),
        ("GET", "/v1/models?client_version=0.170.0", {}),
    )
    assert statuses == [200, 200]
    names = ["0001-post-responses.json", "0002-get-models.json", "VERSIONS.md"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert mode(folder) == 0o700
    first, second = recorded(folder)
    assert (first["method"], first["path"], first["query"]) == ("POST", "/v1/responses", "api_key=<masked>")
    assert first["headers"]["authorization"] == "Bearer <test-key>"
    assert first["body"]["input"][0]["content"] == "b" * 200 + "...[trimmed 799 chars]"
    assert (second["query"], second["body"]) == ("client_version=0.170.0", None)
    assert "s3cret" not in "".join(path.read_text() for path in folder.iterdir())


async def test_the_table_counts_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    refused = ("POST", "/v1/responses", {"json": BODY})
    sdk = {"headers": {**KEY, "user-agent": "OpenAI/Python 3.52.0"}}
    await send(folder, refused, ("GET", "/v1/models", {}))
    await send(folder, ("GET", "/v1/models", sdk), ("GET", "/v1/models", {}))
    assert [path.name[:4] for path in sorted(folder.glob("*.json"))] == ["0001", "0002", "0003", "0004"]
    sdk_row, codex_row = table(folder)
    assert sdk_row[:2] + sdk_row[3:] == ["OpenAI/Python", "3.52.0", "1", "", ""]
    assert codex_row[:2] + codex_row[3:] == [
        "codex_exec",
        "0.170.0",
        "3",
        "message, reasoning",
        "custom, namespace",
    ]
    assert len(codex_row[2]) == len("2025-01-01")


async def test_packed_and_broken_bodies(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    packed = zstandard.compress(json.dumps({"model": "demo", "input": "hi"}).encode())
    plain = {**KEY, "content-type": "application/json"}
    statuses = await send(
        folder,
        ("POST", "/v1/responses", {"content": packed, "headers": {**plain, "content-encoding": "zstd"}}),
        ("POST", "/v1/responses", {"content": b"{broken", "headers": plain}),
        ("POST", "/v1/responses", {"content": b"[" * 100_000, "headers": plain}),
        (
            "POST",
            "/v1/responses",
            {"content": zstandard.compress(bytes(2**22)), "headers": {**plain, "content-encoding": "zstd"}},
        ),
        ("POST", "/v1/../../etc/x%2f..%2fpasswd", {"content": b"{}", "headers": plain}),
    )
    assert statuses[:4] == [200, 400, 400, 400]
    bodies = [capture["body"] for capture in recorded(folder)]
    assert bodies[:3] == [
        {"model": "demo", "input": "hi"},
        "...[trimmed 7 bytes]",
        "...[trimmed 100000 bytes]",
    ]
    assert bodies[3].startswith("...[trimmed ")
    assert {path.parent for path in tmp_path.rglob("*.json")} == {folder}


async def test_half_a_character_in_json_within_a_text(tmp_path: Path) -> None:
    arguments = r'{"found": "\ud800", "at": "/home/joe/x"}'
    body = {**BODY, "input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}]}
    assert await send(tmp_path, ("POST", "/v1/responses/input_tokens", {"json": body})) == [200]
    (kept,) = recorded(tmp_path)
    assert json.loads(kept["body"]["input"][0]["arguments"]) == {"found": "\ud800", "at": "/home/user/x"}


async def test_who_has_no_key_leaves_nothing(tmp_path: Path) -> None:
    wrong = {"headers": {**KEY, "authorization": "Bearer wrong"}}
    folder = tmp_path / "recorded"
    statuses = await send(
        folder,
        ("POST", "/v1/responses", {"json": BODY, **wrong}),
        ("POST", "/v1/nothing", {"json": BODY, **wrong}),
        ("GET", "/health", {}),
    )
    assert statuses == [400, 404, 200], "Codex gets a 400 for a 401"
    assert list(folder.iterdir()) == []


async def test_a_folder_that_vanishes_stops_no_request(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    settings = {"backend": "demo", "no_auth": True, "record": str(folder)}
    async with gateway(None, **settings) as base, httpx.AsyncClient(timeout=20) as client:
        folder.rmdir()
        assert (await client.get(f"{base}/v1/models")).status_code == 200


def test_others_may_not_look_into_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path, f"chmod 700 {tmp_path}"),
        (tmp_path / "file", "no folder"),
        (tmp_path / "file" / "x", "--record"),
    ):
        with pytest.raises(ConfigError, match="--record") as caught:
            private_folder(path, "--record")
        assert words in str(caught.value)


def test_what_is_no_recording_is_left_out_of_the_table(tmp_path: Path) -> None:
    for name, text in (
        ("a.json", "[1]"),
        ("b.json", "no JSON"),
        ("0007-c.json", '{"headers": {}, "body": null}'),
    ):
        (tmp_path / name).write_text(text)
    Recording(tmp_path).add("GET", "/v1/models", "", [("user-agent", "| <b> evil | 1.2")], None)
    assert (tmp_path / "0008-get-models.json").exists()
    ((client, version, _, requests, *_),) = table(tmp_path)
    assert (client, version, requests) == ("unknown", "", "2")


def test_it_is_not_even_loaded_when_it_is_off() -> None:
    program = (
        "import sys; from wireloom.app import create_app; from wireloom.config import Settings\n"
        "create_app(Settings(backend='demo', no_auth=True)); print('wireloom.api.observe.record' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "False\n", ran.stderr
    assert Settings.model_fields["record"].default is None
