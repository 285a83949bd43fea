"""What sentences say: commands to run, what to expect, where to go on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from cockpit.runbook import fences, programs
from cockpit.runbook.headings import plain

_EXPECTED = re.compile(
    r"[\s>•*_-]*(?:✅\s*)?(?:expect(?:ed|ation|s)?\b(?:\s+(?!to\b)[\w/-]+){0,4}\s*(?:\([^)]*\))?"
    r"|(?:healthy|good|normal|correct|desired) (?:output|result|response)"
    r"|(?:example|sample) output)[*_]*\s*[:=]\s*[*_]*\s*",
    re.IGNORECASE,
)
_SHOULD = re.compile(
    r"[\s>•*_-]*(?:you should (?:see|get|now see|receive)\b"
    r"|should\b(?!\s+(?:there|you|this|that|it|they|we|any|the|a|an|one)\b)"
    r"|expect(?!ed)\s|look for\b"
    r"|the (?:output|result|response|command) (?:should|must|will)\b"
    r"|`[^`\n]{1,60}` (?:must|should) (?:be|show|say|list|contain|have)\b"
    r"|(?:this|it) should (?:show|return|print|output|respond)\b)",
    re.IGNORECASE,
)
_OF_TIME = re.compile(r"\b(?:time|duration|downtime|rto|rpo|impact|cost|size)\b", re.IGNORECASE)
_OUTPUT_FOLLOWS = re.compile(
    r"(?:similar to|looks? like|example output|sample output|expected|you should "
    r"see|should (?:show|see|"
    r"contain|return|look)|output (?:is|will|should)|returns?|response (?:is|should|"
    r"containing|confirming))\b"
    r"[^.:]{0,200}:[\s*]*\Z",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_TOLD = re.compile(
    r"(?:\b(?:run(?:ning)?|execut(?:e|ing)|us(?:e|ing)|with|via|try(?:ing)?|do|"
    r"issue|type|enter|invoke|"
    r"call(?:ing)?|perform|verify|check(?:ing)?|restart|start|stop|confirm|inspect|"
    r"in|does|or|and|then|"
    r"command|commands|capture|collect|gather|record|save|through|by|from|is|test|see|review|watch)|[:→>(—–-]|^)\s*[*_]*\s*$",
    re.IGNORECASE,
)
_FORBIDS = re.compile(
    r"(?:^|[.!?;:,(–—-]\s*|\b(?:please|but|and|so)\s+)"
    r"(?:do not|don['’]?t|never|must not|avoid)\b(?!\s+(?:forget|hesitate|skip|omit|panic|worry))"
    r"(?P<rest>[^.!?;:–—]*)\Z",
    re.IGNORECASE,
)
_NEGATES = re.compile(r"not\b|n['’]?t\b|never|avoid", re.IGNORECASE)
_GOES_ON = re.compile(r",\s+(?!(?:or|and|nor|even|ever)\b)[a-z]|\b(?:but|instead|then)\b")
"""After what is forbidden: "Do not restart, run `x`"."""
_MENTIONED = re.compile(r"\s+commands?\b", re.IGNORECASE)
_NOTHING = re.compile(r"[ \n.*_;,)]*\Z")
_NEAR = 300
"""Characters before a code span that can say what it is for."""
_BARE_LINES = 40
"""A command without any markup is shorter than this."""
_TOLD_TO_REPORT = re.compile(
    r"\b(?:attempts?|tries|runs|executes|performs|calls|automatically|already|which)\s+[*_]*$",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"\s-{1,2}[a-zA-Z]|\s[./~]*/\w|://\w|\s<\w|\s\|\s\w"
    r"|^(?:sudo )?(?:(?:docker|podman)(?:[ -]compose)? (?:ps|up|down|logs|restart|start|stop|pull"
    r"|build|exec|run|kill|rm|inspect|stats|images|info)"
    r"|kubectl (?:get|describe|logs|top|rollout|delete|apply|exec|scale)"
    r"|systemctl (?:status|start|stop|restart|reload|cat)|git (?:status|log|pull"
    r"|fetch|diff|revert|checkout))(?!\S)"
)
"""What only a command has; "kubectl access" and "nginx reverse proxy" are none."""
_SIGN = re.compile(r"\s*(?:[-*+]|\d+[.)])?\s*(?:\[[ xX]\]\s+)?")
_SHELL = re.compile(r"(?:\$ )?(?:\./\w|[a-z][\w-]*\s)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_SENTENCE = re.compile(
    r"(?:^|\s)(?:is|are|was|were|will|must|should|can|may|has|have|the|this|that|you|your|we|it|"
    r"they|because|which|please|needs?|an?|and|or|if|then|to|for|with|from|when|until|not|no|"
    r"returns?|shows?|of|on|via|as|by|but|after|before)(?=[\s,.;:]|$)"
    r"|[.!?;:,]\s*\Z|[,;:] |\s-\s|[()→—]",
    re.IGNORECASE,
)
"""Words and signs of a sentence that begins with the name of a program: "git must be there"."""
_SINGLE = re.compile(r"\b(?:run|execute|type|enter)\s*[:]?\s*$", re.IGNORECASE)
_SEE = re.compile(
    r"(?:\b(?:see|go (?:back )?to|goto|skip (?:ahead )?to|jump to|proceed (?:to|"
    r"with)|continue (?:to|with|at)"
    r"|follow|refer to|move to|return to|try|use)\b|→|->|=>)\s*:?\s*[\"'“*_]*"
    r"(?P<where>[^.;,()\"”*_\n]{3,80})",
    re.IGNORECASE,
)
_BRANCH = re.compile(
    r"[ifwuon](?<!\w.)(?:(?<=i)f|(?<=w)hen|(?<=u)nless|(?<=o)therwise|(?<=n)ot?|(?<=f)ails?)\b"
)
"""A word of a sentence in lower case; its first letter stands first, so others are run past."""
_ANCHOR = re.compile(r"\[([^\]\[\n]{1,200})\]\((#[^)\s]{0,200})\)")


class Found(msgspec.Struct, frozen=True):
    """A command in prose; line counts from 0 at the start of the text."""

    command: str
    line: int
    last: int
    source: str


class Pointer(msgspec.Struct, frozen=True):
    """A sentence that sends the reader somewhere; where is an anchor (`#x`) or words of a title."""

    text: str
    where: str
    line: int


@lru_cache(maxsize=2048)
def expectation(text: str) -> str | None:
    """What a paragraph or comment says to expect; "" when that follows in the next block."""
    head = text.strip()
    if match := _EXPECTED.match(head):
        if _OF_TIME.search(match[0]):
            return None
        return _with_code(head[match.end() :].strip())
    if _SHOULD.match(head):
        return _with_code(head)
    return None


def _with_code(text: str) -> str:
    """As plain, but where only a part is code, that part keeps its signs: "says `ok`"."""
    if "`" not in text or _CODE.fullmatch(text.strip("*_ ")):
        return plain(text)
    codes = iter(_CODE.findall(text))
    return re.sub(
        "\0", lambda _: f"`{next(codes, ('', ''))[1].strip()}`", plain(_CODE.sub("\0", text))
    )


def says_look(text: str) -> bool:
    """Whether a text tells to look for something, rather than what to expect."""
    return text.lstrip("*_ ").lower().startswith("look for")


def shown(text: str, command: str) -> str:
    """What a sentence says of a command: "`df -h` shows room" is "shows room"; else ""."""
    match = re.search(
        rf"`{re.escape(command)}`\s+((?:shows?|returns?|reports?|prints?|says|lists?|answers?|"
        r"outputs|responds|succeeds|exits|completes)\b.{2,300})",
        text,
        re.DOTALL,
    )
    if not match:
        return ""
    said = re.split(r"(?<=[.;])\s", match[1])[0].rstrip(" .;")
    return _with_code(said if said.count(")") <= said.count("(") else said.rpartition(")")[0])


def output_follows(text: str) -> bool:
    """Whether a paragraph introduces sample output in the block below it."""
    words, _, end = text.rpartition(":")
    return (
        bool(words)
        and not end.replace("*", "").strip()
        and bool(_OUTPUT_FOLLOWS.search(text.strip()))
    )


_LONGEST = 20_000
"""Characters of a paragraph in which commands are looked for."""


@lru_cache(maxsize=4096)
def commands(text: str, also: frozenset[str], in_list: bool) -> tuple[Found, ...]:
    """Commands that a paragraph or list item tells the reader to run.

    in_list: text of a list item, where a command is mostly there to be run; in a paragraph the
    words before it must say so.
    """
    if ("`" not in text and "\n" not in text and not in_list) or len(text) > _LONGEST:
        return ()
    found = list(_bare(text, also))
    if in_list and "`" not in text:
        found = [*_unmarked(text.split("\n", 1)[0], also), *found]
    taken = {line for item in found for line in range(item.line, item.last + 1)}
    line = at = 0
    for match in _CODE.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        code = match[2].strip()
        if line in taken or "\n" in code or not _is_command(code, text, match, also, in_list):
            continue
        found.append(Found(code, line, line, "inline"))
    return tuple(found)


def _is_command(
    code: str, text: str, match: re.Match[str], also: frozenset[str], in_list: bool
) -> bool:
    start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - _NEAR)
    before = re.sub(r"[*_]+", "", text[start : match.start()])
    before = re.sub(r"^\s*\[[ xX]\]\s*", "", before)
    after = not _NOTHING.match(text, match.end())
    whole = not before.strip(" -*(") and not after
    if programs.lacks_argument(code) or _is_forbidden(
        text[max(0, match.start() - _NEAR) : match.start()]
    ):
        return False
    if " " not in code:
        single = (whole and in_list and not programs.is_file(code)) or (
            _SINGLE.search(before) and not _MENTIONED.match(text, match.end())
        )
        return (
            bool(single) and programs.certain(code, also) and code not in ("true", "false", "root")
        )
    if _TOLD_TO_REPORT.search(before):
        return False
    if re.search(r"[:]\s*$", before) and not after and in_list and _looks_new(code):
        return True
    if not programs.certain(code, also):
        return False
    return whole or bool(_TOLD.search(before)) or (in_list and not after)


def _is_forbidden(before: str) -> bool:
    """Whether the sentence up to a command says not to run it: "Never run `a`, `b` or"."""
    if not _NEGATES.search(before):
        return False
    near = re.sub(r"[*_]+", "", _CODE.sub("\0", before))
    match = _FORBIDS.search(" ".join(near.split()))
    return bool(match) and not _GOES_ON.search(match["rest"] if match else "")


def forbids(text: str) -> bool:
    """Whether a paragraph forbids what the list below it names: "Do not, to free space:"."""
    head = re.sub(r"[*_]+", "", text).strip()
    return head.endswith(":") and bool(
        _FORBIDS.match(re.split(r"(?<=[.!?])\s", head)[-1].replace(",", "").rstrip(":"))
    )


def _looks_new(code: str) -> bool:
    """A command of a program we do not know: several lower-case words, the first like a program."""
    words = code.split()
    return (
        len(words) >= 3
        and bool(re.fullmatch(r"[a-z][a-z0-9_-]*", words[0]))
        and programs.plausible(code)
        and any(re.match(r"-{1,2}\w|[\w.-]*[/.=]\w|<", word) for word in words[1:])
    )


def _bare(text: str, also: frozenset[str]) -> Iterator[Found]:
    """Commands without any markup: lines of their own below a line that ends with a colon."""
    lines = text.split("\n")
    allowed, i = False, 0
    while i < len(lines):
        line = lines[i].strip()
        if allowed and "`" not in line[:1] and line[:1].islower() | (line[:1] in "./~$"):
            stripped = line.removeprefix("$ ")
            if programs.certain(stripped, also) and not re.search(r"[a-z]{3,}\.$", line):
                unit = next(
                    fences.split(
                        [stripped, *(rest.strip() for rest in lines[i + 1 : i + _BARE_LINES])]
                    )
                )
                yield Found(unit.text, i, i + unit.last, "bare")
                i += unit.last + 1
                continue
        allowed = line.endswith(":")
        i += 1


def _unmarked(line: str, also: frozenset[str]) -> Iterator[Found]:
    """A command that is all of a list item, or all that follows its colon, without any markup."""
    command = _SIGN.sub("", line, count=1)
    if not _SHELL.match(command):
        label, colon, command = command.partition(": ")
        if not colon or _NEGATES.search(label.lower()):
            return
    command = command.strip().removeprefix("$ ")
    words = _QUOTED.sub("", command)
    if not _SHELL.match(command) or not _CALL.search(words) or _SENTENCE.search(words):
        return
    if programs.certain(command, also) and not programs.lacks_argument(command):
        yield Found(command, 0, 0, "inline")


def without(text: str, found: Sequence[Found]) -> str:
    """The text without the lines that are bare commands."""
    gone = {n for item in found if item.source == "bare" for n in range(item.line, item.last + 1)}
    if not gone:
        return text
    return "\n".join(line for n, line in enumerate(text.split("\n")) if n not in gone)


def title(text: str, limit: int = 160) -> str:
    """The first sentence or line of a text, as a title."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        lines.append(line.strip())
        if line.rstrip().endswith((":", ".", "?", "!")):
            break
    words = plain(" ".join(lines))
    if len(words) > limit and (stop := re.search(r"[.?!:]\s", words)):
        words = words[: stop.start()]
    words = words.rstrip(":").strip()
    return words if len(words) <= limit else words[: limit - 1].rsplit(" ", 1)[0] + "…"


def pointers(text: str) -> list[Pointer]:
    """Where the text sends the reader: links within the file, "If …: see Recovery > Restart"."""
    found: list[Pointer] = []
    if "](#" not in text and not (_BRANCH.search(text.lower()) and _SEE.search(text)):
        return found
    at = 0
    for number, line in enumerate(text.split("\n")):
        anchors = [*_ANCHOR.finditer(line)]
        for match in anchors:
            sentence = _sentence(text, at + match.start())
            found.append(Pointer(plain(sentence), match[2], number))
        branch = None if anchors else _BRANCH.search(line.lower())
        # "If …: see X" sends somewhere; "customers see X, not Y" does not.
        if branch and (see := _SEE.search(line, branch.end())):
            found.append(Pointer(plain(line.strip()), see["where"].strip(), number))
        at += len(line) + 1
    return found


def _sentence(text: str, at: int) -> str:
    """The sentence around a place in a text; at most 300 characters to each side."""
    before = re.split(r"(?<=[.?!])\s|\n\n", text[max(0, at - 300) : at])[-1]
    after = re.split(r"(?<=[.?!])\s|\n\n", text[at : at + 300], maxsplit=1)[0]
    return " ".join((before + after).split())
