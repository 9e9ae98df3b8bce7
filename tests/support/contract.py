"""The served contract as a judge: models and JSON schema over what is sent, and the tags of its unions."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ForwardRef, Union, get_args, get_origin

from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypeAliasType
from wireloom_protocol import responses as m

CONTRACT = Path(__file__).parents[2] / "generated" / "wireloom_protocol" / "contract.json"
_SCHEMAS = "#/components/schemas/"
_EVENTS: TypeAdapter[Any] = TypeAdapter(m.ResponseStreamEvent)


def tags(union: Any) -> frozenset[str]:
    """Return the values of `type` by which a generated union of models is told apart."""
    return frozenset(tag for member in members(union) for tag in types(member))


def members(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models of a generated union."""
    if isinstance(annotation, TypeAliasType):
        yield from members(annotation.__value__)
    elif isinstance(annotation, ForwardRef):
        yield from members(getattr(m, annotation.__forward_arg__))
    elif get_origin(annotation) is Annotated:
        yield from members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from members(member)
    else:
        yield annotation


def listed(model: type[BaseModel], name: str) -> Any:
    """Return the union of what a field holds where it is a list; the name of such a union is the generator's."""
    forms = get_args(model.model_fields[name].annotation)
    lists = [get_args(form)[0] for form in forms if get_origin(form) is Annotated]
    (items,) = get_args(next(one for one in lists if get_origin(one) is list))
    return items


def types(member: type[BaseModel]) -> tuple[str, ...]:
    """Return the values that `type` has in a model."""
    return get_args(member.model_fields["type"].annotation)


@cache
def _validators() -> Mapping[str, Draft202012Validator]:
    """A validator for each type of event."""
    document = json.loads(CONTRACT.read_bytes())
    schemas = document["components"]["schemas"]
    return {
        tag: Draft202012Validator({"$ref": member["$ref"], "components": document["components"]})
        for member in schemas["ResponseStreamEvent"]["anyOf"]
        for tag in schemas[member["$ref"].removeprefix(_SCHEMAS)]["properties"]["type"]["enum"]
    }


def complaints(event: Any) -> list[str]:
    """Return what the JSON schema of the contract has against a decoded event.

    Raises:
        pydantic.ValidationError: the generated models do not take the event at all.
    """
    _EVENTS.validate_python(event)
    return [error.message for error in _validators()[event["type"]].iter_errors(event)]
