"""Pages that come from code, so that they cannot drift: `python -m docs.make --write`."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from docs import check_cases, conformance, contract, contract_changes, dialects, migrate, protocol, sdks
from wireloom.config import Settings, flag_name, flag_of, variable_name
from wireloom.config.models import ModelEntry
from wireloom.config.tables import KeyEntry, RouteEntry
from wireloom.providers import by_model, profile, schemas, shipped
from wireloom.providers.responses_wire import ResponsesWire

FOLDER = Path(__file__).parent
HEADER = "<!-- Written by `nox -s docs -- --write` from the code; do not edit. -->\n\n"


def main(argv: list[str]) -> int:
    """Check the pages, or write them."""
    parser = argparse.ArgumentParser(prog="nox -s docs --")
    parser.add_argument("--write", action="store_true", help="write the pages instead of comparing them")
    write = parser.parse_args(argv).write
    stale = 0
    for name, page in PAGES.items():
        path, text = FOLDER / name, HEADER + page()
        old = path.read_text() if path.exists() else ""
        if write:
            path.write_text(text)
        elif old != text:
            stale += 1
            print(
                *difflib.unified_diff(
                    old.splitlines(), text.splitlines(), f"docs/{name}", "fresh", lineterm=""
                ),
                sep="\n",
            )
    if stale:
        print("\nThese pages are not what the code says. To mend it: nox -s docs -- --write")
    return 1 if stale else 0


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


TABLES: tuple[tuple[str, str, type[BaseModel]], ...] = (
    (
        "A model in `models`",
        'In the config file each is a table, as in `[models."qwen3:30b"]`. What is not set is taken from the upstream\'s '
        "list of models, else from its profile. A model that the upstream does not list is added; a name of `model_map` "
        "has what its model has.",
        ModelEntry,
    ),
    (
        "A key in `keys`",
        "In the config file each is a table, as in `[keys.laptop]`. A key that needs no limits may stand in `token`.",
        KeyEntry,
    ),
    (
        "A route in `routes`",
        'In the config file `fast = ["a/x", "b/y"]` under `[routes]`, or a table `[routes.fast]`: [routing](routing.md).',
        RouteEntry,
    ),
)


def _entry(title: str, told: str, kind: type[BaseModel]) -> str:
    rows = iter((f"`{name}`", field.description or "") for name, field in kind.model_fields.items())
    return f"\n## {title}\n\n{told}\n\n" + table(("key", "meaning"), rows)


def settings() -> str:
    """Every setting: flag, variable, key."""

    def rows() -> Iterator[tuple[str, ...]]:
        for name, field in Settings.model_fields.items():
            flag = flag_of(Settings, name)
            shown = f"`{flag_name(name)} {flag.metavar}`" if flag.metavar else f"`{flag_name(name)}`"
            yield (
                shown,
                f"`{variable_name(name)}`",
                f"`{name}`",
                _default(field.default),
                field.description or "",
            )

    return (
        "# Settings\n\nA flag wins over its variable, the variable over the config file "
        "(`$WIRELOOM_CONFIG`, else `$XDG_CONFIG_HOME/wireloom/config.toml`), the file over the default.\n\n"
        + table(("flag", "variable", "key in the file", "default", "meaning"), rows())
        + "".join(_entry(*told) for told in TABLES)
        + "\nKeys of the config file may be written with hyphens, as flags are (`api-key-env`). Put secrets into variables "
        "or the file: shells remember flags, and the process list shows them at first.\n"
    )


def _default(value: Any) -> str:
    if value is PydanticUndefined or value in (None, {}, frozenset(), False):
        return ""
    return f"`{value}`"


def providers() -> str:
    """Every profile: what differs from the generic one."""
    parts = [
        "# Providers\n\nA profile is a TOML file in `src/wireloom/providers/`; where it is silent, the generic one holds.\n",
        _own_profile(),
    ]
    flags = {name: field.description or "" for name, field in profile.Profile.model_fields.items()}
    parts.append(
        "\n## What a profile can say\n\n"
        + table(("flag", "what it means"), iter(sorted((f"`{k}`", v) for k, v in flags.items())))
        + "\n## What its table `responses` can say\n\nOf the upstream's own Responses endpoint, as "
        + "`--upstream-wire responses` uses it.\n\n"
        + table(
            ("flag", "what it means"),
            iter((f"`{k}`", v.description or "") for k, v in ResponsesWire.model_fields.items()),
        )
        + _dialects()
        + _models()
    )
    generic = shipped.load("generic")
    for name in shipped.names():
        own = shipped.load(name)
        parts.append(f"\n## {own.title} (`--provider {name}`)\n\n[API documentation]({own.docs})\n\n")
        differing = (
            (f"`{key}`", f"`{_shown(getattr(own, key))}`")
            for key in flags
            if key not in ("name", "title", "docs", "responses", "schemas")
            and getattr(own, key) != getattr(generic, key)
        )
        dialect = _dialect_of(own.schemas)
        wire = (
            (f"`responses.{key}`", f"`{_shown(getattr(own.responses, key))}`")
            for key in ResponsesWire.model_fields
            if getattr(own.responses, key) != getattr(generic.responses, key)
        )
        parts.append(table(("flag", "value"), chain(differing, dialect, wire)))
    return "".join(parts)


def _dialects() -> str:
    """What a dialect of JSON Schema can say, and those that have a name."""
    plain = schemas.SchemaDialect()
    described = schemas.SchemaDialect.model_fields.items()
    named = (
        (f"`{name}`", "; ".join(f"`{key}`: {_shown(value)}" for key, value in own.items()) or "nothing else")
        for name, own in schemas.PRESETS.items()
    )
    return (
        "\n## What its table `schemas` can say\n\nOf the JSON Schema in tools and formats. What is not known is written in "
        "another way with the same meaning where there is one; the rest is left out, and a loss. What every server asks for "
        "is always done: parameters of tools are an object with properties, and words of vendors are left out.\n\n"
        + table(
            ("flag", "default", "what it means"),
            iter((f"`{k}`", f"`{_shown(getattr(plain, k))}`", v.description or "") for k, v in described),
        )
        + '\nThese dialects have names: `schemas = "gemini"`; a table may start from one: `base = "gemini"`.\n\n'
        + table(("dialect", "how it differs from `plain`"), named)
    )


def _models() -> str:
    """What holds for models at every upstream."""
    rows = (
        (f"`{pattern}`", ", ".join(f"`{key}`: `{_shown(value)}`" for key, value in section.items()))
        for pattern, section in by_model.shipped().items()
    )
    return (
        "\n## What holds for models at every upstream\n\nBy the name of the model, also behind that of a vendor "
        "(`moonshotai/kimi-k3`). A later line wins over an earlier one, the profile of the upstream over all of them, and "
        "its table `models` over that.\n\n" + table(("models", "what differs"), rows)
    )


def _dialect_of(own: schemas.SchemaDialect) -> Iterator[tuple[str, str]]:
    """The dialect of a profile, by its name."""
    for name, preset in schemas.PRESETS.items():
        if name != "plain" and own == schemas.SchemaDialect.model_validate(preset):
            yield "`schemas`", f"`{name}`"


OWN_PROFILE = """[profiles.acme]
base = "vllm"                                # what it starts from; without this, generic
base_url = "https://llm.acme.example/v1"     # with another address the key's variable is not taken over
api_key_env = "ACME_API_KEY"
json_schema = false
dropped = ["seed"]                           # added to those of the base, as is `accepted`
"""


def _own_profile() -> str:
    """How to write a profile of one's own."""
    return f"""
## A profile of your own

A table of the config file, with the keys below, is a provider under its name: in `provider`, `--provider` and the backends.

```toml
provider = "acme"

{OWN_PROFILE}```

The same keys, without the table's head, make a file for `--profile acme.toml` (or `profile` in the config file); the
file's name is the name of the provider. The tables `[profiles.acme.responses]` and `[profiles.acme.schemas]` change
those of the base key by key; `[profiles.acme.models."kimi-*"]` holds keys for models of such names. `hosts` and
`ports` let URLs be recognised, before those of the profiles below; they are not taken over. A profile named as one below
stands in its place.
`wireloom config check` finds mistakes, with their lines.
"""


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {member}" for key, member in value.items()) or "none"
    return str(value)


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings,
    "providers.md": providers,
    "conformance.md": lambda: conformance.page(table),
    "contract-changes.md": lambda: contract_changes.page(table),
    "dialects.md": lambda: dialects.page(table),
    "migrate.md": lambda: migrate.page(table),
    "check-cases.md": lambda: check_cases.page(table),
    "contract.md": lambda: contract.page(table),
    "protocol.md": lambda: protocol.page(table),
    "sdks.md": lambda: sdks.page(table),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
