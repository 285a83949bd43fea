"""Commands that would not do at 3am what their author saw them do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from cockpit.runbook import placeholders
from cockpit.runbook.blocks import Kind
from cockpit.runbook.lint import words
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.ground import Ground
from cockpit.runbook.lint.page import Page, Placed, also
from cockpit.runbook.model import Waits
from cockpit.runbook.programs import names_of

_TO_SHELL = re.compile(
    r"\b(?:curl|wget)\b[^\n|;&]*\|\s*(?:sudo\s+(?:-\w+\s+)*)?(?:ba|z|da|k)?sh\b"
    r"|\b(?:ba|z)?sh\s+(?:-c\s+[\"']?\$|<)\(\s*(?:curl|wget)\b"
)
_TYPOGRAPHIC = {
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "--", "−": "-",
    "\u00a0": "a blank", "\u202f": "a blank", "\u200b": "nothing", "\ufeff": "nothing",
}  # fmt: skip
_IP = re.compile(
    r"(?<![\w.:/-])(?:ssh://|https?://|\w+@)?(\d{1,3}(?:\.\d{1,3}){3})(?![\w.-])(?!/\d)"
)
_PROBES = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "255.255.255.255"})
_SSH_VALUED = names_of("-p -i -l -o -F -J -L -R -D -b -c -E -e -I -m -O -Q -S -W -w -P")


def old_compose(page: Page) -> Iterator[Finding]:
    """`compose-v1`: docker-compose, which newer hosts do not have."""
    lines = [
        placed.line
        for placed in page.commands
        if any(argv[0] == "docker-compose" for argv in words.simple(placed.command.text))
    ]
    if lines:
        yield page.find(
            lines[0],
            Level.WARNING,
            "compose-v1",
            f"docker-compose is Compose v1, which has had no mends since 2023{also(lines)}",
            "write docker compose, with a blank",
        )


def to_shell(page: Page) -> Iterator[Finding]:
    """`curl-sh`: a script off the network, run unread."""
    for placed in page.commands:
        if _TO_SHELL.search(placed.command.text):
            yield page.find(
                placed.line,
                Level.WARNING,
                "curl-sh",
                "a script is fetched and run unread",
                "fetch it to a file, look at it or check its sum, then run it",
            )


def typographic(page: Page) -> Iterator[Finding]:
    """`typographic`: a word processor's quote, dash or blank, where the shell reads it."""
    for placed in page.commands:
        text = placed.command.text
        if text.isascii():
            continue
        where = placeholders.contexts(text)
        for at, char in enumerate(text):
            dash = char in "–—−"
            starts = at == 0 or text[at - 1].isspace()
            follows = re.match(r"[-–—\w]", text[at + 1 : at + 2])
            if char in _TYPOGRAPHIC and where[at] == "n" and (not dash or (starts and follows)):
                yield page.find(
                    placed.line + text.count("\n", 0, at),
                    Level.ERROR,
                    "typographic",
                    f"U+{ord(char):04X} stands where the shell wants {_TYPOGRAPHIC[char]}",
                    f"type {_TYPOGRAPHIC[char]} there",
                )
                break


def two_waits(page: Page) -> Iterator[Finding]:
    """`two-waits`: a code block with two commands that take the terminal."""
    fences = [block for block in page.blocks if block.kind in (Kind.FENCE, Kind.INDENTED)]
    for fence in fences:
        waiting = [
            placed
            for placed in page.commands
            if fence.first <= placed.line <= fence.last
            and placed.command.waits not in (None, Waits.CONFIRM)
        ]
        if len(waiting) > 1 and not _alternatives(page, waiting[0].line, waiting[1].line):
            yield page.find(
                waiting[1].line,
                Level.NOTE,
                "two-waits",
                _why(waiting[0]),
                "give each a code block of its own",
            )


def _why(first: Placed) -> str:
    if first.command.waits is Waits.STREAM:
        return f"pasted as one block, this is never reached: line {first.line} does not end"
    return f"pasted as one block, the command of line {first.line} takes this for its input"


def _alternatives(page: Page, first: int, second: int) -> bool:
    """Whether the author says that one or the other is meant."""
    between = "\n".join(page.lines[first:second])
    return bool(re.search(r"^\s*(?:#.*|)$", between, re.MULTILINE))


def hosts(page: Page, ground: Ground) -> Iterator[Finding]:
    """`unknown-host`: an address or ssh host that cockpit.yaml does not name."""
    if not ground.hosts:
        return
    seen: set[str] = set()
    for placed in page.commands:
        for name in [*_addresses(placed.command.text), *_ssh_hosts(placed.command.text)]:
            if name not in ground.hosts and name not in seen:
                seen.add(name)
                yield page.find(
                    placed.line,
                    Level.NOTE,
                    "unknown-host",
                    f"cockpit.yaml does not know {name}",
                    "name it under hosts, or use a name that is there",
                )


def _addresses(command: str) -> Iterator[str]:
    for match in _IP.finditer(command):
        try:
            address = ipaddress.ip_address(match[1])
        except ValueError:
            continue
        if not (address.is_loopback or address.is_unspecified or match[1] in _PROBES):
            yield match[1]


def _ssh_hosts(command: str) -> Iterator[str]:
    for argv in words.simple(command):
        if argv[0] not in ("ssh", "sftp", "mosh"):
            continue
        rest = [*argv[1:]]
        while rest and rest[0].startswith("-"):
            option = rest.pop(0)
            if option in _SSH_VALUED and rest:
                rest.pop(0)
        host = rest[0].rpartition("@")[2].removeprefix("ssh://") if rest else ""
        if re.fullmatch(r"[A-Za-z][\w.-]*", host) and "_" not in host and host != "localhost":
            yield host


def programs(page: Page, ground: Ground) -> Iterator[Finding]:
    """`no-program`: a program that the host does not have."""
    if ground.host is None or not ground.host.missing:
        return
    seen: set[str] = set()
    for placed in page.commands:
        here = placed.command.host in ("", ground.host.name)
        for name in sorted(used(placed.command.text)) if here else ():
            if name in ground.host.missing and name not in seen:
                seen.add(name)
                yield page.find(
                    placed.line,
                    Level.ERROR,
                    "no-program",
                    f"{ground.host.name} has no {name}",
                    "install it there, or use what the host has",
                )


def used(command: str) -> frozenset[str]:
    """The programs that a command runs on its host, by bare name."""
    made = set(re.findall(r"(?:^|[;\s])(?:function\s+)?([A-Za-z_]\w*)\s*\(\)", command))
    return frozenset(
        argv[0]
        for argv in words.simple(command)
        if re.fullmatch(r"[a-zA-Z_][\w.+-]*", argv[0]) and argv[0] not in made
    )
