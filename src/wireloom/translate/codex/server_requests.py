"""What the app-server asks of its client besides calls of the client's tools: nothing is granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from wireloom.translate.rules.loss import How, Rule
from wireloom.wire.json import Json

Answer: TypeAlias = Callable[[float], Json | None]


def answer(method: str, now: float) -> Json | None:
    """The answer to a request of the app-server, or None where it is refused.

    Args:
        method: of the request.
        now: seconds since the epoch.
    """
    rule = REQUESTS.get(method) or FORMER.get(method)
    return None if rule is None else rule.apply(now)


def _says(value: Json | None) -> Answer:
    return lambda _: value


NOBODY = "Nothing is granted here."
_DENIED: Json = {"decision": {"denied": {"rejection": NOBODY}}}
_TOKENS = "the login is Codex's own affair; no token is known here"

REQUESTS: Mapping[str, Rule[Answer]] = {
    "item/tool/call": Rule(How.NATIVE, _says(None), "a call for the client; refused when its turn is gone"),
    "item/commandExecution/requestApproval": Rule(How.REFUSED, _says({"decision": "decline"}), "declined"),
    "item/fileChange/requestApproval": Rule(How.REFUSED, _says({"decision": "decline"}), "declined"),
    "item/permissions/requestApproval": Rule(How.REFUSED, _says({"permissions": {}}), "none is granted"),
    "item/tool/requestUserInput": Rule(How.REFUSED, _says({"answers": {}}), "nobody is there to answer"),
    "mcpServer/elicitation/request": Rule(How.REFUSED, _says({"action": "decline"}), "declined"),
    "applyPatchApproval": Rule(How.REFUSED, _says(_DENIED), "denied"),
    "execCommandApproval": Rule(How.REFUSED, _says(_DENIED), "denied"),
    "account/chatgptAuthTokens/refresh": Rule(How.REFUSED, _says(None), _TOKENS),
    "attestation/generate": Rule(How.REFUSED, _says(None), "there is none"),
}

FORMER: Mapping[str, Rule[Answer]] = {
    "currentTime/read": Rule(How.NATIVE, lambda now: {"currentTimeAt": int(now)}, "the clock; last in 0.169"),
}
"""Requests that the contract no longer has and that older releases of the CLI still send."""
