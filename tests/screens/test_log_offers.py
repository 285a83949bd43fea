"""What logs there are to follow, of containers."""

from __future__ import annotations

from collections.abc import Iterable

from cockpit.containers.container import Container
from cockpit.logs.source import LogSource
from cockpit.text import Safe
from screens.log_offers import of_containers
from tests.screens.test_logs_keys import Written


def container(name: str, project: str = "", service: str = "", state: str = "running") -> Container:
    return Container(
        id=name, name=Safe(name), image=Safe("t:1"), state=state, status=Safe(""), health="",
        restarts=0, oom=False, exit_code=None, started_at=None, finished_at=None,
        project=Safe(project), service=Safe(service), tty=False, host=Safe("prod-1"),
    )  # fmt: skip


def log_of(one: Container) -> Iterable[LogSource]:
    return [Written(one.name, [])]


def test_projects_and_services_come_before_containers_and_merge_what_runs() -> None:
    every = [
        container("shop-web-2", "shop", "web"),
        container("shop-web-1", "shop", "web"),
        container("shop-db-1", "shop", "db", "exited"),
        container("alone"),
    ]
    offers = list(of_containers(every, log_of))
    assert [offer.name for offer in offers] == [
        "shop", "shop/web", "alone", "shop-web-1", "shop-web-2", "shop-db-1"
    ]  # fmt: skip
    assert offers[0].compose == ("prod-1", "shop")
    assert offers[1].compose == ("prod-1", "shop", "web")
    assert offers[0].more == "Compose project on prod-1, 2 running, merged"
    for offer in offers[:2]:
        assert [source.name for source in offer.logs()] == ["shop-web-1", "shop-web-2"]
    assert [source.name for source in offers[-1].logs()] == ["shop-db-1"], "also one that ended"
    assert not any(offer.compose for offer in offers[2:])
