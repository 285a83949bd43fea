"""What is due: said in words and with a bell, put off with a reason."""

from __future__ import annotations

from screens.asking import Asking


class DueKeys(Asking):
    """The clocks of the incident."""
