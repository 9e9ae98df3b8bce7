"""Cases of the gateway itself: health, models, keys, unknown paths and methods."""

from __future__ import annotations

from collections.abc import Iterator

from wireloom.cli.diagnose.check.cases.base import Broken, Case, Probe
from wireloom.cli.diagnose.check.rules import errors, lists
from wireloom.wire.json import Json

MOST_MODELS = 3
"""Of the models that are listed, so many are retrieved."""


def about(probe: Probe) -> Iterator[str]:
    """What answers, and where to read on."""
    answer = probe.obtain("about")
    if answer.object.get("name") != "wireloom":
        yield f"name is {answer.object.get('name')!r}, not 'wireloom'"


def health(probe: Probe) -> Iterator[str]:
    """The gateway lives."""
    status = probe.obtain("health").object.get("status")
    if status != "ok":
        yield f"status is {status!r}, not 'ok'"


def ready(probe: Probe) -> Iterator[str]:
    """The backends answer."""
    found = probe.obtain("ready").object
    if found.get("status") != "ready":
        yield f"status is {found.get('status')!r}, not 'ready'"
    backends = found.get("backends")
    states: Json = backends if isinstance(backends, dict) else {}
    if "ready" not in states.values():
        yield f"no backend is ready: {states}"
    if probe.backend is not None and states.get(probe.backend) != "ready":
        yield f"the backend {probe.backend} is {states.get(probe.backend)!r}, not 'ready'"


def metrics(probe: Probe) -> Iterator[str]:
    """Counters as text."""
    answer = probe.obtain("metrics")
    if answer.media_type != "text/plain":
        yield f"the content-type is {answer.media_type!r}, not text/plain"
    if "# TYPE " not in answer.text:
        yield "the text has no metric"


def counters(probe: Probe) -> Iterator[str]:
    """Counters as JSON."""
    answer = probe.obtain("metrics", headers={"accept": "application/json"})
    if answer.media_type != "application/json":
        yield f"the content-type is {answer.media_type!r}, not application/json"


def models(probe: Probe) -> Iterator[str]:
    """The list of models, for SDKs and for the Codex CLI."""
    listed = probe.obtain("listModels").object
    found = [str(each) for each in lists.ids(listed)]
    if not found:
        raise Broken("the list holds no model")
    probe.keep("the models", lists.entries(listed))
    if len(set(found)) < len(found):
        yield f"two models of the list have one id: {found}"
    catalogue = listed.get("models")
    slugs = [each.get("slug") for each in catalogue] if isinstance(catalogue, list) else found
    if slugs != found:
        yield f"models holds {slugs}, data holds {found}"
    if probe.backend is not None and not any(name.startswith(f"{probe.backend}/") for name in found):
        yield f"the list holds no model of the backend {probe.backend}"


def model(probe: Probe) -> Iterator[str]:
    """Each model of the list, one by one."""
    for listed in probe.recall("the models")[:MOST_MODELS]:
        name = str(listed.get("id"))
        found = probe.obtain("retrieveModel", path={"model": name}).object
        if found != listed:
            yield f"model {name!r} is {found}, in the list {listed}"


def unknown_model(probe: Probe) -> Iterator[str]:
    """A model that is nowhere."""
    path = {"model": probe.unknown_model}
    yield from probe.refused(errors.NO_MODEL, "retrieveModel", path=path)


def no_key(probe: Probe) -> Iterator[str]:
    """A request without a key."""
    yield from probe.refused(errors.NO_KEY, "listModels", key="")


def wrong_key(probe: Probe) -> Iterator[str]:
    """A request with an unknown key."""
    yield from probe.refused(errors.WRONG_KEY, "listModels", key=f"none-{probe.mark}")


def no_path(probe: Probe) -> Iterator[str]:
    """A path that is not served."""
    answer = probe.send_elsewhere("listModels", "GET", f"/v1/none-{probe.mark}")
    yield from errors.findings(answer, errors.NO_PATH)


def no_method(probe: Probe) -> Iterator[str]:
    """A method that a path has not."""
    answer = probe.send_elsewhere("listModels", "DELETE", "/v1/models")
    yield from errors.findings(answer, errors.NO_METHOD)


CASES = (
    Case("about", "", "gateway", about),
    Case("health", "", "gateway", health),
    Case("ready", "", "gateway", ready),
    Case("metrics", "text", "gateway", metrics),
    Case("metrics", "JSON", "gateway", counters),
    Case("listModels", "", "shared", models, keeps=("the models",)),
    Case("retrieveModel", "listed", "shared", model, needs=("the models",)),
    Case("retrieveModel", "unknown", "shared", unknown_model),
    Case("listModels", "no key", "shared", no_key, keyed=True),
    Case("listModels", "wrong key", "shared", wrong_key, keyed=True),
    Case("listModels", "wrong path", "shared", no_path),
    Case("listModels", "wrong method", "shared", no_method),
)
