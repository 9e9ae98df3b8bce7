"""Tools: each kind's definition, call, output and stored form."""
