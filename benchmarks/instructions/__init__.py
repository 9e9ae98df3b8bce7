"""Instructions that the gateway executes per request and per token, counted by valgrind: `nox -s instructions`."""
