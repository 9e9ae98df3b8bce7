"""The pages of the documentation, and what writes those that come from code."""
