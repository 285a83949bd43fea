"""The limits of cockpit.yaml on the host that is watched, and what no timeline says yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cockpit.containers.ends import ENDED, UNHEALTHY, Stood, fell
from cockpit.containers.limits import (
    ERRORS,
    MEMORY,
    RESTARTS,
    WINDOW,
    Crossing,
    Errors,
    Key,
    Known,
    Over,
    crossings,
    full,
)
from cockpit.incident.events import ThresholdCrossed
from cockpit.text import Safe
from cockpit.words import lasted

if TYPE_CHECKING:
    from cockpit.config import Thresholds
    from cockpit.containers.disks import Disk
    from cockpit.containers.watch import Containers
    from cockpit.incident.incident import Incident

LOOK_S: Final = 1.0
ENGINE: Final = "engine"
GONE_S: Final = 5.0
"""Seconds without an answer over a good link until an engine is told to be gone."""
BACK_S: Final = 10.0
"""Seconds of answers until it is told to be back; what ended in them, it took with it."""
SURE_S: Final = 30.0
"""Seconds after a long gap until every container has been asked for its restarts again."""
_SHORT = {RESTARTS: Safe("RESTARTS"), MEMORY: Safe("MEMORY"), ERRORS: Safe("ERRORS")}


class Limits:
    """What is beyond its limit on one host, from when it is first watched."""

    def __init__(self, host: str, thresholds: Thresholds) -> None:
        self._host = host
        self._thresholds = thresholds
        self._known: Known | None = None
        self._full: dict[Key, Over] = {}
        self._back: dict[Key, Safe] = {}
        self._logs: dict[str, Errors] = {}
        self._looked = float("-inf")
        self._sure_ns = 0
        self._back_since: float | None = None
        self._stood: Stood | None = None
        self._fallen: dict[Key, ThresholdCrossed] = {}
        self._risen: dict[Key, ThresholdCrossed] = {}
        self._gone_since: float | None = None
        self._answers_since: float | None = None
        self._cut_off = False

    @property
    def over(self) -> Mapping[Key, Over]:
        """By the container's name, "" for a disk of the host, and which limit."""
        return {**(self._known.over if self._known else {}), **self._full}

    def heard(self, followed: Mapping[str, Iterable[tuple[int, int]]]) -> None:
        """The containers of this host whose logs are followed now, by name, each with its news.

        news: when errors were written, in nanoseconds UTC on the engine's clock, and how many.
        Errors are counted where a log is followed, and nowhere else.
        """
        self._logs = {name: self._logs.get(name) or Errors() for name in followed}
        for name, news in followed.items():
            for at, count in news:
                self._logs[name].add(at, count)

    def due(self, now: float) -> bool:
        """Whether it is time to look again; a look costs a little."""
        return now - self._looked >= LOOK_S

    def look(
        self,
        containers: Containers,
        incident: Incident,
        now: float,
        engines_ns: int,
        *,
        linked: bool = True,
    ) -> None:
        """Takes the containers as they are now; those that may be old tell nothing.

        now: monotonic seconds. engines_ns: nanoseconds UTC on the engine's clock. linked: whether
        the host can be reached.
        """
        self._looked = now
        if containers.at is not None:
            self._hear(bool(containers.trouble), now, linked, incident)
        if containers.trouble or containers.at is None:
            self._back_since = None
            return
        if self._known is None:
            before = self._from(incident, now)
            # Not measured yet by this cockpit, and perhaps never again: a log may not be followed.
            self._known = Known(
                over={
                    key: replace(one, words=Safe(f"{one.words}, when cockpit ran last"))
                    for key, one in before.items()
                    if key[1] in _SHORT
                }
            )
            self._sure_ns = engines_ns
        if engines_ns - self._sure_ns <= WINDOW * 10**9:
            self._sure_ns = engines_ns
        else:
            self._forget(now, engines_ns)
        rates = {name: errors.last_minute(engines_ns) for name, errors in self._logs.items()}
        self._known, told = crossings(containers.rows, self._known, self._thresholds, now, rates)
        self._remember(told)
        self._fall(containers, incident, now)

    def _hear(self, silent: bool, now: float, linked: bool, incident: Incident) -> None:
        """Whether the engine is gone. Of one that cannot be reached, nobody knows."""
        key = ("", ENGINE)
        if silent:
            self._answers_since = None
            self._cut_off = self._cut_off or not linked
            if key not in self._fallen and self._cut_off:
                self._gone_since = None
            elif self._gone_since is None:
                self._gone_since = now
            if self._gone_since is not None and now - self._gone_since >= GONE_S:
                self._put((self._event(key, Safe("Docker does not answer")),))
            return
        self._cut_off = False
        self._answers_since = now if self._answers_since is None else self._answers_since
        if now - self._answers_since < BACK_S:
            return
        if key in self._fallen or key in self._told(incident):
            after = self._answers_since - (self._gone_since or self._answers_since)
            long = f", after {lasted(after)}" if after else ""
            self._put((self._event(key, Safe(f"Docker answers again{long}"), back=True),))
        self._gone_since = None

    def _fall(self, containers: Containers, incident: Incident, now: float) -> None:
        """Takes what ended or became unhealthy since the last look, and what is well again."""
        if self._stood is None:
            told = self._told(incident)
            self._fallen.update({k: one for k, one in told.items() if k[1] in (ENDED, UNHEALTHY)})
            self._stood = Stood(down=frozenset(k for k in self._fallen if k[0]))
        away = self._gone_since is not None
        self._stood, lines = fell(containers.rows, self._stood, now, containers.asked, away=away)
        for one in lines:
            key = (one.names[0], one.what)
            self._put((self._event(key, one.words, back=one.back, others=one.names[1:]),))

    def _put(self, lines: Iterable[ThresholdCrossed]) -> None:
        for one in lines:
            for name in (one.container, *one.others):
                key = (name, one.what)
                if one.back:
                    self._fallen.pop(key, None)
                    self._risen[key] = one
                elif key not in self._fallen:
                    self._risen.pop(key, None)
                    self._fallen[key] = one

    def _forget(self, now: float, engines_ns: int) -> None:
        """After a gap (a lost link, a laptop asleep) nobody knows when in it things happened."""
        assert self._known is not None
        nothing: Mapping[str, float] = MappingProxyType({})
        high = self._known.high if self._back_since is not None else nothing
        self._known = replace(self._known, restarts=MappingProxyType({}), high=high)
        if self._back_since is None:
            self._back_since = now
        elif now - self._back_since > SURE_S:
            self._sure_ns, self._back_since = engines_ns, None

    def measured(self, disks: Iterable[Disk], incident: Incident) -> None:
        """Takes the disks as they are now."""
        if not self._full:
            self._full = {key: one for key, one in self._from(incident, 0.0).items() if _disk(key)}
        self._full, told = full(disks, self._full, self._thresholds.disk)
        self._remember(told)

    def _remember(self, told: Iterable[Crossing]) -> None:
        for one in told:
            key = (str(one.container), one.what)
            if one.back:
                self._back[key] = one.words
            else:
                self._back.pop(key, None)

    def news(self, incident: Incident) -> list[ThresholdCrossed]:
        """What an open incident has not been told yet: crossed since, or before it began."""
        if not incident.open or incident.started is None:
            return []
        told = self._told(incident)
        new = {key: one.words for key, one in self.over.items() if key not in told}
        back = {key: words for key, words in self._back.items() if key in told}
        return [
            *(self._event(key, words) for key, words in new.items()),
            *(self._event(key, words, back=True) for key, words in back.items()),
            *_once(one for key, one in self._fallen.items() if key not in told),
            *_once(one for key, one in self._risen.items() if key in told),
        ]

    def _event(
        self, key: Key, words: Safe, *, back: bool = False, others: tuple[str, ...] = ()
    ) -> ThresholdCrossed:
        container, what = key
        said = words if container and not others else f"{self._host}: {words}"
        return ThresholdCrossed(
            host=self._host,
            what=what,
            words=str(said),
            container=container,
            back=back,
            others=others,
        )

    def _from(self, incident: Incident, now: float) -> dict[Key, Over]:
        """What was over when this cockpit took the incident up; there may be a sign of it again."""
        return {
            key: Over(_SHORT.get(key[1], Safe(key[1])), Safe(one.words), now)
            for key, one in self._told(incident).items()
        }

    def _told(self, incident: Incident) -> dict[Key, ThresholdCrossed]:
        return {
            (container, what): one
            for (host, container, what), one in incident.crossed.items()
            if host == self._host
        }


def _disk(key: Key) -> bool:
    return not key[0] and key[1] != ENGINE


def _once(lines: Iterable[ThresholdCrossed]) -> list[ThresholdCrossed]:
    """One that tells of several containers stands there for each of them."""
    return list({id(one): one for one in lines}.values())
