"""What a user says of a model, over what its upstream and its profile say."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from wireloom.config.table import Table
from wireloom.config.values import json_object
from wireloom.providers.profile import Effort

Modality = Literal["text", "image", "audio"]
# TOML and JSON have arrays, a frozen model wants tuples: only the container is converted.
Modalities = Annotated[tuple[Modality, ...], Field(min_length=1)]


def _text(value: str) -> str:
    path = Path(value).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None


class ModelEntry(Table):
    """A model of the settings; what is not set stays as the upstream or its profile says."""

    context_window: int | None = Field(None, ge=1, lt=2**53, description="Context window in tokens.")
    modalities: Modalities | None = Field(
        None, description="Input types: `text`, `image`, `audio`. Without `image`, Codex sends no pictures."
    )
    efforts: tuple[Effort, ...] | None = Field(
        None, description="Reasoning efforts to choose from, weakest first; empty for none."
    )
    verbosity: bool | None = Field(None, description="True: Codex may ask for shorter or longer answers.")
    apply_patch: bool | None = Field(
        None, description="True: Codex offers `apply_patch`. False: it uses the shell."
    )
    web_search: bool | None = Field(None, description="True: the upstream searches the web for this model.")
    tool_search: bool | None = Field(
        None,
        description="True: Codex holds MCP tools back until the model searches for them, which saves tokens "
        "where there are many.",
    )
    base_instructions_file: Annotated[str, AfterValidator(_text)] | None = Field(
        None, description="File with the base instructions that Codex sends, instead of neutral ones."
    )

    def fields(self) -> dict[str, Any]:
        """Return what is set, by the names that the rest of the gateway has for it."""
        set_here = self.model_dump(exclude_none=True)
        instructions = set_here.pop("base_instructions_file", None)
        return set_here if instructions is None else {**set_here, "instructions": instructions}


ModelName = Annotated[str, Field(min_length=1)]
Models = Annotated[dict[ModelName, ModelEntry], BeforeValidator(json_object)]
