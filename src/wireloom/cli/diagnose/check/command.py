"""`wireloom check URL`: whether a deployment keeps to the contract of this release."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from wireloom.cli.diagnose.check.bounds import Bounds
from wireloom.cli.diagnose.check.report import WRITERS, Report, summary
from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.config import Endpoint, load
from wireloom.config.extras import install_command

_EXAMPLES = """\b
Examples:
  wireloom check https://gateway.example.com --model deepseek-flash
  wireloom check http://127.0.0.1:4444 --report junit --output check.xml
  wireloom check http://127.0.0.1:4444 --face chat --no-fuzz
  wireloom check http://127.0.0.1:4444 --backend local     one of several backends
  wireloom check http://127.0.0.1:4444 --served-contract   another version
  wireloom check http://127.0.0.1:4444 --wide              where answers cost nothing
"""
_DEFAULT = Bounds()


@click.command(
    "check",
    cls=SettingsCommand,
    kind=Endpoint,
    names=("model", "token", "no_auth"),
    connects=True,
    epilog=_EXAMPLES,
)
@click.argument("url")
@click.option("--backend", metavar="NAME", help="Ask a model of this backend, where there are several.")
@click.option(
    "--face",
    type=click.Choice(["all", "responses", "chat"]),
    default="all",
    show_default=True,
    help="Check one face alone, with the models and the keys.",
)
@click.option(
    "--served-contract",
    is_flag=True,
    help="Test the gateway against its own OpenAPI document, not that of this release.",
)
@click.option(
    "--fuzz/--no-fuzz",
    default=True,
    show_default=True,
    help="Also send valid requests generated from the contract. Needs the extra check: pip install '.[check]'.",
)
@click.option("--max-requests", default=_DEFAULT.requests, show_default=True, help="Requests at most.")
@click.option(
    "--max-seconds", default=_DEFAULT.seconds, show_default=True, help="Send nothing more after this time."
)
@click.option(
    "--max-tokens",
    default=_DEFAULT.tokens,
    show_default=True,
    help="Tokens of models at most, read and written.",
)
@click.option("--examples", default=3, show_default=True, help="Generated requests to each operation.")
@click.option(
    "--wide",
    is_flag=True,
    help="Let generated requests ask models all that the contract allows: where that costs nothing.",
)
@click.option("--seed", default=1, show_default=True, help="Another seed generates other requests.")
@click.option("--report", type=click.Choice(list(WRITERS)), default="text", show_default=True)
@click.option("--output", metavar="FILE", help="Write the report there.")
def command(given: Mapping[str, Any], url: str, report: str, output: str | None, **options: Any) -> None:
    """Test the running gateway at URL against the contract of this release; exit code 1 unless it passes.

    Each operation gets a few requests. Every answer is held to the contract's schemas and to the rules that no schema
    holds: the grammar of streams, deltas that are the final text, stored objects, usage, models, errors by status,
    headers. Meant for a live system: models are asked for one word, every request is marked (`metadata.wireloom_check`, user
    agent `wireloom-check`), and the check deletes everything that it has stored, and nothing else.

    The token is taken from WIRELOOM_TOKEN or the config file.
    """
    endpoint = load(Endpoint, given)
    made = _checked(endpoint, url.rstrip("/").removesuffix("/v1"), options)
    text = WRITERS[report](made)
    if output is None:
        click.echo(text)
    else:
        Path(output).write_text(text + "\n", encoding="utf-8")
        click.echo(summary(made))
    if not made.ok:
        raise click.exceptions.Exit(1)


def _checked(endpoint: Endpoint, url: str, options: Mapping[str, Any]) -> Report:
    # Before anything is sent: a check that cannot be whole does not begin.
    fuzz = _fuzz() if options["fuzz"] else None
    run = resolve("wireloom.cli.diagnose.check.run:Check")
    plan = resolve("wireloom.cli.diagnose.check.run:Plan")(
        model=endpoint.model,
        backend=options["backend"],
        face=options["face"],
        served=options["served_contract"],
        keyless=endpoint.no_auth,
    )
    bounds = Bounds(options["max_requests"], options["max_seconds"], options["max_tokens"])
    key = next((each.get_secret_value() for each in endpoint.inbound.values()), None)
    with resolve("wireloom.cli.diagnose.check.deployment:client")(url) as client:
        check = run(client, key, plan, bounds, time.monotonic, time.sleep)
        try:
            check.cases()
            if fuzz is not None:
                fuzz(check, wide=options["wide"], examples=options["examples"], number=options["seed"])
        finally:
            report: Report = check.close()
    return report


def _fuzz() -> Any:
    try:
        return resolve("wireloom.cli.diagnose.check.fuzz:run")
    except ModuleNotFoundError as error:
        raise Failure(
            f"Generated requests need the extra check: {install_command('check')}\nWithout it: wireloom check --no-fuzz URL"
        ) from error
