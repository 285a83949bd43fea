"""What to do: runbooks read as people write them."""
