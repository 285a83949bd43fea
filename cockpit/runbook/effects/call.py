"""What a program call is, what it would do, and the rules that know it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from cockpit.runbook.model import Risk, Waits

_BUNDLE = re.compile(r"-[A-Za-z0-9]+")


class Effect(msgspec.Struct, frozen=True):
    """risk with its reason in plain words; containers: names that it stops or restarts.

    sudo: whether sudo or doas on this machine may ask for a password before it runs.
    """

    risk: Risk
    because: str
    waits: Waits | None = None
    containers: tuple[str, ...] = ()
    sudo: bool = False

    def and_(self, other: Effect) -> Effect:
        """The two together: the higher risk, and whatever waits first."""
        high = other if other.risk.above(self.risk) else self
        containers = tuple(dict.fromkeys(self.containers + other.containers))
        sudo = self.sudo or other.sudo
        return Effect(high.risk, high.because, self.waits or other.waits, containers, sudo)


def read(because: str, waits: Waits | None = None) -> Effect:
    return Effect(Risk.READ, because, waits)


def change(because: str, waits: Waits | None = None) -> Effect:
    return Effect(Risk.CHANGE, because, waits)


def destroy(because: str, waits: Waits | None = None) -> Effect:
    return Effect(Risk.DESTROY, because, waits)


class Call(msgspec.Struct, frozen=True):
    """A program about to run.

    words: name and arguments, quotes removed; piped: its input comes from a pipe or a redirection.
    silent: nothing to speak of comes so: /dev/null, a bare `echo`, a word that ends a session.
    script judges text as shell, argv judges words as a call with the same input.
    """

    words: tuple[str, ...]
    piped: bool
    script: Callable[[str], Effect]
    argv: Callable[[Sequence[str]], Effect]
    silent: bool = False

    @property
    def args(self) -> tuple[str, ...]:
        return self.words[1:]

    def has(self, *flags: str) -> bool:
        """Whether one of the flags stands there; a short one also inside a bundle (`-rf`)."""
        for word in self.args:
            if not word.startswith("-"):
                continue
            if word == "--":
                return False
            for flag in flags:
                if word == flag or (flag.startswith("--") and word.startswith(f"{flag}=")):
                    return True
                short = len(flag) == 2 and flag[1] != "-" and flag[1] in word[1:]
                if short and _BUNDLE.fullmatch(word):
                    return True
        return False

    def value(self, *flags: str) -> str | None:
        """What a flag is given: `-c X`, `-cX`, `--command X`, `--command=X`."""
        for number, word in enumerate(self.args):
            for flag in flags:
                if word == flag and number + 1 < len(self.args):
                    return self.args[number + 1]
                if flag.startswith("--") and word.startswith(f"{flag}="):
                    return word[len(flag) + 1 :]
                if len(flag) == 2 and word.startswith(flag) and len(word) > 2 and word[1] != "-":
                    return word[2:]
        return None

    def positional(self, valued: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """The arguments that are neither flags nor the values of the given flags."""
        out: list[str] = []
        skip = False
        for number, word in enumerate(self.args):
            if skip:
                skip = False
            elif word == "--":
                return (*out, *self.args[number + 1 :])
            elif word.startswith("-") and len(word) > 1:
                skip = word in valued
            else:
                out.append(word)
        return tuple(out)

    def after(self, valued: frozenset[str], count: int = 0) -> tuple[str, ...]:
        """What follows the leading flags and count positional words: a command to be wrapped."""
        i = 0
        args = self.args
        while i < len(args):
            word = args[i]
            if word == "--":
                i += 1
                if not count:
                    break
            elif word.startswith("-") and len(word) > 1:
                i += 2 if word in valued else 1
            elif count:
                count -= 1
                i += 1
                if not count:
                    break
            else:
                break
        return args[i:]


RULES: dict[str, Callable[[Call], Effect]] = {}


def rule(names: str) -> Callable[[Callable[[Call], Effect]], Callable[[Call], Effect]]:
    def keep(rule: Callable[[Call], Effect]) -> Callable[[Call], Effect]:
        for name in names.split():
            RULES[name] = rule
        return rule

    return keep
