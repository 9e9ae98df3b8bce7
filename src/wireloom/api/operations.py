"""The gateway's own endpoints, the contract it serves, and pages to read it with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from importlib.resources import files
from typing import final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from wireloom_protocol import replies
from wireloom_protocol.operations import OperationsApi

from wireloom.api.drain import Drain
from wireloom.api.front import LINKS, page
from wireloom.api.observe.meters import Meters
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError, NotFound
from wireloom.gateway import Gateway
from wireloom.routing.routing import states_of
from wireloom_runtime.operations import Reply

CONTRACT_PATH = "/openapi.json"
# Path -> the compiled file that is served there: the contract, and its form for generators of clients.
CONTRACTS = {CONTRACT_PATH: "contract.json", "/openapi-3.1.json": "contract-3.1.json"}
ASSETS_PATH = "/docs/assets"
# The pages' scripts come from an installed package, never from another host.
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "redoc.standalone.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
NO_ICON = "data:,"


@final
class Operations(OperationsApi[Caller]):
    """Tells how the gateway is.

    Args:
        gateway: the road to a backend.
        meters: what was served so far.
        drain: knows whether the gateway is stopping.
    """

    def __init__(self, gateway: Gateway, meters: Meters, drain: Drain) -> None:
        self._gateway = gateway
        self._drain = drain
        self._meters = meters

    async def about(self, caller: Caller) -> Reply[replies.About]:
        """See the contract's about."""
        own = version("wireloom")
        return Reply({"name": "wireloom", "version": own, "links": dict(LINKS)}, page=page(own))

    async def health(self, caller: Caller) -> Reply[replies.Health]:
        """See the contract's health."""
        return Reply({"status": "ok", "version": version("wireloom")})

    async def ready(self, caller: Caller) -> Reply[replies.Readiness]:
        """See the contract's ready."""
        self._drain.refuse()
        readiness = await self._gateway.routing.readiness()
        inside = caller.exchange.inside
        try:
            states = states_of(readiness)
        except GatewayError as error:
            # Whoever asks has shown no key: where the upstreams are is no affair of another machine's.
            raise error if inside else error.veiled() from error
        told: replies.Readiness = {"status": "ready", "backends": states}
        problems = {name: failure.inside for name, failure in readiness.items() if failure is not None}
        if inside and problems:
            told["problems"] = problems
        return Reply(told)

    async def metrics(self, caller: Caller) -> Reply[replies.Counters]:
        """See the contract's metrics."""
        await self._meters.settle(self._gateway.routing.listed)
        return Reply(self._meters.counters(), text=self._meters.text())


def contract(path: str = CONTRACT_PATH) -> bytes:
    """A form of the contract, byte for byte as it was compiled.

    Args:
        path: the path that serves the form, a key of `CONTRACTS`.
    """
    return files("wireloom_protocol").joinpath(CONTRACTS[path]).read_bytes()


def _document(content: bytes) -> Callable[[], Awaitable[Response]]:
    """A route that answers with a JSON document."""

    async def document() -> Response:
        return Response(content, media_type="application/json")

    return document


def mount_documents(app: FastAPI) -> None:
    """Serve the contract and its pages; none of them needs a key or another host."""
    router = APIRouter()
    for path in CONTRACTS:
        router.add_api_route(path, _document(contract(path)), include_in_schema=False)

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=CONTRACT_PATH,
            title="wireloom",
            swagger_js_url=f"{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=NO_ICON,
        )

    @router.get("/redoc", include_in_schema=False)
    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url=CONTRACT_PATH,
            title="wireloom",
            redoc_js_url=f"{ASSETS_PATH}/redoc.standalone.js",
            redoc_favicon_url=NO_ICON,
            with_google_fonts=False,
        )

    @router.get(f"{ASSETS_PATH}/{{name}}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in ASSETS:
            raise NotFound(f"There is no file {name!r} here.")
        content = files("fastapi_offline").joinpath("static", name).read_bytes()
        return Response(content, media_type=ASSETS[name], headers={"cache-control": "max-age=86400"})

    app.include_router(router)
