"""The models of the local Codex CLI under the ids that clients may ask for: each alone, and with each of its efforts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wireloom.backends.base import MODALITIES, Modality, ModelInfo
from wireloom.errors import NotFound

ALIAS = "codex-local"
"""Whatever model Codex itself would take."""
MARK = "@"
"""Between a model and an effort, as in `gpt-5.5@high`."""
OWNER = "codex"


@dataclass(frozen=True, slots=True)
class CodexModel:
    """A model that Codex knows.

    Args:
        name: as Codex takes it.
        efforts: what it can be asked for.
        modalities: what it reads.
        context_window: tokens, or None where Codex does not tell.
        default: whether it is Codex's own choice.
    """

    name: str
    efforts: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = MODALITIES
    context_window: int | None = None
    default: bool = False


class CodexModels:
    """What may be asked for.

    Args:
        known: the models Codex lists.
        own: names that the user's settings add.
        default: the model behind the alias; None where that is Codex's own choice.
    """

    def __init__(
        self, known: Iterable[CodexModel], own: Sequence[str] = (), default: str | None = None
    ) -> None:
        self._models = {model.name: model for model in known}
        for name in own:
            self._models.setdefault(name, CodexModel(name))
        chosen = next((model.name for model in self._models.values() if model.default), None)
        self.default = default or chosen
        """The model behind the alias, or None to leave it to Codex."""

    def resolve(self, name: str) -> tuple[str | None, str | None]:
        """The model and the effort that an id asks for; None for what it leaves to Codex.

        Raises:
            NotFound: there is no such model; says which there are.
        """
        model, mark, effort = name.partition(MARK)
        if model == ALIAS:
            known = self._models.get(self.default or "", CodexModel(ALIAS))
            found: str | None = self.default
        elif model in self._models:
            known, found = self._models[model], model
        else:
            raise self._unknown(name)
        if mark and effort not in known.efforts:
            raise self._unknown(name)
        return found, effort or None

    def infos(self) -> list[ModelInfo]:
        """Every id, a model's own before those with its efforts."""
        return list(self._infos())

    def _infos(self) -> Iterator[ModelInfo]:
        behind = self._models.get(self.default or "", CodexModel(ALIAS))
        for name, model in ((ALIAS, behind), *self._models.items()):
            for effort in ("", *model.efforts):
                yield ModelInfo(
                    id=f"{name}{MARK}{effort}" if effort else name,
                    owned_by=OWNER,
                    context_window=model.context_window,
                    modalities=model.modalities,
                    efforts=() if effort else tuple(each for each in model.efforts if each in TAKEN),
                    verbosity=True,
                )

    def _unknown(self, name: str) -> NotFound:
        there = ", ".join((ALIAS, *self._models))
        return NotFound(
            f"There is no model {name[:100]!r} here. There are: {there}; each also with {MARK} and an effort.",
            code="model_not_found",
            param="model",
        )


# Efforts of the Responses contract; Codex has one more, which only an id can ask for.
TAKEN = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
