"""The dialects of JSON Schema that upstreams read in tools and formats of answers, as data."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

# TOML has arrays, a frozen model wants tuples: only the container is converted, its items stay strict.
_Words = Annotated[tuple[str, ...], Field(strict=False)]
Place = Literal["tool", "format"]
_Places = Annotated[tuple[Place, ...], Field(strict=False)]
Union = Literal["anyOf", "oneOf", "allOf"]
_Unions = Annotated[tuple[Union, ...], Field(strict=False)]

ALL_UNIONS: tuple[Union, ...] = ("anyOf", "oneOf", "allOf")


class SchemaDialect(BaseModel):
    """The JSON Schema that one upstream reads; the defaults are `plain`, the least that all servers ask for."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    words: _Words = Field(
        (), description="The only words that are known, at every depth; without it all are but those dropped."
    )
    dropped_words: _Words = Field(
        ("encrypted",),
        description="Words that are refused. Words that begin with `x-`, the vendors' own, always are.",
    )
    dropped_in_formats: _Words = Field((), description="Words that are refused in formats of answers alone.")
    formats: _Words | None = Field(
        None, description="The only values of `format` that are known; without it any is."
    )
    refs: bool = Field(
        True, description="`$ref` and `$defs` are known; else what they point to takes their place."
    )
    unions: _Unions = Field(
        ALL_UNIONS, description="Unions that are known below the top; the others are merged."
    )
    unions_at_top: _Places = Field(
        ("format",),
        description="Where a union may stand at the top: in the parameters of a `tool`, in a `format`. Elsewhere "
        "the objects of it become one object.",
    )
    nullable: Literal["given", "types", "keyword", "any_of"] = Field(
        "given",
        description="How a value may be null. `types`: a list of types with `null`. `keyword`: `nullable` beside "
        "the one type. `any_of`: `anyOf` with a branch of type `null`. `given`: as the client writes it.",
    )
    const: bool = Field(True, description="`const` is known; else it is an `enum` of one value.")
    enum_of_texts: bool = Field(
        False, description="`enum` lists texts only; others are listed in the description."
    )
    tuples: bool = Field(
        True, description="Items may be a list of schemas; else all items fit one of the schemas."
    )
    draft4_bounds: bool = Field(
        True, description="`exclusiveMinimum` and `exclusiveMaximum` may be true; else they are the bound."
    )
    booleans: bool = Field(True, description="A schema may be true or false; else it is an object.")
    items: Literal["given", "any", "string"] = Field(
        "given",
        description="What an array without `items` gets: nothing, an empty schema, or the schema of a text.",
    )
    property_pattern: str | None = Field(
        None,
        description="Regular expression for a whole name of a property; a property with another is left out.",
    )
    max_depth: int | None = Field(
        None, ge=1, description="Deepest nesting; what is deeper keeps its type alone."
    )
    max_tools: int | None = Field(
        None, ge=1, description="Most tools of a request; further ones are left out."
    )
    strict_refuses: _Words = Field(
        (), description="Words with which a schema cannot be strict: `strict` is left out there."
    )
    strict_closed: bool = Field(
        False,
        description="A schema is strict only where each object requires all of its properties and sets "
        "`additionalProperties` to false; elsewhere `strict` is left out.",
    )
    strict_depth: int | None = Field(None, ge=1, description="Deepest nesting of a strict schema.")

    @field_validator("property_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _knows_the_words_that_it_writes(self) -> Self:
        needed = {"type", "properties", "required", "items", "enum", "description"}
        needed |= {"nullable"} if self.nullable == "keyword" else set()
        missing = sorted(needed - set(self.words)) if self.words else []
        if missing:
            raise ValueError(f"words must have {', '.join(missing)}")
        return self

    def knows(self, word: str, place: Place) -> bool:
        """Whether a word may stand in a schema.

        :param word: of JSON Schema, or of a vendor.
        :param place: what the schema is of.
        """
        if word.startswith("x-") or word in self.dropped_words:
            return False
        if place == "format" and word in self.dropped_in_formats:
            return False
        return not self.words or word in self.words


_OPENAI_LIMITS: Mapping[str, Any] = {
    # API reference, tools: a max of 128 functions.
    "max_tools": 128,
    # "array schema missing items".
    "items": "any",
    # "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level", and the same
    # for formats: openai/codex#26993, guides/structured-outputs.
    "unions_at_top": (),
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    # guides/structured-outputs: the root, the words that strict schemas have not, the depth of 10.
    "openai-strict": {
        **_OPENAI_LIMITS,
        # The vendor's own word, which its models read.
        "dropped_words": (),
        "strict_refuses": (
            "allOf",
            "dependentRequired",
            "dependentSchemas",
            "else",
            "if",
            "not",
            "oneOf",
            "patternProperties",
            "then",
        ),
        "strict_closed": True,
        "strict_depth": 10,
    },
    # The Schema type of the API; anomalyco/opencode#14234, adolfousier/opencrabs#99, tashfeenahmed/freellmapi#65.
    "gemini": {
        "words": (
            "type",
            "format",
            "title",
            "description",
            "nullable",
            "enum",
            "items",
            "properties",
            "required",
            "minItems",
            "maxItems",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "pattern",
            "anyOf",
            "propertyOrdering",
            "default",
            "example",
            "minProperties",
            "maxProperties",
        ),
        # The values that the type lists; others are refused for texts.
        "formats": ("float", "double", "int32", "int64", "enum", "date-time"),
        "refs": False,
        "unions": ("anyOf",),
        "nullable": "keyword",
        "const": False,
        "enum_of_texts": True,
        "tuples": False,
        "draft4_bounds": False,
        "booleans": False,
        "items": "string",
    },
    # Self-hosted sandboxes, tool schemas: no references, no union at the top, names of 1 to 64 characters:
    # diegosouzapw/OmniRoute#13552, anthropics/claude-code#27337.
    "anthropic": {"refs": False, "property_pattern": r"^[a-zA-Z0-9_.-]{1,64}$"},
    # $id and $schema are refused (BerriAI/litellm#13389), as are bounds of draft 4 (SylphxAI/pdf-reader-mcp#63).
    "mistral": {
        "dropped_words": ("encrypted", "$id", "$schema"),
        "draft4_bounds": False,
    },
    # 128 tools (HunorLaczko/ha-groq-cloud-api#25); no bounds of items in formats (i-am-bee/beeai-framework#1215).
    "groq": {"max_tools": 128, "dropped_in_formats": ("minItems", "maxItems")},
    # capabilities/structured-outputs, limitations: no list of types but anyOf, no items that are true, and all properties
    # required where a schema is strict.
    "cerebras": {"nullable": "any_of", "booleans": False, "strict_closed": True},
}
"""Name of a dialect -> how it differs from `plain`, each with its source."""
BASE = "base"
"""Key of a table that names the dialect to start from."""


def dialect(given: Any) -> Any:
    """The dialect of a name, or of a table with the key `base`; anything else as it is, to be validated.

    :raises ValueError: there is no dialect of that name.
    """
    if isinstance(given, str):
        return SchemaDialect.model_validate(_preset(given))
    if isinstance(given, Mapping) and BASE in given:
        own = {key: value for key, value in given.items() if key != BASE}
        return {**_preset(given[BASE]), **own}
    return given


def _preset(name: Any) -> Mapping[str, Any]:
    found = PRESETS.get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"no dialect {name!r}; there are {', '.join(PRESETS)}")
    return found


Schemas = Annotated[SchemaDialect, BeforeValidator(dialect)]
