"""What can be followed on a host, as it says itself, and what may not."""

from __future__ import annotations

import pytest

from cockpit.logs.offered import COMMAND, LogFile, ask, parse
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.logs.test_files import let

SAID = b"""\
now 1000
file 120 990 regular file//var/log/syslog
file 7000 400 regular file//var/log/nginx/access log
file 10 995 regular file//var/log/auth.log
file 0 10 regular empty file//var/log/faillog
file 99 980 regular file//var/log/syslog.2.gz
file 99 980 regular file//var/log/wtmp
file 99 980 regular file//var/log/\xff
file 99 980 regular file//var/log/\x1b]0;x\x07
file 4096 10 directory//var/log/apt
junk
closed /var/log/auth.log
unit ssh.service
unit cron.service
told Hint: You are currently not seeing messages from other users and the system.
"""


def test_what_a_host_says_is_offered_newest_first() -> None:
    found = parse(SAID, Safe("prod-1"), Safe("me"))
    assert found.files == (
        LogFile("/var/log/syslog", Safe("/var/log/syslog"), 120, 10),
        LogFile("/var/log/\x1b]0;x\x07", Safe("/var/log/␛"), 99, 20),
        LogFile("/var/log/nginx/access log", Safe("/var/log/nginx/access log"), 7000, 600),
    )
    assert found.units == ("cron.service", "ssh.service")
    assert found.trouble == (
        "me may not read 1 of the files under /var/log on prod-1; journalctl on prod-1: "
        "Hint: You are currently not seeing messages from other users and the system."
    )


def test_asking_only_reads() -> None:
    assert judge(COMMAND).risk is Risk.READ


@pytest.mark.anyio
async def test_this_machine_says_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.logs.offered.WITHIN", 60.0)
    here = Local()
    found = await ask(here, let(COMMAND))
    await here.close()
    assert all(one.path.startswith("/var/log/") and one.size > 0 for one in found.files)
    assert "has not said" not in found.trouble
