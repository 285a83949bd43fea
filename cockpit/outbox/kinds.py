"""What each kind of destination is told in cockpit.yaml, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cockpit.config import Destination

_SECRET: Final = ("env", "command")


@dataclass(frozen=True, slots=True)
class Kind:
    """must: groups of keys, of each at least one. may: the others. since: why it must have them."""

    must: tuple[tuple[str, ...], ...]
    may: tuple[str, ...]
    since: str


SIGNALS: Final = {"pagerduty": {"acknowledged": "acknowledge", "resolved": "resolve"}}
"""What a kind does with some messages instead of telling anybody: its text does not go along."""

KINDS: Final = {
    "slack": Kind((_SECRET,), (), "the URL of its webhook is a secret"),
    "pagerduty": Kind((_SECRET,), ("url",), "its integration key is a secret"),
    "ntfy": Kind((("url",),), (*_SECRET, "user"), "it says where: https://ntfy.sh/TOPIC"),
    "webhook": Kind((("url", *_SECRET),), ("user",), "a URL that is no secret stands under url"),
    "smtp": Kind(
        (("url",), ("sender",), ("to",)),
        (*_SECRET, "user"),
        "a mail needs smtp://HOST:PORT, from whom and to whom",
    ),
    "apprise": Kind((_SECRET,), (), "its URL is a secret"),
}


def signal(kind: str, about: str) -> str:
    """What such a message does there instead of being read; empty where people read it."""
    return SIGNALS.get(kind, {}).get(about, "")


def mistakes(one: Destination) -> list[str]:
    """What is wrong with a destination as a whole: ends of sentences that begin with its name."""
    kind = KINDS[one.kind]
    given = {name for name in one.__struct_fields__ if name != "kind" and getattr(one, name)}
    known = {key for group in kind.must for key in group} | set(kind.may)
    found = []
    for key in sorted(given - known):
        mend = f"{one.kind} takes {_words(sorted(known), 'and')}; leave {key} out"
        if key == "url":
            mend = "it holds the secret, which never stands in cockpit.yaml; name it with env"
        found.append(f".{key} is not for {one.kind}: {mend}")
    missing = [_words(group, "or") for group in kind.must if not given.intersection(group)]
    if missing:
        found.append(f" must have {_words(missing, 'and')}: {kind.since}")
    if given.issuperset(_SECRET):
        found.append(" has both env and command; keep the one that gives the secret")
    secret = bool(given.intersection(_SECRET))
    if "user" in given and not secret:
        found.append(".user needs a password; say with env or command where it is")
    if one.kind == "smtp" and secret and "user" not in given:
        found.append(" has a password and nobody to log in as; add user")
    if one.kind == "webhook" and "user" in given and "url" not in given:
        found.append(".user needs url: what env or command gives is then the password")
    mail = one.url.startswith(("smtp://", "smtps://"))
    if "url" in given and mail != (one.kind == "smtp"):
        form = "smtp://HOST:PORT or smtps://HOST:PORT" if one.kind == "smtp" else "https://HOST/..."
        found.append(f".url must be {form} for {one.kind}")
    return found


def _words(words: list[str] | tuple[str, ...], last: str) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
