"""Whether sudo wants a password: what is read from its rules, and what a real one says."""

from __future__ import annotations

import pytest

from cockpit.target import sudo
from cockpit.target.target import Local

pytestmark = pytest.mark.anyio

LISTING = """User ana may run the following commands on prod-1:
    (ALL : ALL) ALL
    (root) NOPASSWD: /usr/bin/id, /bin/systemctl restart kamiyo, /usr/bin/journalctl *
    (root) NOPASSWD: /usr/bin/lsof, PASSWD: /usr/sbin/reboot
    (postgres) NOPASSWD: /usr/bin/psql
"""
ASKS = sudo.Rights(frozenset({"sudo"}), LISTING)

WANTED = [
    ("sudo ls", True),
    ("sudo id", False),
    ("sudo -n id -u", False),
    ("sudo /bin/systemctl restart kamiyo", False),
    ("sudo systemctl restart kamiyo", False),
    ("sudo systemctl stop kamiyo", True),
    ("sudo journalctl -u kamiyo -n 50", False),
    ("cd /srv && sudo lsof -i :8000 | head", False),
    ("sudo reboot", True),
    ("sudo -u postgres psql -c 'select 1'", False),
    ("sudo psql", True),
    ("sudo id; sudo ls", True),
    ("sudo $PROGRAM", True),
    ("sudo sh -c 'id", True),
    ("for i in 1 2; do sudo id; done", False),
    ("sh -c 'x; y sudo id'", True),
    ("sudo -i", True),
    ("doas ls", False),
    ("echo done", False),
]


@pytest.mark.parametrize(("command", "wanted"), WANTED)
async def test_rules_without_a_password_are_read(command: str, wanted: bool) -> None:
    assert ASKS.wants_password(command) is wanted


async def test_a_later_rule_wins_as_in_sudo() -> None:
    listing = "    (root) NOPASSWD: /usr/bin/id\n    (ALL) ALL\n"
    assert sudo.Rights(frozenset({"sudo"}), listing).wants_password("sudo id")


async def test_where_sudo_asks_nobody_nothing_is_wanted() -> None:
    assert not sudo.Rights(frozenset()).wants_password("sudo ls")


REFUSALS = [
    ("sudo: a terminal is required to read the password; either use the -S option\n", True),
    ("stopping\nsudo: a password is required\n", True),
    ("sudo: no tty present and no askpass program specified\n", True),
    ("sudo: sorry, you must have a tty to run sudo\n", True),
    ("doas: a tty is required\n", True),
    ("doas: Authentication required\n", True),
    ("log: sudo: a password is required\n", False),
    ("sudo: unable to resolve host prod-1\n", False),
    ("", False),
]


@pytest.mark.parametrize(("output", "refused"), REFUSALS)
async def test_a_refusal_is_recognised(output: str, refused: bool) -> None:
    assert sudo.was_refused(output) is refused


async def test_a_host_is_asked_and_nothing_hangs(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sudo, "_ANSWER_S", 30.0)  # it would hang for longer
    rights = await sudo.ask(local)
    assert rights is not None
