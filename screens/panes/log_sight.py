"""Which rows of the logs are in sight: as `less` does it, from a top line on, however many."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.logs.view import View
from screens.paint import Row


class Sight:
    """What is in sight of a view: from its line `top` on, without the first `cut` rows of that.

    view: as it is now. lay: the rows of the line at a place of it. top: a number of the window, so
    that what is in sight stays where it is while lines come and go.
    """

    def __init__(self, view: Callable[[], View], lay: Callable[[int], list[Row]]) -> None:
        self._view = view
        self._lay = lay
        self.top = self.cut = 0

    @property
    def at_start(self) -> bool:
        """Whether the first line is in sight, from its first row on."""
        return not self.cut and self._view().place(self.top) == 0

    def up_from(self, place: int, room: int) -> list[Row]:
        """Puts the line at a place last; returns the rows."""
        shown: list[Row] = []
        while True:
            shown[:0] = self._lay(place)
            if len(shown) >= room or place == 0:
                break
            place -= 1
        self.top, self.cut = self._view()[place], max(0, len(shown) - room)
        return shown[self.cut :]

    def down(self, room: int) -> list[Row]:
        """The rows from the top line on; from further up where they would not fill the room."""
        view = self._view()
        place = view.place(self.top)
        if place >= len(view) or view[place] != self.top:
            self.cut = 0
        skip = self.cut
        shown: list[Row] = []
        while place < len(view) and len(shown) < room:
            shown += self._lay(place)[skip:]
            skip, place = 0, place + 1
        if len(shown) < room and not self.at_start:
            return self.up_from(len(view) - 1, room)
        return shown[:room]

    def reveal(self, place: int, room: int) -> None:
        """Has a line in sight, scrolled by as little as that takes; after a leap amid others."""
        view = self._view()
        top, height = view.place(self.top), len(self._lay(place))
        if height > room:  # it is read row by row, from the end that is nearer
            if place != top:
                self.top, self.cut = view[place], height - room if place < top else 0
        elif abs(place - top) > 2 * room:
            self.up_from(place, room // 2 + 1)
        elif place <= top:
            self.top, self.cut = view[place], 0
        elif place - top >= room:
            self.up_from(place, room)
        else:
            used = sum(len(self._lay(one)) for one in range(top, place + 1)) - self.cut
            if used > room:
                self.up_from(place, room)

    def read_on(self, place: int, by: int, room: int) -> bool:
        """Scrolls within a line higher than the room; False where it was read to its end."""
        height = len(self._lay(place))
        if height <= room or self._view()[place] != self.top:
            return False
        left = height - room - self.cut if by > 0 else self.cut
        self.cut += by * max(0, min(left, max(1, room - 2)))
        return left > 0

    def page_up(self, room: int) -> int:
        """Puts the line that is at the top last; returns the number of the one at the top then."""
        self.up_from(self._view().place(self.top), room)
        self.cut = 0
        return self.top
