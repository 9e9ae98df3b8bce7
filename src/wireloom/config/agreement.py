"""What the settings have to be together: each rule finds its mistakes, and none of them stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from importlib.util import find_spec

from wireloom.config.extras import install_command
from wireloom.config.fields import DEFAULT, GatewayFields
from wireloom.config.layers import config_file, not_set
from wireloom.config.mistakes import Mistake, did_you_mean, plain
from wireloom.config.tables import KeyEntry
from wireloom.config.values import is_loopback

_PLACES = frozenset({"upstream", "upstream_wire", "provider", "profile", "backend", "backends"})
"""Settings that choose where answers come from."""


def mistakes_of(own: GatewayFields) -> list[Mistake]:
    """Return what is wrong with settings of which each by itself can be used."""
    return [mistake for rule in _RULES for mistake in rule(own)]


def _has_a_backend(own: GatewayFields) -> Iterator[Mistake]:
    if not own.named:
        message = f"""There is nothing to answer requests with, because no upstream is set. Choose one:
  wireloom serve --upstream URL    a Chat Completions server (or WIRELOOM_UPSTREAM=URL)
  wireloom serve --backend app-server  the local Codex CLI, with its own login
  wireloom serve --backend demo    a scripted model, without key or network
  wireloom demo                    the same model, with one exchange explained
  upstream = "URL"                 in {plain(config_file())}"""
        yield Mistake((), message, about=_PLACES)


def _asks_for_keys(own: GatewayFields) -> Iterator[Mistake]:
    about = frozenset({"no_auth", "token", "keys", "host"})
    if own.no_auth and own.inbound:
        keys = " and ".join("{" + name + "}" for name in ("token", "keys") if getattr(own, name))
        yield Mistake(("no_auth",), f"contradicts {keys}: leave one out.", about=about)
    if own.no_auth and not is_loopback(own.host):
        message = (
            f"{plain(own.host)} lets other machines in, and without keys everyone who reaches it spends your upstream key: "
            "set WIRELOOM_TOKEN instead, or --host 127.0.0.1."
        )
        yield Mistake(("no_auth",), message, about=about)
    elif not own.inbound and not is_loopback(own.host):
        message = (
            f"{plain(own.host)} lets other machines in, so clients need a key: set WIRELOOM_TOKEN, "
            "or --host 127.0.0.1."
        )
        yield Mistake(("host",), message, about=about)


def _names_of_backends(own: GatewayFields) -> Iterator[Mistake]:
    if DEFAULT in own.backends and own.answers:
        message = (
            "The backend that flags, variables or the top level of the config file describe is called default, so none of "
            "backends can have that name: rename it."
        )
        yield Mistake(("backends", DEFAULT), message, about=_PLACES)
    default = own.default_backend
    if default is not None and default not in own.named:
        message = f"there is no backend {plain(default)}{did_you_mean(default, own.named)}"
        yield Mistake(("default_backend",), message, word=default, about=_PLACES)
    if own.backends and not own.answers:
        for name in ("model_map", "models"):
            if getattr(own, name):
                message = "put this under [backends.NAME], and names for several backends under [routes]."
                yield Mistake((name,), message, about=_PLACES)


def _extras(own: GatewayFields) -> Iterator[Mistake]:
    if own.otel and find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        message = f"needs the extra otel: {plain(install_command('otel'))}"
        yield Mistake(("otel",), message)


def _targets_of_routes(own: GatewayFields) -> Iterator[Mistake]:
    for route, entry in own.routes.items():
        for target in entry.to:
            backend, slash, model = target.partition("/")
            if slash and model and backend in own.named:
                continue
            if slash and model:
                message = f"there is no backend {plain(backend)}{did_you_mean(backend, own.named)}"
                word = backend
            else:
                example = f"{next(iter(own.named), 'local')}/{target.strip('/')}"
                message = f"{plain(target)} must be backend/model, with a backend that there is, such as {plain(example)}."
                word = target
            yield Mistake(("routes", route), message, word=word, about=_PLACES)


def _names_in_keys(own: GatewayFields) -> Iterator[Mistake]:
    for name, entry in own.keys.items():
        for backend in sorted(entry.backends - own.named.keys()):
            message = f"there is no backend {plain(backend)}{did_you_mean(backend, own.named)}"
            yield Mistake(("keys", name, "backends"), message, word=backend, about=_PLACES)
        for model in sorted(entry.models):
            if not is_known(own, model):
                yield Mistake(("keys", name, "models"), _no_such_model(own, model), word=model, about=_PLACES)


def _default_model(own: GatewayFields) -> Iterator[Mistake]:
    # A single name may be one that only the upstream knows; here a slip of the finger is all that can be seen.
    model = own.model
    if model is not None and not is_known(own, model) and "did you mean" in did_you_mean(model, own.routes):
        yield Mistake(("model",), _no_such_model(own, model), word=model, about=_PLACES)


def is_known(own: GatewayFields, model: str) -> bool:
    """Return whether a model's name, or a pattern of names, may be that of a route or of a model of a backend.

    With one backend that is every name: what its upstream has is not known here.
    """
    if not own.backends or model in own.routes:
        return True
    backend, slash, rest = model.partition("/")
    if slash and rest and any(fnmatchcase(name, backend) for name in own.named):
        return True
    known = {name for entry in own.named.values() for name in (*entry.models, *entry.model_map)}
    known |= {*own.routes, *(entry.model for entry in own.named.values() if entry.model)} - {own.model}
    return any(fnmatchcase(name, model) for name in known) or model == "*"


def _no_such_model(own: GatewayFields, model: str) -> str:
    backend, slash, rest = model.partition("/")
    if slash and rest:
        return f"there is no backend {plain(backend)}{did_you_mean(backend, own.named)}"
    hint = did_you_mean(model, own.routes)
    example = f"{next(iter(own.named))}/{model}"
    if "did you mean" not in hint:
        hint = "."
    return f"no route is called {plain(model)}{hint} A model of a backend is written {plain(example)}."


def _secrets_of_keys(own: GatewayFields) -> Iterator[Mistake]:
    for name, entry in own.keys.items():
        if entry.secret is not None:
            continue
        if entry.key_env is not None:
            yield Mistake(("keys", name, "key_env"), not_set(entry.key_env), word=entry.key_env)
        else:
            message = f"{plain(entry.key_file)} holds no key: one line of visible ASCII."
            yield Mistake(("keys", name, "key_file"), message)


def _distinct_keys(own: GatewayFields) -> Iterator[Mistake]:
    for name in own.token.keys() & own.keys.keys():
        message = f"token and keys both have a key called {plain(name)}: rename one."
        yield Mistake(("keys", name), message)
    owners = {key.get_secret_value(): f"the token {name}" for name, key in own.token.items()}
    for name, entry in own.keys.items():
        secret = entry.secret
        if secret is None:
            continue
        other = owners.setdefault(secret.get_secret_value(), f"keys.{name}")
        if other != f"keys.{name}":
            message = f"{plain(other)} and keys.{plain(name)} are the same key: give each client its own."
            yield Mistake(("keys", name, _source(entry)), message)


def _source(entry: KeyEntry) -> str:
    """The setting of a key that holds or names its value."""
    if entry.key_env is not None:
        return "key_env"
    return "key" if entry.key is not None else "key_file"


_RULES: tuple[Callable[[GatewayFields], Iterator[Mistake]], ...] = (
    _has_a_backend,
    _asks_for_keys,
    _names_of_backends,
    _extras,
    _targets_of_routes,
    _names_in_keys,
    _default_model,
    _secrets_of_keys,
    _distinct_keys,
)
