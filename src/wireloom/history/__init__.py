"""What is remembered between requests: responses, their items, and conversations."""
