"""The words that the gateway itself puts into a conversation."""

from __future__ import annotations

NO_OUTPUT = "[no output was recorded for this call]"
LATER_INSTRUCTIONS = "[instructions]\n"
PICTURES_FOLLOW = "[see the next user message]"
CONTINUE = "Understood."
SUMMARY = "[summary of the conversation before this point]\n"
BEGINNING = "[the beginning of this conversation is not here]"
GO_ON = "Go on."
STRAY_OUTPUT = "[output of a call that is not in this conversation]\n"
LOST_SUMMARY = "[a part of the conversation stood here as a summary that cannot be read]"
NO_PICTURE = "[a picture stood here that cannot be shown]"
JSON_WORD = "Answer with one JSON object."
