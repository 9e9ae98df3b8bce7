"""Every translator that reads a union dispatches on a table that the contract is held to; nothing is decided beside tables."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import pytest

from codegen.review import Members, Rules
from tests.contract.test_layers import modules
from tests.support.rule_tables import MEMBERS, TABLES

pytestmark = pytest.mark.contract

TAGS = frozenset({"type", "role"})
"""Members by which the members of unions are told apart."""
GENERATED = frozenset({"m", "chat", "responses"})
"""Names under which generated types are imported."""

# Module -> its tables that are held to the contract.
OWNED: dict[str, set[str]] = {}
listed: Sequence[Rules | Members] = (*TABLES, *MEMBERS)
for table in listed:
    module = table.file.partition(",")[0].removeprefix("src/wireloom/").removesuffix(".py").replace("/", ".")
    OWNED.setdefault(module, set()).update(table.table.partition("[")[0].split(" or "))
# Those of the Codex CLI, which `test_app_server_to_responses` and `test_exec_to_responses` hold to its own contract.
OWNED["translate.codex.app_server_reader"] = {"NOTIFICATIONS", "ITEMS"}
OWNED["translate.codex.exec_reader"] = {"EVENTS", "ITEMS"}
# The rows of items that tools have stand with the kinds of tools, all others in `hub/stored_items.py`.
OWNED["translate.tools.table"] |= {"FORMS"}

# Modules that read tags without any table, and why a new member of a union changes nothing for them.
ALONE: Mapping[str, str] = {
    "translate.codex.agent_messages": "it looks for the messages of the agent alone",
    "translate.failures.unwrap": "the type of an error is a word for its code",
    "translate.compaction": "it looks for the trigger alone; every other item is summed up",
    "translate.conversation.effort": "it looks for one item alone",
    "translate.hub.fold": "it looks for the events that end a stream, which tests hold to the contract",
    "translate.hub.stream": "it compares the kinds of items that it opens itself: messages and reasoning",
    "translate.answer.asked": "it looks for the forms of JSON and for the tool that has to be called alone",
    "translate.answer.schema_fit": "the types are those of JSON Schema",
    "translate.chat_face.relay_calls": "it looks for functions and custom tools alone; all else goes on as it is",
    "translate.chat_face.relay_choice": "a role is passed on once, whichever it is",
    "translate.chat_upstream.beside": "parts are told apart by what they hold; the rest is a loss by its name",
    "translate.conversation.chat_calls": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.chat_clean": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.chat_corrections": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.chat_rules": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.chat_work": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.content": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.json_word": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.conversation.tool_pictures": "roles and parts of finished Chat messages: what no rule is about goes as it is",
    "translate.responses_upstream.mend": "it looks for calls and outputs alone; every other item goes as it is",
    "translate.tools.dialect_forms": "the types are those of JSON Schema",
    "translate.tools.dialect_merge": "the types are those of JSON Schema",
    "translate.tools.dialect_null": "the types are those of JSON Schema",
    "translate.tools.dialect_strict": "the types are those of JSON Schema",
    "translate.tools.dialect_top": "the types are those of JSON Schema",
    "translate.tools.dialect_walk": "the types are those of JSON Schema",
    "translate.codex.items": "it reads the items that responses_upstream.items makes: messages, calls and outputs",
}

# Module -> how often it compares a tag with a word instead of looking it up in a table: because one kind alone matters there,
# or because a type checker follows comparisons and not tables. The numbers only ever go down.
COMPARED: Mapping[str, int] = {
    "translate.chat_face.completion": 9,
    "translate.chat_face.messages": 1,
    "translate.chat_upstream.items": 4,
    "translate.chat_upstream.messages": 6,
    "translate.chat_upstream.relayed": 6,
    "translate.codex.app_server_reader": 1,
    "translate.codex.app_server_request": 1,
    "translate.codex.exec_request": 5,
    "translate.codex.items": 5,
    "translate.compaction": 1,
    "translate.conversation.chat_calls": 5,
    "translate.conversation.chat_corrections": 7,
    "translate.conversation.chat_rules": 3,
    "translate.conversation.content": 4,
    "translate.conversation.json_word": 2,
    "translate.conversation.tool_pictures": 2,
    "translate.hub.fold": 3,
    "translate.hub.opening": 2,
    "translate.hub.stored_items": 2,
    "translate.hub.stream": 4,
    "translate.responses_upstream.items": 3,
    "translate.responses_upstream.mend": 5,
    "translate.responses_upstream.reader": 1,
    "translate.responses_upstream.relay": 2,
    "translate.responses_upstream.request": 1,
    "translate.responses_upstream.tools": 3,
    "translate.tools.dialect_forms": 1,
    "translate.tools.dialect_merge": 1,
    "translate.tools.dialect_strict": 2,
    "translate.tools.dialect_top": 2,
    "translate.tools.dialect_walk": 1,
    "translate.tools.tool_search": 1,
}


def translators() -> Iterator[tuple[str, ast.Module]]:
    yield from ((name, tree) for name, tree in modules() if name.startswith("translate."))


def is_tag(node: ast.AST) -> bool:
    """Whether an expression reads a tag: `item.type`, `item["type"]`, `item.get("type")`."""
    if isinstance(node, ast.Attribute):
        return node.attr in TAGS and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        )
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in TAGS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return any(isinstance(each, ast.Constant) and each.value in TAGS for each in node.args[:1])
    return False


def is_check(node: ast.AST) -> bool:
    """Whether an expression asks which member of a union something is by its generated class."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and any(
            isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            and part.value.id in GENERATED
            for part in ast.walk(node.args[1])
        )
    )


def reads_a_union(tree: ast.Module) -> bool:
    return any((is_tag(node) and _loaded(node)) or is_check(node) for node in ast.walk(tree))


def _loaded(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def tables(name: str, tree: ast.Module) -> set[str]:
    """The tables that a module has or imports, also by the module they are in."""
    found = set(OWNED.get(name, ()))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            known = OWNED.get(node.module.removeprefix("wireloom."), set())
            found |= known & {alias.name for alias in node.names}
            for alias in node.names:
                found |= OWNED.get(f"{node.module}.{alias.name}".removeprefix("wireloom."), set())
    return found


def comparisons(tree: ast.Module) -> Iterator[str]:
    """Every comparison of a tag, or of a variable that holds one, with a word, and every check of a member's class."""
    seen: set[ast.AST] = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.Lambda):
            continue
        held = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _holds_tag(node.value, set())
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if node not in seen and _compares(node, held):
                seen.add(node)
                yield f"line {node.lineno}: {ast.unparse(node)}"  # type: ignore[attr-defined]


def _compares(node: ast.AST, held: set[str]) -> bool:
    if isinstance(node, ast.Match):
        return _holds_tag(node.subject, held)
    words = isinstance(node, ast.Compare) and any(map(_is_word, node.comparators))
    return is_check(node) or (words and _holds_tag(node.left, held))  # type: ignore[attr-defined]


def _holds_tag(node: ast.AST, held: set[str]) -> bool:
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return False
    return any(is_tag(each) or (isinstance(each, ast.Name) and each.id in held) for each in ast.walk(node))


def _is_word(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    return isinstance(node, ast.Tuple | ast.List | ast.Set) and any(map(_is_word, node.elts))


def complaint(name: str, tree: ast.Module) -> str | None:
    """What a module lacks, in words."""
    if name not in ALONE and reads_a_union(tree) and not tables(name, tree):
        return (
            f"{name} reads members of a union and has no table for them: give it one, and list it in"
            " tests/support/rule_tables.py"
        )
    compared = list(comparisons(tree))
    if len(compared) > COMPARED.get(name, 0):
        return f"{name} decides beside its tables; look the tag up instead: {'; '.join(compared)}"
    return None


def test_every_translator_that_reads_a_union_has_a_table() -> None:
    assert [wrong for name, tree in translators() if (wrong := complaint(name, tree))] == []


def test_no_exception_is_there_for_nothing() -> None:
    trees = dict(translators())
    assert [name for name in ALONE if not reads_a_union(trees[name]) or tables(name, trees[name])] == [], (
        "no longer needed"
    )
    counted = {name: len(list(comparisons(tree))) for name, tree in trees.items()}
    assert {name: number for name, number in counted.items() if number} == dict(COMPARED), "fewer by now"


def test_every_table_that_is_listed_is_used_by_the_code() -> None:
    """A table that only tests read decides nothing."""
    trees = dict(modules())
    known = {(name, table) for name, names in OWNED.items() for table in names}
    unused = {
        f"{name}.{table}"
        for name, table in known
        if not any(_uses(tree, name, table, own=other == name) for other, tree in trees.items())
    }
    assert unused == DESCRIPTIVE


def _uses(tree: ast.Module, name: str, table: str, *, own: bool) -> bool:
    """Whether a module reads a table of a module, its own or another."""
    owner, _, last = f"wireloom.{name}".rpartition(".")
    for node in ast.walk(tree):
        if own and isinstance(node, ast.Name) and node.id == table and isinstance(node.ctx, ast.Load):
            return True
        imported = isinstance(node, ast.ImportFrom) and node.module == f"wireloom.{name}"
        if imported and table in {alias.name for alias in node.names}:  # type: ignore[attr-defined]
            return True
        if isinstance(node, ast.ImportFrom) and node.module == owner:
            held = {alias.asname or alias.name for alias in node.names if alias.name == last}
            if any(_attribute(each, held, table) for each in ast.walk(tree)):
                return True
    return False


def _attribute(node: ast.AST, held: set[str], name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id in held
    )


# Tables of what is left out or written, which other tests hold the code to.
DESCRIPTIVE = frozenset(
    {
        "translate.hub.events.EMITTED",
        "translate.hub.events.OMITTED",
        "translate.chat_upstream.fields.CHUNK_FIELDS",
        "translate.chat_upstream.chunk.COMPLETION_FIELDS",
        "translate.chat_face.members.PARTS",
        "translate.chat_face.members.CALLS",
        "translate.chat_face.members.TOOLS",
        "translate.hub.opening.ABSENT",
    }
)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("translate.new", "def f(item):\n    return item.type"),
        ("translate.new", 'def f(item):\n    return item["role"]'),
        ("translate.new", 'def f(event):\n    kind = event.get("type")\n    return EVENTS[kind](event)'),
        (
            "translate.new",
            "from wireloom.translate.rules.members import LIST\ndef f(item):\n    return LIST[item.type]",
        ),
        ("translate.new", "def f(item):\n    return isinstance(item, m.FunctionToolCall)"),
        ("translate.conversation.parts", 'def f(part):\n    return part.type == "input_text"'),
        (
            "translate.conversation.parts",
            'def f(part):\n    kind = str(part["type"])\n    return kind in ("a", "b")',
        ),
        ("translate.conversation.parts", 'def f(part):\n    match part.type:\n        case "a": return 1'),
        ("translate.conversation.parts", "def f(part):\n    return isinstance(part, m.RefusalContent)"),
    ],
)
def test_each_rule_can_fail(name: str, source: str) -> None:
    assert complaint(name, ast.parse(source)) is not None


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (
            "translate.new",
            "from wireloom.translate.conversation.parts import PARTS\ndef f(part):\n    return PARTS[part.type]",
        ),
        (
            "translate.new",
            "from wireloom.translate.tools import table as t\ndef f(tool):\n    return t.TOOLS[tool.type]",
        ),
        ("translate.conversation.parts", "def f(part):\n    return PARTS[part.type]"),
        ("translate.new", "def f(self):\n    return self.type"),
        ("translate.new", 'def f(item):\n    item["type"] = "message"'),
    ],
)
def test_what_has_a_table_passes(name: str, source: str) -> None:
    assert complaint(name, ast.parse(source)) is None
