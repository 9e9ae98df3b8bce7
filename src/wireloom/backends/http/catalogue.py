"""What is known of each model: by the user, from the upstream's list, else from its profile; in this order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from wireloom.backends.base import Backend, ModelInfo
from wireloom.errors import GatewayError
from wireloom.providers.profile import Profile

log = logging.getLogger("wireloom")


def of_profile(profile: Profile, name: str) -> ModelInfo:
    """A model of which nothing but its upstream is known.

    Args:
        profile: what the upstream takes.
        name: the model's name there.
    """
    profile = profile.for_model(name)
    return ModelInfo(
        id=name,
        owned_by=profile.name,
        modalities=("text", "image") if profile.images else ("text",),
        efforts=distinct(profile.effort_levels),
        verbosity="verbosity" not in profile.dropped,
        web_search=profile.searches(name),
    )


def distinct(levels: Mapping[Any, Any]) -> tuple[str, ...]:
    """The efforts that make a difference: of those sent as one, the one of that name, else the middle one.

    Args:
        levels: effort -> what is sent for it.
    """
    groups: dict[Any, list[str]] = {}
    for level, sent in levels.items():
        groups.setdefault(sent, []).append(level)
    names = [
        next((name for name in (sent, "medium") if name in group), group[0]) for sent, group in groups.items()
    ]
    return tuple(level for level in levels if level in names)


class Catalogue:
    """The models under the names clients may use: those listed, those the user adds, those mapped to another.

    Args:
        known: name -> fields of `ModelInfo` that the user has set.
        model_map: names clients use -> names upstream.
        unlisted: makes up what is known of a model that the backend does not list.
    """

    def __init__(
        self,
        known: Mapping[str, Mapping[str, Any]] | None = None,
        model_map: Mapping[str, str] | None = None,
        unlisted: Callable[[str], ModelInfo] = ModelInfo,
    ) -> None:
        self._known = dict(known or {})
        self._model_map = dict(model_map or {})
        self._unlisted = unlisted

    async def of(self, backend: Backend, upstream_key: str | None = None) -> list[ModelInfo]:
        """Every model; where the backend does not tell, those that the user has described are all there are.

        Args:
            backend: what lists them.
            upstream_key: see `Caller`.

        Raises:
            GatewayError: the backend does not tell, and the user has described none.
        """
        try:
            found = await backend.models(upstream_key)
        except GatewayError as error:
            if not self._known:
                raise
            log.warning(
                "The upstream lists no models (%s), so only those of the settings are listed.",
                error.cause or error.code,
            )
            found = []
        return self._named(found)

    def _named(self, found: Iterable[ModelInfo]) -> list[ModelInfo]:
        listed = {info.id: info for info in found}

        def info(name: str) -> ModelInfo:
            return replace(listed.get(name) or self._unlisted(name), **self._known.get(name, {}))

        own = [name for name in self._known if name not in self._model_map]
        names = {name: info(name) for name in [*listed, *own]}
        for alias, name in self._model_map.items():
            names[alias] = replace(info(name), **{"id": alias, **self._known.get(alias, {})})
        return list(names.values())
