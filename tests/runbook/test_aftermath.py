"""What can be looked at after a command that nobody can vouch for: it fits, and only reads."""

from __future__ import annotations

import pytest

from cockpit.runbook.aftermath import looks
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("docker restart kamiyo", "docker inspect --format "),
        ("sudo docker stop web db", "sudo -n docker inspect --format "),
        ("docker compose -f prod.yml up -d --force-recreate api", "docker compose -f prod.yml ps"),
        ("docker-compose down", "docker-compose ps -a"),
        ("docker system prune -f", "date; uptime"),
        ("docker stop $(docker ps -q)", "docker ps -a"),
        ("sudo systemctl restart nginx.service", "systemctl status --no-pager --lines=20 nginx."),
        ("sudo service postgresql restart", "systemctl status --no-pager --lines=20 postgresql"),
        ("mv data/kamiyo.db /backup/kamiyo.db", "ls -ld /backup/kamiyo.db"),
        ("rm -rf ~/cache/old", "ls -ld ~/cache/old"),
        ("echo 1", "date; uptime"),
    ],
)
def test_what_tells_the_most_comes_first(command: str, first: str) -> None:
    assert looks(command)[0].command.startswith(first)


@pytest.mark.parametrize(
    "command",
    [
        "docker restart kamiyo",
        "docker restart 'kamiyo; rm -rf /'",
        "cd '/srv/a b' && docker compose down -v",
        "systemctl restart nginx; rm -rf /var/lib/x /srv/y",
        "kill -9 $(pgrep kamiyo)",
        "reboot",
        "unparsable ( 'quote",
    ],
)
def test_every_look_only_reads(command: str) -> None:
    for look in looks(command, directory="/srv/a b", trace="/root/.cache/cockpit/jobs/a b"):
        assert judge(look.command).risk is Risk.READ, look.command
        assert not judge(look.command).waits, look.command


def test_compose_is_looked_at_where_it_ran() -> None:
    found = looks("docker compose restart api", directory="/srv/a b")
    assert found[0].command == "cd '/srv/a b' && docker compose ps -a"


def test_what_the_job_left_is_looked_at() -> None:
    commands = [look.command for look in looks("docker restart kamiyo", trace="/var/tmp/c/jobs/1")]
    assert "ls -la /var/tmp/c/jobs/1; tail -n 20 /var/tmp/c/jobs/1/out" in commands
