"""The parts of a conversation that every upstream needs translated: content parts, hosted calls, effort."""
