"""Who, and when: the handbook, checks before the shift, the shift itself."""
