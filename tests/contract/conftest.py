"""What the contract tests share: one gateway, one upstream, and a report at the end of the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.contract.varied_upstream import API_KEY, VariedUpstream
from tests.support.gateway import Gateway

REPORT = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def no_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no run learn from the ones before it."""
    set_hypothesis_home_dir(tmp_path_factory.mktemp("hypothesis"))


@pytest.fixture(scope="session")
def varied_upstream() -> Iterator[VariedUpstream]:
    with VariedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def gateway(varied_upstream: VariedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway process with a token; whatever it is sent, it must not have failed inside."""
    home = tmp_path_factory.mktemp("gateway")
    with Gateway(varied_upstream.base_url, home, "--log-level", "warning", api_key=API_KEY) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> list[str]:
    """Lines that the session prints at its end, also when all went well."""
    return pytestconfig.stash.setdefault(REPORT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(REPORT, []):
        terminalreporter.write_line(line)
