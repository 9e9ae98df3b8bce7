"""`wireloom check`: against real deployments that keep to the contract, and against some that do not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest
from wireloom_protocol.operations import OPERATIONS as SERVED

from tests.contract.varied_upstream import MODEL
from tests.support.gateway import Gateway, variables_of
from wireloom.cli.acceptance import acceptable, completes, ends_well

pytestmark = pytest.mark.contract


def check(url: str, home: Path, *flags: str, token: str | None) -> subprocess.CompletedProcess[str]:
    variables = variables_of(home) | ({} if token is None else {"WIRELOOM_TOKEN": token})
    command = [sys.executable, "-m", "wireloom", "check", url, *flags]
    return subprocess.run(
        command, env=variables, cwd=home, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_deployment_that_keeps_to_it(tmp_path: Path) -> None:
    """The demonstration, as a pipeline would check it: everything is looked at, and nothing stays behind."""
    with Gateway(None, tmp_path, "--backend", "demo", "--history", "sqlite") as gateway:
        ran = check(gateway.root_url, tmp_path, "--report", "json", token=gateway.token)
        listed = subprocess.run(
            [sys.executable, "-m", "wireloom", "history", "ls"],
            env=variables_of(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert report["ok"] is True
    assert report["contract"] == "the contract of this version"
    assert (report["failed"], report["skipped"], report["not run"]) == (0, 0, 0)
    assert {result["operation"].partition(" ")[0] for result in report["results"]} == {
        operation for _, _, operation, _ in SERVED
    }
    assert "resp_" not in listed.stdout
    assert "conv_" not in listed.stdout


def test_all_that_the_contract_allows(gateway: Gateway, tmp_path: Path) -> None:
    flags = ("--wide", "--examples", "15", "--max-requests", "1000", "--model", MODEL)
    ran = check(
        gateway.root_url, tmp_path, *flags, "--report", "junit", "--output", "check.xml", token=gateway.token
    )
    assert ran.returncode == 0, (tmp_path / "check.xml").read_text()
    suite = ElementTree.parse(tmp_path / "check.xml").getroot()
    assert suite.attrib["failures"] == suite.attrib["errors"] == "0"
    assert int(suite.attrib["tests"]) == len(suite) > 20


def test_bounds(gateway: Gateway, tmp_path: Path) -> None:
    ran = check(gateway.root_url, tmp_path, "--max-requests", "4", "--model", MODEL, token=gateway.token)
    assert ran.returncode == 1
    assert "not run" in ran.stdout
    assert "--max-requests" in ran.stdout


def test_a_wrong_key_is_a_failure(gateway: Gateway, tmp_path: Path) -> None:
    ran = check(gateway.root_url, tmp_path, "--model", MODEL, token="other")
    assert ran.returncode == 1
    assert "refused with 401" in ran.stdout
    assert "failed   createResponse" in ran.stdout


def test_a_gateway_that_lets_everybody_in(tmp_path: Path) -> None:
    with Gateway(None, tmp_path, "--backend", "demo", token=None) as gateway:
        open_by_mistake = check(gateway.root_url, tmp_path, token="k")
        on_purpose = check(gateway.root_url, tmp_path, "--no-auth", token=None)
    assert open_by_mistake.returncode == 1
    assert "without authentication" in open_by_mistake.stdout
    assert on_purpose.returncode == 0, on_purpose.stdout


class Spoilt(BaseHTTPRequestHandler):
    """Passes everything on to a gateway, and spoils some answers."""

    root = ""
    made: ClassVar[list[str]] = []

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        request = Request(f"{self.root}{self.path}", data=body or None, headers=headers, method=self.command)
        try:
            with urlopen(request, timeout=30) as response:
                status, kind, data = response.status, response.headers["content-type"], response.read()
        except OSError as error:
            status, kind, data = (
                getattr(error, "code", 502),
                "application/json",
                getattr(error, "read", bytes)(),
            )
        if self.path == "/health":
            data = b'{"status": "fine"}'
        if self.path == "/v1/responses" and kind.startswith("text/event-stream"):
            data = data.replace(b"data: [DONE]\n\n", b"")
        if self.path == "/v1/conversations" and status == 200:
            self.made.append(json.loads(data)["id"])
            data = data.replace(b'"created_at"', b'"made_at"')
        if self.path == "/v1/chat/completions":
            data = data.replace(b'"finish_reason"', b'"finished"')
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def spoilt(gateway: Gateway) -> Iterator[str]:
    handler = type("Handler", (Spoilt,), {"root": gateway.root_url})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_deployment_that_does_not(spoilt: str, gateway: Gateway, tmp_path: Path) -> None:
    ran = check(spoilt, tmp_path, "--report", "json", "--model", MODEL, token=gateway.token)
    assert ran.returncode == 1, ran.stdout
    states = {result["operation"]: result["state"] for result in json.loads(ran.stdout)["results"]}
    assert states["health"] == "failed"
    assert states["createResponse (streamed)"] == "failed"
    assert states["createChatCompletion (whole)"] == "failed"
    assert states["createChatCompletion (streamed)"] == "failed"
    assert states["createResponse (whole)"] == states["listModels"] == "passed"


def test_what_has_no_contract(tmp_path: Path) -> None:
    ran = check("http://127.0.0.1:9", tmp_path, token="k")
    assert ran.returncode == 1
    assert "no contract" in ran.stderr
    assert "Traceback" not in ran.stderr


END = 'event: response.completed\ndata: {"type": "response.completed"}\n\n'


@pytest.mark.parametrize(
    ("text", "well"),
    [
        (f"{END}data: [DONE]\n\n", True),
        (f'data: {{"type": "x", "said": "a\u2028b\x85c"}}\n\n{END}data: [DONE]\n\n', True),
        (END, False),
        (f"{END}{END}data: [DONE]\n\n", False),
        ('data: {"type": "response.created"}\n\ndata: [DONE]\n\n', False),
        ("\n\ndata: [DONE]\n\n", False),
    ],
)
def test_how_a_stream_ends(text: str, well: bool) -> None:
    assert ends_well(text) is well


def test_how_a_completion_ends() -> None:
    assert completes('data: {"choices": [{"finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
    assert not completes('data: {"choices": [{"finish_reason": null}]}\n\ndata: [DONE]\n\n')
    assert not completes('data: {"choices": [{"finish_reason": "stop"}]}\n\n')


def test_what_may_be_refused() -> None:
    assert acceptable(404, {"code": "not_found", "param": "response_id"}, {})
    assert acceptable(400, {"code": "unsupported_parameter", "param": "background"}, {})
    assert not acceptable(500, {"code": "not_found", "param": "response_id"}, {})
    assert not acceptable(400, {"code": "invalid_value", "param": "input"}, {})


def test_what_is_answered_wrongly_is_deleted_all_the_same(
    spoilt: str, gateway: Gateway, tmp_path: Path
) -> None:
    """A conversation whose answer breaks the contract is in the store, so the check has to remember it."""
    before = len(Spoilt.made)
    ran = check(spoilt, tmp_path, "--report", "json", "--model", MODEL, token=gateway.token)
    states = {result["operation"]: result["state"] for result in json.loads(ran.stdout)["results"]}
    assert states["createConversation"] == "failed"
    made = Spoilt.made[before:]
    assert made
    headers = {"authorization": f"Bearer {gateway.token}"}
    for name in made:
        with pytest.raises(HTTPError, match="404"):
            urlopen(Request(f"{gateway.base_url}/conversations/{name}", headers=headers), timeout=30)
