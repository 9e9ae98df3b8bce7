"""The words that the gateway itself puts into a conversation."""

from __future__ import annotations

NO_OUTPUT = "[no output was recorded for this call]"
LATER_INSTRUCTIONS = "[instructions]\n"
PICTURES_FOLLOW = "[see the next user message]"
CONTINUE = "Understood."
SUMMARY = "[summary of the conversation before this point]\n"
