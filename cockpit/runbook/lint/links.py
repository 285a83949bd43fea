"""Where a file sends its reader, and whether there is anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from cockpit.runbook import headings
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page
from cockpit.runbook.model import Reference

_LINK = re.compile(
    r"(?P<image>!?)\[(?:[^\[\]]|\[[^\[\]]*\]){0,300}\]"
    r"\(\s*(?:<(?P<angle>[^<>\n]+)>|(?P<bare>(?:[^\s()<>]|\([^\s()]*\))+))"
    r"(?:\s+[\"'(][^\n)]*[\"')])?\s*\)"
)
_DEFINED = re.compile(r"^ {0,3}\[(?!\^)[^\]\n]+\]:\s*<?(?P<bare>[^\s>]+)>?")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|\{\{|\{%|<%|\$|@|\*|…|\.\.\.\Z", re.IGNORECASE)
_PLAIN_PATH = re.compile(r"[\w .()@+,~%/#&=-]+\Z")
_NAMED = re.compile(r"<[a-z]\w*\s[^>]*?\b(?:id|name)\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_OWN_ID = re.compile(r"\{:?\s*#([\w.:-]+)[^}]*\}")
_HEADING = re.compile(r"^[ >]{0,6}#{1,6}\s+(.+?)\s*#*\s*$|^([^\n#>|-][^\n]*)\n(?:=+|-+)\s*$", re.M)
_PATH = re.compile(
    r"\b(?:see|go to|goto|jump to)\b:?\s+[A-Z][\w ]{2,30}(?:>|→)\s*\S", re.IGNORECASE
)
_MARKDOWN = (".md", ".markdown", ".mdx", ".mkd")


def links(page: Page) -> Iterator[Finding]:
    """`dead-link`: a file that is not there. `dead-anchor`: a heading that is not there."""
    for number, text in page.prose:
        found = [*_LINK.finditer(text), *_DEFINED.finditer(text)]
        for match in found:
            groups = match.groupdict()
            where = groups.get("angle") or groups["bare"] or ""
            yield from _judged(page, number, where, image=bool(groups.get("image")))


def references(page: Page) -> Iterator[Finding]:
    """`dead-reference`: "See Recovery > X" where there is no X."""
    for section in page.runbook.sections():
        holders = [section.intro, *(step.items for step in section.steps)]
        for item in (item for items in holders for item in items):
            if isinstance(item, Reference) and item.target is None and _names_a_place(item):
                yield page.find(
                    item.lines.first,
                    Level.ERROR,
                    "dead-reference",
                    f'"{_short(item.text)}" leads nowhere: no heading says that',
                    "name a heading of this file as it is written",
                )


def _names_a_place(item: Reference) -> bool:
    """Whether the words mean a heading of this file for certain: `See Recovery > Option 2`."""
    return bool(_PATH.search(item.text))


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _judged(page: Page, number: int, where: str, *, image: bool) -> Iterator[Finding]:
    where = unquote(where.strip())
    if _ELSEWHERE.match(where) or not _PLAIN_PATH.match(where.partition("#")[0] or "x"):
        return
    file, _, anchor = where.partition("#")
    file = file.partition("?")[0]
    target = page.path
    if file:
        target_or_none = _target(page.path, file, image=image)
        if target_or_none is None:
            return
        target = target_or_none
        if not target.exists():
            kind = "image" if image else "file"
            yield page.find(
                number,
                Level.ERROR,
                "dead-link",
                f"the link leads to {file}, and there is no such {kind}",
                _near(page.path, file) or "put the file there, or mend the link",
            )
            return
    if anchor and not image and (target.suffix.lower() in _MARKDOWN or not file):
        text = page.text if not file else None
        if _bare(anchor) not in _anchors(str(target), text):
            yield page.find(
                number,
                Level.ERROR if not file else Level.WARNING,
                "dead-anchor",
                f"no heading of {file or 'this file'} gives #{anchor}",
                "write it as the heading is: lower case, words joined by -",
            )


def _target(page: Path, file: str, *, image: bool) -> Path | None:
    """The file that a link means; None where only a site generator knows."""
    if file.startswith("/"):
        root = _repository(str(page.resolve().parent))
        return root / file.lstrip("/") if root and (root / file.lstrip("/")).exists() else None
    place = page.parent / file
    if place.exists():
        return place
    name = file.rstrip("/")
    written = [f"{name}{suffix}" for suffix in _MARKDOWN] + [
        f"{name}/index.md",
        f"{name}/_index.md",
    ]
    if name.endswith((".html", ".htm")):
        written += [name.rpartition(".")[0] + ".md", f"{name}.md", f"{name}.md.erb", f"{name}.erb"]
    for each in written:
        if (page.parent / each).exists():
            return page.parent / each
    # Without a suffix, or as HTML, it is an address that a site generator makes.
    plain = "." in name.rpartition("/")[2] and not name.endswith((".html", ".htm"))
    return place if plain or image else None


@lru_cache(maxsize=256)
def _repository(folder: str) -> Path | None:
    for place in (Path(folder), *Path(folder).parents):
        if (place / ".git").exists():
            return place
    return None


def _near(page: Path, file: str) -> str:
    """Where a file of that name is, when there is one close by."""
    name = file.rpartition("/")[2]
    root = _repository(str(page.resolve().parent))
    for above in (page.resolve().parent, page.resolve().parent.parent):
        if root is not None and not above.is_relative_to(root):
            break
        for found in (above / name, *above.glob(f"*/{name}")):
            if found.is_file():
                return f"did you mean {os.path.relpath(found, page.resolve().parent)}?"
    return ""


def _bare(anchor: str) -> str:
    """An anchor without what site generators disagree about."""
    return re.sub(r"[\W_]+", "", anchor).lower()


@lru_cache(maxsize=512)
def _anchors(path: str, text: str | None) -> frozenset[str]:
    """Every anchor of a file, bare. text: of the file where it is at hand."""
    if text is None:
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return frozenset()
    found = {*_NAMED.findall(text), *_OWN_ID.findall(text)}
    seen: dict[str, int] = {}
    for first, second in _HEADING.findall(text):
        title = headings.anchor(headings.plain(_OWN_ID.sub("", first or second)))
        again = seen[title] = seen.get(title, -1) + 1
        found |= {title, f"{title}-{again}"} if again else {title}
    return frozenset(_bare(anchor) for anchor in found) | {"", "top"}
