"""How many tokens a request costs to read when the local Codex CLI is asked, which does not tell beforehand."""

from __future__ import annotations

from wireloom.backends.base import Ask
from wireloom.backends.http.token_count import estimated
from wireloom.translate.chat_upstream import request as chat_upstream
from wireloom.translate.codex.app_server_request import PROFILE
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses


async def without_asking(ask: Ask) -> tuple[int, str]:
    """The tokens of a request as counted or estimated here, and which of both.

    Args:
        ask: a request that would be served.
    """
    # Whether a tool is called costs nothing to read, and may be more than a Chat request can say.
    body = ask.body.model_copy(update={"tool_choice": None})
    options = Options(ask.model, lenient=True, unseal=ask.unseal, recalled=ask.recalled)
    found = await estimated(PROFILE, chat_upstream.request(body, PROFILE, options, Losses()).body)
    return found.tokens, found.how
