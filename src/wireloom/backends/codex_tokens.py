"""How many tokens a request costs to read when the local Codex CLI is asked, which does not tell beforehand."""

from __future__ import annotations

from wireloom.backends.base import Ask
from wireloom.backends.counting import estimated
from wireloom.translate import responses_to_chat
from wireloom.translate.loss import Losses
from wireloom.translate.responses_to_app_server import PROFILE
from wireloom.translate.responses_to_chat import Options


async def without_asking(ask: Ask) -> tuple[int, str]:
    """The tokens of a request as counted or estimated here, and which of both.

    Args:
        ask: a request that would be served.
    """
    # Whether a tool is called costs nothing to read, and may be more than a Chat request can say.
    body = ask.body.model_copy(update={"tool_choice": None})
    options = Options(ask.model, lenient=True, unseal=ask.unseal, recalled=ask.recalled)
    found = await estimated(PROFILE, responses_to_chat.request(body, PROFILE, options, Losses()).body)
    return found.tokens, found.how
