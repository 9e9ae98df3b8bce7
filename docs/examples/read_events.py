"""Read a response as typed events while it arrives: `curl -sN ... | python read_events.py`."""

import sys
from collections.abc import Iterable, Iterator

from pydantic import TypeAdapter, ValidationError
from wireloom_protocol import responses as m

EVENTS: TypeAdapter[m.ResponseStreamEvent] = TypeAdapter(m.ResponseStreamEvent)
END = "[DONE]"


def events(lines: Iterable[str]) -> Iterator[m.ResponseStreamEvent]:
    """The events of a stream; a gateway writes each of them as one `data` line.

    Args:
        lines: of a body with the media type text/event-stream.
    """
    for line in lines:
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == END:
            continue
        try:
            yield EVENTS.validate_json(data)
        except ValidationError as error:
            # A newer gateway may send events that this release does not know: leave them out.
            print(f"left out: {data[:60]} ({error.error_count()} errors)", file=sys.stderr)


def main() -> None:
    """Print the text as it arrives, then the calls and the tokens."""
    for event in events(sys.stdin):
        match event:
            case m.ResponseTextDeltaEvent():
                print(event.delta, end="", flush=True)
            case m.ResponseOutputItemDoneEvent(item=m.FunctionToolCall() as call):
                print(f"call of {call.name} with {call.arguments}")
            case m.ResponseCompletedEvent(response=response):
                tokens = response.usage.total_tokens if response.usage else 0
                print(f"\n{response.id}: {len(response.output)} items, {tokens} tokens")
            case m.ResponseFailedEvent(response=response) if response.error:
                print(f"\n{response.id} failed: {response.error.message}")


if __name__ == "__main__":
    main()
