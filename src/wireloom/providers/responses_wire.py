"""What the Responses endpoint of one upstream accepts: a part of its profile."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# TOML has arrays, a frozen model wants tuples: only the container is converted, its items stay strict.
Names = Annotated[tuple[str, ...], Field(strict=False)]

BEYOND_OPEN_RESPONSES = (
    "client_metadata",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "stream_options",
    "user",
)


class ResponsesWire(BaseModel):
    """What one upstream's own Responses endpoint accepts and how it answers; the defaults are ``generic``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    complete: bool = Field(
        False,
        description="Its streams are whole, and clients read them as they are: they are passed on as they come. "
        "Else an answer is read and written anew.",
    )
    tools: Names = Field(
        ("function",),
        description="Kinds of tools that are known, with the items that belong to them; the others are offered as "
        "functions, left out or refused.",
    )
    additional_tools: bool = Field(False, description="Items of type `additional_tools` are known.")
    compaction: bool = Field(
        False, description="`context_management` and items of type `compaction` are known."
    )
    output_parts: bool = Field(
        False,
        description="Outputs of calls may hold pictures; else they are text, and a user message with the "
        "pictures follows.",
    )
    reasoning: Literal["never", "text", "encrypted"] = Field(
        "never",
        description="How reasoning goes back. `text`: as the content of its item. `encrypted`: as the "
        "`encrypted_content` that the upstream gave it. `never`: it is left out.",
    )
    instructions_anywhere: bool = Field(
        False,
        description="Messages of roles `system` and `developer` may stand anywhere; else the first ones join the "
        "instructions, and a later one is sent as a marked user message.",
    )
    effort: bool = Field(True, description="`reasoning.effort` is read.")
    text_format: bool = Field(
        True, description="`text.format` is read; else a form other than text is refused."
    )
    counts: bool = Field(False, description="`responses/input_tokens` counts the tokens of an input.")
    dropped: Names = Field(
        BEYOND_OPEN_RESPONSES,
        description="Parameters that are refused or ignored: not sent, and a loss.",
    )
    minimums: Mapping[str, float] = Field(
        {}, description="Parameter -> smallest value accepted: a smaller one is raised, and a loss."
    )
    maximums: Mapping[str, float] = Field(
        {}, description="Parameter -> largest value accepted: a larger one is lowered, and a loss."
    )
