"""`wireloom start`, `stop`, `restart` and `status`: a gateway in the background."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import click
import psutil

from wireloom.cli.client import running
from wireloom.cli.options import Failure, SettingsCommand, warn_without_key
from wireloom.cli.service.codex_program import NAMED_BY, check_program, login_warning
from wireloom.cli.service.serve import env_file_option, files_options, holds, serve, with_token
from wireloom.config import Endpoint, Settings, flag_name, flag_of, load
from wireloom.config.files.service import (
    Service,
    ServiceFiles,
    append_private,
    environment,
    read_service,
    resume,
    write_service,
)
from wireloom.config.values import variables

_START_SECONDS = 60.0
# What a gateway may take besides the time that it gives its streams to end.
_STOP_SECONDS = 7.0
_LOOK_SECONDS = 0.02
_TOLD_LINES = 20

_EXAMPLES = """\b
Examples:
  wireloom start --provider openrouter
  wireloom status --verbose
  wireloom restart --strict
  wireloom stop
"""


@click.command("start", cls=SettingsCommand, kind=Settings, epilog=_EXAMPLES)
@click.option("--foreground", is_flag=True, help="Stay here, as `wireloom serve` does.")
@env_file_option
@files_options
def start(
    given: Mapping[str, Any],
    pid_file: str | None,
    log_file: str | None,
    state_file: str | None,
    *,
    foreground: bool,
) -> None:
    """Run the gateway in the background; return when it takes requests.

    Takes the settings of `wireloom serve`. They are kept, for `wireloom restart`.
    """
    if foreground:
        serve(given, pid_file=pid_file, log_file=log_file, state_file=state_file)
        return
    begin(given, ServiceFiles.chosen(pid_file, log_file, state_file))


@click.command("stop", cls=SettingsCommand, kind=Settings, names=())
@files_options
def stop(
    given: Mapping[str, Any], pid_file: str | None, log_file: str | None, state_file: str | None
) -> None:
    """End the gateway in the background; running answers get a few seconds to end."""
    end(ServiceFiles.chosen(pid_file, log_file, state_file))


@click.command("restart", cls=SettingsCommand, kind=Settings, epilog=_EXAMPLES)
@env_file_option
@files_options
def restart(
    given: Mapping[str, Any], pid_file: str | None, log_file: str | None, state_file: str | None
) -> None:
    """End the gateway in the background and start it with the settings it had, and those given over them."""
    begin_anew(given, ServiceFiles.chosen(pid_file, log_file, state_file))


@click.command("status", cls=SettingsCommand, kind=Settings, names=())
@click.option("--verbose", is_flag=True, help="Show the settings as well.")
@files_options
def status(
    given: Mapping[str, Any],
    pid_file: str | None,
    log_file: str | None,
    state_file: str | None,
    *,
    verbose: bool,
) -> None:
    """Show the gateway in the background, or the one that answers; exit code 1 when there is none."""
    report(ServiceFiles.chosen(pid_file, log_file, state_file), verbose=verbose)


def begin(given: Mapping[str, Any], files: ServiceFiles, codex_named_by: str = NAMED_BY) -> None:
    """Start a service with these settings; raises ``Failure`` when there is one.

    codex_named_by: see `serve`.
    """
    before = read_service(files.state)
    if before is not None and process_of(before) is not None:
        raise Failure(f"It runs already at {before.url}. `wireloom restart` starts it anew.")
    settings = load(Settings, given)
    gateway = running.find(settings.host, settings.port)
    if gateway is not None:
        raise Failure(holds(gateway))
    _launch(Service(dict(given), folder=os.getcwd()), files, codex_named_by)


def end(files: ServiceFiles) -> None:
    """End a service, if it runs."""
    service = read_service(files.state)
    process = None if service is None else process_of(service)
    if service is None or process is None:
        click.echo("It does not run.")
        return
    _end(process, service.drain_seconds)
    files.pid.unlink(missing_ok=True)
    click.echo("Stopped.")


def begin_anew(given: Mapping[str, Any], files: ServiceFiles, codex_named_by: str = NAMED_BY) -> None:
    """End a service and start it with its settings, and those given over them; raises ``Failure`` where it had none."""
    service = read_service(files.state)
    if service is None:
        raise Failure(
            "Nothing was started yet, so there are no settings to start with. Use `wireloom start`."
        )
    anew = service.overridden(given)
    resume(anew)
    # What cannot be used leaves the running one alone.
    check_program(load(Settings, anew.given), codex_named_by)
    process = process_of(service)
    if process is not None:
        _end(process, service.drain_seconds)
    _launch(anew, files, codex_named_by)


def report(
    files: ServiceFiles, *, verbose: bool, endpoint: Endpoint | None = None, starts: str = "wireloom start"
) -> None:
    """Print whether a service runs, or another gateway; raises ``Failure`` when none does.

    endpoint: where another one would be, None for the address of the settings; starts: the command that starts a service.
    """
    service = read_service(files.state)
    process = None if service is None else process_of(service)
    if service is None or process is None:
        _report_others(endpoint or load(Endpoint, {}), starts)
        return
    since = datetime.fromtimestamp(process.create_time()).strftime("%Y-%m-%d %H:%M:%S")
    memory = process.memory_info().rss / 2**20
    facts = {"url": service.url, "pid": str(service.pid), "since": since, "memory": f"{memory:.0f} MB"}
    facts |= {"log": str(files.log), "state": str(files.state)}
    if verbose:
        facts |= redacted(service)
    width = max(map(len, facts))
    click.echo("It runs.")
    for name, value in facts.items():
        click.echo(f"  {name:<{width}}  {value}")


def _report_others(endpoint: Endpoint, starts: str) -> None:
    """Print a gateway that was started otherwise; raises ``Failure`` where there is none."""
    gateway = running.find(endpoint.host, endpoint.port)
    if gateway is not None:
        click.echo(
            f"A gateway ({gateway.version}) answers at {gateway.root}; it was not started by `{starts}`."
        )
        if gateway.pid:
            click.echo(f"  pid  {gateway.pid}")
        return
    where = f", and none answers at {running.address(endpoint.host, endpoint.port)}" if endpoint.port else ""
    raise Failure(f"No gateway was started by `{starts}`{where}. `{starts}` starts one.")


def redacted(service: Service) -> dict[str, str]:
    """The settings that a service was given, without what may hold a key."""
    return {**shown(service.given), **dict.fromkeys(sorted(service.environment), "(set)")}


def shown(given: Mapping[str, Any]) -> dict[str, str]:
    """Settings by their flags, without what may hold a key."""
    return {
        flag_name(name): "(hidden)" if flag_of(Settings, name).private else _text(value)
        for name, value in given.items()
    }


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)


def process_of(service: Service) -> psutil.Process | None:
    """The process of a service while it lives; another one that has got its number is none."""
    if not service.pid:
        return None
    try:
        process = psutil.Process(service.pid)
        same = abs(process.create_time() - service.born) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _end(process: psutil.Process, drain_seconds: float) -> None:
    family = process.children(recursive=True)
    try:
        process.terminate()
        process.wait(drain_seconds + _STOP_SECONDS)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired:
        process.kill()
    for child in family:  # of one that could not tidy up
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


def _launch(service: Service, files: ServiceFiles, codex_named_by: str) -> None:
    """Start a process for a service, and wait until it takes requests.

    Raises ``Failure`` when it ends before, with the last lines of its log.
    """
    settings = load(Settings, service.given)
    check_program(settings, codex_named_by)
    settings = with_token(settings)
    warn_without_key(settings)
    entries = settings.named.values()
    given = [each for entry in entries for each in (entry.upstream_profile.api_key_env, entry.api_key_env)]
    named: set[str | None] = {name for each in given for name in variables(each)}
    named |= {header.env for entry in entries for header in entry.upstream_headers.values()}
    named |= {entry.key_env for entry in settings.keys.values()}
    service = replace(service, environment={**service.environment, **environment(named)})
    write_service(files.state, service)
    command = [sys.executable, "-m", "wireloom", "serve", "--resume"]
    command += ["--pid-file", str(files.pid), "--log-file", str(files.log), "--state-file", str(files.state)]
    try:
        log = append_private(files.log)
    except OSError as error:
        raise Failure(f"{files.log} cannot be written: {error.strerror}. Name another --log-file.") from error
    with log:
        before = files.log.stat().st_size
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            cwd=service.folder or None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        begun = read_service(files.state)
        if begun is not None and begun.pid == process.pid:
            process.returncode = 0  # it outlives us, so nobody waits for its end
            click.echo(f"wireloom runs at {begun.url} (pid {begun.pid}).\nIts log is {files.log}.")
            if warning := login_warning(settings):
                click.echo(warning, err=True)
            return
        if process.poll() is not None:
            said = files.log.read_bytes()[before:].decode(errors="replace").splitlines()[-_TOLD_LINES:]
            raise Failure("\n".join(["It did not start:", *said]))
        time.sleep(_LOOK_SECONDS)
    process.kill()
    raise Failure(f"It did not start within {_START_SECONDS:.0f} s. {files.log} may tell why.")
