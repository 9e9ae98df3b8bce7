"""What importing one module of `wireloom_protocol` loads, and what its first use loads besides."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pkgutil import iter_modules

import pytest
import wireloom_protocol

SECONDS = 60.0
PACKAGE = "wireloom_protocol"
# What is slow to import. `typing_extensions` and the like are not looked at.
SLOW = {"fastapi", "msgspec", "pydantic", "starlette"}
LISTED = """
import json, sys
{statement}
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] in {packages})))
"""
PUBLIC = sorted(
    module.name for module in iter_modules(wireloom_protocol.__path__) if not module.name.startswith("_")
)
# Module -> what it imports besides `wireloom_runtime`; the others import nothing.
NEEDS: Mapping[str, set[str]] = {
    "app_server_hot": {"msgspec"},
    "hot": {"msgspec"},
    "rpc": {f"{PACKAGE}.app_server"},
}
# A use of a lazy module -> the modules of the package that it loads.
USES: Mapping[str, set[str]] = {
    "responses.CreateResponse": {"responses", "_responses"},
    "chat.CreateChatCompletionRequest": {"chat", "_chat"},
    "app_server.TurnStartParams": {"app_server", "_app_server"},
    "rpc.TURN_START.params": {"rpc", "app_server", "_app_server"},
    "rpc.INITIALIZED.read_params(None)": {"rpc", "app_server"},
    "rpc.CLIENT_REQUESTS['turn/start'].method": {"rpc", "app_server"},
    "routes.models_router": {"routes", "_routes", "operations"}
    | {"responses", "_responses", "chat", "_chat"},
}


def loaded(statement: str) -> set[str]:
    """Modules of the package, and slow packages, that a statement loads in a fresh process."""
    code = LISTED.format(statement=statement, packages=SLOW | {PACKAGE})
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    names = set(json.loads(done.stdout))
    return {name for name in names if name.startswith(PACKAGE)} | {
        name.partition(".")[0] for name in names if not name.startswith(PACKAGE)
    }


def test_the_package_imports_none_of_its_modules() -> None:
    assert loaded(f"import {PACKAGE}") == {PACKAGE}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_module_imports_no_other(module: str) -> None:
    needed = NEEDS.get(module, set())
    assert loaded(f"import {PACKAGE}.{module}") == {PACKAGE, f"{PACKAGE}.{module}", *needed}


@pytest.mark.parametrize("use", USES)
def test_a_use_loads_what_it_needs(use: str) -> None:
    module = use.partition(".")[0]
    found = loaded(f"from {PACKAGE} import {module}\n{use}")
    assert found - SLOW == {PACKAGE, *(f"{PACKAGE}.{name}" for name in USES[use])}


def test_the_version_is_the_release() -> None:
    assert wireloom_protocol.__version__ == version("wireloom")
