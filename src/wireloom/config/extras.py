"""How an extra of this package is installed: by the command that works where it came from."""

import json
import shlex
from importlib.metadata import Distribution
from urllib.parse import unquote, urlsplit

_PACKAGE = "wireloom"


def install_command(extra: str) -> str:
    """Return the command that installs an extra: from the folder, the file or the repository that wireloom came from.

    extra: such as `check`.
    """
    origin = json.loads(Distribution.from_name(_PACKAGE).read_text("direct_url.json") or "{}")
    url = origin.get("url", "")
    named = f"{_PACKAGE}[{extra}]"
    if "vcs_info" in origin:
        kind, commit = origin["vcs_info"].get("vcs", "git"), origin["vcs_info"].get("commit_id")
        place = f"{kind}+{url}@{commit}" if commit else f"{kind}+{url}"
        return f"pip install {shlex.quote(f'{named} @ {place}')}"
    if "dir_info" in origin:
        flag = "-e " if origin["dir_info"].get("editable") else ""
        return f"pip install {flag}{shlex.quote(f'{unquote(urlsplit(url).path)}[{extra}]')}"
    return f"pip install {shlex.quote(f'{named} @ {url}' if url else named)}"
