"""A shell command as the words of its parts: which program gets which arguments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache

from cockpit.runbook import placeholders

_SKIPPED = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"})
_CLOSES = frozenset({"fi", "done", "esac", "}", "for", "case", "select", "function", "[[", "in"})
_WRAPPERS: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U"}),
    "doas": frozenset({"-u", "-C"}),
    "nohup": frozenset(),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n", "-p"}),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "env": frozenset({"-u", "-C", "-S"}),
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "builtin": frozenset(),
    "setsid": frozenset(),
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "watch": frozenset({"-n", "--interval"}),
    "xargs": frozenset({"-n", "-I", "-L", "-P", "-a", "-d", "-E", "-s"}),
}
ASKS_ONLY = frozenset({"-v", "-V"})


@lru_cache(maxsize=4096)
def simple(command: str) -> tuple[tuple[str, ...], ...]:
    """The simple commands of a command, each as its words, wrappers such as sudo left out.

    A command that another host or an inner shell runs is not looked into. Empty where the words
    cannot be told.
    """
    return tuple(_simple(command))


def _simple(command: str) -> Iterator[tuple[str, ...]]:
    text = re.sub(r"\\\n", " ", placeholders.neutral(command))
    text = re.sub(r"(?m)(^|\s)#.*$", r"\1", text)
    if "<<" in text:
        text = text.partition("\n")[0]
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    skip = False
    try:
        tokens = list(lexer)
    except ValueError:
        return
    for token in tokens:
        if token and set(token) <= set("();<>|&\n"):
            if set(token) & set("<>"):
                skip = True
                if words and words[-1].isdigit():
                    words.pop()
            else:
                yield from _unwrapped(words)
                words = []
            continue
        if not skip:
            words.append(token)
        skip = False
    yield from _unwrapped(words)


def _unwrapped(words: list[str]) -> Iterator[tuple[str, ...]]:
    words = [*words]
    while words:
        first = words[0]
        if first in _SKIPPED or re.match(r"[A-Za-z_]\w*\+?=", first):
            words.pop(0)
        elif first in _WRAPPERS:
            if first == "command" and words[1:2] and words[1] in ASKS_ONLY:
                return
            words = _behind(words, _WRAPPERS[first])
        else:
            break
    if words and words[0] not in _CLOSES:
        yield tuple(words)


def _behind(words: list[str], valued: frozenset[str]) -> list[str]:
    """What a wrapper runs."""
    name, *rest = words
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in valued and rest:
            rest.pop(0)
        if option == "--":
            break
    if name == "timeout" and rest:
        rest.pop(0)
    return rest
