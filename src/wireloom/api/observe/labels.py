"""Names that may be labels of counters: those of the settings and those that a backend lists, so that they stay few."""

from __future__ import annotations

from collections.abc import Collection

OTHER = "other"
"""Stands for every name that is not known."""
NONE = "none"
"""Stands where there is no name: no key was shown, no backend was asked."""
# Models of backends that list none: so many of those that have answered are known all the same.
MOST_UNLISTED = 50


class Names:
    """What is known of keys and models.

    Args:
        keys: names of the inbound keys.
        models: backend and model, by its name there, as far as the settings name any.
    """

    def __init__(self, keys: Collection[str] = (), models: Collection[tuple[str, str]] = ()) -> None:
        self._keys = frozenset(keys)
        self._models = set(models)
        self._unlisted = 0

    def key(self, principal: str) -> str:
        """The label of an inbound key.

        Args:
            principal: its name, or nothing.
        """
        if not principal:
            return NONE
        return principal if principal in self._keys else OTHER

    def knows(self, backend: str, model: str) -> bool:
        """Whether the name of a model may be a label.

        Args:
            backend: where the model is.
            model: its name there.
        """
        return (backend, model) in self._models

    def learn(self, backend: str, model: str, listed: Collection[str], *, answered: bool) -> str:
        """The label of a model that is not known yet.

        Args:
            backend: where it was asked for.
            model: its name there.
            listed: the models that the backend lists; none where it does not tell.
            answered: whether it has answered a request.
        """
        if listed:
            known = model in listed
        else:
            known = answered and self._unlisted < MOST_UNLISTED
            self._unlisted += known
        if not known:
            return OTHER
        self._models.add((backend, model))
        return model
