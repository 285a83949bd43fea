"""Whether sudo or doas would want a password on a host: asked before, recognised after."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from cockpit.target.target import LinkDown, LinkLost, Target

_ANSWER_S: Final = 6.0
_GOOD_FOR_S: Final = 180.0

# stdin is the script itself, and there is no terminal: nothing here can wait for a person.
_QUESTION: Final = b"""LC_ALL=C; export LC_ALL
for p in sudo doas; do
  command -v $p >/dev/null 2>&1 || { echo "@$p absent"; continue; }
  if $p -n true </dev/null >/dev/null 2>&1; then echo "@$p free"; else echo "@$p asks"; fi
done
command -v sudo >/dev/null 2>&1 && sudo -n -l </dev/null 2>/dev/null
"""

_CALL: Final = (
    r"(?:^|[;&|(`\n{]|\b(?:then|do|else|exec|time|nohup|if|while|until)\s|!\s)\s*"
    r"(?:\w+=\S*\s+)*(sudo|doas)\s+([^;&|\n)`]*)"
)
_TAKES_VALUE: Final = frozenset(("-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R"))
_REFUSED: Final = (
    r"(?m)^(?:sudo: (?:a terminal is required|a password is required|no tty present"
    r"|sorry, you must have a tty|no askpass program)"
    r"|doas: (?:a tty is required|Auth(?:oriz|entic)ation (?:required|failed))"
    r"|su: must be run from a terminal)"
)


def was_refused(output: str) -> bool:
    """Whether the end of an output says that a password was wanted and nobody could be asked."""
    return re.search(_REFUSED, output) is not None


@dataclass(frozen=True, slots=True)
class Rights:
    """What a host says of sudo and doas, without a password: which are there and ask for one.

    listing: what `sudo -l` prints, empty where that wants a password itself.
    """

    asking: frozenset[str]
    listing: str = ""

    def wants_password(self, command: str) -> bool:
        """Whether one of them in a command would ask; when in doubt it would."""
        return any(
            program in self.asking
            and not (program == "sudo" and argv and _is_free(self.listing, user, argv))
            for program, user, argv in _calls(command)
        )


async def ask(target: Target) -> Rights | None:
    """Asks a host; changes nothing there. None where it does not say."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            channel = await target.shell()
            try:
                channel.stdin.write(_QUESTION)
                channel.stdin.write_eof()
                said = (await channel.stdout.read()).decode(errors="replace")
            finally:
                channel.close()
    except (LinkLost, LinkDown, OSError, TimeoutError):
        return None
    asking = frozenset(name for name in ("sudo", "doas") if f"@{name} asks\n" in said)
    return Rights(asking, said.rpartition("@doas ")[2])


class Asked:
    """What hosts said, remembered for a few minutes: rules seldom change, and asking takes time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Rights]] = {}

    async def wants_password(self, target: Target, command: str) -> bool:
        """Whether sudo or doas in the command would ask there; False where the host is silent."""
        at, rights = self._known.get(target.name, (0.0, None))
        if rights is None or time.monotonic() - at > _GOOD_FOR_S:
            rights = await ask(target)
            if rights is None:
                return False
            self._known[target.name] = time.monotonic(), rights
        return rights.wants_password(command)


def _calls(command: str) -> Iterator[tuple[str, str, list[str]]]:
    """Each sudo or doas of a command: which, as whom, and what it runs; [] where unclear."""
    found = list(re.finditer(_CALL, command.replace("\\\n", " ")))
    if not found:
        # Where it stands is not seen, as in `sh -c '…'`.
        yield from ((name, "root", []) for name in ("sudo", "doas") if name in command)
    for call in found:
        try:
            words = shlex.split(call[2])
        except ValueError:
            words = []
        user = "root"
        while words and (words[0].startswith("-") or re.match(r"\w+=", words[0])):
            option = words.pop(0)
            if option == "--":
                break
            if option in _TAKES_VALUE and words:
                value = words.pop(0)
                user = value if option == "-u" else user
        yield call[1], user, words


def _is_free(listing: str, user: str, argv: list[str]) -> bool:
    """Whether a rule lets this run without a password; as in sudo, the last that matches counts."""
    free = False
    for rule in re.finditer(r"^ {4}\(([^)]*)\) (.*)$", listing, re.MULTILINE):
        users = [name.strip() for name in rule[1].partition(":")[0].split(",")]
        if user not in users and "ALL" not in users:
            continue
        asks = True
        for entry in re.split(r"(?<!\\),\s*", rule[2]):
            tags, allowed = re.match(r"((?:[A-Z_]+:\s*)*)(.*)", entry, re.DOTALL).groups()  # type: ignore[union-attr]
            for tag in re.findall(r"\b(NO)?PASSWD:", tags):
                asks = not tag
            if _covers(allowed.strip(), argv):
                free = not asks
    return free


def _covers(allowed: str, argv: list[str]) -> bool:
    if allowed == "ALL":
        return True
    path, _, arguments = allowed.partition(" ")
    if path.endswith("/") or path.startswith("!"):
        return False
    asked, name = argv[0], path.rpartition("/")[2]
    # /bin and /usr/bin are one place on many hosts; a bare name is looked up there.
    if not fnmatchcase(asked.rpartition("/")[2], name):
        return False
    return not arguments or fnmatchcase(" ".join(argv[1:]), arguments.replace("\\", ""))
