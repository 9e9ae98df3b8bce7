"""Where a model's requests go, when another backend takes over, and what each key may use."""
