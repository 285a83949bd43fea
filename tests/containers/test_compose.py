"""What of a container is not as its Compose file says now, by the real Compose."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cockpit.containers import compose
from cockpit.containers.compose import Differences, Made, asks, differs, hashes, made_from
from cockpit.containers.container import Container, from_inspect
from cockpit.containers.engine import Engine
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.target import guard
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.containers.conftest import IMAGE, Dockerd

MADE: Made = (Safe("shop"), Safe("/opt/shop/compose.yaml"), Safe("/opt/shop"))
OLD, NEW = "a" * 64, "b" * 64


def container(**other: object) -> Container:
    known: dict[str, object] = {
        "id": "c1", "name": Safe("shop-web-1"), "image": Safe("shop/web:1"), "state": "running",
        "status": Safe(""), "health": "", "restarts": 0, "oom": False, "exit_code": None,
        "started_at": None, "finished_at": None, "project": MADE[0], "service": Safe("web"),
        "tty": False, "image_id": "sha256:11", "config_hash": Safe(OLD), "config_files": MADE[1],
        "working_dir": MADE[2],
    }  # fmt: skip
    return Container(**(known | other))  # type: ignore[arg-type]


def leave(command: str) -> guard.Pass:
    verdict = judge(command)
    return guard.answer(guard.ask(guard.Intent(command, "here", verdict.risk, verdict.because)))


def test_what_is_as_it_would_be_made_now_is_not_spoken_of() -> None:
    assert differs(container(), {"web": OLD}, {"shop/web:1": "sha256:11"}) == ()
    assert differs(container(), None, {}) == (), "nobody could be asked"
    assert differs(container(config_hash=Safe("")), {"web": NEW}, {}) == (), "not by Compose"


def test_a_file_that_says_something_else_now_and_an_image_that_is_another_are_told() -> None:
    said = differs(container(), {"web": NEW}, {"shop/web:1": "sha256:22"})
    assert said == (
        "image differs: shop/web:1 is another one now than it runs",
        "configuration differs from what compose.yaml says now: docker compose up would make it"
        " anew",
    )
    assert differs(container(), {"db": NEW}, {}) == ("compose.yaml has no service web any more",)


def test_one_that_somebody_runs_by_hand_is_meant_to_differ() -> None:
    by_hand = container(name=Safe("shop-web-run-0123456789ab"))
    assert differs(by_hand, {"web": NEW}, {}) == ()


def test_a_variable_that_is_set_elsewhere_leaves_it_open() -> None:
    line = f"web {NEW}\n"
    assert hashes(line) == {"web": NEW}
    assert hashes(f'level=warning msg="The \\"TAG\\" variable is not set."\n{line}') is None
    assert hashes("open /opt/shop/compose.yaml: permission denied") is None
    assert hashes("docker: 'compose' is not a docker command.") is None


@pytest.mark.parametrize(
    "labels",
    [
        {"config_files": Safe("https://example.net/x.git")},
        {"config_files": Safe("/opt/a.yaml,-v")},
        {"config_files": Safe("/opt/$(reboot).yaml")},
        {"config_files": Safe("/opt/../etc/x.yaml")},
        {"config_files": Safe("")},
        {"working_dir": Safe("/opt/a b;c")},
        {"project": Safe("--help")},
    ],
)
def test_labels_that_are_no_plain_names_are_never_part_of_a_command(
    labels: dict[str, Safe],
) -> None:
    assert made_from(container(**labels)) is None


def test_what_is_asked_on_a_host_only_reads() -> None:
    several = (Safe("shop"), Safe("/opt/a.yaml,/opt/b.yaml"), Safe("/opt"))
    for docker in ("docker", "sudo -n docker", "docker -H unix:///run/other.sock"):
        command = asks(docker, several)
        assert judge(command).risk is Risk.READ
        assert "-f /opt/a.yaml -f /opt/b.yaml" in command and "sudo" not in command


def test_it_is_looked_at_again_soon_after_a_start_and_else_seldom() -> None:
    looks = Differences(Engine(Local()), leave)
    first = container(id="1")
    assert not looks.due([first], 5.0)
    assert looks.due([first], compose.FIRST_S)
    looks._due = 400.0
    assert not looks.due([first], 100.0)
    assert not looks.due([first, container(id="2")], 110.0)
    assert not looks.due([first, container(id="2")], 115.0)
    assert looks.due([first, container(id="2")], 110.0 + compose.AFTER_START_S)


@pytest.mark.anyio
@pytest.mark.usefixtures("patient")
async def test_the_real_compose_tells_what_was_changed_in_its_file_and_what_was_built_anew(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "WITHIN_S", 120.0)
    file = tmp_path / "compose.yaml"
    image = "shop/web:1"
    service = f"image: {image}\n    network_mode: none\n    command: [sleep, '600']\n"
    same = f"  same:\n    {service}"
    file.write_text(f"services:\n  web:\n    {service}{same}")
    dockerd.docker("tag", IMAGE, image)
    _up(dockerd, file)
    engine = Engine(Local(), str(dockerd.socket))
    try:
        rows = [from_inspect(await engine.inspect(row.id)) for row in await engine.list()]
        assert {row.service for row in rows} == {"web", "same"}
        looks = Differences(engine, leave)
        assert engine.far_command, "the docker command of this machine reaches it"
        await looks.look(rows, 0.0)
        assert looks.found == {}

        file.write_text(f"services:\n  web:\n    {service}    environment: {{A: b}}\n{same}")
        await looks.look(rows, 1.0)
        web = next(row for row in rows if row.service == "web")
        assert list(looks.found) == [web.id]
        assert looks.found[web.id][0].startswith("configuration differs from what compose.yaml")

        dockerd.docker("tag", _another(dockerd), image)
        file.write_text(f"services:\n  web:\n    {service}{same}")
        await looks.look(rows, 2.0)
        assert looks.found.keys() == {row.id for row in rows}
        assert {said for all_said in looks.found.values() for said in all_said} == {
            f"image differs: {image} is another one now than it runs"
        }
    finally:
        await engine.close()
        dockerd.docker("rmi", "-f", image, check=False)


def _up(dockerd: Dockerd, file: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{dockerd.socket}"}
    command = ["docker", "compose", "-p", "shop", "-f", str(file), "up", "-d"]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _another(dockerd: Dockerd) -> str:
    """Another image, as a build makes one; its id."""
    made = dockerd.docker("create", "--network", "none", IMAGE, "sh").stdout.decode().strip()
    image = dockerd.docker("commit", made).stdout.decode().strip()
    dockerd.docker("rm", made)
    return image
