"""Commands that inspect a gateway, its upstream and its stored data."""
