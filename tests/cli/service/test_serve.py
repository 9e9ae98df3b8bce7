"""`wireloom serve`: the token, the port, and a process that starts and ends as it should."""

import json
import os
import pty
import re
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.cli.conftest import Invoke
from tests.cli.process import Wireloom
from wireloom.cli.options import Failure
from wireloom.cli.service import listener as server
from wireloom.cli.service import serve
from wireloom.config import Settings, load

ORIGIN = "https://example.com"


def status(url: str, path: str, headers: dict[str, str] | None = None) -> int:
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=30)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_its_address_once_it_serves_and_ends_on_a_signal(number: signal.Signals) -> None:
    with Wireloom(
        "serve", "--backend", "demo", "--port", "0", environment={"WIRELOOM_TOKEN": "k"}
    ) as process:
        url = process.url()
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", url)
        assert status(url, "/health") == 200
        assert status(url, "/v1/models") == 401
        assert status(url, "/v1/models", {"authorization": "Bearer k"}) == 200
        assert process.interrupt(number) == (0 if number is signal.SIGINT else -signal.SIGTERM)
    first, *lines = process.stderr.splitlines()
    assert first == f"wireloom listening on {url}"
    assert [json.loads(line)["status"] for line in lines] == [401, 200]
    assert process.stdout == ""


def test_a_taken_port_is_told_before_the_gateway_is_loaded(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "resolve", None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = invoke("serve", "--backend", "demo", "--no-auth", "--port", port)
    assert result.exit_code == 1
    assert (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use. Stop what uses it" in result.stderr
    )
    assert "--port" in result.stderr


def test_a_host_that_is_not_ours_is_told() -> None:
    with pytest.raises(Failure, match=r"Cannot listen on 192\.0\.2\.1 port 0"):
        serve.listen("192.0.2.1", 0)


def test_clients_may_connect_before_the_gateway_is_loaded() -> None:
    with serve.listen("localhost", 0) as listener, socket.socket(listener.family) as early:
        early.connect(listener.getsockname())


def test_settings_and_listener_reach_the_server(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Settings, int]] = []

    def run(settings: Settings, listener: socket.socket, **_: str | None) -> None:
        seen.append((settings, listener.getsockname()[1]))

    monkeypatch.setattr(server, "run", run)
    result = invoke("--backend", "demo", "--port", "0", "--token", "a=k", "--token", "l", "--strict")
    assert result.exit_code == 0, result.output
    [(settings, port)] = seen
    assert (settings.strict, list(settings.token)) == (True, ["a", "default"])
    assert port > 0


def test_where_no_token_can_be_kept_one_is_asked_for(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc/nowhere")
    result = invoke("serve", "--backend", "demo")
    assert result.exit_code == 2
    assert "WIRELOOM_TOKEN" in result.stderr
    assert "--no-auth" in result.stderr


def test_a_token_is_made_and_kept_and_shown_on_a_terminal_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wireloom" / "config.toml"
    file.parent.mkdir()
    file.write_text('[models."a"]\ncontext_window = 5\n')
    file.chmod(0o644)
    made = serve.with_token(load(Settings, {"backend": "demo"}))
    token = made.token["default"].get_secret_value()
    assert len(token) >= 32
    assert token not in "".join(capsys.readouterr())
    assert file.stat().st_mode & 0o777 == 0o600
    again = load(Settings, {"backend": "demo"})
    assert again.token == made.token
    assert again.models["a"].context_window == 5


def test_on_a_terminal_a_token_is_made_and_shown() -> None:
    shown, terminal = pty.openpty()
    settings = load(Settings, {"backend": "demo"})
    with open(terminal, "w") as stderr, open(shown, "rb", 0) as screen:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", stderr)
            made = serve.with_token(settings)
        stderr.flush()
        text = os.read(screen.fileno(), 4096).decode()
    token = made.token["default"].get_secret_value()
    assert token in text
    assert settings.token == {}


@pytest.mark.parametrize("given", [{"token": "k"}, {"no_auth": True}])
def test_no_token_is_made_when_one_is_given_or_none_is_wanted(given: dict[str, Any]) -> None:
    settings = load(Settings, {"backend": "demo", **given})
    assert serve.with_token(settings) is settings


def test_how_uvicorn_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "create_app", lambda _: Starlette())
    config = server.Server(load(Settings, {"backend": "demo"}), lambda: None).config
    assert (config.access_log, config.server_header, config.proxy_headers) == (False, False, False)
    assert config.lifespan == "on"
    assert config.timeout_graceful_shutdown is not None
    assert config.timeout_graceful_shutdown < 10


def test_the_process_list_shows_no_key() -> None:
    flags = ("--backend", "demo", "--port", "0", "--token", "canary-token", "--token", "b=canary-token-2")
    with Wireloom("serve", *flags) as process:
        process.url()
        assert "puts a key on the command line" in process.stderr
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"serve" in shown
    assert b"canary" not in shown
