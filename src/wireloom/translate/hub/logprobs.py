"""Log probabilities of tokens, from any upstream's form into the contract's."""

from __future__ import annotations

from wireloom.wire.json import Json


def logprob(token: Json) -> Json:
    """A token's log probability as a text part has it."""
    alternatives = token.get("top_logprobs")
    tops = [each for each in alternatives if isinstance(each, dict)] if isinstance(alternatives, list) else []
    return {**_token(token), "top_logprobs": [_token(top) for top in tops]}


def _token(token: Json) -> Json:
    logprob, data = token.get("logprob"), token.get("bytes")
    return {
        "token": str(token.get("token", "")),
        "logprob": float(logprob) if isinstance(logprob, int | float) else 0.0,
        "bytes": data if isinstance(data, list) else [],
    }
