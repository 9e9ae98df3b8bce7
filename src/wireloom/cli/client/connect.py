"""Settings and programs for clients of a gateway: Codex CLI, OpenAI SDK, curl."""

import ipaddress
import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from wireloom.config.files.toml import toml

_PROVIDER = "wireloom"
# Codex asks for the catalogue only with some key, so where none is needed it gets a meaningless one.
_NO_KEY = {"experimental_bearer_token": "unused"}
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def root_url(host: str, port: int) -> str:
    """Return the URL of an address that is listened on."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def base_url(host: str, port: int) -> str:
    """Return the base URL for clients; where every address is listened on, that is the loopback one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{root_url(host, port)}/v1"
    return f"{root_url(_LOOPBACK[address.version] if address.is_unspecified else host, port)}/v1"


def codex(url: str, model: str | None, *, with_key: bool, catalog: str | None = None) -> str:
    """Return the block for Codex's ``config.toml``.

    url: base URL of the gateway; model: None leaves it to the user; with_key: clients need a token, which Codex gets from
    `wireloom token` (Codex 0.169 and later), so that no variable has to be set; catalog: file with the models, None lets
    Codex ask the gateway for them.
    """
    provider = _codex_provider(url, None if with_key else _NO_KEY, from_gateway=catalog is None)
    auth = ["", f"[model_providers.{_PROVIDER}.auth]", f"command = {toml(program())}", 'args = ["token"]']
    lines = [
        f"model = {toml(model)}" if model else '# model = "NAME"    one that `wireloom models` lists',
        f"model_provider = {toml(_PROVIDER)}",
        *([] if catalog is None else [f"model_catalog_json = {toml(catalog)}"]),
        "",
        f"[model_providers.{_PROVIDER}]",
        *(f"{key} = {toml(value)}" for key, value in provider.items()),
        *(auth if with_key else ()),
    ]
    return "\n".join(lines)


def program() -> str:
    """Return how other programs start wireloom: by its name where that is found, else by the path of the one that runs."""
    return _PROVIDER if shutil.which(_PROVIDER) else str(Path(sys.executable).with_name(_PROVIDER))


def codex_options(url: str, model: str | None, key_variable: str) -> list[str]:
    """Return the options that say the same to one run of Codex, over what its ``config.toml`` says.

    url: base URL of the gateway; model: None leaves it to Codex; key_variable: variable that holds the token.
    """
    provider = _codex_provider(url, {"env_key": key_variable}, from_gateway=True)
    table = ", ".join(f"{key} = {toml(value)}" for key, value in provider.items())
    settings = [f"model_provider={toml(_PROVIDER)}", f"model_providers.{_PROVIDER}={{{table}}}"]
    if model:
        settings.insert(0, f"model={toml(model)}")
    return [part for setting in settings for part in ("-c", setting)]


def _codex_provider(url: str, key: Mapping[str, str] | None, *, from_gateway: bool) -> dict[str, str]:
    # The name must not be "OpenAI": that would switch Codex to a remote compaction which only OpenAI offers.
    catalog = {"model_catalog_url": f"{url}/models"} if from_gateway else {}
    return {"name": _PROVIDER, "base_url": url, "wire_api": "responses", **(key or {}), **catalog}


def openai_sdk(
    url: str, model: str | None = None, key: str | None = "unused", *, command: str = "wireloom token"
) -> str:
    """Return a Python program for a gateway, which runs as it is.

    url: base URL; model: None takes the first that is listed; key: any where none is needed, None asks `command` for it,
    so that it is not shown.
    """
    name = "client.models.list().data[0].id" if model is None else json.dumps(model, ensure_ascii=False)
    imports = "from openai import OpenAI"
    secret = json.dumps(key)
    if key is None:
        imports = f"from subprocess import check_output\n\n{imports}"
        secret = f"check_output({json.dumps(command.split())}, text=True).strip()"
    return f"""{imports}

client = OpenAI(base_url="{url}", api_key={secret})
print(client.responses.create(model={name}, input="Hello").output_text)"""


def quoted(value: str) -> str:
    """Return a value as a shell takes it."""
    return shlex.quote(value)


def curl(url: str, model: str) -> str:
    """Return a shell command for a gateway that asks for no key."""
    body = json.dumps({"model": model, "input": "Hello", "stream": True})
    return f"curl -N {url}/responses -H 'content-type: application/json' -d {shlex.quote(body)}"
