"""A program on a client of openapi-python-client: it talks to a gateway and reports what it understood."""

import json
import os
from collections.abc import Callable
from typing import Any, TypeAlias

from events import UnknownEvent, by_type, events
from wireloom_client import AuthenticatedClient, models
from wireloom_client.api.models import retrieve_model
from wireloom_client.api.responses import create_response

Event: TypeAlias = models.ResponseTextDeltaEvent | models.ResponseCompletedEvent

# The generator has a class per event and none for their union.
KINDS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "response.output_text.delta": models.ResponseTextDeltaEvent.from_dict,
    "response.completed": models.ResponseCompletedEvent.from_dict,
}
ADD = models.FunctionTool.from_dict(
    {
        "type": "function",
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    }
)

client = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["API_KEY"])


def create(request: models.CreateResponse) -> models.ModelResponse:
    answer = create_response.sync(client=client, body=request)
    assert isinstance(answer, models.ModelResponse)
    return answer


def text_of(response: models.ModelResponse) -> str:
    text = ""
    for item in response.output:
        if isinstance(item, models.OutputMessage):
            for part in item.content:
                text += part.text if isinstance(part, models.OutputTextContent) else part.refusal
    return text


def stream() -> dict[str, object]:
    types: list[str] = []
    deltas = final = ""
    request = models.CreateResponse(model="demo", input_="hello", stream=True)
    http = client.get_httpx_client()
    with http.stream("POST", "/v1/responses", json=request.to_dict()) as answer:
        for event in events(answer.iter_bytes(), by_type(KINDS)):
            if isinstance(event, UnknownEvent):
                types.append(event.type)
                continue
            types.append(event.type_)
            if isinstance(event, models.ResponseTextDeltaEvent):
                deltas += event.delta
            else:
                final = text_of(event.response)
    return {"types": types, "deltas": deltas, "final": final}


called = create(models.CreateResponse(model="demo", input_="add", tools=[ADD]))
unknown = retrieve_model.sync_detailed("unknown", client=client)
assert isinstance(unknown.parsed, models.ErrorResponse)
report = {
    "whole": text_of(create(models.CreateResponse(model="demo", input_="hello"))),
    "stream": stream(),
    "tool": [
        [item.name, item.arguments] for item in called.output if isinstance(item, models.FunctionToolCall)
    ],
    "error": [unknown.status_code, unknown.parsed.error.code],
}
print(json.dumps(report))
