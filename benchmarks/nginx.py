"""nginx configurations: a static stream for any POST, and a bare pass-through."""

import os
import shutil
from pathlib import Path

from benchmarks.processes import DidNotRun

_MODELS = '{"object":"list","data":[{"id":"bench","object":"model"}]}'


def nginx_program() -> str:
    """Return the path of nginx. Raises DidNotRun when it is not installed."""
    # Debian keeps it where the search path of an ordinary user does not reach.
    program = shutil.which("nginx") or shutil.which(
        "nginx", path=os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))
    )
    if program is None:
        raise DidNotRun("nginx is not installed")
    return program


def nginx_command(folder: Path, http: str) -> list[str]:
    """Write a configuration and return the command that runs it in the foreground, as one process.

    folder: takes the configuration and all files nginx writes. http: what stands in the `http` block.
    Raises DidNotRun when nginx is not installed.
    """
    places = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr warn;\n"
        "events { worker_connections 4096; }\n"
        "http {\n  access_log off;\n  keepalive_requests 10000000;\n  client_max_body_size 0;\n"
        f"  client_body_buffer_size 1m;\n{places}{http}}}\n"
    )
    return [nginx_program(), "-e", "stderr", "-p", str(folder), "-c", str(config)]


def static_server(port: int, folder: Path) -> str:
    """Describe a server that answers every POST with the file `stream.sse`, and `GET /v1/models`.

    port: on loopback. folder: where the file is.
    """
    # A static file refuses POST with 405; the redirect to the file itself makes that a 200.
    return (
        f"  server {{\n    listen 127.0.0.1:{port} backlog=1024;\n    root {folder};\n"
        f"    location = /v1/models {{ default_type application/json; return 200 '{_MODELS}'; }}\n"
        "    location = /v1/chat/completions { error_page 405 =200 /stream.sse; return 405; }\n"
        "    location = /stream.sse { default_type text/event-stream; error_page 405 =200 /stream.sse; }\n"
        "  }\n"
    )


def pass_through_server(port: int, upstream_port: int) -> str:
    """Describe a server that forwards everything unbuffered over kept connections.

    port: on loopback. upstream_port: likewise.
    """
    return (
        f"  upstream behind {{ server 127.0.0.1:{upstream_port}; keepalive 256; "
        "keepalive_requests 10000000; }\n"
        f"  server {{\n    listen 127.0.0.1:{port} backlog=1024;\n"
        "    location / {\n      proxy_pass http://behind;\n      proxy_http_version 1.1;\n"
        '      proxy_set_header Connection "";\n      proxy_buffering off;\n    }\n  }\n'
    )
