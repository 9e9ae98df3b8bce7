"""The page at `/`: that wireloom answers here, and where to read on; nothing in it comes from another host."""

from __future__ import annotations

from html import escape

# Path by the name of its link; the page shows them in this order.
LINKS = {
    "docs": "/docs",
    "redoc": "/redoc",
    "openapi": "/openapi.json",
    "status": "/ready",
    "models": "/v1/models",
}
WORDS = {
    "docs": "the API, to try it out",
    "redoc": "the API, to read",
    "openapi": "its OpenAPI document, for generators of clients",
    "status": "whether the backends can answer",
    "models": "the models (with a key)",
}
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } small { font-weight: normal; opacity: .7 }
code { font-family: ui-monospace, monospace } dt { float: left; clear: left; min-width: 8rem }
"""


def page(version: str) -> str:
    """The page as HTML.

    Args:
        version: of wireloom.
    """
    links = "\n".join(
        f'<dt><a href="{path}">{path}</a></dt><dd>{WORDS[name]}</dd>' for name, path in LINKS.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>wireloom</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<h1>wireloom <small>{escape(version)}</small></h1>
<p>A gateway between OpenAI's Responses API, Chat Completions and the Codex CLI answers here.</p>
<p>Base URL for clients: <code id="base">/v1</code></p>
<dl>
{links}
</dl>
<script>document.getElementById("base").textContent = location.origin + "/v1"</script>
</body>
</html>
"""
