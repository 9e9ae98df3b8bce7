"""Read the messages of a Codex app-server, a JSON-RPC message per line: `codex app-server | python read_app_server.py`."""

import json
import sys
from collections.abc import Iterable, Iterator

from wireloom_protocol import app_server, rpc


def greeting() -> str:
    """The first request of a client, as the app-server reads it."""
    client = app_server.ClientInfo(name="reader", version="1")
    params = rpc.INITIALIZE.dump_params(app_server.InitializeParams(clientInfo=client))
    return json.dumps({"id": 1, "method": rpc.INITIALIZE.method, "params": params})


def described(lines: Iterable[str]) -> Iterator[str]:
    """Each notification of the server in words; methods that this release does not know are named as such."""
    for line in lines:
        message = json.loads(line)
        if "id" in message:
            continue
        row = rpc.SERVER_NOTIFICATIONS.get(message["method"])
        if row is None:
            yield f"{message['method']}: unknown"
            continue
        match row.read_params(message.get("params")):
            case app_server.AgentMessageDeltaNotification() as piece:
                yield f"{row.method}: {piece.delta}"
            case app_server.TurnCompletedNotification() as end:
                yield f"{row.method}: {end.turn.status}"
            case other:
                yield f"{row.method}: {type(other).__name__}"


if __name__ == "__main__":
    print(greeting())
    for line in described(sys.stdin):
        print(line)
