"""A terminal that is easy to attack, and what shows whether it was."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

from tests.screens.tmux import Terminal

# As easy to attack as tmux can be made.
OPEN_DOORS = (
    ("set-option", "-g", "set-clipboard", "on"),
    ("set-option", "-g", "allow-passthrough", "on"),
    ("set-option", "-g", "allow-rename", "on"),
    ("set-option", "-g", "automatic-rename", "off"),
    ("set-option", "-g", "monitor-bell", "on"),
)
STATE = (
    "alternate_on cursor_flag insert_flag keypad_cursor_flag keypad_flag mouse_all_flag"
    " mouse_any_flag mouse_button_flag mouse_sgr_flag mouse_standard_flag mouse_utf8_flag"
    " origin_flag wrap_flag scroll_region_upper scroll_region_lower pane_title window_name"
    " window_width window_height window_bell_flag pane_tabs pane_pipe pane_dead"
)
# All that a frame of cockpit is made of: places, styles, erasing, scrolling, and its question;
# and the shape of the pointer, which Textual sets with each screen.
FRAME = re.compile(
    rb"\x1b\[[0-9;]*H|\x1b\[[0-9;:]*m|\x1b\[[0-9]*[CKX]|\x1b\[[0-9;]*r|\x1b\[6n"
    rb"|\x1b\]22;default\x07|\x1b\[\?2026[hl]|\x1b\(B|\x1b\[2J|\r\n|[\x20-\x7e]"
)
STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
UNSEEN = {"5", "6", "8"}


class Attacked:
    """Looks at a terminal from now on; every byte that is written to it is kept in a file."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal = terminal
        self._written = folder / "written"
        for words in OPEN_DOORS:
            terminal.control(*words)
        keep = f"exec cat >{shlex.quote(str(self._written))}"
        terminal.control("pipe-pane", "-t", "main", "-O", keep)
        self._state = self.state()

    def state(self) -> dict[str, str]:
        """What the terminal is like apart from its cells."""
        names = STATE.split()
        asked = "|".join(f"#{{{name}}}" for name in names)
        found = self.terminal.control("display-message", "-p", "-t", "main", asked)
        return dict(zip(names, found.rstrip("\n").split("|"), strict=True))

    def mark(self) -> int:
        """Where the output stands now, at the begin of a sequence."""
        return max(0, self._output(0).rfind(b"\x1b"))

    def _output(self, since: int) -> bytes:
        """What was written to it; nothing before the process that keeps it has begun."""
        if not self._written.exists():
            return b""
        with self._written.open("rb") as file:
            file.seek(since)
            return file.read()

    def is_unharmed(self, since: int = 0) -> None:
        """Asserts that it is as it was, and that only frames were written since a mark."""
        assert self.state() == self._state
        assert self.terminal.control("list-buffers") == ""
        until = time.monotonic() + 30
        while True:
            output = self._output(since)
            # What keeps it may be in the middle of a frame: its last sequence has yet to end.
            frames_alone(output[: max(0, output.rfind(b"\x1b"))])
            try:
                frames_alone(output)
                return
            except (AssertionError, UnicodeDecodeError):
                if time.monotonic() > until:
                    raise
            time.sleep(0.05)


def frames_alone(output: bytes) -> None:
    """Nothing that steers a terminal but what frames are made of; nothing that cannot be seen."""
    rest = FRAME.sub(b"", output).decode()
    assert not STEERING.search(rest), repr(rest)
    for style in SGR.findall(output):
        codes = style.decode().split(";")
        if codes[0] not in ("38", "48"):
            assert not UNSEEN & set(codes), f"a style that hides: {style!r}"
        colours = {code for code in codes if re.fullmatch("3[0-7]|9[0-7]", code)}
        backs = {str(int(code) - 10) for code in codes if re.fullmatch("4[0-7]|10[0-7]", code)}
        assert not colours & backs, f"a colour on itself: {style!r}"
