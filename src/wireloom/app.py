"""The composition root: settings in, ASGI application out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope
from wireloom_protocol import routes

from wireloom.api.addresses import Addresses
from wireloom.api.auth import ANONYMOUS, Keys
from wireloom.api.chat import ChatCompletions
from wireloom.api.conversations import Conversations
from wireloom.api.drain import Drain
from wireloom.api.edge import HttpEdge
from wireloom.api.guard import ANY, Guard
from wireloom.api.handlers import METHODS, answer_failures
from wireloom.api.models import Models, catalogue
from wireloom.api.observe.genai import PROVIDERS
from wireloom.api.observe.labels import Names
from wireloom.api.observe.meters import Meters
from wireloom.api.observe.observer import Observer
from wireloom.api.operations import Operations, mount_documents
from wireloom.api.responses import Responses
from wireloom.backends.base import Backend
from wireloom.backends.http.catalogue import Catalogue, of_profile
from wireloom.config import DEFAULT, BackendEntry, Settings, is_loopback
from wireloom.config.codex import codex_setup
from wireloom.config.files.folders import private_folder
from wireloom.config.files.seal_key import seal_keys
from wireloom.config.history import history_file, history_limits
from wireloom.config.tables import KeyEntry
from wireloom.config.values import variables
from wireloom.errors import UNNAMED
from wireloom.exchange import ATTEMPTS_HEADER, BACKEND_HEADER, MODEL_HEADER, Exchange
from wireloom.gateway import Gateway
from wireloom.history.base import History
from wireloom.routing.quotas import LIMIT_HEADERS, Quota
from wireloom.routing.routing import Named, Route, Routing
from wireloom.seal import Sealer
from wireloom.translate.rules.loss import LOSS_HEADER

if TYPE_CHECKING:
    from wireloom_protocol import replies

AnyBackend: TypeAlias = Settings | BackendEntry
MEGABYTE = 2**20
GENERIC = "generic"
"""Name of the profile of a server that is not known."""
# Headers of answers that scripts of allowed pages may read.
EXPOSED = (
    "x-request-id",
    "retry-after",
    "x-should-retry",
    LOSS_HEADER,
    BACKEND_HEADER,
    MODEL_HEADER,
    ATTEMPTS_HEADER,
    *LIMIT_HEADERS,
)
# Loaded by path and only when chosen, so that what is off costs nothing.
BACKENDS = {
    "chat": ("wireloom.backends.http.chat", "ChatBackend"),
    "demo": ("wireloom.backends.http.chat", "ChatBackend"),
    "responses": ("wireloom.backends.http.responses", "ResponsesBackend"),
}
CODEX_BACKENDS = {
    "app-server": ("wireloom.backends.codex.app_server", "AppServerBackend"),
    "exec": ("wireloom.backends.codex.exec", "ExecBackend"),
}
CODEX = ("wireloom.backends.codex.home", "Codex")
UPSTREAM = ("wireloom.backends.http.client", "Upstream")
MEMORY = ("wireloom.history.memory", "Memory")
SQLITE = ("wireloom.history.sqlite", "Sqlite")
SLOTS = ("wireloom.backends.slots", "Slots")
TELEMETRY = ("wireloom.api.observe.telemetry", "Telemetry")
RECORDER = ("wireloom.api.observe.record", "Recorder")
DEMO = ("wireloom.backends.demo", "running")


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI application; its backend lives from the application's start to its shutdown.

    Args:
        settings: every setting; nothing else is read.
    """
    passing = [entry for entry in settings.named.values() if entry.pass_key]
    keys = Keys(
        None
        if settings.no_auth
        else {name: key.get_secret_value() for name, key in settings.inbound.items()},
        passing=bool(passing),
        bring=any(entry.upstream_key is None for entry in passing),
    )
    drain = Drain()
    telemetry = _load(*TELEMETRY)(*providers_of(settings)) if settings.otel else None
    edge = HttpEdge(
        keys,
        max_body_bytes=settings.max_body_mb * MEGABYTE,
        heartbeat_seconds=settings.heartbeat_seconds,
        default_model=settings.model,
        body_seconds=settings.receive_timeout_seconds,
        drain=drain,
        note=None if telemetry is None else telemetry.requested,
        strict=settings.strict,
    )
    history = open_history(settings)
    gateway = Gateway(
        history,
        Sealer(seal_keys(settings)),
        quotas=quotas_of(settings),
        strict=settings.strict,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with aclosing(history), open_routing(settings) as routing:
            with gateway.using(routing):
                yield
        if telemetry is not None:
            await run_in_threadpool(telemetry.close)

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    app.include_router(routes.responses_router(Responses(gateway), edge))
    app.include_router(routes.chat_router(ChatCompletions(gateway), edge))
    app.include_router(routes.conversations_router(Conversations(gateway), edge))
    app.include_router(routes.models_router(Models(gateway), edge))
    kinds = {name: entry.backend for name, entry in settings.named.items()}
    meters = Meters(kinds, gateway.limits, names_of(settings))
    app.include_router(routes.operations_router(Operations(gateway, meters, drain), edge))
    mount_documents(app)
    answer_failures(app)
    _surround(app, settings, keys, meters, None if telemetry is None else telemetry.ended)
    app.state.drain = drain
    return app


def _surround(
    app: FastAPI,
    settings: Settings,
    keys: Keys,
    meters: Meters,
    told: Callable[[Exchange, Scope], None] | None,
) -> None:
    """What every request passes, the innermost first: the recorder, CORS, the guard, the observer, its path."""
    if settings.record is not None:
        folder = private_folder(settings.record, "--record")
        app.add_middleware(_load(*RECORDER), keys, folder, settings.max_body_mb * MEGABYTE)
    if settings.allowed_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origin),
            allow_methods=METHODS,
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(Guard, _allowed_hosts(settings), settings.allowed_origin)
    app.add_middleware(
        Observer,
        meters,
        content=settings.log_content,
        told=told,
    )
    app.add_middleware(Addresses)


def names_of(settings: Settings) -> Names:
    """The names of keys and models that the settings have.

    Args:
        settings: what describes the backends.
    """
    keys = {*settings.token, *settings.keys, ANONYMOUS}
    models: set[tuple[str, str]] = set()
    for name, entry in settings.named.items():
        own = [*entry.model_map.values(), *entry.models, *([entry.model] if entry.model else ())]
        models.update((name, model) for model in own)
    for route in settings.routes.values():
        for target in route.to:
            name, _, model = target.partition("/")
            models.add((name, settings.named[name].model_map.get(model, model)))
    return Names(keys, models)


def providers_of(settings: Settings) -> tuple[dict[str, str], str]:
    """The provider behind each backend, as OpenTelemetry calls it, and that of the first.

    Args:
        settings: what describes the backends.
    """
    profiles = {name: entry.upstream_profile.name for name, entry in settings.named.items()}
    found = {
        name: "openai" if entry.backend in CODEX_BACKENDS else PROVIDERS.get(profiles[name], profiles[name])
        for name, entry in settings.named.items()
    }
    return found, found[settings.first_backend]


def _allowed_hosts(settings: Settings) -> Callable[[str], bool] | None:
    """Tells by which names the gateway is known; None for any: what listens elsewhere has names that it does not know."""
    named = {host.lower() for host in (*settings.allowed_host, settings.host)}
    if ANY in named or not (settings.allowed_host or is_loopback(settings.host)):
        return None
    return lambda host: host in named or is_loopback(host)


def catalogue_of(settings: AnyBackend) -> Catalogue:
    """What the settings say of a backend's models."""
    known = {name: entry.fields() for name, entry in settings.models.items()}
    return Catalogue(known, settings.model_map, partial(of_profile, settings.upstream_profile))


def quotas_of(settings: Settings) -> dict[str, Quota]:
    """What the settings say of each key."""
    waiting, seconds = settings.max_queue_size, settings.queue_timeout_seconds

    def quota(entry: KeyEntry) -> Quota:
        running = entry.max_concurrency
        slots = None if running is None else _load(*SLOTS)(running, waiting, seconds)
        return Quota(entry.backends, entry.models, per_minute=entry.requests_per_minute, slots=slots)

    return {name: quota(entry) for name, entry in settings.keys.items()}


def open_history(settings: Settings) -> History:
    """The store that the settings choose.

    Raises:
        OSError: its file cannot be used.
    """
    file, limits = history_file(settings), history_limits(settings)
    history: History = _load(*MEMORY)(**limits) if file is None else _load(*SQLITE)(file, **limits)
    return history


@asynccontextmanager
async def open_routing(settings: Settings) -> AsyncIterator[Routing]:
    """The backends that the settings describe, open while the context lasts, and the way to them."""
    async with AsyncExitStack() as stack:
        backends = [
            Named(
                name,
                await stack.enter_async_context(open_backend(name, entry)),
                entry.model_map,
                catalogue_of(entry),
                frozenset({*entry.model_map, *entry.models, *([entry.model] if entry.model else ())}),
            )
            for name, entry in settings.named.items()
        ]
        routes = {name: Route(entry.to, entry.spread) for name, entry in settings.routes.items()}
        yield Routing(backends, settings.first_backend, routes)


@asynccontextmanager
async def open_backend(name: str, settings: AnyBackend) -> AsyncIterator[Backend]:
    """A backend, open while the context lasts."""
    async with AsyncExitStack() as stack:
        slots = _load(*SLOTS)(settings.concurrency, settings.max_queue_size, settings.queue_timeout_seconds)
        make = _codex if settings.backend in CODEX_BACKENDS else _upstream
        backend = await make(name, settings, slots, stack)
        stack.push_async_callback(backend.aclose)
        yield backend


async def _upstream(name: str, settings: AnyBackend, slots: Any, stack: AsyncExitStack) -> Backend:
    """A backend that asks a server."""
    url = settings.upstream
    if settings.backend == "demo":
        url = await stack.enter_async_context(_load(*DEMO)())
    key = settings.upstream_key
    upstream = _load(*UPSTREAM)(
        url,
        None if key is None else key.get_secret_value(),
        title=title_of(name, settings),
        key_place=key_place(settings),
        takes_keys=settings.pass_key,
        idle_seconds=settings.idle_timeout_seconds,
        total_seconds=settings.total_seconds,
        more_keys=settings.more_keys,
        key_header=settings.upstream_key_header,
        headers=settings.headers_upstream,
        proxy=settings.upstream_proxy,
        ca=settings.upstream_ca,
    )
    backend: Backend = _load(*BACKENDS[settings.backend])(
        upstream,
        settings.upstream_profile,
        slots,
        denied_tools=settings.tool_denylist,
        extra_params=settings.extra_params,
        drop_params=settings.drop_params,
        pass_key=settings.pass_key,
        raw_relay=settings.relay == "raw",
        repair_json=settings.repair_json,
    )
    return backend


def title_of(name: str, settings: AnyBackend) -> str:
    """A backend as messages name it: by its provider, else by its own name, where it has one.

    Args:
        name: the backend's, as the settings have it.
        settings: what describes it.
    """
    profile = settings.upstream_profile
    if settings.backend == "demo":
        return "The scripted model"
    if profile.name == GENERIC:
        return UNNAMED if name == DEFAULT else f"Backend {name}"
    title = profile.title.partition(" (")[0]
    return title if name in (DEFAULT, profile.name) else f"{title} ({name})"


def key_place(settings: AnyBackend) -> str:
    """Where the key of a backend is set, as it goes after "the key" in a sentence.

    Args:
        settings: what describes the backend.
    """
    if settings.api_key_file is not None:
        return f"in {settings.api_key_file}"
    if settings.api_key_keyring is not None:
        return f"in the keyring ({settings.api_key_keyring})"
    if settings.api_key is not None:
        return "of --api-key (WIRELOOM_API_KEY)"
    named = variables(settings.api_key_env or settings.upstream_profile.api_key_env)
    # Each further key has its own place: see `more_keys`.
    first = next(iter(settings.keys_by_place), named[0] if named else None)
    return f"in {first}" if first else "(--api-key-env)"


async def _codex(name: str, settings: AnyBackend, slots: Any, _: AsyncExitStack) -> Backend:
    """A backend that asks the local Codex CLI."""
    codex = _load(*CODEX)(**codex_setup(settings, name)._asdict())
    more: dict[str, Any] = {}
    if settings.backend == "app-server":
        more = {
            "url": settings.app_server_url,
            "token": settings.app_server_token,
            "idle_seconds": settings.idle_timeout_seconds,
            "denied_tools": settings.tool_denylist,
        }
    backend = _load(*CODEX_BACKENDS[settings.backend])(
        codex,
        slots,
        total_seconds=settings.total_seconds,
        **more,
    )
    await backend.start()
    started: Backend = backend
    return started


def _load(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


async def list_models(settings: Settings) -> list[replies.CodexModel]:
    """The models that clients may ask for, as entries of the Codex CLI's catalogue.

    Raises:
        GatewayError: the backend does not tell.
    """
    async with open_routing(settings) as routing:
        return catalogue(await routing.models())


async def backend_states(settings: Settings) -> dict[str, str]:
    """Name of each backend -> `ready`, or the code of why it is not.

    Raises:
        GatewayError: none of them is ready.
    """
    async with open_routing(settings) as routing:
        return await routing.ready()
