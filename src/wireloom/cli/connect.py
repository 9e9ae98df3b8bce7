"""What a client has to be told to use a gateway: Codex CLI, OpenAI SDK, curl."""

import ipaddress
import json
import shlex

from wireloom.config import variable_name

TOKEN_VARIABLE = variable_name("token")
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


def codex(url: str, model: str | None, *, with_key: bool) -> str:
    """Return the block for Codex's ``config.toml``.

    url: base URL of the gateway; model: None leaves it to the user; with_key: clients need a token.
    """
    # Codex asks for the catalogue only with some key, so where none is needed it gets a meaningless one. The
    # name must not be "OpenAI": that would switch Codex to a remote compaction which only OpenAI offers.
    key = f'env_key = "{TOKEN_VARIABLE}"' if with_key else 'experimental_bearer_token = "unused"'
    lines = [
        f"model = {_toml(model)}" if model else '# model = "NAME"    one that `wireloom models` lists',
        'model_provider = "wireloom"',
        "",
        "[model_providers.wireloom]",
        'name = "wireloom"',
        f"base_url = {_toml(url)}",
        'wire_api = "responses"',
        key,
        f"model_catalog_url = {_toml(f'{url}/models')}",
    ]
    return "\n".join(lines)


def openai_sdk(url: str, model: str) -> str:
    """Return a Python program for a gateway that asks for no key."""
    return f"""from openai import OpenAI

client = OpenAI(base_url={url!r}, api_key="unused")
print(client.responses.create(model={model!r}, input="Hello").output_text)"""


def curl(url: str, model: str) -> str:
    """Return a shell command for a gateway that asks for no key."""
    body = json.dumps({"model": model, "input": "Hello", "stream": True})
    return f"curl -N {url}/responses -H 'content-type: application/json' -d {shlex.quote(body)}"


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
