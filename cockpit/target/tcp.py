"""What Linux says of a TCP connection, and how it is told not to wait longer after each loss."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final

# As linux/tcp.h has them.
_THIN_LINEAR_TIMEOUTS: Final = 16
_UNACKED_AT, _SEGMENTS_AT, _DATA_AT, _EARLY_AT, _INFO_SIZE = 24, 140, 152, 224, 228


@dataclass(frozen=True, slots=True)
class Tcp:
    """Counts of packets.

    unacked: ours that are on their way. segments: all that came. data: those with data. early:
    those with data after some that is missing, so that nobody can read it yet.
    """

    unacked: int = 0
    segments: int = 0
    data: int = 0
    early: int = 0


def hurry(connection: socket.socket) -> None:
    """Have it send again what was lost at even intervals, six times, while little is on its way."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            # What we send is little. Of the ways to send it, BBR would not heed the second.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
            connection.setsockopt(socket.IPPROTO_TCP, _THIN_LINEAR_TIMEOUTS, 1)


def ask(connection: socket.socket | None) -> Tcp | None:
    """None where it cannot be asked."""
    if connection is None or sys.platform != "linux":
        return None
    try:
        said = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
    except OSError:
        return None
    if len(said) < _INFO_SIZE:
        return None
    places = (_UNACKED_AT, _SEGMENTS_AT, _DATA_AT, _EARLY_AT)
    return Tcp(*(struct.unpack_from("=I", said, at)[0] for at in places))
