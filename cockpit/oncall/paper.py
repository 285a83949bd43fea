"""Runbooks, handbook and contacts as one file for paper, since the WiFi may fail too."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path

import cockpit
from cockpit.config import Config
from cockpit.incident.clocks import Pace, Rules
from cockpit.oncall.model import Contact, Handbook, Level, Vendor
from cockpit.oncall.paper_page import BOX, Page, Secrets, page, read
from cockpit.oncall.phone import dials
from cockpit.runbook import library, parse
from cockpit.text import Safe, clean_line
from cockpit.words import in_words

HTML = "on-call.html"
PDF = "on-call.pdf"

_OURS = (b'<meta name="generator" content="cockpit print">', b"% made by cockpit print\n")
"""By which a file is known as one that may be written again."""

_SHORT = 12
_FITS_BOTH = "@page { size: 210mm 279mm; }"
"""As wide as A4 and as high as Letter: it can be printed on either, and nothing is cut."""


class NoPdf(Exception):
    """A PDF cannot be made here; the message says why and what to do."""


class NotOurs(Exception):
    """A file of this name is there that `cockpit print` has not made."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What is put on paper: the handbook's page, None where there is no file, then the runbooks.

    broken: what could not be, in sentences. shipped: the runbooks are those that come with cockpit.
    """

    handbook: Handbook
    handbook_page: Page | None
    runbooks: tuple[Page, ...]
    broken: tuple[Safe, ...]
    shipped: bool

    @property
    def pages(self) -> tuple[Page, ...]:
        return (self.handbook_page, *self.runbooks) if self.handbook_page else self.runbooks

    @property
    def hidden(self) -> tuple[tuple[Path, int], ...]:
        """The files that held secrets, and how many of them."""
        return tuple(
            (one.source.path, one.source.hidden) for one in self.pages if one.source.hidden
        )


def gather(config: Config, handbook: Handbook) -> Stack:
    """Every file that cockpit would find, read for paper; blocking. A broken one is named."""
    found = library.walk(library.folders(config))
    broken = list(found.passed)
    own = Path(handbook.path) if handbook.path else None
    paths = [file.path for file in found.files if not (own and _same(file.path, own))]
    redact = Secrets(os.urandom(16))
    sources = []
    for number, path in enumerate([own, *paths]):
        if path is None:
            continue
        try:
            sources.append(read(path, f"p{number}", redact))
        except parse.Unreadable as error:
            broken.append(clean_line(str(error)))
    marks = {one.path.resolve(): one.mark for one in sources}
    pages = [page(one, marks) for one in sources]
    first = pages.pop(0) if pages and pages[0].source.mark == "p0" else None
    ships = bool(paths) and paths[0].resolve().is_relative_to(library.shipped().resolve())
    return Stack(handbook, first, tuple(pages), tuple(broken), ships)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def html(stack: Stack, made: datetime) -> str:
    """The whole of it as one HTML file that needs nothing else. made: UTC."""
    when = f"{made:%Y-%m-%d %H:%M} UTC"
    style = files("cockpit.oncall").joinpath("paper.css").read_text("utf-8")
    style += _footers(stack.pages, when)
    body = [
        _contacts(stack, when),
        _contents(stack),
        *(_sheet(one, when) for one in stack.pages),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"{_OURS[0].decode()}\n"
        '<meta name="viewport" content="width=device-width">\n'
        # Nothing is loaded and nothing runs, whatever stands in it.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">\n"
        f"<title>On call, {when}</title>\n<style>\n{style}</style></head><body>\n"
        f"{''.join(body)}</body></html>\n"
    )


def _footers(pages: Sequence[Page], when: str) -> str:
    """On each page of paper: which file it is from, what it was when, and the page's number."""
    rules = [_footer("", f"made {when} by cockpit {cockpit.__version__}")]
    for one in pages:
        file = one.source
        said = f"{file.path.name} · sha256 {file.sha256[:_SHORT]} · made {when}"
        rules += [_footer(file.mark, said), f"#{file.mark} {{ page: {file.mark}; }}\n"]
    return "".join(rules)


def _footer(name: str, said: str) -> str:
    small = "font: 8pt sans-serif; color: #000; vertical-align: top; padding-top: 2mm;"
    return (
        f"@page {name} {{ margin: 14mm 14mm 16mm;"
        f" @bottom-left {{ content: {_css(said)}; width: 85%; {small} }}"
        f" @bottom-right {{ content: counter(page) '/' counter(pages); {small} }} }}\n"
    )


def _css(text: str) -> str:
    """A string of CSS that nothing in the text can end."""
    plain = clean_line(text, max_chars=120)
    return '"' + re.sub(r"[^A-Za-z0-9 ._-]", lambda one: f"\\{ord(one[0]):x} ", plain) + '"'


# The first page: whom to call


def _contacts(stack: Stack, when: str) -> str:
    book = stack.handbook
    out = [
        '<section id="contacts"><h1>On call: whom to call</h1>',
        f'<p class="made">Made {escape(when)} by cockpit {cockpit.__version__}. What was changed'
        " since is not in it: compare the sha256 of the files.</p>",
    ]
    if stack.broken:
        said = "".join(f"<li>{escape(one)}</li>" for one in stack.broken)
        out.append(f'<div class="trouble">Not in this print:<ul>{said}</ul></div>')
    if not book.levels:
        out.append("<p><mark>No handbook names anybody.</mark> Write it here:</p>")
    levels = book.levels or tuple(Level(number, Safe("")) for number in range(1, 5))
    out += [_level(level, book.rules) for level in levels]
    if book.criteria:
        said = "".join(f'<li class="task">{BOX}{escape(one)}</li>' for one in book.criteria)
        out.append(f"<h2>When to escalate</h2><ul>{said}</ul>")
    out += [_clocks(book.rules), *(_vendor(one) for one in book.vendors)]
    return "".join([*out, "</section>\n"])


def _level(level: Level, rules: Rules) -> str:
    within = in_words(level.respond or rules.answers_within(level.number))
    title = f"Level {level.number}" + (f" · {level.role}" if level.role else "")
    out = [
        f'<div class="level"><h2>{escape(title)}</h2>'
        f'<p class="ways">answers within {escape(within)}</p>'
    ]
    out += [_contact(one) for one in level.contacts or (Contact(),)]
    if level.when:
        said = "".join(f"<li>{escape(one)}</li>" for one in level.when)
        out.append(f'<p class="ways">For:</p><ul>{said}</ul>')
    return "".join([*out, "</div>\n"])


def _contact(contact: Contact) -> str:
    phone = _or_blank("phone", contact.phone)
    if contact.phone:
        dialled = dials(contact.phone)
        phone = escape(contact.phone)
        if dialled:
            phone = f'<a class="bare" href="tel:{escape(dialled)}">{phone}</a>'
    ways = (f"Slack {_or_blank('', contact.slack)}", f"e-mail {_or_blank('', contact.email)}")
    times = [one for one in (contact.timezone, contact.availability) if one]
    return (
        f'<p class="who">{_or_blank("name", contact.name)}</p>'
        f'<p class="phone">{phone}</p>'
        f'<p class="ways">{" · ".join(ways)}</p>'
        f'<p class="ways">{escape(" · ".join(times))}</p>'
    )


def _or_blank(name: str, value: str) -> str:
    """The value, or a line to write it on by pen."""
    asked = f"<mark>{escape(name)}?</mark> " if name else ""
    return escape(value) or f'{asked}<span class="blank"></span>'


def _clocks(rules: Rules) -> str:
    rows = "".join(
        f"<tr><td>{severity.value}</td><td>{escape(_asks(pace))}</td>"
        f"<td>{_every(pace)}</td><td>{in_words(pace.escalate) if pace.escalate else 'as needed'}"
        f"</td><td>{escape(pace.about)}</td></tr>"
        for severity, pace in rules.paces.items()
    )
    return (
        f'<div class="clocks"><h2>Clocks</h2>'
        f"<p>Acknowledge within {in_words(rules.acknowledge)}. A P0 of"
        f" {in_words(rules.top_after)}: call level {rules.top_level}.</p><table><thead><tr>"
        "<th></th><th>work on it within</th><th>update every</th><th>not better: escalate after"
        f"</th><th>it is</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _asks(pace: Pace) -> str:
    if pace.respond is None:
        return "next business day"
    return in_words(pace.respond) if pace.respond else "at once"


def _every(pace: Pace) -> str:
    return in_words(pace.update) if pace.update else "when it changes"


def _vendor(vendor: Vendor) -> str:
    facts: list[tuple[str, str]] = [
        ("Dashboard", vendor.dashboard),
        ("Status", vendor.status),
        ("Support", vendor.support),
        ("Phone", vendor.phone),
        ("Account", vendor.account),
        ("When", vendor.when),
        *vendor.facts,
    ]
    missing = {name.lower() for name in vendor.missing}
    rows = "".join(
        f"<li>{escape(name)}: {_or_blank('', value)}</li>"
        for name, value in facts
        if value or name.lower() in missing
    )
    ready = "".join(f'<li class="task">{BOX}{escape(one)}</li>' for one in vendor.have_ready)
    ready = f"<li>Have ready:<ul>{ready}</ul></li>" if ready else ""
    return f'<div class="level"><h2>{escape(vendor.name)}</h2><ul>{rows}{ready}</ul></div>'


# The pages behind it


def _contents(stack: Stack) -> str:
    rows = []
    for one in stack.pages:
        parts = " · ".join(_entry(anchor, title) for anchor, title in one.parts)
        inside = f"<p>{parts}</p>" if parts else ""
        rows.append(f"<li>{_entry(one.source.mark, one.source.runbook.title)}{inside}</li>")
    note = ""
    if stack.shipped:
        note = "<p>The runbooks are those that come with cockpit: none of yours were found.</p>"
    return (
        f'<section class="contents sheet"><h1>Contents</h1>{note}<ol>{"".join(rows)}</ol></section>'
    )


def _entry(anchor: str, title: Safe) -> str:
    return f'<a href="#{escape(anchor)}">{escape(title)}</a>'


def _sheet(one: Page, when: str) -> str:
    file, book = one.source, one.source.runbook
    about = [
        ("severity", book.severity or ""),
        ("services", ", ".join(book.services)),
        ("alerts", ", ".join(book.alerts)),
        ("owner", book.owner),
        ("last tested", book.last_tested.isoformat() if book.last_tested else ""),
    ]
    said = [f"{name} {value}" for name, value in about if value]
    said.append(f"{clean_line(str(file.path))} · sha256 {file.sha256[:_SHORT]} · made {when}")
    odd = [*file.notes, *book.warnings]
    warned = "".join(f'<p class="note">{escape(clean_line(one))}</p>' for one in odd)
    hidden = f" · secrets left out: {file.hidden}" if file.hidden else ""
    return (
        f'<section class="sheet" id="{file.mark}"><p class="made">'
        f"{escape(' · '.join(said) + hidden)}</p>{warned}\n{one.html}</section>\n"
    )


# Files


def pdf(text: str) -> bytes:
    """The HTML as a PDF. Raises NoPdf."""
    try:
        import weasyprint
    except ImportError:
        raise NoPdf(
            "No PDF: that needs the extra `pdf`. Install it: pip install 'cockpit[pdf]',"
            f" or print {HTML} from a browser."
        ) from None
    except OSError as error:  # it loads Pango, which the system has or has not
        raise NoPdf(
            f"No PDF: {clean_line(str(error), max_chars=100)} Install Pango:"
            f" apt install libpango-1.0-0 libpangoft2-1.0-0, or print {HTML} from a browser."
        ) from None
    size = weasyprint.CSS(string=_FITS_BOTH)
    written: bytes = weasyprint.HTML(string=text, url_fetcher=_nothing).write_pdf(
        stylesheets=[size]
    )
    return written + _OURS[1]


def _nothing(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"Nothing is loaded for paper: {url}")


def write(path: Path, data: bytes) -> None:
    """Puts a file in its place, whole, readable by its owner only: it has phone numbers in it.

    Raises NotOurs where another one is there, and OSError.
    """
    if os.path.lexists(path) and not _is_ours(path):
        raise NotOurs(
            f"{path} is there, and not made by cockpit print: it was left alone."
            " Move it away, or name another folder."
        )
    descriptor, temporary = tempfile.mkstemp(prefix=".on-call.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(1024)
        file.seek(max(0, path.stat().st_size - len(_OURS[1])))
        return _OURS[0] in head or file.read() == _OURS[1]


def gaps(levels: Iterable[Level]) -> int:
    """How many levels of the ladder cannot be called."""
    return sum(not any(one.phone for one in level.contacts) for level in levels)
