"""A program on a client of openapi-generator (python): it talks to a gateway and reports what it understood."""

import json
import os

import wireloom_client as api
from events import events

configuration = api.Configuration(host=os.environ["BASE_URL"], access_token=os.environ["API_KEY"])
client = api.ApiClient(configuration)
responses = api.ResponsesApi(client)

ADD = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}


def request(**members: object) -> api.CreateResponse:
    made = api.CreateResponse.from_dict({"model": "demo", **members})
    assert made is not None
    return made


def text_of(response: api.Response) -> str:
    text = ""
    for item in response.output:
        if isinstance(item.actual_instance, api.OutputMessage):
            for content in item.actual_instance.content:
                part = content.actual_instance
                text += part.text if isinstance(part, api.OutputTextContent) else ""
    return text


def stream() -> dict[str, object]:
    types: list[str] = []
    deltas = final = ""
    answer = responses.create_response_without_preload_content(request(input="hello", stream=True))
    for wrapped in events(answer.stream(), api.ResponseStreamEvent.from_json):
        # The generator wraps a union into a class of its own.
        event = wrapped.actual_instance
        assert event is not None
        types.append(event.type)
        if isinstance(event, api.ResponseTextDeltaEvent):
            deltas += event.delta
        elif isinstance(event, api.ResponseCompletedEvent):
            final = text_of(event.response)
    return {"types": types, "deltas": deltas, "final": final}


called = responses.create_response(request(input="add", tools=[ADD])).output[0].actual_instance
assert isinstance(called, api.FunctionToolCall)


def failure() -> list[object]:
    try:
        api.ModelsApi(client).retrieve_model("unknown")
    except api.ApiException as raised:
        answer = raised.data
        return [raised.status, answer.error.code if isinstance(answer, api.ErrorResponse) else answer]
    return []


report = {
    "whole": text_of(responses.create_response(request(input="hello"))),
    "stream": stream(),
    "tool": [[called.name, called.arguments]],
    "error": failure(),
}
print(json.dumps(report))
