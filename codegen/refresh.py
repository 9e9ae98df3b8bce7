"""`nox -s refresh -- SOURCE ...`: take over newer contracts, and report what is new in them and what has to be changed.

A SOURCE is an OpenAPI document (`.json`, `.yaml`), `codex@VERSION` (from npm) or the path of a `codex` program, or
`openai@VERSION` (the SDK, from PyPI). VERSION may be `latest`.

The base file of a source is written with what fits, even where something has to be changed by hand: the change is then made
with the new contract in view, and `nox -s generate` stays in the way until it is made.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from codegen import generate, news, sources, stubs, trial
from codegen.failure import sentence
from codegen.sources import DOCUMENTS, Found, SourceError

Json = Any

KEPT = ("file", "origin", "licence", "command")
UNREAD = "nothing was written, because the source is not of the form that codegen/ expects"
NEXT = "Next: nox -s generate, then nox -s tests contract, whose failures name each rule that is missing."


def main(argv: list[str] | None = None) -> int:
    """Write the base file of each source, print the news and what has to be changed; exit 1 if anything has to be."""
    parser = argparse.ArgumentParser(prog="nox -s refresh --")
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="an OpenAPI document, codex@VERSION, a codex program, openai@VERSION",
    )
    parser.add_argument("--commit", help="commit of the repository that the document comes from")
    parser.add_argument(
        "--published-sha256", help="digest of the published document, where the document is derived from it"
    )
    given = parser.parse_args(argv)
    to_change: list[str] = []
    changed = failed = False
    for source in given.sources:
        try:
            found = read(source, given.commit, given.published_sha256)
            report = take(found)
        except Exception as error:  # noqa: BLE001 - a source may be of any form; the maintainer needs a sentence
            reason = str(error) if isinstance(error, SourceError) else sentence(error, UNREAD)
            print(f"# {source}: not read", reason, "", sep="\n")
            failed = True
            continue
        changed |= bool(report)
        print(f"# {source}: {found.about['version']}", *(report or ["nothing new"]), "", sep="\n")
        to_change += found.to_change
    to_change += trial.problems()
    if to_change:
        print("# to change by hand", *(f"- {sentence}" for sentence in dict.fromkeys(to_change)), sep="\n")
    elif changed:
        print(NEXT)
    return 1 if failed or to_change else 0


def read(source: str, commit: str | None = None, published: str | None = None) -> Found:
    """Read a source.

    Args:
        source: an argument of the command.
        commit: commit of the repository that a document comes from.
        published: sha256 of the published document.

    Raises:
        SourceError: it cannot be read.
    """
    if Path(source).suffix in DOCUMENTS:
        return sources.from_document(Path(source), commit, published)
    if source.startswith("openai@"):
        return sources.from_package(source)
    return sources.from_codex(source)


def take(found: Found) -> list[str]:
    """Write what a source gives; return the report on what is new."""
    report = news.lines(news.facts(found.before), news.facts(found.after))
    record(found)
    return report


def record(found: Found) -> None:
    """Write a base file, and its origin to sources.toml, where what stays true (origin, licence) is kept."""
    path = generate.OPENAPI / "sources.toml"
    recorded = tomllib.loads(path.read_text())
    known = recorded[found.name]
    same = known.get("sha256") == found.about["sha256"]
    recorded[found.name] = {key: known[key] for key in known if same or key in KEPT} | found.about
    path.write_text(stubs.render("sources.toml.jinja", sources=recorded))
    (generate.OPENAPI / recorded[found.name]["file"]).write_text(found.text)


if __name__ == "__main__":
    sys.exit(main())
