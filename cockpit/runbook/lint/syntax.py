"""Whether bash would take a command at all; nothing is run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from cockpit.runbook import fences, placeholders, programs
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page
from cockpit.runbook.model import Command

_QUERY = re.compile(r"\W*(?:sum|max|min|avg|count|rate|topk|sort|\w+_\w+)\s*(?:by\s*)?[({]")
_AT_ONCE = 60_000
"""Bytes of commands given to one bash; an argument may not be much longer."""


def bash() -> str | None:
    """Where bash is; None where there is none, and then nothing is judged."""
    return shutil.which("bash")


def refused(pages: Sequence[Page], shell: str) -> Iterator[Finding]:
    """`shell-syntax`: commands that `bash -n` refuses, over all pages with few processes."""
    texts = {
        placed.command.text: placeholders.neutral(placed.command.text)
        for page in pages
        for placed in page.commands
        if _is_shell(page, placed.command)
    }
    bad: dict[str, str] = {}
    together: list[str] = []
    for text, neutral in texts.items():
        if _alone(neutral):
            if why := _says(shell, neutral):
                bad[text] = why
        else:
            together.append(text)
    for group in _groups(together, texts):
        for text in _search(shell, group, texts):
            bad[text] = _says(shell, texts[text]) or "bash refuses it"
    for page in pages:
        for placed in page.commands:
            if placed.command.text in bad:
                yield page.find(
                    placed.line,
                    Level.ERROR,
                    "shell-syntax",
                    f"the shell refuses this command: {bad[placed.command.text]}",
                    "run bash -n on it and mend it, or mark the block as text",
                )


def _is_shell(page: Page, command: Command) -> bool:
    """Whether it is surely meant for a shell; a query in an unnamed block is cockpit's mistake."""
    if command.source not in ("fence", "indented") or _QUERY.match(command.text):
        return False
    words = re.match(r"[a-z][\w.-]*(?=\s|\Z)", command.text)
    known = words is not None and words[0] in programs.KNOWN
    return known or page.language(command.lines.first) in fences.SHELL


def _alone(text: str) -> bool:
    """Whether one command could swallow the next: an odd quote, a here-document, a loose end."""
    odd = any(text.count(sign) % 2 for sign in "'\"`")
    loose = text.count("(") != text.count(")") or text.rstrip().endswith("\\")
    return odd or loose or "<<" in text


def _groups(texts: Sequence[str], neutral: dict[str, str]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for text in texts:
        length = len(neutral[text].encode("utf-8", "replace"))
        if group and size + length > _AT_ONCE:
            yield group
            group, size = [], 0
        group.append(text)
        size += length
    if group:
        yield group


def _search(shell: str, group: list[str], neutral: dict[str, str]) -> Iterator[str]:
    """Those of a group that are refused, by halves."""
    joined = "\n".join(f"(\n{neutral[text]}\n)" for text in group)
    if not _says(shell, joined):
        return
    if len(group) == 1:
        yield group[0]
        return
    middle = len(group) // 2
    yield from _search(shell, group[:middle], neutral)
    yield from _search(shell, group[middle:], neutral)


def _says(shell: str, text: str) -> str:
    """What bash says against a text, in its words; empty when it takes it."""
    if "\0" in text or len(text.encode("utf-8", "replace")) > 2 * _AT_ONCE:
        return ""
    done = subprocess.run(
        [shell, "--norc", "-n", "-O", "extglob", "-c", text.encode("utf-8", "replace")],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    if done.returncode == 0:
        return ""
    first = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
    return (
        re.sub(r"^.*?: (?:-c: )?(?:line \d+: )?(?:syntax error: )?", "", first) or "it is no shell"
    )
