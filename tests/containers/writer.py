"""What the containers of the cutting tests run: numbered lines until /stop is there."""

import os
import sys
import time

LONG = (16384 - 5, 16384, 40_000, 3 * 16384)  # around the 16 KiB at which the engine cuts a line


def body(kind: str, number: int) -> bytes:
    """The line of that number, without its end."""
    if kind in ("long", "terminal") and number % 8 == 0:
        return b"%d " % number + b"x" * (LONG[number // 8 % len(LONG)] - len(b"%d " % number))
    return b"%d of the %s lines" % (number, kind.encode())


def stream(kind: str, number: int) -> int:
    """1 or 2: where the line of that number is written to."""
    return 2 if kind != "terminal" and number % 3 == 0 else 1


def write(kind: str, rate: int) -> None:
    """About rate lines a second: one by one, or for "burst" those of a second at once."""
    number = 0
    together = rate if kind == "burst" else max(1, rate // 50)
    while not os.path.exists("/stop"):
        for _ in range(together):
            number += 1
            os.write(stream(kind, number), body(kind, number) + b"\n")
        time.sleep(together / rate)
    number += 1
    os.write(1, b"%d is the last, and has no end" % number)


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
