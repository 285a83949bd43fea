"""What is offered for a container in each of its states, and what may stand in a command."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.containers.actions import Action, Project, actions, project, word
from cockpit.containers.container import Container, from_inspect
from cockpit.containers.wire import Config, Inspected, State
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.text import Safe, clean_line

SHOP = Project("shop", "web", "/srv/shop", ("/srv/shop/compose.yaml",))
CHANGES = "rsSpPKxRU"


def one(state: str, name: str = "web-1") -> Container:
    return from_inspect(Inspected("0f" * 32, f"/{name}", state=State(state), config=Config()))


def offered(state: str, docker: str = "docker", compose: Project = SHOP) -> dict[str, Action]:
    return {each.key: each for each in actions(one(state), docker, compose)}


@pytest.mark.parametrize(
    ("state", "now"),
    [
        ("running", "rspKxRU"),
        ("paused", "rsPKRU"),
        ("restarting", "rsRU"),
        ("exited", "SRU"),
        ("created", "SRU"),
    ],
)
def test_only_what_makes_sense_in_its_state_is_offered_and_first(state: str, now: str) -> None:
    found = actions(one(state), "docker", SHOP)
    assert {each.key for each in found if not each.why_not and each.key in CHANGES} == set(now)
    senseless = [bool(each.why_not) for each in found]
    assert senseless == sorted(senseless)
    assert all(each.command for each in found if not each.why_not and each.key in CHANGES)
    assert not any(each.command for each in found if each.why_not)


def test_every_letter_is_another_and_none_moves_the_cursor() -> None:
    keys = [each.key for each in actions(one("running"), "docker", SHOP)]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set("jkgGq")


def test_each_change_is_judged_as_one_and_kill_as_the_worst() -> None:
    for key, each in offered("running", "sudo -n docker -H unix:///run/d.sock").items():
        if each.command:
            wanted = Risk.DESTROY if key == "K" else Risk.CHANGE
            assert judge(each.command).risk is wanted, each.command


def test_without_a_docker_command_only_what_reads_is_offered() -> None:
    found = offered("running", docker="")
    assert {key for key, each in found.items() if not each.why_not} == set("dltoecfi")
    assert "docker command" in found["r"].why_not


def test_nothing_changes_a_container_that_is_known_only_from_before() -> None:
    found = actions(one("running"), "docker", SHOP, stale=True)
    assert all(each.why_not for each in found if each.key in CHANGES)
    assert not any(each.why_not for each in found if each.key in "dlteci")


def test_compose_is_told_its_project_folder_files_and_env_files() -> None:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
        "com.docker.compose.project.working_dir": "/srv/my shop",
        "com.docker.compose.project.config_files": "/srv/a.yaml,/srv/b.yaml",
        "com.docker.compose.project.environment_file": "/srv/prod.env",
    }
    command = offered("running", compose=project(labels))["U"].command
    assert shlex.split(command) == [
        *("docker", "compose", "-p", "shop", "--project-directory", "/srv/my shop"),
        *("-f", "/srv/a.yaml", "-f", "/srv/b.yaml", "--env-file", "/srv/prod.env"),
        *("up", "-d", "web"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SHOP, name="shop; rm -rf /"),
        replace(SHOP, service="--help"),
        replace(SHOP, service=""),
        replace(SHOP, files=("https://github.com/x/y.git",)),
        replace(SHOP, files=("oci://x/y",)),
        replace(SHOP, files=("-",)),
        replace(SHOP, files=("/srv/\x1b[2Jc.yaml",)),
        replace(SHOP, files=("/srv/$(reboot)",)),
        replace(SHOP, files=("/srv/../etc/shadow",)),
        replace(SHOP, folder="relative"),
    ],
)
def test_labels_that_are_more_than_names_and_paths_make_no_command(wrong: Project) -> None:
    assert wrong.command == ""
    assert not {"R", "U"} & set(offered("running", compose=wrong))


@given(st.text(max_size=30))
def test_a_name_is_one_word_in_every_command(name: str) -> None:
    row = replace(one("running"), name=clean_line(name))
    assert shlex.split(word(row)) == [word(row)]
    for each in actions(row, "docker", Project()):
        if each.command:
            assert word(row) in shlex.split(each.command)
            assert not set(word(row)) & set("$`;|&<>(){}*?[]!'\"\\ \n")


def test_what_is_said_is_safe() -> None:
    row = replace(one("running"), name=Safe("web"))
    for each in actions(row, "docker", SHOP):
        assert type(each.words) is type(each.does) is Safe
