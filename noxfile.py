"""Every task of the project: plain `nox` runs what must pass, `nox -l` lists all."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from functools import partial
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.stop_on_first_error = True

ROOT = Path(__file__).parent
CODE = ("src", "codegen", "tests", "benchmarks", "docs", "noxfile.py")
# Most tests wait more than they compute. Those of e2e also measure times and start many processes, so fewer run at once.
AT_ONCE = ("-n", "4", "-q")
FEW_AT_ONCE = ("-n", "2", "--dist", "loadfile", "-q")
CONTRACTS = tuple(f"generated/wireloom_protocol/{name}.json" for name in ("contract", "contract-3.1"))
LINTERS = "tests/contract/lint"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
# The end-to-end tests that start the Codex CLI.
CODEX_TESTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("test_app_server.py", "test_codex*.py", "test_launch.py")
    for path in (ROOT / "tests" / "e2e").glob(pattern)
)
GROUPS = ("generate", "lint", "types", "test", "contract", "deploy", "sdks")
UV = ROOT / ".nox" / "uv"
# The sessions start hundreds of processes, and each of them would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def install(session: nox.Session, lock: str, *, project: bool = True) -> None:
    """Install a lock with its hashes, and the project itself without its dependencies."""
    packages = ["-r", f"requirements/{lock}.txt"]
    uv_install(session, Path(session.bin) / "python", "--require-hashes", *packages)
    if project:
        uv_install(session, Path(session.bin) / "python", "--no-deps", "-e", ".")


def uv(session: nox.Session, *arguments: str) -> None:
    """Run uv: the one of this system, else one that is installed once for all sessions."""
    program = shutil.which("uv") or str(UV / "bin" / "uv")
    if not Path(program).exists():
        session.install("-q", "--target", str(UV), "uv")
    session.run(program, *arguments, external=True, silent=True)


def uv_install(session: nox.Session, python: Path, *packages: str) -> None:
    """`uv pip install` into the environment of an interpreter: the same packages as pip, in a tenth of the time."""
    uv(session, "pip", "install", "-q", "--python", str(python), *packages)


def npm(session: nox.Session, folder: str, *options: str) -> None:
    """Install exactly what a folder's lock file says."""
    if shutil.which("npm") is None:
        session.error("Node.js with npm is needed here: install Node 20 or later.")
    with session.chdir(folder):
        session.run("npm", "ci", "--silent", "--no-audit", "--no-fund", *options, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and what the pre-commit hooks check."""
    install(session, "lint", project=False)
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)


@nox.session
def lint_contract(session: nox.Session) -> None:
    """Hold both served documents to three linters; none of them calls another host."""
    install(session, "lint", project=False)
    # A package below spectral reports its installation to its maker, by a script.
    npm(session, LINTERS, "--ignore-scripts")
    session.run("openapi-spec-validator", *CONTRACTS)
    run = partial(session.run, external=True, env=QUIET)
    run(f"{LINTERS}/node_modules/.bin/redocly", "lint", "--config", f"{LINTERS}/redocly.yaml", *CONTRACTS)
    spectral = (f"{LINTERS}/node_modules/.bin/spectral", "lint", "--ruleset", f"{LINTERS}/spectral.yaml")
    run(*spectral, "--fail-severity", "hint", *CONTRACTS)


@nox.session
def types(session: nox.Session) -> None:
    """Strict type checking of all code, generated code included, and of snippets that have to fail."""
    install(session, "types")
    session.run("mypy", "-p", "wireloom", "-p", "wireloom_runtime", "-p", "wireloom_protocol")
    session.run("mypy", "codegen", "tests", "benchmarks", "docs", "noxfile.py")
    session.run("pytest", "tests/types", "-q")


@nox.session(default=False)
def generate(session: nox.Session) -> None:
    """Compile the contracts into generated/; with `-- --check` show what differs."""
    install(session, "generate", project=False)
    session.run("python", "-m", "codegen.generate", *session.posargs)


@nox.session
def fresh(session: nox.Session) -> None:
    """Check that generated/ and the generated pages of docs/ are what their sources give."""
    install(session, "generate", project=False)
    session.run("python", "-m", "codegen.generate", "--check")


@nox.session(default=False)
def refresh(session: nox.Session) -> None:
    """Take newer contracts: `nox -s refresh -- FILE`, `-- codex@VERSION`, `-- openai@VERSION`, or several of them."""
    install(session, "generate", project=False)
    session.run("python", "-m", "codegen.refresh", *session.posargs)
    session.run("python", "-m", "codegen.generate")


@nox.session(default=False)
def contract_diff(session: nox.Session) -> None:
    """Print what the contract changes of an older one: `nox -s contract_diff -- TAG`, or a file."""
    install(session, "generate", project=False)
    session.run("python", "-m", "codegen.contract_diff", *session.posargs)


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Write what a release has of its contract: `nox -s publish -- DIR [--since TAG]`."""
    install(session, "generate", project=False)
    session.run("python", "-m", "codegen.publish", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no other program, with the coverage of src."""
    install(session, "test")
    session.run("coverage", "erase")
    elsewhere = [
        f"--ignore=tests/{folder}" for folder in ("contract", "e2e", "consumers", "sdks", "live", "types")
    ]
    session.run("coverage", "run", "-m", "pytest", *AT_ONCE, *elsewhere, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def contract(session: nox.Session) -> None:
    """Fuzz the contract: every operation, every event, and every bad input we know."""
    install(session, "contract")
    session.run("pytest", "tests/contract", *AT_ONCE, *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Fuzz every operation for long: `nox -s fuzz -- EXAMPLES SEED`, 1000 examples each and a seed of this run."""
    install(session, "contract")
    given = dict(zip(("WIRELOOM_FUZZ_EXAMPLES", "WIRELOOM_FUZZ_SEED"), session.posargs, strict=False))
    unless_given = {"WIRELOOM_FUZZ_EXAMPLES": "1000", "WIRELOOM_FUZZ_SEED": str(secrets.randbelow(10**6))}
    files = ("tests/contract/test_schemathesis.py", "tests/contract/test_flatten.py")
    session.run("pytest", *files, *AT_ONCE, env=unless_given | given)


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Put faults into the modules that differ from main, and see whether the tests notice each of them."""
    install(session, "contract")
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session
def e2e(session: nox.Session) -> None:
    """The real Codex CLI and the official SDKs against real processes."""
    install(session, "test")
    npm(session, "tests/e2e/node")
    session.run("pytest", "tests/e2e", *FEW_AT_ONCE, *session.posargs)


@nox.session(default=False)
def codex(session: nox.Session) -> None:
    """The tests of the Codex CLI with other releases of it: `nox -s codex -- 0.169.0`; more arguments go to pytest."""
    install(session, "test")
    versions = [word for word in session.posargs if word[:1].isdigit()]
    if not versions:
        session.error("Name the releases of @openai/codex to test with, such as 0.169.0.")
    npm(session, "tests/e2e/node")
    for version in versions:
        folder = Path(session.create_tmp()) / f"codex-{version}"
        package = f"@openai/codex@{version}"
        quiet = ("--silent", "--no-audit", "--no-fund")
        session.run("npm", "install", *quiet, "--prefix", str(folder), package, external=True)
        program = folder / "node_modules" / ".bin" / "codex"
        more = [word for word in session.posargs if word not in versions]
        run = ("pytest", *CODEX_TESTS, *FEW_AT_ONCE, *more)
        session.run(*run, env={"WIRELOOM_TEST_CODEX": str(program.resolve())})


@nox.session(default=False)
def false_alarms(session: nox.Session) -> None:
    """Check good deployments of every backend 20 times each, or `-- RUNS` times; no run may accuse one."""
    install(session, "contract")
    npm(session, "tests/e2e/node")
    runs = session.posargs[0] if session.posargs else "20"
    tests = ("tests/contract/test_check.py", "tests/e2e/test_check_codex.py")
    session.run("pytest", *tests, "-k", "good", "-rP", "-q", env={"WIRELOOM_CHECK_RUNS": runs})


@nox.session
def consumers(session: nox.Session) -> None:
    """A TypeScript client generated from the served contract, type-checked and used."""
    install(session, "test")
    npm(session, "tests/consumers")
    session.run("pytest", "tests/consumers", *session.posargs)


@nox.session(default=False)
def sdks(session: nox.Session) -> None:
    """Clients of six generators, each compiled and used; with `-- --write` the table of docs/sdks.md is written."""
    install(session, "sdks")
    npm(session, "tests/sdks", "--ignore-scripts")
    write = {"WIRELOOM_WRITE_SDKS": "1"} if "--write" in session.posargs else {}
    session.run("pytest", "tests/sdks", "-q", env=write)
    if write:
        session.run("python", "-m", "docs.make", "--write")


@nox.session(default=False)
def style(session: nox.Session) -> None:
    """Print how the code reads, in figures beside their goals; with `-- --names` the names of more than one file."""
    session.run("python", "-m", "tests.style", *session.posargs)


@nox.session(default=False)
def instructions(session: nox.Session) -> None:
    """Count the instructions of a request and of a token; valgrind comes from the system. `-- --write` keeps them."""
    install(session, "test")
    session.run("python", "-m", "benchmarks.instructions", *session.posargs)


@nox.session(default=False)
def live(session: nox.Session) -> None:
    """Ask the real providers whose key or URL is in the environment; the others are skipped."""
    install(session, "test")
    session.run("pytest", "tests/live", *session.posargs, env={"WIRELOOM_LIVE": "1"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure beside other gateways, in one run; nginx and wrk come from the system."""
    install(session, "test")
    uv_install(session, Path(session.bin) / "python", "-r", "benchmarks/requirements.txt")
    alone = Path(session.create_tmp()) / "alone" / "bin" / "python"
    uv(session, "venv", "-q", "--clear", str(alone.parent.parent))
    uv_install(session, alone, "--require-hashes", "-r", "requirements/run.txt")
    uv_install(session, alone, "--no-deps", ".")
    session.run("python", "-m", "benchmarks", *session.posargs, env={"BENCH_WIRELOOM_PYTHON": str(alone)})


@nox.session
def docs(session: nox.Session) -> None:
    """Check the generated pages of docs/; with `-- --write` write them."""
    install(session, "contract")
    session.run("python", "-m", "docs.make", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel, install it alone, run it as a new user would."""
    install(session, "lint", project=False)
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--quiet", "--wheel", "--outdir", str(dist), str(ROOT))
    (wheel,) = dist.glob("*.whl")
    session.run("python", "-m", "tests.wheel", str(wheel))
    alone = Path(session.create_tmp()) / "alone"
    uv(session, "venv", "-q", "--clear", str(alone))
    uv_install(session, alone / "bin" / "python", str(wheel))
    environment = {"PATH": os.environ["PATH"], "HOME": session.create_tmp()}
    session.run(
        str(alone / "bin" / "wireloom"),
        "demo",
        "--once",
        external=True,
        env=environment,
        include_outer_env=False,
    )


@nox.session
def deploy(session: nox.Session) -> None:
    """Check what runs the gateway in containers; where Docker answers, build the image and run it."""
    install(session, "deploy", project=False)
    session.run("hadolint", "deploy/Dockerfile")
    session.run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")
    workflows = ["deploy/github-actions.yaml", "deploy/github-release.yaml", ".github/workflows/refresh.yml"]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("kubernetes-validate", "--strict", "deploy/kubernetes.yaml")
    answers = (
        shutil.which("docker") is not None
        and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )
    if not answers:
        session.warn("Docker does not answer here, so the image was not built.")
        return
    session.run("docker", "build", "-q", "-f", "deploy/Dockerfile", "-t", "wireloom:nox", ".", external=True)
    run = ("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", "wireloom:nox")
    session.run(*run, "demo", "--once", external=True)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Resolve the dependencies anew into requirements/, with hashes and without any index."""
    common = ["pip", "compile", "-q", "--universal", "--python-version", "3.11", "--generate-hashes"]
    common += ["--no-header", "--no-annotate", *session.posargs]
    uv(session, *common, "pyproject.toml", "-o", "requirements/run.txt")
    for group in GROUPS:
        project = [] if group in ("generate", "lint", "deploy") else ["pyproject.toml"]
        uv(session, *common, *project, "--group", group, "-o", f"requirements/{group}.txt")
