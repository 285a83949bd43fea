"""Numbers from `docker stats` on the host itself: one session, one short line a container.

For a thin link, and where each connection to the engine would be a session of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from typing import Final

from cockpit.containers.stats import Sample
from cockpit.target.target import Target

THIN_RTT: Final = 0.12
EVERY: Final = 6
OFTEN: Final = 4
ROUND: Final = 3  # at most; `docker stats` needs two seconds of it for a difference

# One shell for all rounds, so that a round costs no round trip. `echo` fails when nobody reads.
ROUNDS: Final = """
while {docker} stats --no-stream --format '{shape}' 2>/dev/null </dev/null && echo; do
  sleep {pause}
done
"""
SHAPE: Final = "{{.ID}}|{{.CPUPerc}}|{{.MemUsage}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}"

_SIZE: Final = re.compile(r"([0-9.]+(?:e\+[0-9]+)?)([kKMGTP]?)(i?)B")
_POWERS: Final = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def thin(rtt: float | None) -> bool:
    """Whether a link with this round trip had better carry few bytes. rtt: seconds."""
    return (rtt or 0.0) >= THIN_RTT


async def sampled(
    target: Target, docker: str, every: int = EVERY
) -> AsyncGenerator[tuple[str, Sample], None]:
    """Short container id and sample, every so many seconds for each running container.

    docker: the command to use there. Ends when it does not work. Raises LinkLost, LinkDown.
    """
    channel = await target.shell()
    try:
        script = ROUNDS.format(docker=docker, shape=SHAPE, pause=every - ROUND)
        channel.stdin.write(script.encode())
        channel.stdin.write_eof()
        while line := await channel.stdout.readline():
            got = parse(line.decode(errors="replace"), time.monotonic(), every)
            if got is not None:
                yield got
    finally:
        channel.close()


def parse(line: str, at: float, every: int = EVERY) -> tuple[str, Sample] | None:
    """One line of SHAPE; None for what is no such line, or a container that just stopped.

    The engine's words are rounded: memory to three or four digits.
    """
    fields = line.strip().split("|")
    if len(fields) != 6 or not fields[0].isalnum():
        return None
    container, cpu, memory, network, block, pids = fields
    used, limit = _pair(memory)
    if not limit:
        return None
    sample = Sample(
        at,
        _number(cpu.removesuffix("%")),
        used,
        limit,
        *_pair(network),
        *_pair(block),
        int(_number(pids) or 0),
        every,
    )
    return container, sample


def _pair(words: str) -> tuple[int, int]:
    first, _, second = words.partition(" / ")
    return _bytes(first), _bytes(second)


def _bytes(word: str) -> int:
    found = _SIZE.fullmatch(word.strip())
    if found is None:
        return 0
    unit = 1024 if found[3] else 1000
    scale: int = unit ** _POWERS[found[2]]
    return round((_number(found[1]) or 0) * scale)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
