"""Panels that ask: the gate, notes, severity, resolve and their kin."""
