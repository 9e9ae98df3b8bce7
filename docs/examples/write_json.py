"""Write a request as a TypedDict and an event as a struct; a type checker holds both to the contract."""

import json

import msgspec
from wireloom_protocol import hot, replies, requests

# Plain dicts at run time: nothing is validated, and a type checker knows every member.
weather: requests.FunctionToolInput = {
    "type": "function",
    "name": "weather",
    "parameters": {},
    "strict": False,
}
body: requests.CreateResponse = {
    "model": "demo",
    "input": [{"type": "message", "role": "user", "content": "Is it raining?"}],
    "tools": [weather],
}

# Structs of the deltas, which are most of a stream: a fraction of the cost of a model.
delta = hot.ResponseTextDeltaEvent(
    item_id="msg_1", output_index=0, content_index=0, delta="Yes", sequence_number=4, logprobs=[]
)


def text_of(event: replies.ResponseStreamEvent) -> str:
    """The text of an event; its type tells the checker which members it has."""
    return event["delta"] if event["type"] == "response.output_text.delta" else ""


if __name__ == "__main__":
    print(json.dumps(body))
    print(msgspec.json.encode(delta).decode())
    print(text_of(msgspec.json.decode(msgspec.json.encode(delta))))
