"""Exceptions that reach the application, and what no route takes: as the OpenAI error object."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from wireloom.api import failures
from wireloom.api.edge import exchange_of, is_codex
from wireloom.api.paths import unserved
from wireloom.errors import GatewayError, InvalidRequest

log = logging.getLogger("wireloom")

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def answer_failures(app: FastAPI) -> None:
    """Every exception that reaches the application leaves it as the OpenAI error object."""

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)
        return failures.response(error, exchange_of(request.scope), codex=is_codex(request))

    async def routed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        if error.status_code != 405:
            return failures.response(unserved(request), exchange_of(request.scope))
        upgrade = "upgrade" in request.headers
        if upgrade:  # the status at which the Codex CLI goes over to plain HTTP without further tries
            refused = InvalidRequest("WebSocket is not served here.", code="upgrade_required", status=426)
        else:
            refused = InvalidRequest(
                f"{path} has no {request.method}.", code="method_not_allowed", status=405
            )
        response = failures.response(refused, exchange_of(request.scope))
        response.headers["allow"] = ", ".join(methods(request))
        if upgrade:
            response.headers["upgrade"] = "HTTP/1.1"
        return response

    async def unknown(request: Request, error: Exception) -> Response:
        log.error("%s failed", exchange_of(request.scope).request_id, exc_info=error)
        response = failures.response(failures.internal(), exchange_of(request.scope))
        response.headers["connection"] = (
            "close"  # as the server does after an exception; a client has to know
        )
        return response

    app.add_exception_handler(GatewayError, known)
    app.add_exception_handler(HTTPException, routed)
    app.add_exception_handler(Exception, unknown)


def methods(request: Request) -> list[str]:
    """The methods that are served at a request's path."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
