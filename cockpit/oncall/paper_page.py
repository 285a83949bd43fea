"""One markdown file as HTML for paper: nothing in it can run, each command says what it does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cockpit.oncall import mended
from cockpit.runbook import headings, parse, source
from cockpit.runbook.model import Command, Risk, Runbook, Waits
from cockpit.text import Redactor, Safe, clean, clean_line

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

BOX = '<span class="box"></span>'
"""To be ticked by pen."""

_WAITS = {
    Waits.STREAM: "goes on until you stop it: ctrl+c",
    Waits.PAGER: "shows page by page: q leaves",
    Waits.EDITOR: "opens an editor",
    Waits.TUI: "fills the screen",
    Waits.LOGIN: "asks who you are",
    Waits.CONFIRM: "asks before it goes on",
    Waits.PROMPT: "has a prompt of its own",
    Waits.TTY: "needs a terminal",
}
_TAGS = frozenset(
    ("h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "blockquote", "em", "strong", "s",
     "table", "thead", "tbody", "tr", "th", "td")
)  # fmt: skip
_WIDEST = 1_000_000
_LONG = 12
_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
_TASK = re.compile(r"\[[ xX]\](?:\s+|\Z)")
_GAP = re.compile(
    r"@?_{4,}|\bUPDATE THIS!?|\bTODO\b|\bFILL (?:ME )?IN\b"
    r"|\[REDACTED:[a-z-]+:[0-9a-f]{6}\]"
)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z][^>]*>|<[!?][^>]*>", re.DOTALL)
_PATTERN = re.compile(r"\.[*+]|\[\^[^\]]*\]|\\[(sSwd]|<(?=[A-Za-z])|//[gpI]*|(?:\W|[a-z]+_)\Z")
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)


class Secrets(Redactor):
    """Takes secrets out of a runbook, and leaves `KEY=.*` of a sed in it, which a command needs."""

    def mark(self, rule: str, secret: str) -> str:
        pattern = _PATTERN.match(secret)
        if rule == "value" and pattern:
            return secret[: pattern.end()] + self._once(secret[pattern.end() :])
        return super().mark(rule, secret)


@dataclass(frozen=True, slots=True)
class Source:
    """A markdown file that was read, without what steers a terminal and without secrets.

    mark: begins the anchors of its page. hidden: how many secrets were taken out. notes: what was
    odd about its characters.
    """

    path: Path
    mark: str
    runbook: Runbook
    sha256: str
    text: Safe
    hidden: int
    notes: tuple[Safe, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A file as HTML. parts: its headings of the second level, each with its anchor."""

    source: Source
    html: str
    parts: tuple[tuple[str, Safe], ...]


def read(path: Path, mark: str, redact: Secrets) -> Source:
    """The file, made ready for paper. Raises parse.Unreadable."""
    parse.read(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise parse.Unreadable(f"{path} cannot be read: {error.strerror or error}.") from None
    decoded, odd = mended.decode(data)
    whole = source.normal(decoded).expandtabs(4)  # by fours, as markdown counts a tab
    text = redact(clean(whole, max_chars=_WIDEST))
    book = parse.parse(text, str(path))
    hidden = max(0, text.count("[REDACTED:") - whole.count("[REDACTED:"))
    notes = tuple(Safe(f"line {one.line}: {one.what}") for one in odd)
    return Source(path, mark, book, hashlib.sha256(data).hexdigest(), text, hidden, notes)


def page(file: Source, marks: Mapping[Path, str]) -> Page:
    """The file as HTML. marks: the anchor of every file that is printed with it, by real path."""
    text: str = file.text
    if file.runbook.meta and (front := _FRONT_MATTER.match(text)):
        text = "\n" * front[0].count("\n") + text[front.end() :]
    tokens = _markdown().parse(text)
    known = _Known(file, marks)
    known.name(tokens)
    html = _Writer(known).blocks(tokens)
    return Page(file, html, tuple(known.parts))


def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # HTML is recognised, so that comments and tags can be left out; none is ever written.
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


class _Known:
    """What is known of a file while it is written: anchors, steps, the commands on each line."""

    def __init__(self, file: Source, marks: Mapping[Path, str]) -> None:
        self.file = file
        self.marks = marks
        self.parts: list[tuple[str, Safe]] = []
        self._anchors: dict[str, str] = {}
        self._of_heading: dict[int, str] = {}
        self.steps = {step.lines.first for _, step in file.runbook.steps()}
        self.inline: dict[int, list[Command]] = {}
        self.commands: dict[int, list[Command]] = {}
        for _, _, command in file.runbook.commands():
            found = self.inline if command.source == "inline" else self.commands
            found.setdefault(command.lines.first, []).append(command)

    def name(self, tokens: Sequence[Token]) -> None:
        """Gives every heading its anchor."""
        used: dict[str, int] = {}
        for token, inside in pairwise(tokens):
            if token.type != "heading_open":
                continue
            title = headings.plain(inside.content)
            name = headings.anchor(title) or "part"
            used[name] = used.get(name, -1) + 1
            name = f"{name}-{used[name]}" if used[name] else name
            anchor = f"{self.file.mark}-{name}"
            self._anchors[name] = anchor
            if token.map:
                self._of_heading[token.map[0]] = anchor
            if token.tag == "h2":
                self.parts.append((anchor, clean_line(title)))

    def anchor(self, token: Token) -> str:
        return self._of_heading.get(token.map[0], "") if token.map else ""

    def leads_to(self, href: str) -> str:
        """Where a link may lead on paper and in a browser: out, or into this print; or nowhere."""
        if _LINK.match(href):
            return href
        path, _, part = unquote(href).partition("#")
        if not path:
            found = self._anchors.get(part.lower())
            return f"#{found}" if found else ""
        try:
            mark = self.marks.get((self.file.path.parent / path).resolve())
        except (OSError, ValueError, RuntimeError):
            mark = None
        return f"#{mark}" if mark else ""


class _Writer:
    """Writes tokens of markdown-it as HTML; what it has no rule for, it writes as plain text."""

    def __init__(self, known: _Known) -> None:
        self.known = known
        self.out: list[str] = []

    def blocks(self, tokens: Sequence[Token]) -> str:
        for index, token in enumerate(tokens):
            if token.type == "list_item_open":
                task = any(_TASK.match(one.content) for one in tokens[index + 2 : index + 3])
                self.out.append('<li class="task">' if task else "<li>")
            else:
                self._block(token)
        return "".join(self.out)

    def _block(self, token: Token) -> None:
        match token.type:
            case "inline":
                self.out.append(self._inline(token))
            case "fence" | "code_block":
                self._code(token)
            case "html_block":
                words = _TAG.sub("", token.content).strip()
                self.out.append(f"<p>{_words(words)}</p>\n" if words else "")
            case "heading_open":
                anchor = self.known.anchor(token)
                self.out.append(f'<{token.tag} id="{escape(anchor)}">{self._tick(token)}')
            case "paragraph_open":
                tick = self._tick(token)
                self.out.append("" if token.hidden and not tick else tick if token.hidden
                                else f"<p>{tick}")  # fmt: skip
            case "paragraph_close":
                self.out.append("\n" if token.hidden else "</p>\n")
            case "ordered_list_open":
                self.out.append(f'<ol start="{int(token.attrs.get("start", 1))}">')
            case "hr":
                self.out.append("<hr>\n")
            case kind if token.tag in _TAGS and kind.endswith(("_open", "_close")):
                self.out.append(f"<{'/' if token.nesting < 0 else ''}{token.tag}>")
            case _:
                self.out.append(_words(token.content))

    def _tick(self, token: Token) -> str:
        """A box before the title of a step."""
        here = token.map and token.map[0] + 1 in self.known.steps
        return BOX if here else ""

    def _inline(self, token: Token) -> str:
        children = token.children or []
        first = token.map[0] + 1 if token.map else 0
        last = token.map[1] if token.map else 0
        out: list[str] = []
        ends: list[str] = []
        for index, child in enumerate(children):
            match child.type:
                case "text" if index == 0 and (task := _TASK.match(child.content)):
                    ticked = self.out and self.out[-1].endswith(BOX)
                    out.append(("" if ticked else BOX) + _words(child.content[task.end() :]))
                case "text":
                    out.append(_words(child.content))
                case "code_inline":
                    out.append(f"<code>{_words(child.content)}</code>")
                    out.append(self._said_of(child.content, first, last))
                case "softbreak":
                    out.append("\n")
                case "hardbreak":
                    out.append("<br>")
                case "image":
                    out.append(f"[picture: {_words(child.content or 'without words')}]")
                case "html_inline":
                    out.append("<br>" if child.content.lower().startswith("<br") else "")
                case "link_open":
                    bare = child.markup == "autolink"
                    start, end = self._link(str(child.attrs.get("href", "")), bare=bare)
                    out.append(start)
                    ends.append(end)
                case "link_close":
                    out.append(ends.pop() if ends else "")
                case _ if child.tag in _TAGS:
                    out.append(f"<{'/' if child.nesting < 0 else ''}{child.tag}>")
                case _:
                    out.append(_words(child.content))
        return "".join([*out, *reversed(ends)])

    def _link(self, href: str, *, bare: bool) -> tuple[str, str]:
        """What stands before and after the words of a link; one that leads nowhere is named."""
        leads = self.known.leads_to(href)
        if not leads:
            name = _words(clean_line(unquote(href)))
            return "", f' <span class="file">({name})</span>' if href else ""
        kind = "in" if leads.startswith("#") else "out bare" if bare else "out"
        return f'<a class="{kind}" href="{escape(leads)}">', "</a>"

    def _said_of(self, code: str, first: int, last: int) -> str:
        """The risk of a command that stands in a sentence."""
        for number in range(first, last + 1):
            for command in self.known.inline.get(number, ()):
                if command.text.strip() == code.strip():
                    return f' <span class="{_class(command.risk)}">({command.risk.deed})</span>'
        return ""

    def _code(self, token: Token) -> None:
        """A block of code: its commands each with a box and their risk, the rest as it stands."""
        lines = token.content.removesuffix("\n").split("\n")
        number = (token.map[0] if token.map else 0) + 1 + (token.type == "fence")
        rows: list[str] = []
        plain: list[str] = []
        commands = False
        at = 0
        while at < len(lines):
            found = self._commands(number + at, number + len(lines) - 1)
            if found is None:
                plain.append(lines[at])
                at += 1
                continue
            here, last = found
            until = last - number
            rows += [_plain(plain), _command(here, lines[at : until + 1])]
            plain, commands, at = [], True, until + 1
        rows.append(_plain(plain))
        kind = "code" if commands else "code snippet"
        note = "" if commands else '<p class="note">to read, not to run</p>'
        self.out.append(f'<div class="{kind}">{note}{"".join(rows)}</div>\n')

    def _commands(self, first: int, most: int) -> tuple[list[Command], int] | None:
        """The commands that begin on a line, with those that begin inside them; their last line."""
        here: list[Command] = []
        number = last = first
        while number <= last:
            begin = self.known.commands.get(number, [])
            here += begin
            last = min(most, max([last, *(command.lines.last for command in begin)]))
            number += 1
        return (here, last) if here else None


def _class(risk: Risk) -> str:
    return f"risk {risk.value}"


def _words(text: str) -> str:
    """Text as HTML, with the gaps that nobody has filled in marked."""
    return _marked(text, _GAP)


def _marked(text: str, gaps: re.Pattern[str]) -> str:
    text = clean(text, max_chars=_WIDEST)  # once more: markdown can spell any character
    out: list[str] = []
    at = 0
    for gap in gaps.finditer(text):
        out += [escape(text[at : gap.start()]), f"<mark>{escape(gap[0])}</mark>"]
        at = gap.end()
    return "".join([*out, escape(text[at:])])


def _plain(lines: Sequence[str]) -> str:
    """Lines of a code block that are no command: comments, output, settings."""
    whole = "\n".join(lines).strip("\n")
    return f"<pre>{_lines(whole.split(chr(10)), _words)}</pre>" if whole.strip() else ""


def _lines(lines: Sequence[str], write: Callable[[str], str]) -> str:
    return "".join(f'<span class="line">{write(line) or " "}</span>' for line in lines)


def _command(commands: Sequence[Command], lines: Sequence[str]) -> str:
    """Lines that are to be run: what the worst of it would do, its gaps, room to fill them in."""
    worst = Risk.worst(command.risk for command in commands)
    gaps = [gap for command in commands for gap in command.placeholders]
    texts = sorted({str(gap.text) for gap in gaps}, key=len, reverse=True)
    found = "".join(f"{re.escape(text)}(?!\\w)|" for text in texts)
    write = partial(_marked, gaps=re.compile(found + _GAP.pattern))
    said = [worst.deed]
    why = next(command.because for command in commands if command.risk is worst)
    if worst is not Risk.READ and why:
        said[0] += f": {clean_line(why)}"
    hosts = dict.fromkeys(command.host for command in commands if command.host)
    said += [f"on {clean_line(host)}" for host in hosts]
    said += dict.fromkeys(_WAITS[command.waits] for command in commands if command.waits)
    fill = "".join(
        f'<p class="fill"><mark>{escape(name)}</mark> = <span class="blank"></span></p>'
        for name in dict.fromkeys(gap.name for gap in gaps)
    )
    long = " long" if len(lines) > _LONG else ""
    return (
        f'<div class="command {worst.value}{long}">{BOX}'
        f'<p class="{_class(worst)}">{escape(", ".join(said))}</p>'
        f"<pre>{_lines(lines, write)}</pre>{fill}</div>"
    )
