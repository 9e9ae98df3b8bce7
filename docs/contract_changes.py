"""The page on what a maintainer reads when a published contract changes: each edit that a test plays, and its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from codegen import review
from tests.support.app_server_edits import EDITS
from tests.support.contract_edits import CHAT, RESPONSES, Edit, edited
from tests.support.rule_tables import MEMBERS, TABLES

Row = tuple[str, ...]
Table = Callable[[Row, Iterator[Row]], str]

HEAD = """\
# When a contract changes

`openapi/openai.json` holds the structure of the published document. `nox -s refresh -- FILE` takes a newer one;
`tests/contract/test_published.py` then compares it with everything that was decided about the last one, and fails with a
sentence for each thing that nobody has decided on. Each sentence names what is new, gone or redefined, and the file where
its rule belongs.

A decision is in one of four places:

- **An overlay** (`openapi/overlays/`) changes the published document. It removes and adds members of unions, words of enums
  and required fields by name, so that a member which it does not name stays. Beside `update` and `remove` of the Overlay
  specification an action can have `x-remove: [NAME]`, `x-inline: [NAME]` (the members of a nested union in the place of the
  reference to it) or `x-name: NAME` (a name for an inline schema). Where a schema of an overlay takes the place of a
  published one, `x-stands-for` has both names, and a member or a field that the published one gains is reported.
- **A rule table** of a translator (`src/wireloom/translate/`) has a rule for each member of a union, each word of an enum or
  each field of an object. `tests/support/rule_tables.py` lists the tables; `tests/contract/test_rule_tables.py` holds that a
  translator which reads a union has one, and that the code uses it.
- **`openapi/operations.toml`** lists operations: served, compiled and not served, left out.
- **`openapi/reviewed.txt`** has every published fact (operations, parameters, fields with their types and bounds, members,
  words) as it was when somebody last looked. A type, a bound or a `required` that is another now is a sentence, until
  `python -m codegen.review --write` notes the document as reviewed. The diff of that file is what a reviewer reads.

A sentence about a place that an overlay changes names the overlay as well: it was written for the definition before. An
overlay whose target is gone, or that adds a member which is published by now, does not fit, and is named with the action.

So after a refresh: give each new name a rule, read what has a new type, change what depends on it, note the document as
reviewed.

The app-server contract (`openapi/app_server.json`, `nox -s refresh -- codex@VERSION`) has tables of its own:
`openapi/app_server_methods.toml` for the methods that are compiled and those that stay out, `openapi/app_server_read.toml`
for the members that are read and sent, and the rules in `src/wireloom/translate/app_server_*.py`.
`codegen/review_app_server.py` compares them; `tests/contract/test_app_server_review.py` fails with its sentences.

The tables below are played by tests: each edit is made on a copy of the document, and the review reports these
sentences. The new names in them (`tempo`, `dance_call`, `hologram`) are made up.
"""


def page(table: Table) -> str:
    """The page.

    Args:
        table: renders a head and rows.
    """
    contract = review.load()
    sections = (("The Responses contract", RESPONSES), ("The Chat contract", CHAT))
    parts = [
        f"\n## {title}\n\n" + table(("edit", "sentences"), _rows(contract, edits))
        for title, edits in sections
    ]
    app_server = ((title, "<br>".join(sentences)) for title, (_, sentences) in EDITS.items())
    parts.append("\n## The app-server contract\n\n" + table(("edit", "sentences"), app_server))
    return HEAD + "".join(parts)


def _rows(contract: review.Contract, edits: Sequence[Edit]) -> Iterator[Row]:
    for edit in edits:
        yield edit.title, "<br>".join(review.review(edited(contract, edit), TABLES, MEMBERS))
