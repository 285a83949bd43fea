"""A runbook file read into the model, exactly as its author wrote it, and never written to."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cockpit.runbook import (
    attributes,
    bare,
    blocks,
    build,
    comments,
    draft,
    families,
    headings,
    source,
    tree,
)
from cockpit.runbook.model import Phase, Runbook
from cockpit.text import Safe, clean_line

_SEVERITY = re.compile(
    r"^[ \t>|*_#-]*(?:alert )?(?:severity|priority|sev(?:erity)? level|incident "
    r"level)[*_]*[ \t]*[:|][*_]*"
    r"\s*\|?\s*(?P<value>[^|\n]{1,80})",
    re.IGNORECASE | re.MULTILINE,
)
_SEVERITY_SECTION = re.compile(
    r"^#+[ \t]*(?:alert )?(?:severity|priority)[ \t]*#*\n\s*(?![-*+] |#)(?P<value>[^|\n]{1,60})$",
    re.IGNORECASE | re.MULTILINE,
)
_LEVEL = re.compile(
    r"\b(?:[PS]\d|SEV|critical|high|medium|low|warning|major|minor|urgent|page|ticket|info)",
    re.IGNORECASE,
)
_TABLE_RULE = re.compile(r"[^\n]*\n[ \t>]*\|?[ \t:]*--")
_READ = re.compile(r"\$\{?([A-Za-z_]\w*)")
_SEVERITY_IN_TITLE = re.compile(r"[\[(\s](P[0-4]|SEV-?[0-5])\b", re.IGNORECASE)


class Unreadable(Exception):
    """The file cannot be read as a runbook; the message says why and what to do."""


def read(path: Path) -> Runbook:
    """The runbook in a file.

    A file that is not UTF-8 is read as Windows-1252, with a warning. Raises Unreadable when there
    is no text to read: not there, a directory, empty, no permission, over 5 MB, or binary.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise Unreadable(f"{path} is a directory; name a markdown file in it.")
        if size > source.LIMIT:
            raise Unreadable(
                f"{path} is {size / 1e6:.0f} MB; a runbook is text of at most 5 MB. "
                "Is this the right file?"
            )
        with path.open("rb") as file:
            data = file.read(source.LIMIT + 1)
    except FileNotFoundError:
        raise Unreadable(f"{path} is not there. Was it moved or deleted?") from None
    except PermissionError:
        raise Unreadable(f"{path} may not be read by you: see ls -l {path}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreadable(f"{path} cannot be read: {reason}.") from None
    if len(data) > source.LIMIT:
        raise Unreadable(f"{path} is over 5 MB; a runbook is text. Is this the right file?")
    if not data.strip():
        raise Unreadable(f"{path} is empty; there is nothing to follow.")
    text, warnings = _decode(data, path)
    runbook = parse(text, str(path), hashlib.sha256(data).hexdigest())
    return _with_warnings(runbook, warnings)


def _decode(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    if source.is_binary(data):
        raise Unreadable(f"{path} is a binary file (it holds NUL bytes), not a runbook.")
    text, encoding, odd = source.decode(data)
    if encoding == "utf-16":
        return text, (f"{path} is UTF-16; save it as UTF-8.",)
    if encoding == "cp1252":
        line = data.count(b"\n", 0, odd) + 1
        return text, (
            f"{path} is not UTF-8 (line {line}); read as Windows-1252. Check its special "
            f"characters.",
        )
    return text, ()


def _with_warnings(runbook: Runbook, warnings: tuple[str, ...]) -> Runbook:
    from msgspec.structs import replace

    return replace(runbook, warnings=warnings + runbook.warnings) if warnings else runbook


def parse(text: str, path: str, sha256: str = "") -> Runbook:
    """The runbook in a text; any text at all gives one.

    path is only kept. Lines count as `\\n`, `\\r\\n` or a lone `\\r` end them.
    """
    text = source.normal(text)
    meta, body, warnings = _front_matter(text)
    found = blocks.read(body)
    used = comments.programs_used(found)
    found = bare.code(found, used)
    named = _title(found, meta, path)
    root = tree.tree(found, named)
    first = _title_node(root)
    builder = build.Builder(used, frozenset(_READ.findall(body)))
    builder.procedures.append((named, 1))
    top = _top(root, first)
    families.mark(root.children)
    marks = frozenset(id(node) for node in families.procedures(top))
    opening = first or root
    if opening.body or (root.body and first):
        phase = headings.strong(opening.title) if first is None else None
        section = builder.open(opening, phase or Phase.OVERVIEW)
        builder.direct(section, [*(root.body if first else []), *opening.body])
        if any(step.items for step in section.steps) and section.phase is Phase.OVERVIEW:
            builder.rephase(section, Phase.PROCEDURE)
    for node in top:
        builder.node(node, None, marks)
    last = text.count("\n") + 1
    said, wrong = attributes.of_file(meta, text)
    alerts = attributes.alerts(body, headings.plain(named), Path(path).stem)
    return Runbook(
        path=path,
        title=clean_line(named),
        severity=said.severity or _severity(text, named),
        sha256=sha256,
        procedures=draft.freeze(builder.sections, builder.procedures, last),
        meta=meta,
        warnings=warnings + wrong + tuple(builder.warnings),
        services=said.services,
        alerts=tuple(dict.fromkeys(said.alerts + alerts)),
        owner=said.owner,
        last_tested=said.last_tested,
    )


def _front_matter(text: str) -> tuple[dict[str, object], str, tuple[str, ...]]:
    """YAML at the head of the file, and the text with blank lines in its place."""
    match = source.FRONT_MATTER.match(text)
    if not match or (match[1] and not re.search(r"^[\w-]+\s*:", match[1], re.MULTILINE)):
        return {}, text, ()
    import yaml

    body = "\n" * match[0].count("\n") + text[match.end() :]
    try:
        loaded = yaml.safe_load(match[1] or "")  # in C it is faster, and dies of deep nesting
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
        return {}, body, (f"line {line}: the front matter is not YAML and was not used.",)
    if not isinstance(loaded, dict):
        return {}, body, ()
    return {str(key): value for key, value in loaded.items()}, body, ()


def _title(found: tuple[blocks.Block, ...], meta: dict[str, object], path: str) -> str:
    in_file = [block for block in found if block.kind is blocks.Kind.HEADING]
    for block in in_file:
        if block.level == 1 and headings.plain(block.text):
            return headings.plain(block.text)
    if isinstance(title := meta.get("title"), str) and title.strip():
        return title.strip()
    if in_file and headings.plain(in_file[0].text):
        return headings.plain(in_file[0].text)
    return Path(path).stem or "runbook"


def _title_node(root: tree.Node) -> tree.Node | None:
    """The heading that is the title of the file: the first of level 1."""
    ones = [node for node in root.children if node.level == 1]
    return ones[0] if ones and ones[0].title == root.title else None


def _top(root: tree.Node, first: tree.Node | None) -> list[tree.Node]:
    if first is None:
        return root.children
    return [
        node for child in root.children for node in (child.children if child is first else [child])
    ]


def _severity(text: str, title: str) -> Safe | None:
    head = "\n".join(text.split("\n", 60)[:60])
    for match in _SEVERITY.finditer(head):
        if _TABLE_RULE.match(head, match.end()) and not _LEVEL.search(match["value"]):
            continue  # two headings of columns
        value = headings.plain(match["value"]).strip(" *_`:")
        if value and not re.fullmatch(r"\W*|(?i:impact|response.*|level|description)", value):
            return clean_line(value)
    section = _SEVERITY_SECTION.search(head)
    if section and _LEVEL.match(value := headings.plain(section["value"])):
        return clean_line(value)
    told = _SEVERITY_IN_TITLE.search(f" {title}")
    return clean_line(told[1].upper()) if told else None
