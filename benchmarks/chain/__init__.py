"""A long conversation by `previous_response_id`: what each turn costs when the gateway keeps the history."""
