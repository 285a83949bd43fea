"""The bytes of a handbook as text, with what other programs did to its characters undone.

Text that was UTF-8 and was read as Windows-1252 or Latin-1 and saved again (`â€™`, `Ã¼`, `ðŸš¨`) is
turned back where no other reading is possible; what only may be mangled stays as it is.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache

from cockpit.oncall.model import Oddity
from cockpit.text import Safe, clean_line

_BY_BYTE = "cockpit-windows-1252"
_TIMES = 3
"""How often a text may have been mangled, one time over the other."""

# What Windows-1252 has in place of the controls of Latin-1; the five bytes it leaves out stay.
_SPECIAL = {
    char: byte for byte in range(0x80, 0xA0) if (char := bytes([byte]).decode("cp1252", "ignore"))
}
_FOREIGN = re.compile("[\x80-\xff" + "".join(_SPECIAL) + "]{2,}")
_ODD = re.compile("[^\x00-\x7f]+")
_STARTS = re.compile("[\xc2-\xf4]")
# Signs that stand behind a letter in good text, too: „Ä“, CAFÉ™, n° 3.
_BEHIND = frozenset("‘’“”‚„–—…‹›«»•™®©°ªº¹²³·\xa0!¡¿´")
_LETTERS = frozenset("ŠšŒœŽžŸƒ")
_LEFT = re.compile("â€|Ã[\x80-\xbf]|ðŸ|ï¿½|\ufffd|Â[\xa0°§©®·]")


def decode(data: bytes) -> tuple[str, tuple[Oddity, ...]]:
    """The text of a file, and what was odd about its encoding; any bytes give a text."""
    text, oddities = _decoded(data)
    if text.startswith("\ufeff"):
        text = text[1:]
        oddities.append(
            Oddity(1, Safe("the file begins with a byte order mark; it was passed over"))
        )
    if text.isascii():
        return text, tuple(oddities)
    good, lines = mend(text)
    if lines:
        more = f", and on {len(lines) - 1} more lines" if len(lines) > 1 else ""
        oddities.append(
            Oddity(
                lines[0],
                Safe(
                    f"UTF-8 that was read as something else was turned back{more}; "
                    "open the file as UTF-8 and write these characters anew"
                ),
            )
        )
    left = _LEFT.search(good)
    if left and "\ufffd" not in text:
        line = good.count("\n", 0, left.start()) + 1
        near = good[left.start() : left.start() + 8].split("\n")[0]
        what = f"“{near}” looks mangled, and what stood there is not certain"
        oddities.append(Oddity(line, clean_line(what)))
    return good, tuple(oddities)


def is_text(data: bytes) -> bool:
    """Whether these bytes can be text: NUL stands in no other than UTF-16 and UTF-32."""
    return b"\0" not in data or _wide(data) is not None


def _wide(data: bytes) -> tuple[str, str] | None:
    """The codec of text with several bytes a character, and what it is called."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32", "UTF-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "UTF-16"
    head = data[:4096]
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if zeros.count(0) > len(zeros) * 0.6:
            return name, "UTF-16"
    return None


def _decoded(data: bytes) -> tuple[str, list[Oddity]]:
    if b"\0" in data and (wide := _wide(data)):
        what = f"the file is {wide[1]}; save it as UTF-8"
        return data.decode(wide[0], "replace"), [Oddity(1, Safe(what))]
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    good = data.decode("utf-8", "ignore")
    text = data.decode("utf-8", _BY_BYTE)
    # A lone byte among good UTF-8 is of Windows-1252; so is all of it where most is no UTF-8.
    if sum(char > "\x7f" for char in good) < len(text) - len(good):
        text = data.decode("cp1252", "replace")
    what = "a byte that is not UTF-8 was read as Windows-1252; save the file as UTF-8"
    return text, [Oddity(line, Safe(what))]


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_BY_BYTE, _as_cp1252)


def mend(text: str) -> tuple[str, tuple[int, ...]]:
    """The text turned back, and the lines in which it was; others are as they were."""
    touched: set[int] = set()
    for _ in range(_TIMES):
        if not _STARTS.search(text):
            break
        whole = _turns(text)
        lines = text.split("\n")
        odd = {
            number: good
            for number, line in enumerate(lines)
            if not line.isascii() and (good := _line(line, whole=whole)) != line
        }
        if not odd:
            break
        for number, good in odd.items():
            lines[number] = good
        touched |= {number + 1 for number in odd}
        text = "\n".join(lines)
    return text, tuple(sorted(touched))


def _turns(text: str) -> bool:
    """Whether all that is odd in a text turns back, and some of it can be nothing else."""
    certain = False
    for run in _ODD.finditer(text):
        units = _units(run[0])
        if units is None:
            return False
        before = text[run.start() - 1 : run.start()]
        certain = certain or _alike(run[0]) or any(_certain(unit, before) for unit in units)
    return certain


def _line(line: str, *, whole: bool) -> str:
    if whole or _turns(line):
        return _ODD.sub(lambda run: _back(run[0]) or run[0], line)
    for pattern, good in _LOSSES if "â" in line or "ï" in line else ():
        line = pattern.sub(good, line)
    return _FOREIGN.sub(lambda run: _some(run[0], line[: run.start()][-1:]), line)


def _units(run: str) -> list[str] | None:
    """A run as pieces that were one character each; None where any of it was none."""
    raw = _bytes(run)
    if raw is None:
        return None
    try:
        good = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    units, at = [], 0
    for char in good:
        size = len(char.encode())
        units.append(run[at : at + size])
        at += size
    return units


def _bytes(run: str) -> bytes | None:
    raw = bytearray()
    for char in run:
        byte = _SPECIAL.get(char, ord(char))
        if byte > 0xFF:
            return None
        raw.append(byte)
    return bytes(raw)


def _back(unit: str) -> str | None:
    raw = _bytes(unit)
    if raw is None:
        return None
    try:
        good = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return good


def _some(run: str, before: str) -> str:
    """A run with those characters turned back that can be nothing else."""
    if _alike(run) and (good := _back(run)):
        return good
    out: list[str] = []
    at = 0
    while at < len(run):
        lead = ord(run[at])
        size = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC2 else 0
        unit = run[at : at + size] if lead <= 0xF4 else ""
        if unit and len(unit) == size and _certain(unit, run[at - 1] if at else before):
            out.append(_back(unit) or unit)
            at += size
        else:
            out.append(run[at])
            at += 1
    return "".join(out)


@lru_cache(maxsize=4096)
def _certain(unit: str, before: str) -> bool:
    """Whether odd characters can only be one that was mangled.

    before: the character that stands in front of them.
    """
    good = _back(unit)
    if good is None or len(good) != 1 or unicodedata.category(good) in ("Cn", "Co", "Cs"):
        return False
    lead, rest = unit[0], unit[1:]
    if any("\x80" <= char <= "\x9f" for char in rest):
        return True
    if unicodedata.category(good) == "Cc":
        return False
    odd = [char for char in rest if char not in _BEHIND and char not in _LETTERS]
    if len(unit) == 4:
        return lead == "ð" and rest[0] == "Ÿ"
    if len(unit) == 3:
        box = rest[0] in _LETTERS or rest[1] in _LETTERS or rest[1] in "¡¿´º²³ª¹°·"
        mixed = lead == "â" and box and not (rest[0] in _LETTERS and rest[1] in _LETTERS)
        return len(odd) > 1 or mixed or (lead in "âï" and bool(odd))
    if lead not in "ÂÃ":
        return False
    # No word has a capital Ã or Â after a small letter, and none is one alone.
    small = before.isascii() and before.islower()
    return small or bool(odd) or (lead == "Â" and rest in "°©®·" and not before.isalpha())


@lru_cache(maxsize=4096)
def _alike(run: str) -> bool:
    """Whether a run turns back into several letters of one script, other than Latin."""
    units = _units(run)
    if units is None or len(units) < (3 if len(units[0]) == 2 else 2) or len(units[0]) > 3:
        return False
    good = _back(run) or ""
    scripts = {unicodedata.name(char, "?").split()[0].split("-")[0] for char in good}
    sizes = {len(unit) for unit in units}
    return len(scripts) == len(sizes) == 1 and good.isalpha() and "LATIN" not in scripts


# What lost a byte on its way, where a program had no character for it.
_LOSSES = (
    (re.compile("âš[\xa0 ]ï¸[\x8f\ufffd]?"), "⚠️"),
    (re.compile("â€[\x9d\ufffd]"), "”"),
    (re.compile("ï¸[\x8f\ufffd]?(?![\x80-\xbf])"), "\ufe0f"),
)
