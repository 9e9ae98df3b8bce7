"""The model of a provider profile, and how one is found by name, by URL or in a user's own file."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from wireloom.providers.by_model import with_sections
from wireloom.providers.problems import problem
from wireloom.providers.responses_wire import Names, ResponsesWire
from wireloom.providers.schemas import SchemaDialect, Schemas

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EffortStyle = Literal[
    "reasoning_effort", "reasoning", "thinking", "enable_thinking", "chat_template_kwargs", "none"
]
ToolChoice = Literal["auto", "none", "required", "function", "allowed_tools"]

# TOML has arrays, a frozen model wants tuples: only the container is converted, its items stay strict.
Ports = Annotated[tuple[int, ...], Field(strict=False)]
ToolChoices = Annotated[tuple[ToolChoice, ...], Field(strict=False)]

OPENAI_ONLY = (
    "audio",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
    "web_search_options",
)
MOST_MODELS = 512
"""Models of one upstream whose profiles are kept."""
_SWITCHES = frozenset({"enable_thinking", "chat_template_kwargs"})


class Profile(BaseModel):
    """What one Chat Completions upstream accepts and how it answers; the defaults are ``generic``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="What `--provider` is given.")
    title: str = Field(description="Name of the upstream as its vendor writes it.")
    docs: str = Field(description="Page on which the vendor describes the API.")

    base_url: str | None = Field(
        None, description="Where requests go without `--upstream`; ends with the version."
    )
    hosts: Names = Field((), description="Domains of the upstream: a URL on or below one has this profile.")
    ports: Ports = Field((), description="Ports by which a loopback URL is told to have this profile.")
    api_key_env: str | None = Field(None, description="Variable that usually holds the key, if there is one.")

    developer_role: bool = Field(False, description="Role `developer` is known; else it is sent as `system`.")
    system_anywhere: bool = Field(
        False,
        description="System messages may follow others; else a later one is sent as a marked user message.",
    )
    user_after_tool: bool = Field(
        True, description="A user message may follow a tool message; else an assistant message goes between."
    )
    users_in_a_row: bool = Field(
        True,
        description="User messages may follow each other; else they are joined. Some chat templates want turns to "
        "alternate: false here, and `user_first`.",
    )
    user_first: bool = Field(
        False,
        description="The first message after the system messages has to be the user's; else a short one is put there.",
    )
    assistant_last: bool = Field(
        True,
        description="The last message may be the assistant's; else a short user message follows, unless the message "
        "says itself that it is a prefix.",
    )
    text_parts: bool = Field(
        False, description="Content that is only text may be a list of parts; else it is sent as one string."
    )
    message_name: bool = Field(False, description="Messages may carry `name`; else it is left out.")

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="Parameter that limits the tokens of an answer."
    )
    stream_usage: bool = Field(True, description="`stream_options.include_usage` is accepted.")

    tool_choice: ToolChoices = Field(
        ("auto", "none", "required", "function"),
        description="Accepted forms of `tool_choice`. `auto` is also what an absent field means.",
    )
    thinking_blocks_forced_tools: bool = Field(
        False, description="`required` and `function` are refused while the model thinks."
    )
    parallel_tool_calls: bool = Field(True, description="Parameter `parallel_tool_calls` is accepted.")
    tool_strict: bool = Field(False, description="`strict` is accepted in function tools.")
    tool_name_pattern: str = Field(
        r"^[a-zA-Z0-9_-]+$", description="Regular expression for a whole tool name."
    )
    tool_name_max: int = Field(64, ge=1, description="Longest tool name, in characters.")
    call_id_pattern: str | None = Field(
        None, description="Regular expression for tool call ids sent back; without it any id goes."
    )

    schemas: Schemas = Field(
        SchemaDialect(),
        description="The JSON Schema that it reads in tools and formats: the name of a dialect (`plain`, "
        "`openai-strict`, `gemini`, `anthropic`, `mistral`, `groq`, `cerebras`), or a table.",
    )
    json_schema: bool = Field(True, description="`response_format` may be `json_schema`.")
    json_object: bool = Field(True, description="`response_format` may be `json_object`.")
    json_word: bool = Field(
        False,
        description="`json_object` is refused where no message holds the word JSON; a system message is given it.",
    )

    images: bool = Field(True, description="User messages may hold `image_url` parts, if the model sees.")
    image_urls: bool = Field(True, description="Images may be web addresses; else data URLs only.")
    image_detail: bool = Field(False, description="`detail` is accepted in `image_url` parts.")
    files: bool = Field(False, description="User messages may hold `file` parts as OpenAI defines them.")
    audio: bool = Field(
        False, description="User messages may hold `input_audio` parts as OpenAI defines them."
    )

    effort_style: EffortStyle = Field(
        "reasoning_effort",
        description="Where the reasoning effort goes. `reasoning_effort`: that parameter. `reasoning`: "
        "`reasoning.effort`. `thinking`: the words `enabled` and `disabled` go to `thinking.type`; others "
        "enable it and go to `reasoning_effort`. `enable_thinking`: that boolean. `chat_template_kwargs`: "
        "its member `enable_thinking`. `none`: nowhere.",
    )
    effort_levels: Mapping[Effort, str | bool] = Field(
        {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"},
        validate_default=True,
        description="Responses effort -> what the upstream takes. A missing level cannot be expressed; with "
        "the style `none` none can.",
    )
    reasoning_fields: Names = Field(
        ("reasoning_content", "reasoning", "reasoning_details"),
        description="Fields of a delta or message that may hold reasoning; the first with text is used.",
    )
    think_tags: bool = Field(
        True,
        description="Content that begins with `<think>`, or another opening tag of docs/dialects.md, is reasoning up "
        "to the closing tag.",
    )
    answers_in_thought: bool = Field(
        False,
        description="Answers begin inside a thought, since the template has written the opening tag; what comes "
        "before the closing tag is reasoning.",
    )
    recover_calls: bool = Field(
        True,
        description="A call that stands in the text as the model's own markup is read as a call; see "
        "docs/dialects.md.",
    )
    end_tokens: Names = Field(
        (), description="Tokens that come off the end of a text, besides those of docs/dialects.md."
    )
    retry_empty: bool = Field(
        False, description="A request whose answer says nothing is sent once more before it fails."
    )
    reasoning_replay: Literal["never", "tool_calls", "always"] = Field(
        "never", description="Which earlier assistant messages get their reasoning back."
    )
    reasoning_replay_field: str = Field(
        "reasoning_content",
        description="Field of an assistant message in which reasoning is sent back, as text.",
    )
    reasoning_placeholder: str | None = Field(
        None,
        description="Sent where reasoning must go back and is unknown, as in a history begun with another "
        "model; without it the field is left out.",
    )

    call_extra: Mapping[str, JsonValue] = Field(
        {},
        description="Sent as `extra_content` of the first call of an earlier assistant message where it has none, as "
        "for a call that another model made.",
    )

    web_search: Mapping[str, JsonValue] = Field(
        {},
        description="Members of a request that let the upstream search the web by itself; a list is added to what "
        "the request has there. Without it a search tool is left out.",
    )
    web_search_models: str = Field("", description="Regular expression for the start of models that take it.")
    web_search_echo: str | None = Field(
        None,
        description="Function that the upstream calls to search: it gets its own arguments back as the output.",
    )

    accepted: Names = Field(
        (), description="Parameters in the default of `dropped` that this upstream takes."
    )
    dropped: Names = Field(
        OPENAI_ONLY,
        validate_default=True,
        description="Chat parameters the upstream refuses or ignores: not sent, and a loss. What a profile "
        "lists is added to the default, the parameters that OpenAI alone has.",
    )
    pinned: Mapping[str, JsonValue] = Field(
        {}, description="Chat parameter -> the only value accepted: another is not sent, and a loss."
    )
    minimums: Mapping[str, float] = Field(
        {}, description="Chat parameter -> smallest value accepted: a smaller one is raised, and a loss."
    )
    maximums: Mapping[str, float] = Field(
        {}, description="Chat parameter -> largest value accepted: a larger one is lowered, and a loss."
    )
    extra_body: Mapping[str, JsonValue] = Field({}, description="Members added to the body of each request.")

    count_tokens: Literal["vllm", "llamacpp"] | None = Field(
        None,
        description="How the upstream counts the tokens of an input. `vllm`: `/tokenize`. `llamacpp`: "
        "`input_tokens` below its Chat path, else `/apply-template` and `/tokenize`. Without it they are "
        "counted here.",
    )

    responses: ResponsesWire = Field(
        ResponsesWire(), description="What its Responses endpoint takes, for `--upstream-wire responses`."
    )

    models_path: str = Field(
        "models",
        description="Where models are listed: below the base URL, or at the host's root with a leading /.",
    )
    context_fields: Names = Field(
        (
            "context_length",
            "context_window",
            "max_model_len",
            "loaded_context_length",
            "max_context_length",
            "meta.n_ctx",
            "meta.n_ctx_train",
        ),
        description="Paths in a listed model to its context window, in tokens; the first present is used.",
    )
    modalities_field: str = Field(
        "architecture.input_modalities", description="Path in a listed model to the modalities it reads."
    )

    models: Mapping[str, Mapping[str, JsonValue]] = Field(
        {},
        description="Pattern of a model's name, such as `kimi-*` -> keys of this table that differ for such models. The "
        "table `providers/models.toml` has some for every upstream; what is set here wins over it.",
    )

    @field_validator("tool_name_pattern", "call_id_pattern", "web_search_models")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @field_validator("effort_levels")
    @classmethod
    def _none_without_style(
        cls, given: Mapping[Effort, str | bool], info: ValidationInfo
    ) -> Mapping[Effort, str | bool]:
        return {} if info.data.get("effort_style") == "none" else given

    @field_validator("dropped")
    @classmethod
    def _with_default(cls, given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(sorted({*OPENAI_ONLY, *given} - {*info.data.get("accepted", ())}))

    @field_validator("models")
    @classmethod
    def _sections_hold(
        cls, given: Mapping[str, Mapping[str, JsonValue]]
    ) -> Mapping[str, Mapping[str, JsonValue]]:
        for pattern, section in given.items():
            of_upstream = sorted(_OF_UPSTREAM & section.keys())
            if of_upstream:
                raise ValueError(f"{pattern}: {of_upstream[0]} belongs to the upstream, not to a model")
            try:
                cls.model_validate({"name": "model", "title": pattern, "docs": "", **section})
            except ValidationError as error:
                raise ValueError(f"{pattern}: {'; '.join(map(problem, error.errors()))}") from None
        return given

    @model_validator(mode="after")
    def _levels_fit_style(self) -> Self:
        switch = self.effort_style in _SWITCHES
        for level, value in self.effort_levels.items():
            if isinstance(value, bool) != switch:
                kind = "true or false" if switch else "a word"
                raise ValueError(f"effort_levels.{level} must be {kind} for style {self.effort_style}")
        return self

    def for_model(self, model: str) -> "Profile":
        """Return the profile as it holds for one model; itself where nothing is particular about that.

        :param model: the model's name upstream, also behind the name of a vendor, as routers write it.
        """
        explicit = self.model_dump(exclude_unset=True, exclude={"models"})
        values = with_sections(explicit, self.models, model)
        return self if values is None else Profile.model_validate({**values, "models": self.models})

    def searches(self, model: str) -> bool:
        """Return whether the upstream can search the web for a model.

        :param model: the model's name upstream.
        """
        return bool(self.web_search) and re.match(self.web_search_models, model) is not None

    def effort(self, level: Effort) -> dict[str, JsonValue] | None:
        """Return the body members that ask for a reasoning effort.

        :param level: an effort of the Responses contract, such as ``high``.
        :return: members to merge into the request, or ``None`` if the upstream cannot express it.
        """
        value = self.effort_levels.get(level)
        return None if value is None else _EFFORT_BODIES[self.effort_style](value)


# What says where an upstream is or how it lists its models, so that it cannot differ from model to model.
_OF_UPSTREAM = frozenset(
    {
        "api_key_env",
        "base_url",
        "context_fields",
        "docs",
        "hosts",
        "modalities_field",
        "models",
        "models_path",
        "name",
        "ports",
        "title",
    }
)


class ModelProfiles:
    """A profile as it holds for each model; those asked for last are kept.

    :param profile: of the upstream.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._found: dict[str, Profile] = {}

    def of(self, model: str) -> Profile:
        """Return the profile for a model; see `Profile.for_model`.

        :param model: the model's name upstream; names come from clients, so they are kept up to a number.
        """
        found = self._found.get(model)
        if found is None:
            if len(self._found) >= MOST_MODELS:
                self._found.clear()
            found = self._found[model] = self._profile.for_model(model)
        return found


def _thinking(value: str | bool) -> dict[str, JsonValue]:
    if value in ("enabled", "disabled"):
        return {"thinking": {"type": value}}
    return {"thinking": {"type": "enabled"}, "reasoning_effort": value}


_EFFORT_BODIES: Mapping[str, Callable[[str | bool], dict[str, JsonValue] | None]] = {
    "reasoning_effort": lambda value: {"reasoning_effort": value},
    "reasoning": lambda value: {"reasoning": {"effort": value}},
    "thinking": _thinking,
    "enable_thinking": lambda value: {"enable_thinking": value},
    "chat_template_kwargs": lambda value: {"chat_template_kwargs": {"enable_thinking": value}},
    "none": lambda _: None,
}
