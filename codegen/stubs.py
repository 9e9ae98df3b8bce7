"""Route stubs and method tables: jinja2 templates filled from the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jinja2

from codegen import app_server, normalise, select

Json = Any

TEMPLATES = Path(__file__).parent / "templates"
EVENT_STREAM = "text/event-stream"
BOUNDS = {"minimum": "ge", "maximum": "le"}
NOWHERE: Mapping[str, str] = MappingProxyType({})
HOT_EVENTS = "hot.HotEvent"
SCALARS = {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}


class Parameter(NamedTuple):
    """A path or query parameter of an operation."""

    name: str
    place: str
    type: str
    checked: str
    default: object
    many: bool


class Origins(NamedTuple):
    """Where the parts of an operation come from.

    Args:
        modules: operation id -> the module of its request types; `responses` has those of the others.
        sources: operation id -> the base contract that declares it, with its version.
        structs: names of the events that are compiled to structs as well; `hot.HotEvent` is their union.
    """

    modules: Mapping[str, str] = NOWHERE
    sources: Mapping[str, str] = NOWHERE
    structs: frozenset[str] = frozenset()


ELSEWHERE = Origins()


class Operation(NamedTuple):
    """What a route stub needs to know of an operation."""

    id: str
    method: str
    path: str
    route: str
    name: str
    summary: str
    tag: str
    module: str
    source: str
    secured: bool
    body: str | None
    optional_body: bool
    reply: str
    event: str | None
    event_type: str
    parameters: tuple[Parameter, ...]
    refused: tuple[str, ...]


def snake(name: str) -> str:
    """`createResponse` -> `create_response`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def operations(document: Json, surface: Json, origins: Origins = ELSEWHERE) -> list[Operation]:
    """The operations of a contract as the templates see them.

    Args:
        document: the served contract.
        surface: the contract with everything that is understood, served or not.
        origins: where the parts of the operations come from.
    """
    schemas = document.get("components", {}).get("schemas", {})
    found = []
    for path, method, node in select.operations(document):
        operation = _operation(document, path, method, node, surface["paths"][path][method])
        found.append(
            operation._replace(
                module=origins.modules.get(operation.id, "responses"),
                source=origins.sources.get(operation.id, ""),
                event_type=_event_type(operation.event, schemas, origins.structs),
            )
        )
    return found


def _operation(document: Json, path: str, method: str, node: Json, understood: Json) -> Operation:
    content = node["responses"]["200"]["content"]
    request = node.get("requestBody", {})
    body = request.get("content", {}).get("application/json", {}).get("schema")
    parameters = tuple(_parameter(parameter) for parameter in node.get("parameters", []))
    route = path
    for parameter in node.get("parameters", []):
        if parameter.get("x-rest-of-path"):
            route = route.replace(f"{{{parameter['name']}}}", f"{{{parameter['name']}:path}}")
    return Operation(
        id=node["operationId"],
        method=method.upper(),
        path=path,
        route=route,
        name=snake(node["operationId"]),
        summary=node.get("summary", ""),
        tag=node["tags"][0],
        module="responses",
        source="",
        secured=node.get("security", document["security"]) != [],
        body=_model(body),
        optional_body=not request.get("required", False),
        reply=_model(content["application/json"]["schema"]) or "object",
        event=_event(content.get(EVENT_STREAM)),
        event_type="",
        parameters=parameters,
        refused=tuple(sorted(_names(understood) - {parameter.name for parameter in parameters})),
    )


def _names(node: Json) -> set[str]:
    return {parameter["name"] for parameter in node.get("parameters", [])}


def _model(schema: Json | None) -> str | None:
    return schema["$ref"].removeprefix(normalise.REF) if schema else None


def _event(media: Json | None) -> str | None:
    """The schema that the JSON of an event follows, beside the literal end mark."""
    if media is None:
        return None
    branches = media["itemSchema"]["properties"]["data"]["anyOf"]
    return next(_model(branch["contentSchema"]) for branch in branches if "contentSchema" in branch)


def _event_type(event: str | None, schemas: Json, structs: frozenset[str]) -> str:
    """The type of a stream's events: the JSON form, and the structs where some members of the union have one."""
    if event is None:
        return ""
    members = normalise.tags(schemas[event]).values()
    return f"replies.{event}" + (f" | {HOT_EVENTS}" if structs & {*members} else "")


def _parameter(node: Json) -> Parameter:
    """A parameter with its type as Python has it; one that may be left out has a default or may be None."""
    schema = node["schema"]
    kind, default, many = _type(schema), schema.get("default"), schema["type"] == "array"
    if not node.get("required", False) and default is None and not many:
        kind = f"{kind} | None"
    bounds = [f"{word}={schema[key]}" for key, word in BOUNDS.items() if key in schema]
    checked = f"Annotated[{kind}, Field({', '.join(bounds)})]" if bounds else kind
    return Parameter(node["name"], node["in"], kind, checked, default, many)


def _type(schema: Json) -> str:
    if "$ref" in schema:
        return f"responses.{_model(schema)}"
    if schema["type"] == "array":
        return f"list[{_type(schema['items'])}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    return SCALARS[schema["type"]]


def queries(found: Iterable[Operation]) -> list[Parameter]:
    """Every query parameter, once.

    Raises:
        ValueError: two operations give one name different types.
    """
    parameters: dict[str, Parameter] = {}
    for operation in found:
        for parameter in operation.parameters:
            if parameter.place == "query" and parameters.setdefault(parameter.name, parameter) != parameter:
                raise ValueError(f"{operation.id}: {parameter.name} is not the same elsewhere")
    return list(parameters.values())


def render(template: str, **values: object) -> str:
    """Fill a template of `codegen/templates`."""
    environment = jinja2.Environment(  # noqa: S701 - the output is Python, not HTML
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)


def served(
    document: Json, surface: Json, known: Mapping[str, list[str]], origins: Origins = ELSEWHERE
) -> dict[str, str]:
    """Name -> text of the modules that describe the served operations.

    Args:
        document: the served contract.
        surface: the contract with everything that is understood, served or not.
        known: open union -> tags of every kind that is understood, served or not.
        origins: where the parts of the operations come from.
    """
    found = operations(document, surface, origins)
    tags = {operation.tag: [o for o in found if o.tag == operation.tag] for operation in found}
    values = {
        "tags": tags,
        "interfaces": [f"{tag}Api" for tag in tags],
        "known": known,
        "modules": sorted({operation.module for operation in found}),
        "bodies": sorted({(operation.body, operation.module) for operation in found if operation.body}),
        "queries": queries(found),
        "operations": found,
    }
    return {name: render(f"{name}.py.jinja", **values) for name in ("operations", "routes")}


def rpc(methods: list[app_server.Method]) -> str:
    """The module of JSON-RPC method tables."""
    return render("rpc.py.jinja", methods=methods)
