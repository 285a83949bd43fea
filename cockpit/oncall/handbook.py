"""ON_CALL.md, as teams write it -> Handbook."""

from __future__ import annotations

from cockpit.config import Config
from cockpit.oncall.model import Handbook


def load(config: Config) -> Handbook:
    """The handbook of the team, with the contacts of cockpit.yaml in it; blocking."""
    return Handbook()
