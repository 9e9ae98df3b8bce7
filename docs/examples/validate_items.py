"""Hold items to the contract, a JSON object per line: `python validate_items.py < items.jsonl`."""

import json
import sys
from typing import Any

from pydantic import TypeAdapter, ValidationError
from wireloom_protocol import responses as m

ITEM: TypeAdapter[m.InputItem] = TypeAdapter(m.InputItem)


def faults(item: dict[str, Any]) -> list[str]:
    """The faults of an input item, each with its place; empty where the item keeps to the contract."""
    try:
        # A tagged union: an input message may leave out its type, which the model needs.
        ITEM.validate_python({"type": "message", **item})
    except ValidationError as error:
        # The first step of a place is the tag of the union.
        return [f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors()]
    return []


def main() -> int:
    """Print the faults of each line; the exit code is 1 if there are any."""
    found = False
    for number, line in enumerate(sys.stdin, 1):
        for fault in faults(json.loads(line)):
            print(f"line {number}: {fault}")
            found = True
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
