"""Containers and services that a runbook names, against Compose files and a host's answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.runbook import parse
from cockpit.runbook.lint import Finding, Ground, OnHost, judge, lint, page
from cockpit.runbook.lint.compose import BadCompose, named
from cockpit.runbook.lint.host import CONTAINERS, SERVICES, answered, lookup
from cockpit.runbook.lint.names import spoken_of
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge as verdict

COMPOSE = """\
name: shop
services:
  api:
    image: shop
    container_name: kamiyo
  worker:
    image: shop
"""


def book(*commands: str) -> str:
    block = "\n".join(commands)
    return f"# Book\n\n## Overview\n\n```bash\n{block}\n```\n"


def found(folder: Path, *commands: str, ground: Ground | None = None) -> list[Finding]:
    path = folder / "docs" / "book.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(book(*commands))
    names = ("unknown-", "names-", "compose-file")
    return [one for one in lint([path], ground or Ground()) if one.rule.startswith(names)]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("docker logs -f --tail 50 kamiyo 2>&1 | grep x", {"kamiyo"}),
        ("sudo docker exec -it -u root kamiyo sh -c 'ls web'", {"kamiyo"}),
        ("docker restart -t 5 a b && docker rm -f c", {"a", "b", "c"}),
        ("docker cp kamiyo:/app/x.db ./x.db", {"kamiyo"}),
        ("docker container stop a", {"a"}),
        ("timeout 5 docker stats --no-stream a", {"a"}),
        ("docker compose exec -T api sqlite3 x", {"api"}),
        ("docker compose --profile x logs --tail 5 api worker", {"api", "worker"}),
        ("docker-compose up -d --build api", {"api"}),
        ("docker compose run --rm -e A=b worker ls", {"worker"}),
        ("docker compose -f other/compose.yaml restart api", set()),
        ("docker -H tcp://far:2375 logs a", set()),
        ("ssh far docker logs a", set()),
        ("docker logs $NAME", set()),
        ("docker ps --filter name=x", set()),
        ("docker exec $(docker ps -q) ls", set()),
        ("docker run --rm busybox ls", set()),
        ('echo "docker logs a"', set()),
    ],
)
def test_which_containers_a_command_names(command: str, names: set[str]) -> None:
    assert {one.name for one in spoken_of(command)} == names


def test_names_that_the_compose_file_has(shop: Path) -> None:
    assert (
        found(
            shop,
            "docker logs kamiyo",
            "docker logs shop-worker-1",
            "docker compose restart api worker",
            "docker logs <CONTAINER>",
            "docker run -d --name scratch busybox",
            "docker logs scratch",
        )
        == []
    )


@pytest.mark.parametrize(
    ("command", "what", "mend"),
    [
        ("docker logs kamiyo-api", "compose.yaml has no container kamiyo-api", "kamiyo?"),
        ("docker logs worker", "compose.yaml has no container worker", "shop-worker-1?"),
        ("docker compose logs kamiyo", "compose.yaml has no service kamiyo", "is a container"),
        ("docker compose logs wroker", "compose.yaml has no service wroker", "worker?"),
        ("docker compose logs zebra", "compose.yaml has no service zebra", "there are: api"),
    ],
)
def test_a_name_that_is_not_there_and_the_nearest_that_is(
    shop: Path, command: str, what: str, mend: str
) -> None:
    (one,) = found(shop, command)
    assert one.rule in ("unknown-container", "unknown-service")
    assert one.what == what
    assert mend in one.mend


def test_a_name_is_told_once_with_all_its_lines(shop: Path) -> None:
    (one,) = found(shop, "docker logs kamiyo-api", "docker restart kamiyo-api")
    assert one.line == 6
    assert one.what.endswith("; also line 7")


def test_all_compose_files_of_the_folder_count(shop: Path) -> None:
    (shop / "docker-compose.prod.yml").write_text("services: {cache: {image: redis}}\n")
    assert found(shop, "docker compose logs cache") == []


def test_above_the_repository_nothing_is_looked_for(shop: Path) -> None:
    inner = shop / "inner"
    inner.mkdir()
    (inner / ".git").mkdir()
    assert found(inner, "docker logs nothing-like-it") == []


def test_a_variable_with_a_default_and_one_without(shop: Path) -> None:
    text = "services:\n  a: {container_name: '${NAME:-web}'}\n"
    (shop / "compose.yaml").write_text(text)
    assert found(shop, "docker logs web") == []
    assert len(found(shop, "docker logs wbe")) == 1
    (shop / "compose.yaml").write_text(text.replace(":-web", ""))
    assert found(shop, "docker logs anything") == []


def test_a_compose_file_that_is_not_yaml_is_said_and_names_are_not_judged(shop: Path) -> None:
    (shop / "compose.yaml").write_text("services:\n\t- x\n")
    (one,) = found(shop, "docker logs kamiyo-api")
    assert (one.rule, one.level) == ("compose-file", "warning")
    assert "line 2" in one.what


def test_tags_of_compose_itself_are_taken(shop: Path) -> None:
    (shop / "compose.yaml").write_text("services:\n  api:\n    ports: !reset []\n    image: x\n")
    assert found(shop, "docker compose logs api") == []


def test_python_tags_make_nothing(shop: Path) -> None:
    trap = shop / "trap"
    (shop / "compose.yaml").write_text(f"x: !!python/object/apply:os.mkdir ['{trap}']\n")
    found(shop, "docker logs kamiyo")
    assert not trap.exists()


def test_a_compose_file_that_was_named(shop: Path) -> None:
    assert named(shop / "compose.yaml").services == {"api", "worker"}
    for content in ("[1, 2]", "a: [", "\t"):
        (shop / "bad.yaml").write_text(content)
        with pytest.raises(BadCompose, match=r"bad\.yaml"):
            named(shop / "bad.yaml")
    with pytest.raises(BadCompose, match="cannot be read"):
        named(shop / "gone.yaml")


def test_the_names_of_compose_v1_count(shop: Path) -> None:
    assert found(shop, "docker logs shop_worker_1") == []


def test_names_that_differ_only_by_a_dash(tmp_path: Path) -> None:
    (one,) = found(tmp_path, "docker logs shop-api", "docker restart shop_api")
    assert (one.rule, one.what) == ("names-alike", "shop_api here, and shop-api in line 6")


def test_a_host_says_what_there_is(shop: Path) -> None:
    rows = "kamiyo api\nstripe-sim \n"
    ground = Ground(host=answered("prod-1", rows, "api\nworker\n", "jq\n"))
    assert found(shop, "docker logs stripe-sim", "docker compose logs worker", ground=ground) == []
    (one,) = found(shop, "docker logs kamiyo-api", ground=ground)
    assert (one.what, one.mend) == ("prod-1 has no container kamiyo-api", "did you mean kamiyo?")
    silent = Ground(host=answered("prod-1", None, "", ""))
    assert found(shop, "docker logs kamiyo-api", ground=silent) == []


def test_a_command_for_another_host_is_not_held_against_this_one() -> None:
    text = '# B\n\n```bash { host="db-1" }\ndocker logs pg\n```\n'
    one = page(Path("b.md"), text, parse.parse(text, "b.md"))
    ground = Ground(host=OnHost("prod-1", frozenset(), frozenset(), frozenset()))
    assert one.commands[0].command.host == "db-1"
    assert "unknown-container" not in [each.rule for each in judge([one], ground)]


def test_a_host_is_only_asked() -> None:
    for command in (CONTAINERS, SERVICES, lookup(["jq", "a b; rm -rf /"])):
        assert verdict(command).risk is Risk.READ
