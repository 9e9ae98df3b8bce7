"""What `wireloom doctor` looks at through a gateway: its backends, their models, and one round trip with a tool."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wireloom.app import backend_states, list_models
from wireloom.cli.client import exchange, running
from wireloom.cli.client.connect import root_url
from wireloom.cli.client.running import Refused, Running
from wireloom.cli.diagnose.doctor import Finding
from wireloom.cli.diagnose.tried import NO_LIST, UNLISTED, hint, lists_none, outcome
from wireloom.cli.options import Failure
from wireloom.cli.service.listener import Server
from wireloom.cli.service.serve import listen
from wireloom.config import ConfigError, Settings
from wireloom.errors import GatewayError

_UNNAMED = "Name one with --model, and the round trip is made with it."


def look(settings: Settings) -> list[Finding]:
    """Look at the backends of these settings, through a gateway that stores nothing and that nobody else reaches."""
    found = _ready(settings)
    if any(finding.state == "fail" for finding in found):
        return found
    listed, more = _models(settings)
    found += more
    if any(finding.state == "fail" for finding in more):
        return found
    return found + _own_round_trip(settings, settings.model or next(iter(listed), None))


def look_at_running(gateway: Running, key: str | None, model: str | None) -> list[Finding]:
    """Look at the backends of a gateway that runs, as one of its clients.

    key: for clients; model: to ask for, None for the first that is listed.
    """
    found = _running_ready(gateway)
    if any(finding.state == "fail" for finding in found):
        return found
    try:
        running.check_key(gateway, key)
    except Failure as error:
        return [*found, Finding("Keys", "token", "fail", error.message)]
    begun = time.perf_counter()
    try:
        listed = [str(each["slug"]) for each in running.models(gateway, key)]
    except Failure as error:
        listed = []
        found.append(Finding("Backend", "models", "warn", error.message, UNLISTED))
    else:
        found += _listed(listed, model, time.perf_counter() - begun)
    return found + _round_trip(f"{gateway.root}/v1", key, model or next(iter(listed), None))


def _running_ready(gateway: Running) -> list[Finding]:
    try:
        return [_state(name, state) for name, state in running.states(gateway).items()]
    except Failure as error:
        if isinstance(error, Refused) and error.status in NO_LIST:
            return []  # see `_ready`
        return [Finding("Backend", "ready", "fail", error.message)]


def _ready(settings: Settings) -> list[Finding]:
    """Whether each backend could answer: the upstream takes the key, Codex is logged in."""
    try:
        states = asyncio.run(backend_states(settings))
    except (GatewayError, ConfigError) as error:
        # An upstream without a list of models can answer all the same; the next check reports it.
        if isinstance(error, GatewayError) and lists_none(error):
            return []
        return [_failed("ready", settings, error)]
    return [_state(name, state) for name, state in states.items()]


def _state(name: str, state: str) -> Finding:
    if state == "ready":
        return Finding("Backend", "ready", "ok", name)
    return Finding("Backend", "ready", "warn", f"{name}: {state}", "Routes pass it over meanwhile.")


def _models(settings: Settings) -> tuple[list[str], list[Finding]]:
    """The models that the backends list, and whether they do."""
    begun = time.perf_counter()
    try:
        names = [str(each["slug"]) for each in asyncio.run(list_models(settings))]
    except (GatewayError, ConfigError) as error:
        return [], [_failed("models", settings, error)]
    return names, _listed(names, settings.model, time.perf_counter() - begun)


def _listed(names: Sequence[str], model: str | None, seconds: float) -> list[Finding]:
    if not names:
        return [Finding("Backend", "models", "warn", "it lists none", UNLISTED)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    took = f"({seconds * 1000:.0f} ms)"
    found = [Finding("Backend", "models", "ok", f"{', '.join(names[:3])}{more} {took}")]
    if model is not None and model not in names:
        remedy = "`wireloom models` lists them all."
        found.append(Finding("Backend", "model", "warn", f"{model} is not among them", remedy))
    return found


def _failed(name: str, settings: Settings, error: GatewayError | ConfigError) -> Finding:
    """A failure of an upstream. One without a list of models can answer all the same."""
    if isinstance(error, ConfigError):
        return Finding("Backend", name, "fail", str(error))
    entries = list(settings.named.values())
    if len(entries) > 1:
        return Finding("Backend", name, "fail", str(error))
    state = "warn" if lists_none(error) else "fail"
    return Finding("Backend", name, state, outcome(entries[0], error), hint(entries[0], error))


# -- one round trip ------------------------------------------------------------------------------------------------


def _own_round_trip(settings: Settings, model: str | None) -> list[Finding]:
    """Ask the model to use a tool, through a gateway for this alone."""
    logging.getLogger("wireloom").setLevel(logging.CRITICAL)
    own = {"host": "127.0.0.1", "token": {}, "keys": {}, "no_auth": True, "history": "memory", "record": None}
    return asyncio.run(_through(settings.model_copy(update=own), model))


async def _through(settings: Settings, model: str | None) -> list[Finding]:
    ready = asyncio.Event()
    with listen(settings.host, 0) as listener:
        server = Server(settings, ready.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not ready.is_set():
                return [Finding("Round trip", "gateway", "fail", "it did not start")]
            url = root_url(settings.host, listener.getsockname()[1])
            return await asyncio.to_thread(_round_trip, f"{url}/v1", None, model)
        finally:
            server.should_exit = True
            await serving


def _round_trip(url: str, key: str | None, model: str | None) -> list[Finding]:
    """Ask a model to use a tool, and give it the tool's output.

    url: base URL of a gateway; key: for clients; model: None where none is known.
    """
    if model is None:
        return [Finding("Round trip", "answer", "warn", "not made: no model is known", _UNNAMED)]
    asked = {**exchange.QUESTION, "model": model}
    del asked["text"]
    found: list[Finding] = []
    try:
        found.extend(_exchanged(f"{url}/responses", key, asked))
    except exchange.FAILURES as error:
        found.append(Finding("Round trip", "answer", "fail", f"{model}: {error}"))
    return found


def _exchanged(url: str, key: str | None, asked: Mapping[str, Any]) -> Iterator[Finding]:
    begun = time.perf_counter()
    first = exchange.post(url, dict(asked), key)
    took = (time.perf_counter() - begun) * 1000
    output = first.output  # an error where the stream has no proper end
    yield Finding("Round trip", "stream", "ok", f"{len(first.events)} events, a proper end ({took:.0f} ms)")
    usage = first.events[-1]["response"].get("usage")
    if usage:
        counted = f"{usage['input_tokens']} tokens read, {usage['output_tokens']} written"
        yield Finding("Round trip", "usage", "ok", counted)
    else:
        remedy = "Clients that show or bill usage see none."
        yield Finding("Round trip", "usage", "warn", "the backend does not count", remedy)
    if not any(item["type"] == "function_call" for item in output):
        remedy = "Agents need a model that calls tools; try another with --model."
        yield Finding("Round trip", "tool", "warn", "the model answered without calling it", remedy)
        return
    call = first.item("function_call")
    result = json.dumps(exchange.get_weather(str(json.loads(call["arguments"]).get("city"))))
    second = exchange.post(url, exchange.follow_up(dict(asked), first, result), key)
    answered = "answered" if exchange.spoken(second) else "wrote nothing"
    yield Finding("Round trip", "tool", "ok", f"{call['name']} was called, and the model {answered}")
