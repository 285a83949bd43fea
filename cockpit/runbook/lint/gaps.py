"""What an author meant to fill in and did not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.runbook.blocks import Kind
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page
from cockpit.runbook.programs import names_of

_TOLD = re.compile(
    r"\b(?:UPDATE (?:THIS|ME|BEFORE|WITH)\b|CHANGE[ _-]?ME\b|REPLACE[ _-]?(?:ME|THIS)\b"
    r"|FILL[ _-]?(?:IN|ME)\b|INSERT [A-Z]+(?: [A-Z]+)* HERE\b)[!.]*"
)
_BLANK = re.compile(
    r"(?P<label>[A-Za-z][\w /-]{1,40})\W{0,12}[:|]\W{0,40}?(?<!_)_{4,}(?!\w)", re.ASCII
)
_LABEL = re.compile(r"[\W_]*([A-Za-z][\w /-]{0,30}?)\s*(?:\*\*|__)?[:|]")
_ABOUT_WHOM = re.compile(
    r"\b(?:name|phone|mobile|tel|telephone|cell|slack|teams|e-?mail|pager\w*|contact|time ?zone"
    r"|(?:support |status )?url|account(?: id)?|provider|handle|number|host(?:name)?|channel)\s*$",
    re.IGNORECASE,
)
_SQUARE = re.compile(
    r"\[(?:your|insert|replace|enter|fill in|fill-in|add) ?[-_ ][\w .'/-]{1,60}\](?![(\[:])"
    r"|\[(?:your|my)[-_][\w-]{1,40}\]"
    r"|\[(?:name|phone|phone number|e-?mail|slack handle|contact|pager)\](?![(\[:])",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"https?://(?:[^\s)>\]`\"']*[/@.?=])?[\[<]?your[-_][\w-]+[\]>]?[^\s)>\]`\"']*")
_ANGLE = re.compile(r"(?<![<\w\\=/])<(?=[A-Za-z])([A-Za-z][\w .'-]{0,60})>(?!>)")
_HTML = names_of(
    "a abbr article aside b big blockquote body br button center cite code col colgroup "
    "dd del details dfn div dl dt em fieldset figcaption figure font footer form h1 h2 h3 "
    "h4 h5 h6 head header hr html i iframe img input ins kbd label legend li link main "
    "mark meta nav noscript ol option p picture pre q s samp script section select small "
    "source span strike strong style sub summary sup svg table tabs tab tbody td textarea "
    "tfoot th thead time title tr tt u ul var video wbr"
)
_TODO = re.compile(
    r"(?:^[\s>|*+#(\[-]*|[|:(\[]\s*[*_]*)(?P<mark>TODO|TBD|FIXME)\b(?=\W|$)(?!\.\w|s\b|/)"
    r"|(?<![\w/.-])(?:TODO|TBD|FIXME)(?=\s*[:)\]|]|\s*$)"
    r"|(?P<mail>\b(?:xxx+|your(?:name|email)?|foo|changeme)@[\w.-]+)",
)
ASKS = "write what belongs there; at 3am nobody knows it"


def gaps(page: Page) -> Iterator[Finding]:
    """`placeholder`: a place that says itself that it is not filled in. `todo`: milder."""
    seen: set[int] = set()
    prose = dict(page.prose)
    for number, text in enumerate(page.lines, 1):
        found = _gap(text, prose.get(number, ""))
        if found:
            seen.add(number)
            if found.startswith("<"):
                what = f"{found} outside a code span is read as HTML, and is not shown"
                mend = "fill it in, or put it in backticks"
                yield page.find(number, Level.WARNING, "placeholder", what, mend)
            else:
                what = f"{found} is not filled in"
                yield page.find(number, Level.ERROR, "placeholder", what, ASKS)
    searched = {
        number
        for block in page.blocks
        if block.kind is Kind.FENCE and re.match(r"[\w-]*", block.info.strip())
        for number in range(block.first, block.last + 1)
    }
    for number, text in enumerate(page.lines, 1):
        match = None if number in seen else _TODO.search(prose.get(number, ""))
        if match is None and number in searched and number not in seen:
            match = re.search(r"(?:#|//|<)\s*(?P<mark>TODO|TBD|FIXME)\b", text)
        if match is not None:
            mark = re.sub(r"^\W+", "", match[0])
            yield page.find(
                number, Level.WARNING, "todo", f"{mark} is left here", "finish it, or take it out"
            )


def _gap(text: str, prose: str) -> str:
    """What is not filled in on a line, "" when nothing is. prose: the line as read outside code."""
    told = _TOLD.search(prose or text)
    # In quotes, after grep or as a value, it is spoken of, and no gap.
    if told and not re.search(rf"grep|[=$\"'`]\W*{re.escape(told[0])}", prose or text):
        label = _LABEL.match(text)
        return f"{label[1]}: {told[0]}" if label else told[0]
    if "___" in text:
        for blank in _BLANK.finditer(text):
            if _ABOUT_WHOM.search(blank["label"]):
                return f"{blank['label'].strip()}: ____"
    if url := _IN_URL.search(text if prose else ""):
        return url[0]
    if square := _SQUARE.search(prose):
        return square[0]
    for angle in _ANGLE.finditer(prose):
        name = angle[1].split()[0].rstrip("/").lower()
        closed = f"</{name}>" in prose.lower() or prose[: angle.start()].endswith("\\")
        markup = name in _HTML or closed
        if not markup and not re.fullmatch(r"[A-Z]\w*[a-z]\w*", angle[1]):
            return angle[0]
    return ""
