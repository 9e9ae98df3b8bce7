"""Where contracts come from: an OpenAPI document, the Codex CLI, the `openai` package; each read into its base file."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from codegen import app_server, generate, overlay, sdk_overlay, select

Json = Any

DOCUMENTS = (".json", ".yaml", ".yml")
OPERATIONS = "openapi/operations.toml"
PACKAGE_FOLDER = "tests/e2e/node"
SDK_TYPES = Path(__file__).with_name("sdk_types.py")


class SourceError(Exception):
    """A source that cannot be read; the text has its name, what was seen, and what to do."""


class Found(NamedTuple):
    """What a source gives."""

    name: str
    """Its table in sources.toml."""
    about: dict[str, str]
    """Where it comes from: version, digests."""
    before: Json
    after: Json
    """The contract that the source describes, as it was recorded and as it is now."""
    text: str
    """The new content of its base file."""
    to_change: list[str]
    """A sentence for each thing that has to be changed by hand."""


# -- OpenAPI documents -----------------------------------------------------------------------------------------------


def from_document(path: Path, commit: str | None, published: str | None) -> Found:
    """Read the structural facts of our surface in an OpenAPI document.

    Args:
        path: a JSON or YAML file.
        commit: commit of the repository that the document comes from.
        published: sha256 of the published document, where this one is derived from it.

    Raises:
        SourceError: the file is no OpenAPI document.
    """
    data, document = _document(path)
    listed = tomllib.loads((generate.OPENAPI / "operations.toml").read_text())
    known = {operation.get("operationId") for _, _, operation in select.operations(document)}
    wanted = [name for name in select.wanted(document, listed) if name in known]
    about = {"version": document["info"]["version"], "sha256": hashlib.sha256(data).hexdigest()}
    about |= {key: value for key, value in (("commit", commit), ("published_sha256", published)) if value}
    content = select.surface(select.facts(document), wanted)
    to_change = [
        f"{OPERATIONS} [surface]: {name!r} is not in {path.name} any more; remove it, and the overlay actions, the"
        " entry of `served` and the stub that belong to it"
        for name in listed["surface"]
        if name not in known
    ]
    to_change += [
        f"{OPERATIONS}: {name!r} is new in {path.name}; add it to `surface` or, with a reason, to [left_out]"
        for name in wanted
        if name not in listed["surface"]
    ]
    return Found("openai", about, _recorded("openai.json"), content, as_text(content), to_change)


def _document(path: Path) -> tuple[bytes, Json]:
    try:
        data = path.read_bytes()
        document = json.loads(data) if path.suffix == ".json" else yaml.safe_load(data)
        fits = isinstance(document["paths"], dict) and isinstance(document["info"]["version"], str)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SourceError(f"{path} cannot be read: {error}. Name a JSON or YAML file.") from error
    except (KeyError, TypeError):
        fits = False
    if not fits:
        raise SourceError(f"{path} has no `paths` or no `info.version`. Name an OpenAPI document.")
    return data, document


def _recorded(file: str) -> Json:
    path = generate.OPENAPI / file
    return json.loads(path.read_text()) if path.exists() else {}


def as_text(content: Json) -> str:
    """JSON as the base files have it."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


# -- the Codex CLI ---------------------------------------------------------------------------------------------------


def from_codex(source: str) -> Found:
    """Read the app-server contract of a Codex CLI, pruned to our methods.

    Args:
        source: `codex@VERSION`, which npm installs into a temporary folder, or the path of a `codex` program.

    Raises:
        SourceError: the CLI cannot be installed, or does not write its schemas.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = _installed(source, folder) if source.startswith("codex@") else source
        words = output(program, "--version").split()
        version = words[-1] if words else "unknown"
        bundles = Path(folder) / "bundles"
        output(program, "app-server", "generate-json-schema", "--experimental", "--out", str(bundles))
        try:
            files = {name: (bundles / name).read_bytes() for name in app_server.BUNDLES}
            parsed = {name: json.loads(data) for name, data in files.items()}
        except (OSError, ValueError) as error:
            raise SourceError(f"{source} writes no schema bundle: {error}. Name another version.") from error
    methods = app_server.read_methods(generate.OPENAPI / "app_server_methods.toml")
    base = app_server.base(parsed, methods)
    about = {"version": version, "sha256": hashlib.sha256(b"".join(files.values())).hexdigest()}
    before, text = _recorded("app_server.json"), as_text(base.content)
    return Found("app_server", about, before, base.content, text, base.to_change + pin(version))


def _installed(source: str, folder: str) -> str:
    """Install a version of the Codex CLI from npm; return the program's path."""
    output("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, f"@openai/{source}")
    return str(Path(folder) / "node_modules" / ".bin" / "codex")


def pin(version: str) -> list[str]:
    """Take a version of the Codex CLI into the lock of the end-to-end tests.

    Returns:
        Empty, or the sentence that has the command to run.
    """
    folder = generate.ROOT / PACKAGE_FOLDER
    package = json.loads((folder / "package.json").read_text())
    if package["dependencies"]["@openai/codex"] == version:
        return []
    options = [
        "--package-lock-only",
        "--save-exact",
        "--omit-lockfile-registry-resolved",
        "--no-audit",
        "--no-fund",
    ]
    try:
        output("npm", "install", *options, "--prefix", str(folder), f"@openai/codex@{version}")
    except SourceError as error:
        command = f"npm install {' '.join(options)} @openai/codex@{version}"
        return [f"{PACKAGE_FOLDER}/package.json pins another Codex; run `{command}` there ({error})"]
    return []


# -- the `openai` package --------------------------------------------------------------------------------------------


def from_package(source: str) -> Found:
    """Read the types of an `openai` package into the overlay that adds what the published document lacks.

    Args:
        source: `openai@VERSION`, which is installed from PyPI into a temporary environment.

    Raises:
        SourceError: the package cannot be installed or read, or the contract cannot be compared with it.
    """
    table = tomllib.loads((generate.OPENAPI / "openai_sdk.toml").read_text())
    roots = [root for names in table["types"].values() for root in names]
    with tempfile.TemporaryDirectory() as folder:
        python, digest = environment(source, Path(folder))
        facts = json.loads(output(python, "-P", str(SDK_TYPES), *roots))
    published = _recorded("openai.json")
    try:
        contract = generate.corrected(sdk_overlay.FILE)
        made, to_change = sdk_overlay.overlay(
            facts, published["components"]["schemas"], contract["components"]["schemas"], table
        )
        after = overlay.apply(contract, made)
    except (overlay.OverlayError, sdk_overlay.NameTaken) as error:
        raise SourceError(f"{source} cannot be compared with the contract: {error}") from error
    about = {"version": facts["version"], "sha256": digest}
    return Found("openai_sdk", about, _added(contract), after, sdk_overlay.dump(made), to_change)


def _added(contract: Json) -> Json:
    """The contract with what the recorded overlay adds, as far as it fits."""
    path = generate.OPENAPI / "overlays" / sdk_overlay.FILE
    for action in overlay.load(path)["actions"] if path.exists() else ():
        try:
            contract = overlay.apply(contract, {"info": {"title": path.name}, "actions": [action]})
        except overlay.OverlayError:
            continue  # the published document has it by now
    return contract


def environment(source: str, folder: Path) -> tuple[str, str]:
    """Install an `openai` package into an environment of its own.

    Args:
        source: `openai@VERSION`, or `openai@latest`.
        folder: an empty folder.

    Returns:
        The environment's interpreter, and the sha256 of the package's wheel.
    """
    if importlib.util.find_spec("uv") is None:
        raise SourceError(f"{source} is installed by uv, which is missing. Run `nox -s refresh -- {source}`.")
    version = source.partition("@")[2]
    wanted = folder / "requirements.in"
    wanted.write_text("openai\n" if version == "latest" else f"openai=={version}\n")
    lock, python = folder / "pylock.toml", folder / "environment" / "bin" / "python"
    uv = (sys.executable, "-m", "uv")
    output(*uv, "pip", "compile", "-q", "--format", "pylock.toml", "-o", str(lock), str(wanted))
    output(*uv, "venv", "-q", "--python", sys.executable, str(folder / "environment"))
    output(*uv, "pip", "install", "-q", "--python", str(python), "-r", str(lock))
    packages = {package["name"]: package for package in tomllib.loads(lock.read_text())["packages"]}
    digest: str = packages["openai"]["wheels"][0]["hashes"]["sha256"]
    return str(python), digest


def output(*command: str) -> str:
    """Run a command and return what it prints.

    Raises:
        SourceError: it cannot be run, or fails; with the last lines of its errors.
    """
    shown = " ".join(Path(word).name for word in command[:4])
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SourceError(f"{shown}: {error}. Name a program that is there, or install it.") from error
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[-5:])
        raise SourceError(f"{shown} ... failed with exit code {done.returncode}: {said or 'no message'}")
    return done.stdout
