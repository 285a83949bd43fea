"""The one door for untrusted text: clean it so that it cannot steer a terminal, then redact it."""

from __future__ import annotations


class Safe(str):
    """Text that went through `clean`, or that is ours. The only text a screen may show."""

    __slots__ = ()
