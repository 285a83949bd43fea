"""What a line may hold that was written to attack the terminal it is read in, by class."""

from __future__ import annotations

import base64
from typing import Final

MINE: Final = b"PWNED"
"""Stands in whatever an attack would leave behind: a clipboard, a title, a line of input."""

_CLIP = base64.b64encode(MINE)


def _passed(inner: bytes) -> bytes:
    """Wrapped so that tmux would hand it to the terminal outside."""
    return b"\x1bPtmux;" + inner.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\"


ATTACKS: Final[dict[str, tuple[bytes, ...]]] = {
    "clipboard": (
        b"\x1b]52;c;" + _CLIP + b"\x07",
        b"\x1b]52;;" + _CLIP + b"\x1b\\",
        b"\x1b]52;c;?\x07",
        b"\x9d52;c;" + _CLIP + b"\x9c",
        "\x9d52;p;".encode() + _CLIP + "\x9c".encode(),
        b"\x1b]1337;Copy=:" + _CLIP + b"\x07",
        b"\x1b]1337;CopyToClipboard=general\x07" + MINE + b"\x1b]1337;EndCopy\x07",
        b"\x1b]52;c;" + _CLIP,
        b"\x1b\x1b]52;c;" + _CLIP + b"\x07",
        b"\x1b[31\x1b]52;c;" + _CLIP + b"\x07m",
    ),
    "title": (
        b"\x1b]0;" + MINE + b"\x07",
        b"\x1b]1;" + MINE + b"\x1b\\",
        b"\x1b]2;" + MINE + b"\x07",
        b"\x1bk" + MINE + b"\x1b\\",
        b"\x9d2;" + MINE + b"\x9c",
        b"\x1b[22;0t\x1b]0;" + MINE + b"\x07\x1b[21t",
        b"\x1b]l" + MINE + b"\x1b\\\x1b]L" + MINE + b"\x1b\\",
    ),
    "links, notices and files": (
        b"\x1b]8;;https://evil.example/\x1b\\" + MINE + b"\x1b]8;;\x1b\\",
        b"\x1b]8;id=a;file:///etc/passwd\x07click\x1b]8;;\x07",
        b"\x1b]9;" + MINE + b"\x07\x1b]777;notify;" + MINE + b";x\x07\x1b]99;;" + MINE + b"\x1b\\",
        b"\x1b]7;file://host/" + MINE + b"\x07\x1b]133;A\x07\x1b]633;E;" + MINE + b"\x07",
        b"\x1b]1337;File=name=" + _CLIP + b";inline=0:" + _CLIP + b"\x07",
        b"\x1b]1337;RequestUpload=format=tgz\x07\x1b]50;" + MINE + b"\x07",
        b"\x1b[5i" + MINE + b"\x1b[4i\x1b[?5i\x1b[?4i",
    ),
    "colours of the terminal": (
        b"\x1b]4;0;rgb:ff/00/00\x07\x1b]4;1;?\x07",
        b"\x1b]10;#000000\x07\x1b]11;#000000\x1b\\\x1b]12;#000000\x07",
        b"\x1b]104\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07\x1b]708;#000000\x07",
        b"\x1b]P0ff0000\x1b]R",
        b"\x1b[8m" + MINE + b" hidden\x1b[30;40m on itself\x1b[5;7m",
        b"\x1b[38;2;0;0;0;48;2;0;0;0m" + MINE + b"\x1b[58:2::1:2:3m",
        b"\x1b[" + b"1;" * 3000 + b"m" + MINE,
        b"\x1b[#{\x1b[#q\x1b[31#p",
    ),
    "modes": (
        b"\x1b[?1049l\x1b[?47l\x1b[?1047l" + MINE,
        b"\x1b[?1049h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?1015h\x1b[?9h",
        b"\x1b[?2004h\x1b[?2004l\x1b[?1004h\x1b[?1h\x1b=\x1b>",
        b"\x1b[?25h\x1b[?25l\x1b[5 q\x1b[?12h\x1b]12;red\x07",
        b"\x1b[?7l\x1b[?6h\x1b[4h\x1b[20h\x1b[?5h\x1b[?3h\x1b[?40h\x1b[?45h",
        b"\x1b[3;5r\x1b[?69h\x1b[2;4s",
        b"\x1b[?2026h\x1b[?2027h\x1b[?2048h\x1b[>4;2m\x1b[>1u\x1b[=31u",
        b"\x1bc\x1b[!p\x1b#8\x1b[?2l",
        b"\x1b(0lqk\x1b)0\x0e lqk \x0f\x1b%@\x1b%G\x1bn\x1bo\x1b|",
    ),
    "moves and erasing": (
        b"\x1b[H" + MINE + b"\x1b[1;1H\x1b[2J\x1b[3J\x1b[J",
        b"\x1b[99A\x1b[99D" + MINE,
        b"\x1b[1;61f\x1b[K" + MINE,
        b"\x1b7\x1b[1;61H" + MINE + b"\x1b8\x1b[s\x1b[u",
        b"\x1bM" * 30 + MINE + b"\x1bD\x1bE\x1b[9S\x1b[9T\x1b[9L\x1b[9M\x1b[9@\x1b[9P\x1b[9X",
        b"abc\x1b[1b\x1b[999b\x1b[3g\x1bH\x1b[W\x1b[5W",
        b"\x1b[1;1;40;120$z\x1b[65;1;1;40;120$x\x1b[1;1;9;9;1;5;5;1$v",
        b"\x9bH\x9b2J\x8d\x84\x85" + MINE + "\x9bH\x9b2J\x8d\x84\x85".encode(),
        b"\x1b[8;1;1t\x1b[3;0;0t\x1b[2t\x1b[9;1t",
    ),
    "questions": (
        b"\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ\x9bc",
        b"\x1b[5n\x1b[6n\x1b[?6n\x1b[?15n\x1b[?996n",
        b"\x1bP+q544e\x1b\\\x1bP$qm\x1b\\\x1bP$q q\x1b\\",
        b"\x1b[18t\x1b[14t\x1b[19t\x1b[20t\x1b[21t\x1b[11t",
        b"\x1b[?1$p\x1b[4$p\x1b[?u\x1b[>q\x1b[>0q\x1b[x\x1b[1x\x1b[1*y\x1b[1;1;1;1;1;1*y",
        b"\x1b]10;?\x07\x1b]11;?\x1b\\\x1b]4;7;?\x07\x1b]1337;ReportCellSize\x07",
        b"\x05\x05\x05",
        b"\x1b[?1;1;0S\x1b[&u\x1b[1;2'|\x1b['|",
    ),
    "strings": (
        b"\x1bP" + MINE + b"\x1b\\" + b"\x90" + MINE + b"\x9c",
        b"\x1b_" + MINE + b"\x1b\\" + b"\x9f" + MINE + b"\x9c",
        b"\x1b^" + MINE + b"\x1b\\" + b"\x9e" + MINE + b"\x9c",
        b"\x1bX" + MINE + b"\x1b\\" + b"\x98" + MINE + b"\x9c",
        b"\x1bP never ends " + MINE,
        b"\x1b] never ends " + MINE,
        b"\x1b_G never ends " + MINE,
        b"\x1bP1$r0m\x1b\\\x1bP!zFF\x1b\\\x1bP1;1|17/" + MINE + b"\x1b\\",
    ),
    "pictures": (
        b"\x1bPq#0;2;0;0;0#0~~@@vv@@~~$-\x1b\\" + MINE,
        b"\x1bP0;1;0q\"1;1;99;99#1!99~\x1b\\",
        b"\x1b_Gf=24,s=10,v=20,a=T;" + _CLIP * 20 + b"\x1b\\",
        b"\x1b_Ga=T,t=f;" + base64.b64encode(b"/etc/passwd") + b"\x1b\\",
        b"\x1b]1337;File=inline=1:" + _CLIP + b"\x07",
        b"\x1bPpS(C1)P[100,100]V[200,200]\x1b\\",
    ),
    "through tmux and screen": (
        _passed(b"\x1b]52;c;" + _CLIP + b"\x07"),
        _passed(_passed(b"\x1b]52;c;" + _CLIP + b"\x07")),
        _passed(b"\x1b]0;" + MINE + b"\x07"),
        b"\x1bP\x1b]52;c;" + _CLIP + b"\x07\x1b\\",
        b"\x1bP1000p%exit\n\x1b\\",
    ),
    "raw control characters": (
        bytes(range(1, 10)) + bytes(range(11, 32)) + b"\x7f",
        b"a\x00b\x00" + MINE,
        bytes(range(0x80, 0xA0)),
        "".join(map(chr, range(0x80, 0xA0))).encode(),
        b"\x0e\x0f\x11\x13\x07\x07\x07",
        b"\x18\x1a\x1b",
    ),
    "overwriting": (
        b"harmless\r" + MINE,
        MINE + b"\x08" * 60 + b"OK   ",
        b"\t" * 40 + MINE,
        b"a\x0bb\x0cc\x85d" + MINE,
        b"x\x7f\x7f\x7f" + MINE,
        "one\u2028two\u2029three\u0085four".encode(),
    ),
    "order and nothing": (
        "\u202egnp.exe\u202c \u2066\u2067\u2068x\u2069 \u061c\u200e\u200f".encode(),
        "a\u200bb\u200cc\u200dd\ufeffe\u2060f\u00adg\u180eh".encode(),
        "\U000e0041\U000e0042\U000e0043\U000e007f tags".encode(),
        "\u115f\u1160\u3164\uffa0\u2800 blanks \u034f".encode(),
        "\ufff9a\ufffab\ufffb \ue000 \U0010fffd \ufffe \uffff".encode(),
    ),
    "wide and stacked": (
        ("Z" + "\u0301" * 4000 + MINE.decode()).encode(),
        ("\u0e33" * 60 + "\u0489" * 60).encode(),
        "👩‍👩‍👧‍👦👨🏿‍🚀🏴‍☠️🇩🇪🇩🇪🇩 ☺️ ❤︎".encode(),
        ("\U0001f469\u200d" * 300).encode(),
        ("界" * 3000).encode(),
        "﷽ ꧅ 𒐫 ⸻ ༼ つ ◕_◕ ༽つ".encode(),
        "각ᅟᅠ각ᆨᆨᆨ".encode(),
    ),
    "markup": (
        b"[/] [/] [] [[ ]] [red]x[/blue] [/red] [bold",
        b"[@click=app.exit]x[/] [@click='screen.leave(True)']y[/] [@click=app.bell]",
        b"[link=https://evil.example]x[/link] [on red]x :warning: :skull:",
        b"$text-error {variable} %s %d {0} {} \\[ \\] {{.Names}}",
        b"`code` ```fence``` **bold** <script>x</script> &lt; [a](javascript:x) ![b](x)",
    ),
    "not UTF-8": (
        b"\xff\xfe\xfd \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf \xf8\x88\x80\x80\x80",
        b"\xc0\x9b2J \xe0\x82\x9bH \xc1\x9b",
        b"\xed\xa0\x80\xed\xbf\xbf \xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80 \xc3( \xe2\x82 \xf0\x9f\x98",
        b"\xc2\x1b]52;c;" + _CLIP + b"\x07 \xe2\x1b[2J",
        b"+AGEAYg- =?utf-7?Q?+ADw-?= \x1b%/I\x1b%/G",
    ),
    "long": (
        b"A" * 200_000,
        b"\x1b[" * 60_000,
        b"\x1b]" * 60_000,
        b"\x1b[" + b"9" * 100_000 + b"A",
        "\u202e".encode() * 30_000,
    ),
}  # fmt: skip
