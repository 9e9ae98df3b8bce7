"""`nox -s refresh`: news first, then what has to be changed by hand; no source, however odd, ends in a traceback."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen import app_server, generate, refresh, sdk_overlay, sources, trial
from codegen.additions import Additions

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
VERSION = "9.9.9"
Json = Any
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the contracts and of the pin of the end-to-end tests, in place of the real ones."""
    shutil.copytree(ROOT / "openapi", tmp_path / "openapi")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    folder = tmp_path / sources.PACKAGE_FOLDER
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"dependencies": {"@openai/codex": VERSION}}))
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "OPENAPI", tmp_path / "openapi")
    return tmp_path


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the look at whether the contracts compile, which takes seconds, where the test is of something else."""
    monkeypatch.setattr(trial, "problems", list)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str | Path) -> tuple[int, str]:
        code = refresh.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert printed.err == ""
        assert "Traceback" not in printed.out
        return code, printed.out

    return run


def contents(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project / "openapi").rglob("*") if path.is_file()}


def base(project: Path, name: str) -> Json:
    return json.loads((project / "openapi" / name).read_text())


def to_change(printed: str) -> list[str]:
    """The sentences at the end of the report."""
    _, _, rest = printed.partition("# to change by hand\n")
    return [line.removeprefix("- ") for line in rest.splitlines()]


# -- the Codex CLI ---------------------------------------------------------------------------------------------------


def bundle(content: Json) -> Json:
    """The bundle from which a base file comes."""
    unions: dict[str, Json] = {name: {"oneOf": []} for name in app_server.MESSAGES.values()}
    named = [
        (table, method, row) for table, rows in content["methods"].items() for method, row in rows.items()
    ]
    named += [(table, method, {}) for table, names in content["others"].items() for method in names]
    for table, method, row in named:
        params = {"params": {"$ref": f"#/definitions/{row['params']}"}} if "params" in row else {}
        unions[app_server.MESSAGES[table]]["oneOf"].append(
            {"properties": {"method": {"enum": [method]}, **params}}
        )
    return {"definitions": {**unions, **content["definitions"]}}


@pytest.fixture
def codex(project: Path) -> Callable[[Json], Path]:
    """Make a `codex` program that writes a bundle."""

    def make(written: Json) -> Path:
        (name,) = app_server.BUNDLES
        data, program = project / "bundle.json", project / "codex"
        data.write_text(json.dumps(written))
        program.write_text(
            f'#!/bin/sh\nif [ "$1" = --version ]; then echo codex-cli {VERSION}; exit; fi\n'
            f'for folder; do :; done\nmkdir -p "$folder" && cp {data} "$folder/{name}"\n'
        )
        program.chmod(0o755)
        return program

    return make


@pytest.fixture
def known(project: Path) -> Json:
    return bundle(base(project, "app_server.json"))


@pytest.mark.usefixtures("untried")
def test_the_same_codex_is_nothing_new(project: Path, run: Run, codex: Any, known: Json) -> None:
    before = contents(project)
    assert run(codex(known)) == (0, f"# {project}/codex: {VERSION}\nnothing new\n\n")
    changed = {name for name, data in contents(project).items() if data != before[name]}
    assert changed == {"sources.toml"}
    recorded = tomllib.loads((project / "openapi/sources.toml").read_text())["app_server"]
    assert recorded["version"] == VERSION
    assert recorded["licence"] == "Apache-2.0"


def test_a_method_that_is_gone_is_a_sentence(project: Path, run: Run, codex: Any, known: Json) -> None:
    union = known["definitions"]["ServerRequest"]["oneOf"]
    (gone,) = [
        branch for branch in union if branch["properties"]["method"]["enum"] == ["attestation/generate"]
    ]
    union.remove(gone)
    for news in ("gone\n  methods\n    server_requests attestation/generate: Attestation", "nothing new\n"):
        code, printed = run(codex(known))
        assert code == 1
        assert news in printed
        assert to_change(printed) == [
            "openapi/app_server_methods.toml [server_requests]: 'attestation/generate' is gone from ServerRequest; remove it,"
            " and its rule from REQUESTS in src/wireloom/translate/codex/server_requests.py"
        ]
    assert "attestation/generate" not in base(project, "app_server.json")["methods"]["server_requests"]


@pytest.mark.usefixtures("untried")
def test_a_method_that_is_not_compiled_is_news_too(project: Path, run: Run, codex: Any, known: Json) -> None:
    known["definitions"]["ClientRequest"]["oneOf"].append(
        {"properties": {"method": {"enum": ["thread/sing"]}}}
    )
    code, printed = run(codex(known))
    assert code == 0
    assert printed.splitlines()[1:4] == ["new", "  methods", "    client_requests thread/sing: not compiled"]
    assert printed.splitlines()[-1] == refresh.NEXT
    assert run(codex(known))[1].splitlines()[1] == "nothing new"


@pytest.mark.usefixtures("untried")
def test_an_undeclared_method_that_is_declared_now(project: Path, run: Run, codex: Any, known: Json) -> None:
    message = {"properties": {"method": {"enum": ["rawResponse/completed"]}}}
    known["definitions"]["ServerNotification"]["oneOf"].append(message)
    code, printed = run(codex(known))
    assert code == 1
    (sentence,) = to_change(printed)
    assert sentence.startswith(
        "openapi/app_server_methods.toml [undeclared]: 'rawResponse/completed' is declared in"
    )


@pytest.mark.usefixtures("untried")
def test_two_schemas_of_one_name(run: Run, codex: Any, known: Json) -> None:
    known["definitions"]["v2"] = {"TurnStartParams": {"type": "string"}}
    code, printed = run(codex(known))
    assert code == 1
    assert "defines 'TurnStartParams' twice, differently" in to_change(printed)[0]


def test_an_app_server_overlay_that_no_longer_fits(run: Run, codex: Any, known: Json) -> None:
    frame = known["definitions"]["JSONRPCNotification"]
    frame["properties"]["emittedAtMs"] = {"type": "integer", "format": "int64"}
    code, printed = run(codex(known))
    assert code == 1
    assert to_change(printed) == [
        "openapi/overlays/app-server.overlay.yaml: action 2 adds what the document has at"
        " $.definitions.JSONRPCNotification.properties already; correct the action or remove it"
    ]


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "failed with exit code 3: no message"),
        ("echo no good >&2; exit 1", "failed with exit code 1: no good"),
        ("echo 1.0", "writes no schema bundle"),
    ],
)
def test_a_codex_that_does_not_answer(script: str, said: str, project: Path, run: Run) -> None:
    program = project / "codex"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    before = contents(project)
    code, printed = run(program)
    assert code == 1
    assert said in printed
    assert contents(project) == before


@pytest.mark.usefixtures("untried")
def test_a_codex_that_is_not_there(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    for source, said in (
        ("codex@1.2.3", "npm install --silent"),
        ("no-such-program", "no-such-program --version"),
    ):
        code, printed = run(source)
        assert code == 1
        assert said in printed


def test_the_pin_of_the_end_to_end_tests_follows(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources.pin(VERSION) == []
    npm, log = project / "npm", project / "npm.log"
    npm.write_text(f'#!/bin/sh\necho "$@" > {log}\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{project}:/usr/bin:/bin")
    assert sources.pin("10.0.0") == []
    asked = log.read_text().split()
    assert asked[0] == "install"
    assert {"--package-lock-only", "--save-exact", "@openai/codex@10.0.0"} <= set(asked)
    npm.write_text("#!/bin/sh\necho no registry >&2; exit 1\n")
    (sentence,) = sources.pin("10.0.0")
    assert "run `npm install --package-lock-only" in sentence
    assert "no registry" in sentence


# -- OpenAPI documents -----------------------------------------------------------------------------------------------


@pytest.fixture
def document(project: Path) -> Callable[[Json], Path]:
    """Write a published document; operations that are not compiled are added."""

    def write(content: Json, suffix: str = ".json") -> Path:
        path = project / f"document{suffix}"
        listed = tomllib.loads((project / "openapi/operations.toml").read_text())["left_out"]
        others = {f"/models/{name}": {"get": {"operationId": name, "responses": {}}} for name in listed}
        whole = {**content, "paths": {**content["paths"], **others}}
        path.write_text(json.dumps(whole) if suffix == ".json" else yaml.safe_dump(whole, sort_keys=False))
        return path

    return write


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_the_same_document_is_nothing_new(suffix: str, project: Path, run: Run, document: Any) -> None:
    before = contents(project)
    for _ in range(2):
        code, printed = run(document(base(project, "openai.json"), suffix))
        assert (code, printed.splitlines()[1:]) == (0, ["nothing new", ""])
    assert {name for name, data in contents(project).items() if data != before[name]} == {"sources.toml"}


@pytest.mark.usefixtures("untried")
def test_where_a_document_comes_from_stays_with_its_digest(project: Path, run: Run, document: Any) -> None:
    path = document(base(project, "openai.json"))
    assert run(path, "--commit", "abc", "--published-sha256", "def")[0] == 0
    assert run(path)[0] == 0
    recorded = tomllib.loads((project / "openapi/sources.toml").read_text())["openai"]
    assert (recorded["commit"], recorded["published_sha256"]) == ("abc", "def")


def test_an_operation_that_is_gone(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    del content["paths"]["/models"]
    code, printed = run(document(content))
    assert code == 1
    assert "gone\n  operations\n    listModels: GET /models\n" in printed
    sentences = to_change(printed)
    assert sentences[0].startswith(
        "openapi/operations.toml [surface]: 'listModels' is not in document.json any more;"
    )
    assert sentences[1].startswith(
        "openapi/overlays/10-document.overlay.yaml: action 6 has a target that is gone:"
    )


@pytest.mark.usefixtures("untried")
def test_an_operation_that_is_new(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    content["paths"]["/responses/songs"] = {"post": {"operationId": "createSong", "responses": {}}}
    code, printed = run(document(content))
    assert code == 1
    assert printed.splitlines()[1:4] == ["new", "  operations", "    createSong: POST /responses/songs"]
    assert to_change(printed) == [
        "openapi/operations.toml: 'createSong' is new in document.json; add it to `surface` or, with a reason, to [left_out]"
    ]


@pytest.mark.usefixtures("untried")
def test_a_type_that_changed(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    content["components"]["schemas"]["Model"]["properties"]["owned_by"] = {"type": "integer", "minimum": 1}
    code, printed = run(document(content))
    assert code == 0
    assert printed.splitlines()[1:4] == [
        "redefined",
        "  types",
        "    Model.owned_by: string -> integer minimum=1",
    ]


def test_an_overlay_action_that_is_superfluous_now(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    usage = content["components"]["schemas"]["CompletionUsage"]["properties"]
    usage["cached_tokens"] = {"type": "integer"}
    code, printed = run(document(content))
    assert code == 1
    assert "    CompletionUsage.cached_tokens: integer\n" in printed
    (sentence,) = to_change(printed)
    assert sentence.startswith("openapi/overlays/50-providers.overlay.yaml: action ")
    assert "adds what the document has at $.components.schemas.CompletionUsage.properties already" in sentence


def test_what_the_sdk_had_first_is_written_again(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    content["components"]["schemas"]["FunctionToolCall"]["properties"]["async"] = {"type": "boolean"}
    code, printed = run(document(content))
    assert code == 1
    (sentence,) = to_change(printed)
    assert sentence.endswith("write the overlay again with `nox -s refresh -- openai@VERSION`")


def test_a_document_that_the_compiler_cannot_read(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    del content["components"]["schemas"]["ChatCompletionStreamResponseDelta"]["properties"]["role"]
    code, printed = run(document(content))
    assert code == 1
    (sentence,) = to_change(printed)
    assert sentence.startswith(
        "the contracts do not compile: KeyError: ChatCompletionStreamResponseDelta.role"
    )
    assert "(codegen/normalise.py, line " in sentence


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.json", None, "cannot be read"),
        ("broken.json", "{", "cannot be read"),
        ("broken.yaml", "a: [", "cannot be read"),
        ("list.json", "[]", "has no `paths` or no `info.version`"),
        ("other.json", "{}", "has no `paths` or no `info.version`"),
    ],
)
def test_what_is_no_document(name: str, text: str | None, said: str, project: Path, run: Run) -> None:
    path = project / name
    if text is not None:
        path.write_text(text)
    before = contents(project)
    code, printed = run(path)
    assert code == 1
    assert said in printed
    assert contents(project) == before


@pytest.mark.usefixtures("untried")
def test_a_document_of_another_form(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    content["paths"]["/models"]["get"]["responses"] = {"200": {"$ref": "#/components/responses/Gone"}}
    path = document(content)
    before = contents(project)
    code, printed = run(path)
    assert code == 1
    assert f"{refresh.UNREAD}: KeyError: Gone (codegen/select.py, line " in printed
    assert contents(project) == before


@pytest.mark.usefixtures("untried")
def test_one_source_that_fails_does_not_hide_another(project: Path, run: Run, document: Any) -> None:
    content = base(project, "openai.json")
    content["components"]["schemas"]["Model"]["properties"]["mood"] = {"type": "string"}
    code, printed = run(project / "gone.json", document(content))
    assert code == 1
    assert "    Model.mood: string\n" in printed


# -- the `openai` package --------------------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the test environment in place of one that is downloaded."""
    monkeypatch.setattr(sources, "environment", lambda source, folder: (sys.executable, "0" * 64))


@pytest.mark.usefixtures("untried")
@pytest.mark.usefixtures("installed")
def test_the_overlay_of_a_package_is_written_the_same_each_time(project: Path, run: Run) -> None:
    path = project / "openapi" / "overlays" / sdk_overlay.FILE
    path.unlink()
    code, printed = run("openai@installed")
    assert code == (1 if to_change(printed) else 0)
    assert "    CreateResponse.access_programs: " in printed or "nothing new" in printed
    first = contents(project)
    code, printed = run("openai@installed")
    assert printed.splitlines()[1] == "nothing new"
    assert contents(project) == first


@pytest.mark.usefixtures("untried")
def test_a_package_without_an_installer(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, printed = run("openai@1.0.0")
    assert code == 1
    assert "Run `nox -s refresh -- openai@1.0.0`." in printed


@pytest.mark.usefixtures("untried")
@pytest.mark.usefixtures("installed")
def test_a_contract_that_cannot_be_compared(project: Path, run: Run) -> None:
    path = project / "openapi" / "overlays" / "50-providers.overlay.yaml"
    path.write_text(path.read_text().replace("CompletionUsage", "GoneUsage"))
    code, printed = run("openai@installed")
    assert code == 1
    assert "openai@installed cannot be compared with the contract: 50-providers" in printed


# -- whether it compiles ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("project")
def test_the_contracts_compile() -> None:
    assert trial.problems() == []


def test_a_failure_of_the_compiler_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def emit(folder: Path, more: Additions) -> None:
        raise KeyError("NoSuchSchema")

    monkeypatch.setattr(generate, "emit", emit)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith(
        "Nothing was generated: the contracts do not compile: KeyError: NoSuchSchema (codegen/generate.py, line "
    )
