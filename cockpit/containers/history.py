"""What a container used over the last minutes, for sparklines and plots."""

from __future__ import annotations

from collections import deque
from typing import Final

from cockpit.containers.stats import Sample

MINUTES: Final = 30
EVERY_S: Final = 5.0


class History:
    """Samples of one container, one for every five seconds, of the last half hour.

    What came more often is left out, but for the highest CPU of each five seconds: that one stays.
    """

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=int(MINUTES * 60 / EVERY_S))

    def add(self, sample: Sample) -> None:
        """The newest sample."""
        while self.samples and self.samples[0].at < sample.at - MINUTES * 60:
            self.samples.popleft()
        last = self.samples[-1] if self.samples else None
        if last is None or int(last.at / EVERY_S) != int(sample.at / EVERY_S):
            self.samples.append(sample)
        elif (sample.cpu_percent or 0) >= (last.cpu_percent or 0):
            self.samples[-1] = sample

    def cpu(self, cells: int, seconds: float, now: float) -> tuple[float | None, ...]:
        """The highest CPU percent in each of `cells` spans of `seconds`, oldest first.

        The spans begin at multiples of their length, so that a picture of them moves a whole cell
        at a time; the last one holds `now` (monotonic). What was sampled seldom stands for all
        the time since the sample before it. None where nothing is known.
        """
        last = int(now / seconds)
        found: dict[int, float] = {}
        for sample in reversed(self.samples):
            span = int(sample.at / seconds)
            if span <= last - cells:
                break
            if sample.cpu_percent is not None:
                found[span] = max(found.get(span, 0.0), sample.cpu_percent)
                for before in range(
                    max(last - cells, int((sample.at - sample.every) / seconds)) + 1, span
                ):
                    found.setdefault(before, sample.cpu_percent)
        return tuple(found.get(span) for span in range(last - cells + 1, last + 1))
