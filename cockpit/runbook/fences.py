"""Split a block of shell into logical commands, comments and what is not a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from cockpit.runbook import output, plain, programs
from cockpit.runbook.programs import names_of

SHELL = names_of(
    "sh bash shell zsh ksh console shell-session shellsession sh-session bash-session terminal "
    "shellscript commandline cli cmd command"
)
WINDOWS = names_of("powershell pwsh ps1 posh bat batch dos winbatch")
"""Shells of which a line is a command here too where it only calls a program: `docker ps`."""
UNTAGGED = frozenset({"", "text", "txt", "plaintext", "plain", "none", "default", "raw"})

_UNIT_LINES = 300
"""A logical command is shorter than this; so an open quote cannot make the split quadratic."""

_WASTE = 3_000
"""Lines of a block that may be read in vain for the end of an open quote or here-document."""

_PROMPT = re.compile(
    r"\s*(?:[$❯➜]|(?:\([\w.-]+\)\s*)?\[?[\w.-]+@[\w.-]+(?:[: ][^$#\n>]{0,40})?\]?\s?[$#%]"
    r"|(?:ba)?sh-[\d.]+[$#]|[a-z][\w-]*(?:\.[\w-]+)*"
    r"(?::[~/][\w./~-]{0,60}[$#]|[ \t]+\$))[ \t]+(?=\S)"
)
_PROMPT_SIGN = re.compile(r"[$❯➜][ \t]|@|(?<=\S)#[ \t]")
"""In every prompt of a shell, as the next in every one of a session: looked for first."""
_SESSION_SIGN = re.compile(r">|=[#*]|In \[")
_CONTINUED = re.compile(r"\s*>\s?")
_SESSION_PROMPT = re.compile(
    r"\s*(?:(?:mysql|sqlite|psql|redis|mongo(?:sh)?|irb|ftp|sftp|SQL|cqlsh(?::\w+)?|ksql|MariaDB|\w+DB)"
    r"(?:\s*[\[(][^>\n]{0,40}[\])])?>"
    r"|[\w.-]+(?::\d+)?(?:\[\d+\])?> |[\w-]+=[#>*]|>>> |In \[\d+\]:"
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:\d+>|\w+\([\w: ]*\)[:\d]*> )"
)
_SESSION = re.compile(
    r"\b(?:sqlite3|psql|mysql|mariadb|mongo|mongosh|redis-cli|cqlsh|"
    r"clickhouse-client|sqlplus|telnet"
    r"|openssl s_client|ftp|sftp|gdb|irb|rails c(?:onsole)?|gitlab-rails console|dbshell|etcdctl -i"
    r"|(?:python3?|node|influx)\s*$)\b"
)
_SESSION_NAMES = (
    *("sql", "mongo", "redis", "mariadb", "clickhouse", "telnet", "openssl", "ftp", "gdb", "irb"),
    *("rails", "dbshell", "etcdctl", "python", "node", "influx"),
)
"""One of them is in whatever `_SESSION` matches: much sooner asked."""
_ONE_SHOT = re.compile(r"\s-\w*[ceQf]\b|\s--(?:command|execute|eval|file)\b|<|\s\"|'\s*$|\"\s*$")
_SQL = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|DROP|ALTER|CREATE|PRAGMA|VACUUM|REINDEX|"
    r"BEGIN|COMMIT|ROLLBACK|"
    r"SHOW|DESCRIBE|EXPLAIN|GRANT|REVOKE|FLUSH|USE|SET|TRUNCATE|WITH|ANALYZE|"
    r"KILL)\b[^|]*|\s*\.\w+(?:\s.*)?"
    r"|\s*\\[a-z]+\+?.*",
)
_KEYWORD_OPENS = frozenset({"if", "for", "while", "until", "case", "select"})
_KEYWORD_CLOSES = frozenset({"fi", "done", "esac"})
_BEFORE_COMMAND = frozenset(
    {"if", "while", "until", "then", "do", "else", "elif", "!", "{", "time"}
)
_HEREDOC = re.compile(r"<<(-?)[ \t]*\\?(['\"]?)([A-Za-z_]\w*)\2")
_QUOTED = re.compile(r'[^"\\`$]+')
_WORD = re.compile(r"[^\s;&|()<>\"'`$\\#]+")


class Kind(StrEnum):
    """What a piece of a block is."""

    COMMAND = "command"
    COMMENT = "comment"
    OTHER = "other"
    BLANK = "blank"


class Piece(msgspec.Struct, frozen=True):
    """One or more whole lines of a block; first and last count from 0.

    text of a command has no prompt and no comment at its end, which stands in note.
    """

    kind: Kind
    text: str
    first: int
    last: int
    note: str = ""


@dataclass(slots=True)
class _Scanner:
    """Reads shell line by line and knows whether a command is still open at the end of a line."""

    stack: list[str] = field(default_factory=list)
    ticked: bool = False
    heredocs: list[tuple[str, bool]] = field(default_factory=list)
    depth: int = 0
    trailing: bool = False
    body: bool = False
    comment: int = -1

    @property
    def open(self) -> bool:
        return self.trailing or self.hard

    @property
    def hard(self) -> bool:
        """Open in a way that only a closing sign ends."""
        return bool(self.stack or self.heredocs) or self.depth > 0

    def feed(self, line: str) -> None:
        self.comment = -1
        if self.body and self.heredocs:
            delimiter, tabs = self.heredocs[0]
            if (line.lstrip("\t") if tabs else line).rstrip() == delimiter:
                self.heredocs.pop(0)
            self.body = bool(self.heredocs)
            self.trailing = False
            return
        self.trailing = False
        last = self._scan(line)
        if self.heredocs:
            self.body = True
        self.trailing = self.trailing or last in ("|", "&&", "||", "|&")

    def _scan(self, line: str) -> str:
        i, size, last, at_start = 0, len(line), "", True
        while i < size:
            char, top = line[i], self.stack[-1] if self.stack else ""
            if top == "'":
                i = line.find("'", i)
                if i < 0:
                    break
                self.stack.pop()
            elif top == '"' and (run := _QUOTED.match(line, i)):
                i = run.end()
                continue
            elif char == "\\":
                if i + 1 == size:
                    self.trailing = True
                last, at_start = "x", False
                i += 1
            elif char == "`":
                if self.ticked:
                    while self.stack.pop() != "`":
                        pass
                else:
                    self.stack.append("`")
                self.ticked = not self.ticked
                last = "x"
            elif char == "$" and line[i + 1 : i + 2] in ("(", "{"):
                self.stack.append(line[i + 1])
                i += 1
                last, at_start = "x", False
            elif char == '"':
                if top == '"':
                    self.stack.pop()
                else:
                    self.stack.append('"')
                last, at_start = "x", False
            elif top == '"':
                pass
            elif top == "{":
                if char == "}":
                    self.stack.pop()
                elif char == "'":
                    self.stack.append("'")
            elif char == "'":
                self.stack.append("'")
                last, at_start = "x", False
            elif char == "(":
                self.stack.append("(")
                last, at_start = "(", True
            elif char == ")":
                if top == "(":
                    self.stack.pop()
                defines = line[i - 1 : i] == "("  # f() {
                last, at_start = ")", not self.stack and (self.depth > 0 or defines)
            elif char == "#" and (i == 0 or line[i - 1] in " \t;("):
                self.comment = i
                break
            elif char == "<" and (match := _HEREDOC.match(line, i)) and line[i - 1 : i] != "<":
                self.heredocs.append((match[3], match[1] == "-"))
                i = match.end() - 1
                last = "x"
            elif char in "|&;":
                double = line[i : i + 2]
                last = double if double in ("&&", "||", "|&", ";;") else char
                i += len(last) - 1
                at_start = True
            elif not char.isspace():
                i, last, at_start = self._word(line, i, at_start)
                continue
            i += 1
        return last

    def _word(self, line: str, i: int, at_start: bool) -> tuple[int, str, bool]:
        match = _WORD.match(line, i)
        if not match:
            return i + 1, "x", False
        word = match[0]
        if not at_start or "(" in self.stack:
            return match.end(), "x", False
        if word in _KEYWORD_OPENS or word == "{":
            self.depth += 1
        elif word in _KEYWORD_CLOSES or word == "}":
            self.depth = max(0, self.depth - 1)
        return match.end(), "x", word in _BEFORE_COMMAND


def split(lines: Sequence[str]) -> Iterator[Piece]:
    """Logical commands, comment lines and blank lines of a script, in order, nothing left out."""
    i, wasted = 0, 0
    while i < len(lines):
        text = lines[i].strip()
        if not text:
            yield Piece(Kind.BLANK, "", i, i)
            i += 1
        elif text.startswith("#"):
            yield Piece(Kind.COMMENT, text.lstrip("#").strip(), i, i)
            i += 1
        elif plain.split(text):
            yield Piece(Kind.COMMAND, text, i, i)
            i += 1
        else:
            limit = _UNIT_LINES if wasted < _WASTE else 3
            piece, read_lines = _unit(lines, i, limit)
            wasted += read_lines - (piece.last - i + 1)
            yield piece
            i = piece.last + 1


def _unit(lines: Sequence[str], first: int, limit: int = _UNIT_LINES) -> tuple[Piece, int]:
    """The command that starts at a line, and how many lines were read to find its end."""
    scanner = _Scanner()
    last = first
    stop = min(len(lines), first + limit)
    note = ""
    while last < stop:
        if last > first and scanner.trailing and not scanner.hard and not lines[last].strip():
            last -= 1
            break
        scanner.feed(lines[last])
        if not scanner.open:
            break
        last += 1
    reached = min(last, stop - 1)
    if last >= stop:
        last = first if scanner.hard else stop - 1
        scanner.comment = -1
    body = "\n".join(_dedent(lines[first : last + 1]))
    if first == last and scanner.comment > 0:
        line = lines[first]
        note = line[scanner.comment :].lstrip("#").strip()
        body = line[: scanner.comment]
    return Piece(Kind.COMMAND, body.strip(), first, last, note), reached - first + 1


def _dedent(lines: Sequence[str]) -> list[str]:
    indent = len(lines[0]) - len(lines[0].lstrip())
    return [line[indent:] if not line[:indent].strip() else line for line in lines]


def read(
    lines: Sequence[str],
    language: str,
    also: frozenset[str] = frozenset(),
    used: frozenset[str] = frozenset(),
) -> list[Piece]:
    """The pieces of a code block: what is to be run, the author's comments, and the rest.

    language: the first word of the fence's info string, lower case, "" when there is none.
    also: names of programs that shell fences of the same file use. used: variables that the file
    reads somewhere.
    """
    rest = [Piece(Kind.OTHER, "\n".join(lines), 0, len(lines) - 1)] if lines else []
    if language in WINDOWS:
        return _plain_calls(lines, also)
    shell = language in SHELL
    if not (shell or language in UNTAGGED) or any(line.startswith("#!") for line in lines[:2]):
        return rest
    text = "\n".join(lines)
    if _PROMPT_SIGN.search(text) and any(_PROMPT.match(line) for line in lines):
        return list(_prompted(lines))
    if _SESSION_SIGN.search(text) and any(_SESSION_PROMPT.match(line) for line in lines):
        return _session(lines, also) or rest
    pieces = list(_sessions(split(lines), also))
    check: Callable[[str], bool] = programs.plausible
    if not shell:
        check = lambda text: programs.certain(text, also) or programs.new(text)  # noqa: E731
    commands = [piece for piece in pieces if piece.kind is Kind.COMMAND]
    if not commands:
        return rest
    good = [piece for piece in commands if check(piece.text)]
    if (
        not good
        or output.is_environment([piece.text for piece in commands], used)
        or _is_output(commands, good, pieces, shell, also)
    ):
        return rest
    return list(_without_output(pieces, lines, shell, also))


_OF_WINDOWS = re.compile(
    r"[`^]\s*\Z|\$env:|\$\w+\s*=|%\w+%|\||\\\w|[({]\s*\Z|\s-[A-Z][a-z]{2}|\A[(\[@:{!]"
    r"|\A(?:if|for|foreach|while|function|param|try|return|set|setx|call|rem|goto|exit)\b"
)


def _plain_calls(lines: Sequence[str], also: frozenset[str]) -> list[Piece]:
    """Lines of a shell of Windows: those that call a program as any shell does are commands."""
    pieces: list[Piece] = []
    goes_on = False
    for i, line in enumerate(lines):
        text = line.strip()
        if not text or text.startswith("#"):
            kind = Kind.COMMENT if text else Kind.BLANK
            pieces.append(Piece(kind, text.lstrip("#").strip(), i, i))
            goes_on = False
            continue
        own = _OF_WINDOWS.search(text)
        known = programs.program(text) in programs.KNOWN and programs.plausible(text)
        call = not (own or goes_on) and (known or programs.certain(text, also))
        if call and (piece := _unit([text], 0, 1)[0]).last == 0:
            pieces.append(Piece(Kind.COMMAND, piece.text, i, i, piece.note))
        else:
            pieces.append(Piece(Kind.OTHER, line, i, i))
        goes_on = text.endswith(("`", "^"))
    return pieces


def _without_output(
    pieces: Sequence[Piece], lines: Sequence[str], shell: bool, also: frozenset[str]
) -> Iterator[Piece]:
    """The pieces with what is output turned to OTHER.

    Below a line that is surely none, up to a blank line or comment, only what is surely a command
    is one: the rows of a table are not to be told from commands one by one.
    """
    doubt = False
    for piece in pieces:
        if piece.kind in (Kind.BLANK, Kind.COMMENT):
            doubt = False
        elif piece.kind is Kind.COMMAND:
            sure = programs.certain(piece.text, also) or (not shell and programs.new(piece.text))
            if not sure and (doubt or not programs.plausible(piece.text)):
                doubt = True
                piece = Piece(Kind.OTHER, _whole(lines, piece), piece.first, piece.last)
            else:
                doubt = doubt and not sure
        yield piece


def _whole(lines: Sequence[str], piece: Piece) -> str:
    return "\n".join(lines[piece.first : piece.last + 1])


def _is_output(
    commands: Sequence[Piece],
    good: Sequence[Piece],
    pieces: Sequence[Piece],
    shell: bool,
    also: frozenset[str],
) -> bool:
    if shell:
        comments = [piece.text for piece in pieces if piece.kind is Kind.COMMENT]
        if output.is_named_as_one(comments) and not programs.certain(commands[0].text, also):
            return pieces[0].kind is Kind.COMMENT
        if any(programs.certain(piece.text, also) for piece in commands):
            return False
        texts = [piece.text for piece in commands]
        return len(good) < len(commands) or output.is_configuration(texts, comments)
    return commands[0] not in good or len(good) * 2 < len(commands)


def _prompted(lines: Sequence[str]) -> Iterator[Piece]:
    i = 0
    while i < len(lines):
        prompt = _PROMPT.match(lines[i])
        if not prompt:
            text = lines[i].strip()
            kind = Kind.COMMENT if text.startswith("#") else Kind.OTHER if text else Kind.BLANK
            yield Piece(kind, text.lstrip("#").strip() if text.startswith("#") else lines[i], i, i)
            i += 1
            continue
        unit = [lines[i][prompt.end() :]]
        for line in lines[i + 1 : i + _UNIT_LINES]:
            if _PROMPT.match(line):
                break
            unit.append(line)
        piece, _ = _unit(unit, 0)
        if not piece.text:
            yield Piece(Kind.OTHER, lines[i], i, i)
            i += 1
            continue
        text = piece.text
        if piece.last > 0 and all(_CONTINUED.match(line) for line in unit[1 : piece.last + 1]):
            text = "\n".join(
                [unit[0], *(_CONTINUED.sub("", line, 1) for line in unit[1 : piece.last + 1])]
            )
        kind = Kind.COMMENT if unit[0].startswith("#") else Kind.COMMAND
        yield Piece(
            kind, text.lstrip("# ") if kind is Kind.COMMENT else text, i, i + piece.last, piece.note
        )
        i += piece.last + 1


def _session(lines: Sequence[str], also: frozenset[str]) -> list[Piece] | None:
    """A block with the prompt of a program in it: commands stand only before the first prompt."""
    start = next(i for i, line in enumerate(lines) if _SESSION_PROMPT.match(line))
    pieces: list[Piece] = []
    for i, line in enumerate(lines[:start]):
        text = line.strip()
        command = text[1:].strip() if text.startswith("#") else text
        if programs.certain(command, also):
            pieces.append(Piece(Kind.COMMAND, command, i, i))
        elif text:
            pieces.append(
                Piece(Kind.COMMENT if text[0] == "#" else Kind.OTHER, text.lstrip("# "), i, i)
            )
    if not any(piece.kind is Kind.COMMAND for piece in pieces):
        return None
    return [*pieces, Piece(Kind.OTHER, "\n".join(lines[start:]), start, len(lines) - 1)]


def _sessions(pieces: Iterator[Piece], also: frozenset[str]) -> Iterator[Piece]:
    """Turn what is typed into a program just started (SQL after `sqlite3 FILE`) to OTHER."""
    inside = False
    for piece in pieces:
        if piece.kind is Kind.COMMAND:
            first = piece.text[:1]
            sql = (first.isupper() or first in ".\\") and _SQL.fullmatch(piece.text)
            if (sql and not piece.text.startswith(". ")) or (
                inside and not programs.certain(piece.text, also)
            ):
                piece = Piece(Kind.OTHER, piece.text, piece.first, piece.last, piece.note)
            else:
                inside = opens_session(piece.text)
        yield piece


def opens_session(command: str) -> bool:
    """Whether the lines after the command are typed into it, as after a bare `sqlite3 FILE`."""
    if "|" in command or not any(name in command for name in _SESSION_NAMES):
        return False
    match = _SESSION.search(command)
    return bool(match) and not _ONE_SHOT.search(command[match.end() :] if match else "")
