"""A program on models of datamodel-code-generator and httpx: it talks to a gateway and reports what it understood."""

import json
import os

import httpx
import wireloom_models as models
from events import events
from pydantic import TypeAdapter

EVENT: TypeAdapter[models.ResponseStreamEvent] = TypeAdapter(models.ResponseStreamEvent)
ADD = models.FunctionTool(
    type="function",
    name="add",
    parameters={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
)

client = httpx.Client(
    base_url=os.environ["BASE_URL"], headers={"authorization": f"Bearer {os.environ['API_KEY']}"}, timeout=60
)


def body(request: models.CreateResponse) -> bytes:
    return request.model_dump_json(exclude_unset=True, by_alias=True).encode()


def create(request: models.CreateResponse) -> models.Response:
    answer = client.post("/v1/responses", content=body(request), headers={"content-type": "application/json"})
    return models.Response.model_validate_json(answer.raise_for_status().content)


def text_of(response: models.Response) -> str:
    text = ""
    for item in response.output:
        if isinstance(item, models.OutputMessage):
            for part in item.content:
                text += part.text if isinstance(part, models.OutputTextContent) else part.refusal
    return text


def stream() -> dict[str, object]:
    types: list[str] = []
    deltas = final = ""
    request = models.CreateResponse(model="demo", input="hello", stream=True)
    headers = {"content-type": "application/json"}
    with client.stream("POST", "/v1/responses", content=body(request), headers=headers) as answer:
        for event in events(answer.iter_bytes(), EVENT.validate_json):
            types.append(event.type)
            if isinstance(event, models.ResponseTextDeltaEvent):
                deltas += event.delta
            elif isinstance(event, models.ResponseCompletedEvent):
                final = text_of(event.response)
    return {"types": types, "deltas": deltas, "final": final}


called = create(models.CreateResponse(model="demo", input="add", tools=[ADD]))
unknown = client.get("/v1/models/unknown")
failure = models.ErrorResponse.model_validate_json(unknown.content)
report = {
    "whole": text_of(create(models.CreateResponse(model="demo", input="hello"))),
    "stream": stream(),
    "tool": [
        [item.name, item.arguments] for item in called.output if isinstance(item, models.FunctionToolCall)
    ],
    "error": [unknown.status_code, failure.error.code],
}
print(json.dumps(report))
