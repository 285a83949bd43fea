"""The lines that are loaded: of one log or several merged by time, bounded, and counted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cockpit.logs.block import MOST_BYTES, MOST_LINES, Block, Row, blocks
from cockpit.logs.line import Level, Line, Stream

KEPT_BYTES: Final = 32 << 20
MINUTE_NS: Final = 60 * 10**9
# A traceback is written at once; what is indented for ever must not grow into one entry.
MOST_MORE: Final = 1000
MOST_MORE_CHARS: Final = 256 << 10
PAUSE_NS: Final = 10**9
SPAN_NS: Final = 5 * PAUSE_NS


# The last blocks stay open, as what comes a little late goes there.
_OPEN: Final = 2
# Where more of a block than a part of this comes late, it is laid anew.
_MANY: Final = 4
# An attribute of an enum takes longer to read than a name.
_GAP, _NONE, _ERROR = Stream.GAP, Level.NONE, Level.ERROR


class Held(NamedTuple):
    """A line as the window holds it.

    origin: which of the logs, from 0. level: its own, or for a line that continues another (a
    traceback) that of its head. head: whether it begins an entry, rather than continues one.
    """

    line: Line
    origin: int
    level: Level
    head: bool


class _Log:
    """Where one of the logs is: what its last line was a part of, and that entry."""

    __slots__ = ("at", "began", "chars", "key", "level", "more", "state", "timed")

    def __init__(self) -> None:
        from cockpit.logs.traces import State

        self.state = State.PLAIN
        self.level = Level.NONE
        self.key = self.at = self.began = 0
        self.more = -1
        self.chars = 0
        self.timed = False


class Window:
    """Lines by number, merged by time; a line keeps its number as long as it is held.

    Numbers grow by one from `first` to `end` (exclusive); older lines that are loaded later have
    lower, also negative ones. Where a line comes late, those after it move up: `add` tells.
    When there is more than `keep` bytes of text the oldest go, some thousand at a time.

    A log keeps its own order, whatever its clock does. A line without a time has that of the one
    before in its log, and where its log never tells one it goes to the end. An entry stays
    together: what continues a line is not parted from it by lines of other logs.
    """

    def __init__(self, keep: int = KEPT_BYTES) -> None:
        self._keep = keep
        self.put_in = 0
        """How many lines that were asked for came amid those held: what is after them moved up."""
        self._changes = 0
        self._blocks: list[Block] = []
        self._numbers: list[int] = []
        self._end = 0
        self._size = 0
        self._logs: dict[int, _Log] = {}
        self._errors: dict[int, int] = {}
        self._new_errors: list[int] = []
        self._told: deque[tuple[int, int]] = deque(maxlen=100)
        self._begun = 0

    @property
    def first(self) -> int:
        """The number of the oldest line."""
        return self._numbers[0] if self._numbers else self._end

    @property
    def end(self) -> int:
        """One more than the number of the newest."""
        return self._end

    @property
    def changes(self) -> int:
        """Counts every change; the same number means nothing is new."""
        return self._changes

    def __getitem__(self, number: int) -> Held:
        start, block = self.block(number)
        line, _, origin, how_bad, head = block.row(number - start)
        return Held(line, origin, how_bad, head)

    def block(self, number: int) -> tuple[int, Block]:
        """The block that holds a line, and the number of its first. Raises IndexError."""
        if not self.first <= number < self._end:
            raise IndexError(number)
        place = bisect_right(self._numbers, number) - 1
        return self._numbers[place], self._blocks[place]

    def lowest_since(self, changes: int) -> int | None:
        """The lowest number whose line is another than when `changes` was this; None for all."""
        if changes < self._begun:
            return None
        lowest = self._end
        for when, number in reversed(self._told):
            if when <= changes:
                return lowest
            lowest = min(lowest, number)
        return None if self._told and changes < self._told[0][0] - 1 else lowest

    def add(self, origin: int, lines: Sequence[Line], *, late: bool = False) -> int:
        """New lines of one log, in its order; returns the lowest number whose line is now another.

        That is `end` before the call unless some are earlier than what is held: those go where
        their time says, and what comes after moves up. late: they are from before what is held of
        this log, not what comes next in it.
        """
        before = lowest = self._end
        self._new_errors = []
        if not lines:
            return lowest
        if late:
            log = _Log()
            log.key = next((line.at for line in lines if line.at), 0)
            log.timed = True
        else:
            log = self._logs.setdefault(origin, _Log())
        joins, key, was = log.more >= 0, log.key, log.level
        rows = self._rows(log, origin, lines)
        if joins and not rows[0].head:
            more = next((index for index, row in enumerate(rows) if row.head), len(rows))
            worst = max(row.level for row in rows[:more])
            lowest = self._continue(key, origin, rows[:more])
            if worst > was:
                lowest = min(lowest, self._worse(lowest))
            rows = rows[more:]
        # An entry has one key, so that it cannot be parted here.
        newest = self._newest()
        on_time = bisect_left(rows, newest, key=lambda row: row.key)
        if on_time:
            lowest = min(lowest, self._insert(rows[:on_time]))
        self._append(rows[on_time:])
        if late:
            self.put_in += self._end - before
        self._drop()
        lowest = min(lowest, before)
        self._change(lowest)
        return max(lowest, self.first)

    def _rows(self, log: _Log, origin: int, lines: Iterable[Line]) -> list[Row]:
        """The lines with what is found out about them; errors are counted."""
        # Their expressions take longer to compile than the first paint has time for.
        from cockpit.logs.level import level
        from cockpit.logs.traces import State, follow, frame

        plain = State.PLAIN
        rows: list[Row] = []
        head = -1
        for line in lines:
            at, stream, text, _ = line
            if not log.state and text and not (text[0].isalpha() or text[0] in " }])_.#/"):
                more, state = False, plain  # most lines, so it is worth a look here
            else:
                more, state = follow(log.state, log.level, text)
            if (
                more
                and log.more >= 0
                and stream is not _GAP
                and log.more < MOST_MORE
                and log.chars < MOST_MORE_CHARS
                and (not at or (at - log.at < PAUSE_NS and at - log.began < SPAN_NS))
            ):
                log.more += 1
                log.chars += len(text)
                log.state = state
                if at:
                    log.at = at
                if log.level == Level.NONE and frame(text):
                    log.level = Level.ERROR
                    if head >= 0:
                        self._count(log.key, 1)
                        for index in range(head, len(rows)):
                            rows[index] = rows[index]._replace(level=Level.ERROR)
                rows.append(Row(line, log.key, origin, log.level, False))
                continue
            head = len(rows)
            if at:
                log.timed = True
                log.key = max(log.key, at)
                log.at = log.began = at
            elif not log.timed:
                log.key = max(log.key, self._newest())
            log.state = state
            log.more = log.chars = 0
            log.level = _NONE if stream is _GAP else level(text)
            if log.level is _ERROR:
                self._count(log.key, 1)
            rows.append(Row(line, log.key, origin, log.level, True))
        return rows

    def _newest(self) -> int:
        return self._blocks[-1].keys[-1] if self._blocks else 0

    def _count(self, key: int, by: int) -> None:
        if by > 0:
            self._new_errors.append(key)
        if key:
            minute = key // MINUTE_NS
            count = self._errors.get(minute, 0) + by
            if count > 0:
                self._errors[minute] = count
            else:
                self._errors.pop(minute, None)

    def _append(self, rows: Sequence[Row]) -> None:
        at = 0
        while at < len(rows):
            if not self._blocks or (rows[at].head and self._blocks[-1].full):
                if len(self._blocks) >= _OPEN:
                    self._blocks[-_OPEN].close()
                self._blocks.append(Block())
                self._numbers.append(self._end)
            block = self._blocks[-1]
            end, size = at + 1, block.size + len(rows[at].line.text)
            room = at + MOST_LINES - len(block)
            while end < len(rows) and not (rows[end].head and (end >= room or size >= MOST_BYTES)):
                size += len(rows[end].line.text)
                end += 1
            self._extend(rows[at:end])
            at = end

    def _extend(self, rows: Sequence[Row]) -> None:
        """Puts lines at the end of the last block."""
        block = self._blocks[-1]
        self._size -= block.size
        block.extend(rows)
        self._size += block.size
        self._end += len(rows)

    def _continue(self, key: int, origin: int, rows: list[Row]) -> int:
        """Puts more lines behind the newest entry of a log; returns the number of the first."""
        place = self._place(key)
        while place >= 0:
            block, number = self._blocks[place], self._numbers[place]
            for index in range(bisect_right(block.keys, key) - 1, -1, -1):
                if block.keys[index] != key:
                    place = 0
                    break
                if block.origins[index] != origin:
                    continue
                self._put(place, [(index + 1, rows)])
                self._renumber(place)
                return number + index + 1
            place -= 1
        # What they continue is not held any more: they stand for it.
        rows[0] = rows[0]._replace(head=True)
        if rows[0].level == Level.ERROR:
            self._count(key, 1)
        before = self._end
        if key < self._newest():
            return self._insert(rows)
        self._append(rows)
        return before

    def _worse(self, number: int) -> int:
        """The entry that a line is of is an error after all; returns the number of its head."""
        start, block = self.block(number)
        first, last = block.entry(number - start)
        if block.levels[first] != Level.ERROR:
            self._count(block.keys[first], 1)
        block.levels[first : last + 1] = bytes((Level.ERROR,)) * (last + 1 - first)
        return start + first

    def _insert(self, rows: list[Row]) -> int:
        """Puts lines where their keys say, behind those that have the same.

        They must be in order, and earlier than the newest. Returns the number of the first.
        """
        groups: dict[int, list[Row]] = {}
        for row in rows:
            groups.setdefault(max(0, self._place(row.key)), []).append(row)
        lowest, number = min(groups), 0
        # From the end, so that the places before stay what they are.
        for place in sorted(groups, reverse=True):
            block, late = self._blocks[place], groups[place]
            first = bisect_right(block.keys, late[0].key)
            number = self._numbers[place] + first
            if len(late) * _MANY < len(block):
                runs: dict[int, list[Row]] = {}
                for row in late:
                    runs.setdefault(bisect_right(block.keys, row.key), []).append(row)
                self._put(place, list(runs.items()))
            else:
                self._replace(place, _merged(block.rows(), late))
        self._renumber(lowest)
        return number

    def _put(self, place: int, runs: list[tuple[int, list[Row]]]) -> None:
        """Puts lines into a block, each run before an index; numbers are to be mended then."""
        block = self._blocks[place]
        before = block.size
        for index, rows in reversed(runs):
            block.insert(index, rows)
        self._size += block.size - before
        if len(block) >= 2 * MOST_LINES:
            self._replace(place, block.rows())
        elif place < len(self._blocks) - _OPEN:
            block.close()

    def _place(self, key: int) -> int:
        """The last block that begins with this key or an earlier one; -1 where all begin later."""
        return bisect_right(self._blocks, key, key=lambda block: block.keys[0]) - 1

    def _replace(self, place: int, rows: list[Row]) -> None:
        """Has these lines in place of those of a block."""
        self._size -= self._blocks[place].size
        made = blocks(rows)
        for block in made:
            block.close()
        self._size += sum(block.size for block in made)
        self._blocks[place : place + 1] = made

    def _renumber(self, place: int) -> None:
        """Numbers blocks anew behind this one."""
        number = self._numbers[place]
        del self._numbers[place:]
        for block in self._blocks[place:]:
            self._numbers.append(number)
            number += len(block)
        self._end = number

    def _drop(self) -> None:
        """Lets the oldest go while there is too much."""
        gone = 0
        while self._size > self._keep and gone < len(self._blocks) - 1:
            block = self._blocks[gone]
            self._size -= block.size
            for key in block.errors():
                self._count(key, -1)
            gone += 1
        del self._blocks[:gone], self._numbers[:gone]

    def prepend(self, lines: Sequence[tuple[int, Line]], *, room: int = 0) -> None:
        """Older lines, each with its origin, all from before what is held, oldest first.

        room: bytes that may be held beyond `keep` from now on, as these were asked for.
        """
        self._keep += room
        if not lines:
            return
        logs: dict[int, list[Line]] = {}
        for origin, line in lines:
            logs.setdefault(origin, []).append(line)
        older = Window(1 << 62)
        for origin, own in logs.items():
            older.add(origin, own)
        first, rest = self.first, self._blocks
        joined = False
        if rest:
            older._cap(rest[0].keys[0])
            joined = self._join(older)
            for block in (*older._blocks[-1:], *rest[:-1][:1]):
                block.close()
        else:
            self._logs = older._logs
        self._blocks = older._blocks + rest
        self._numbers = [first - (older.end - older.first)]
        self._renumber(0)
        self._size += older._size
        for block in older._blocks:
            for key in block.errors():
                self._count(key, 1)
        self._drop()
        self._change(self._end)
        if joined:
            self._begun = self._changes

    def _join(self, older: Window) -> bool:
        """Has the first entry here as the rest of the last one there, where it is that."""
        from cockpit.logs.traces import follow

        block, last = self._blocks[0], older._blocks[-1]
        first, before = block.row(0), last.row(len(last) - 1)
        log = older._logs.get(first.origin)
        if log is None or before.origin != first.origin or first.line.stream is _GAP:
            return False
        # What was no more than indented may be the trace that began there, and go on further.
        more, state = 0, log.state
        while more < len(block):
            row = block.row(more)
            goes_on, state = follow(state, log.level, row.line.text)
            late = row.line.at and row.line.at - log.began >= SPAN_NS
            if row.origin != first.origin or not goes_on or late:
                break
            more += 1
        if not more:
            return False
        own = self._logs.get(first.origin)
        if own is not None and own.key == first.key:
            own.key = log.key
        older._size -= last.size
        head = last.cut(last.entry(len(last) - 1)[0])
        older._size += last.size
        worst = max(head[0].level, first.level)
        rows = [*head, *block.rows()]
        for index in range(len(head) + more):
            rows[index] = rows[index]._replace(key=log.key, level=worst, head=index == 0)
        if more < len(block):
            rows[len(head) + more] = rows[len(head) + more]._replace(head=True)
        self._size -= block.size
        for key in block.errors():
            self._count(key, -1)
        joined = self._blocks[0] = Block(rows)
        self._size += joined.size
        for key in joined.errors():
            self._count(key, 1)
        if not len(last):
            older._blocks.pop()
        return True

    def _cap(self, key: int) -> None:
        """Sorts no line after this key."""
        for block in reversed(self._blocks):
            for index in range(len(block) - 1, -1, -1):
                if block.keys[index] <= key:
                    return
                block.keys[index] = key

    def clear(self) -> None:
        """Begin anew."""
        self._blocks, self._numbers = [], []
        self._end = self._size = 0
        self._logs, self._errors = {}, {}
        self._told.clear()
        self._changes += 1
        self._begun = self._changes

    def _change(self, lowest: int) -> None:
        self._changes += 1
        self._told.append((self._changes, lowest))

    def entry(self, number: int) -> tuple[int, int]:
        """The first and the last number of the entry (a traceback is one) that this line is of."""
        start, block = self.block(number)
        first, last = block.entry(number - start)
        return start + first, start + last

    def near(self, at: int) -> int:
        """The number of the first line that is not before a moment, in nanoseconds."""
        place = bisect_left(self._blocks, at, key=lambda block: block.keys[-1])
        if place == len(self._blocks):
            return self._end
        return self._numbers[place] + bisect_left(self._blocks[place].keys, at)

    @property
    def new_errors(self) -> Sequence[int]:
        """When the entries were written that the last `add` found to be errors, nanoseconds."""
        return self._new_errors

    def errors(self) -> dict[int, int]:
        """How many entries are errors, by minute (Unix time // 60), for minutes that have any."""
        return dict(self._errors)


def _merged(held: list[Row], late: list[Row]) -> list[Row]:
    """Both in the order of their keys; what is late goes behind what has the same."""
    merged, at = [], 0
    for row in late:
        to = bisect_right(held, row.key, at, key=lambda one: one.key)
        merged += held[at:to]
        merged.append(row)
        at = to
    return merged + held[at:]
