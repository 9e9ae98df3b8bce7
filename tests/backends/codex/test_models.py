"""Models of the local Codex CLI under the ids that clients may ask for."""

import pytest

from wireloom.backends.codex.models import CodexModel, CodexModels
from wireloom.errors import NotFound

KNOWN = [CodexModel("big", ("low", "ultra"), ("text",), 9), CodexModel("small", default=True)]


def test_each_model_is_listed_alone_and_with_its_efforts() -> None:
    infos = CodexModels(KNOWN).infos()
    assert [info.id for info in infos] == ["codex-local", "big", "big@low", "big@ultra", "small"]
    big = infos[1]
    assert (big.efforts, big.context_window, big.modalities) == (("low",), 9, ("text",))
    assert infos[2].efforts == ()


def test_a_listed_id_has_the_abilities_of_its_model() -> None:
    efforts = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    alias, one, *levels = CodexModels([CodexModel("one", (*efforts, "ultra"), default=True)]).infos()[:10]
    assert (alias.id, one.id) == ("codex-local", "codex-local@none")
    assert alias.efforts == efforts
    assert [level.id for level in levels] == [
        f"codex-local@{effort}" for effort in (*efforts[1:], "ultra")
    ] + ["one"]
    assert {(info.owned_by, info.verbosity, info.modalities) for info in (alias, one, *levels)} == {
        ("codex", True, ("text", "image"))
    }


def test_what_an_id_asks_for() -> None:
    models = CodexModels(KNOWN, ["own", "big"], "own")
    assert models.resolve("big") == ("big", None)
    assert models.resolve("big@ultra") == ("big", "ultra")
    assert models.resolve("own") == ("own", None)
    assert models.resolve("codex-local") == ("own", None)
    assert CodexModels(KNOWN).resolve("codex-local") == ("small", None)
    assert CodexModels(KNOWN, ["big"], "big").resolve("codex-local@low") == ("big", "low")
    assert CodexModels([]).resolve("codex-local") == (None, None)


@pytest.mark.parametrize("name", ["", "huge", "big@none", "small@low", "codex-local@high", "big@", "Big"])
def test_what_there_is_not(name: str) -> None:
    with pytest.raises(NotFound, match="codex-local, big, small") as caught:
        CodexModels(KNOWN).resolve(name)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
