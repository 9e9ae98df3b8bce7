"""One vocabulary to another: pure, synchronous; ids and clock are passed in."""
