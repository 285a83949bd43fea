"""What must be filled in before a command can run, and filling it in as one value for the shell.

Rules of DESIGN section 6: `<x>`, `[your-x]`, `YOUR_X`, unset `$VAR`; and `/path/to/x`. A raw `<x>`
left in a command is a redirection, so nothing that still has one may run.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

import msgspec

from cockpit.runbook.model import Placeholder
from cockpit.runbook.programs import names_of
from cockpit.text import Safe, clean_line

ENVIRONMENT = names_of(
    "HOME PATH USER LOGNAME PWD OLDPWD SHELL HOSTNAME HOSTTYPE OSTYPE MACHTYPE "
    "LANG LC_ALL TERM UID "
    "EUID PPID RANDOM SECONDS LINENO EPOCHSECONDS EDITOR VISUAL PAGER IFS PS1 PS4 REPLY "
    "OPTARG OPTIND PIPESTATUS FUNCNAME BASH BASHPID BASH_SOURCE BASH_VERSION DISPLAY SSH_AUTH_SOCK "
    "SSH_CONNECTION SSH_CLIENT SSH_TTY XDG_RUNTIME_DIR KUBECONFIG DOCKER_HOST "
    "SUDO_USER COLUMNS LINES GOPATH JAVA_HOME VIRTUAL_ENV"
)
"""Variables that a login shell has or that tools read by themselves: never asked for.

Not TMPDIR: few hosts set it, and `rm -rf $TMPDIR/*` without it is `rm -rf /*`.
"""

_HTML = names_of("html head body title div span br p a b i u li ul ol td tr th cr lf")
_NAMES = names_of(
    "name host hostname ip id user username password date time file filename path namespace pod "
    "node database db container service port url token key domain email region version tag pid "
    "container_id service_name instance cluster bucket table"
)
_ANGLE = re.compile(r"(?<!<)<(?=[^\W\d])((?:[^<>\n|;&`$]|(?<=\w)\|(?=\w)){0,79}[^<>\n|;&`$\s])>")
_SQUARE = re.compile(r"(?<![\w\])}$*.])\[([A-Za-z][A-Za-z0-9_ /.-]{1,60})\]")
_WORDS = re.compile(
    r"(?<![A-Za-z0-9_${])(?:"
    r"(?:YOUR|REPLACE|INSERT|PASTE)[_-][A-Z0-9_-]*[A-Z0-9]"
    r"|your[-_][a-z0-9_-]*[a-z0-9]"
    r"|CHANGE_?ME|REPLACE_?ME|FIXME"
    r"|Y{4}[-_]?MM[-_]?DD(?:[-_T]?HH[-_:]?MM(?:[-_:]?SS)?)?"
    r"|X{2,}(?:[.:-]X{2,})+|X{3,}|x{3,}(?:-[xyz]{3,})*"
    r"|(?:SERVER|HOST|CONTAINER|POD|NODE|RELAY|TARGET|DB|SERVICE)_?(?:IP|NAME|ID|HOST|ADDRESS)"
    r"(?!\s*=)"
    r"|/path/to(?:/[\w.-]*[\w-])+"
    r"|(?<=/)\{[A-Za-z][\w-]{0,40}\}"
    r"|(?<=/)(?:[A-Z]{2,20}_){1,3}(?:DATE|TIMESTAMP|ID|NAME|VERSION|TAG|FILE)(?=/)"
    r")(?![A-Za-z0-9_])"
)
_OF_WORDS = re.compile(r"[a-z][^A-Z:,(]*|[A-Z][A-Z0-9_ -]*")
_NAMED_SIGN = (
    r"(?<=Y)(?:OUR|YYY)|(?<=y)our|(?<=X)X|(?<=M)E\b|(?<=I)[PD]\b|(?<=N)AME\b|(?<=H)OST\b"
    r"|(?<=A)DDRESS\b|(?<=R)EPLACE|(?<=I)NSERT|(?<=P)ASTE|(?<=F)IXME"
    r"|(?<=/)(?:path/to/|\{|[A-Z]{2,20}_)|(?<=x)xx"
)
_NAMED = re.compile(rf"[YyXxMINHARPF/](?:{_NAMED_SIGN})")
_SIGN = re.compile(rf"[<\[$YyXxMINHARPF/](?:(?<=[<\[$])|{_NAMED_SIGN})")
"""In every command with a gap; starts with single characters, so that others are run past."""
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*+)([^}\n]{0,200}+)\}|([A-Za-z_]\w*+))")
_ASSIGNED = re.compile(
    r"(?:^|[;&|(){}\n]|\b(?:then|do|else|export|local|declare|readonly|typeset)\s)"
    r"\s*(?:-\w+\s+)*([A-Za-z_]\w*)\+?="
)
_EXPORTED = re.compile(r"\b(?:export|declare|local)\s+([^;|&\n]+)")
_MORE_ASSIGNED = re.compile(r"(?:\bfor|\bselect)\s+([A-Za-z_]\w*)\b|\bread\s+([^;|&<>\n]*)")
_ASSIGNS = re.compile(r"[fsr](?:(?<=f)or|(?<=s)elect|(?<=r)ead)\s")
_SEPARATES = re.compile(r"[;&|\n]")
"""In `D=x; rm $D`; in `D=x rm $D` the shell puts in what D was before."""
_NESTED_SHELL = re.compile(
    r"\b(?:ba|da|z|k|a)?sh\b[^|;&\n]{0,500}?(?:\s-\w*c\b|<<)"
    r"|\|&?\s*(?:sudo\s+(?:-\S+\s+)*)?(?:[\w/]*/)?(?:ba|da|z|k|a)?sh\b"
    r"|\b(?:ssh|eval|su|xargs|parallel|watch|trap|alias|runuser|flock|tmux|screen|ansible|pdsh|pssh"
    r"|clush|script)\s|\benv\s+-S"
)
_PLAIN = re.compile(r"[\w@%+=:,./-]*\Z")
_RUN = re.compile(r"[^'\"\\$`#<()\n]+")
_QUOTED_RUN = re.compile(r'[^"\\$`]+')
"""Characters that change nothing in code, and within double quotes."""
_HEREDOC = re.compile(r"<<-?[ \t]*(\\?)(['\"]?)([A-Za-z_]\w*)\2")

Where = str
"""How the shell reads a character: "n" as code, "'" and '"' quoted, "h" in a here-document that
expands, "r" in one that does not, "#" in a comment."""


class Missing(ValueError):
    """A placeholder has no value, or one that cannot be put where it stands."""


class _Gap(msgspec.Struct, frozen=True):
    name: str
    text: str
    start: int
    end: int
    where: Where


def find(command: str, known: Collection[str] = ()) -> tuple[Placeholder, ...]:
    """What stands in the command for a value that the responder has to give, each once.

    known: variables that earlier commands of the runbook set.
    """
    seen: dict[str, Placeholder] = {}
    for gap in _gaps(command, known):
        seen.setdefault(gap.text, Placeholder(clean_line(gap.name), clean_line(gap.text)))
    return tuple(seen.values())


def fill(
    command: str, values: Mapping[str, str], known: Collection[str] = (), *, partly: bool = False
) -> str:
    """The command with every placeholder replaced by its value, as one literal for the shell.

    values: by the name of the placeholder. A value is quoted for the place where it stands; a
    `$VAR` is replaced as well. Raises Missing when a value is missing, or when it would be read a
    second time (by an inner shell as in `sh -c "…"` and ssh, or between backquotes) and holds more
    than letters, digits and @%+=:,./-_. partly: for the screen, leaves what has no value as it
    stands.
    """
    nested = bool(_NESTED_SHELL.search(command))
    out: list[str] = []
    at = 0
    for gap in _gaps(command, known):
        value = values.get(clean_line(gap.name))
        if value is None and partly:
            continue
        if value is None:
            raise Missing(f"{gap.text} has no value yet")
        if "\0" in value:
            raise Missing(f"the value for {gap.text} holds a NUL byte, which no command can carry")
        plain = bool(_PLAIN.match(value))
        if (nested and not plain) or (not (plain and value) and _is_read_twice(command, gap)):
            where = "in a command that a second shell reads" if nested else "where it is read twice"
            raise Missing(
                f"{gap.text} stands {where}; its value may hold only "
                "letters, digits and @%+=:,./-_. Press e to write the command by hand."
            )
        out += command[at : gap.start], _quoted(value, gap)
        at = gap.end
    return "".join(out) + command[at:]


def so_far(
    command: str, values: Mapping[Safe, str], known: Collection[str] = ()
) -> tuple[str, tuple[Safe, ...]]:
    """The command with the values that fit filled in, and the names that still have none."""
    given: dict[str, str] = {}
    for name, value in values.items():
        with contextlib.suppress(Missing):
            if value:
                fill(command, {name: value}, known, partly=True)
                given[name] = value
    missing = tuple(name for name in values if name not in given)
    return fill(command, given, known, partly=True), missing


def unsafe(command: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """What a shell would read itself where a value should stand, as it is written.

    `<x>` as two redirections, `$VAR` as nothing: such a command must not run.
    """
    return tuple(
        dict.fromkeys(
            gap.text
            for gap in _gaps(command, known)
            if gap.text.startswith("$") or (gap.text.startswith("<") and gap.where == "n")
        )
    )


def assigned(command: str) -> frozenset[str]:
    """Names of the variables that the command sets for those after it."""
    return frozenset(name for name, _ in _assignments(command))


def neutral(command: str) -> str:
    """The command with each placeholder replaced by a word of the same length.

    So a shell parser sees `<x>` as an argument and not as two redirections. Variables stay.
    """
    out: list[str] = []
    at = 0
    for gap in _gaps(command, (), variables=False):
        out += command[at : gap.start], re.sub(r"[^\w./-]", "_", gap.text)
        at = gap.end
    return "".join(out) + command[at:]


def _quoted(value: str, gap: _Gap) -> str:
    match gap.where:
        case "'":
            return value.replace("'", "'\\''")
        case '"':
            return re.sub(r'([\\$"`])', r"\\\1", value)
        case "h":
            return re.sub(r"([\\$`])", r"\\\1", _one_line(value, gap))
        case "r":
            return _one_line(value, gap)
        case _:
            return shlex.quote(value)


def _is_read_twice(command: str, gap: _Gap) -> bool:
    """Whether one way of quoting is not enough there; rather yes than no."""
    before, after = command[: gap.start], command[gap.end :]
    where = contexts(command)
    if any(where[match.start()] == "n" for match in re.finditer(r"\$(?=')", before)):
        return True  # after $'…', whose end is not as that of '…'
    match gap.where:
        case "r":
            return False
        case "h":
            inside = "$(" in before
        case "'":
            inside = "$'" in before
        case '"':
            inside = before.rfind("${") > before.rfind("}")
        case _:
            inside = before.endswith("\\")
    return inside or ("`" in before and "`" in after)


def _one_line(value: str, gap: _Gap) -> str:
    if "\n" in value:
        raise Missing(f"{gap.text} stands in a here-document; its value must be one line")
    return value


def _gaps(command: str, known: Collection[str], variables: bool = True) -> Iterator[_Gap]:
    if not _SIGN.search(command):
        return
    where = contexts(command)
    found = [*_written(command, where)]
    if variables and "$" in command:
        found += _variables(command, where, known)
    if not found:
        return
    end = 0
    for gap in sorted(found, key=lambda gap: (gap.start, -gap.end)):
        if gap.start >= end and gap.where != "#":
            end = gap.end
            yield gap


def _written(command: str, where: str) -> Iterator[_Gap]:
    closing = command.rfind("</")
    for match in _ANGLE.finditer(command) if "<" in command else ():
        name, start = match[1], match.start()
        after = command[match.end() : match.end() + 1]
        if where[start] != "n" and (name.lower() in _HTML or start < closing or "@" in name):
            continue  # markup in a quoted pattern, or an address of mail
        glued = command[start - 1 : start].isalnum()
        if where[start] in "hr" and (glued or not _OF_WORDS.fullmatch(name)):
            continue  # code in a here-document, as `Vec<T, E>`
        if (
            where[start] == "n"
            and command[start - 1 : start] in ("", " ", "\t")
            and after.isalnum()
        ):
            continue  # `sort <in>out` reads and writes files
        yield _Gap(name, match[0], start, match.end(), where[start])
    for match in _SQUARE.finditer(command) if "[" in command else ():
        words = [word for word in re.split(r"[-_ /.]+", match[1]) if word]
        several = len(words) > 1 and all(len(word) > 1 for word in words)
        if not match[1].lower().startswith("your") and (
            where[match.start()] in "hr"
            or (where[match.start()] in "'\"" and " " in match[1])
            or command.startswith("(", match.end())
        ):
            continue  # a section of a file, a tag in a text as `[skip ci]`, or a link
        if several or match[1].lower() in _NAMES:
            yield _Gap(match[1], match[0], match.start(), match.end(), where[match.start()])
    for match in _WORDS.finditer(command) if _NAMED.search(command) else ():
        if set(match[0]) <= set("XYZxyz.:-") and "mktemp" in command:
            continue
        searched = ("IP", "NAME", "ID", "HOST", "ADDRESS", "FIXME", "XXX")
        if match[0].endswith(searched) and re.search(
            r"grep|printenv|awk|sed\b|\brg\b|\back\b", command
        ):
            continue  # a name that is searched for, not one to fill in
        yield _Gap(match[0], match[0], match.start(), match.end(), where[match.start()])


def _variables(command: str, where: str, known: Collection[str]) -> Iterator[_Gap]:
    given = dict(reversed([*_assignments(command)]))
    shown = command.strip().removeprefix("echo ").strip(' "')
    for match in _VARIABLE.finditer(command):
        name, start = match[1] or match[3], match.start()
        if where[start] in "'r" or command[start - 1 : start] in ("\\", "$"):
            continue
        if match[2] and match[2].startswith((":-", "-", ":=", "=", ":+", "+")):
            continue
        if shown == match[0]:
            continue  # asks what the variable holds
        if name in ENVIRONMENT or name in known:
            continue
        if name in given and _SEPARATES.search(command, given[name], start):
            continue
        yield _Gap(name, match[0], start, match.end(), where[start])


def _assignments(command: str) -> Iterator[tuple[str, int]]:
    if "=" in command:
        for match in _ASSIGNED.finditer(command):
            yield match[1], match.start(1)
        for match in _EXPORTED.finditer(command):
            for name in re.finditer(r"(?:^|\s)([A-Za-z_]\w*)=", match[1]):
                yield name[1], match.start()
    if not _ASSIGNS.search(command):
        return
    for match in _MORE_ASSIGNED.finditer(command):
        if match[1]:
            yield match[1], match.start()
        for name in re.findall(
            r"(?:^|\s)([A-Za-z_]\w*)", re.sub(r"'[^']*'|\"[^\"]*\"", "", match[2] or "")
        ):
            yield name, match.start()


@lru_cache(maxsize=64)
def contexts(command: str) -> str:
    """For each character of a command, how the shell reads it."""
    where: list[str] = []
    stack = ["n"]
    ticks = 0  # backquotes in the stack: 0 or 1
    bodies: list[tuple[str, bool]] = []
    i, size = 0, len(command)
    while i < size:
        char, top = command[i], stack[-1]
        mark = top if top in "'\"" else "n"
        if top == "'":
            stop = command.find("'", i) + 1 or size
            where.append("'" * (stop - i))
            if command[stop - 1] == "'":
                stack.pop()
            i = stop
            continue
        if plain := (_QUOTED_RUN if top == '"' else _RUN).match(command, i):
            where.append(mark * (plain.end() - i))
            i = plain.end()
            continue
        if char == "\\" and i + 1 < size:
            where.append(mark * 2)
            i += 1
        elif char == "$" and command.startswith("$(", i):
            where.append(mark + "n")
            stack.append("(")
            i += 1
        elif char == "`":
            where.append(mark)
            if ticks:
                while stack.pop() != "`":
                    pass
            else:
                stack.append("`")
            ticks = 1 - ticks
        elif top == '"':
            where.append('"')
            if char == '"':
                stack.pop()
        elif char in "'\"":
            where.append(char)
            stack.append(char)
        elif char == "#" and (i == 0 or command[i - 1] in " \t\n;"):
            stop = command.find("\n", i)
            stop = size if stop < 0 else stop
            where.append("#" * (stop - i))
            i = stop - 1
        elif char == "<" and (heredoc := _HEREDOC.match(command, i)) and command[i - 1 : i] != "<":
            bodies.append((heredoc[3], not (heredoc[1] or heredoc[2])))
            where.append("n" * (heredoc.end() - i))
            i = heredoc.end() - 1
        else:
            where.append("n")
            if char == "(" and top == "(":
                stack.append("(")
            elif char == ")" and top == "(":
                stack.pop()
            elif char == "\n" and bodies:
                i = _bodies(command, i + 1, bodies, where) - 1
        i += 1
    return "".join(where)[:size].ljust(size, "n")


def _bodies(command: str, at: int, bodies: list[tuple[str, bool]], where: list[str]) -> int:
    """Mark the bodies of the here-documents that begin at a line, and return where they end."""
    while bodies and at < len(command):
        delimiter, expands = bodies[0]
        stop = command.find("\n", at)
        stop = len(command) if stop < 0 else stop + 1
        where.append(("h" if expands else "r") * (stop - at))
        if command[at:stop].strip() == delimiter:
            bodies.pop(0)
        at = stop
    bodies.clear()
    return at
