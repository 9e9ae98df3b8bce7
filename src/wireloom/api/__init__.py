"""What clients speak: fills the generated stubs."""
