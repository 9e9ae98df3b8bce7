"""Ways in which a gateway may lie, each a row: what is spoiled, which case finds it, and what it says."""

from tests.support.breakages import chat, errors, responses_state, responses_stream
from tests.support.breakages.spoiling import Breakage

BREAKAGES: tuple[Breakage, ...] = (
    *responses_stream.BREAKAGES,
    *responses_state.BREAKAGES,
    *chat.BREAKAGES,
    *errors.BREAKAGES,
)
