"""One entry of a log opened whole: when and where, its fields, its trace, the text as it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from cockpit.logs import fields
from cockpit.logs.line import Level, Stream
from cockpit.text import Safe
from screens.dialogs.reader import Reader

if TYPE_CHECKING:
    from cockpit.logs.window import Held

_MOST_LINES = 2_000


class LogLine(Reader):
    """Shows an entry, which can be pinned and copied from here too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "pin", "pin", id="line.pin", tooltip="Put it on the timeline"),
        Binding("y", "copy", "copy", id="line.copy", tooltip="Copy it"),
    ]

    def __init__(self, whole: Safe, pin: Callable[[], None], copy: Callable[[], object]) -> None:
        super().__init__(Safe(" Log entry   m to the timeline · y copies"), lambda: whole)
        self._pin = pin
        self._copy = copy

    def action_pin(self) -> None:
        self.dismiss(None)
        self._pin()

    def action_copy(self) -> None:
        self.dismiss(None)
        self._copy()


def laid_out(entry: Sequence[Held], under: Held, name: Safe, zone: tzinfo) -> Safe:
    """All that is known of an entry.

    under: the line of it that the cursor is on. name: of its log. zone: local time.
    """
    head = under.line
    said = [f"{name}, {head.stream}" if head.stream is not Stream.GAP else f"{name}"]
    if under.level is not Level.NONE:
        said[0] += f", {under.level.name.lower()}"
    if head.at:
        said.append(_when(head.at, zone))
    if len(entry) > 1:
        said.append(f"{len(entry)} lines")
    found = fields.laid_out(entry[0].line.text)
    if found:
        width = min(24, max(len(name) for name, _ in found))
        said += ["", *(f"{name:<{width}}  {value}" for name, value in found)]
        said += ["", "As it came:"]
    said.append("")
    said += [held.line.text for held in entry[:_MOST_LINES]]
    if len(entry) > _MOST_LINES:
        said.append(f"… {len(entry) - _MOST_LINES:,} more lines")
    return Safe("\n".join(said))


def _when(at: int, zone: tzinfo) -> str:
    seconds, rest = divmod(at, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    said = f"{moment:%Y-%m-%d %H:%M:%S}.{rest // 10**6:03d} UTC"
    local = moment.astimezone(zone)
    return said if not local.utcoffset() else f"{said}, {local:%H:%M:%S} {local:%Z}"
