"""However the link and cockpit die, a command runs once, or not at all and cockpit says so.

COCKPIT_CUTS is how many trials (50), COCKPIT_SEED what chooses them; a failure names the trial.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cockpits import Cockpits
from tests.cuts import Field, Result, attempt, chosen, report
from tests.lab.fixtures import StartSshd
from tests.lab.sshd import Shell

pytestmark = pytest.mark.anyio

CUTS = int(os.environ.get("COCKPIT_CUTS", "50"))
SEED = os.environ.get("COCKPIT_SEED", "20261122")
AT_ONCE = 16


@pytest.fixture(scope="module")
def cockpits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cockpits]:
    with Cockpits(tmp_path_factory.mktemp("cockpits")) as made:
        yield made


@pytest.fixture
def field(sshd: StartSshd, shells: dict[str, Shell], cockpits: Cockpits, tmp_path: Path) -> Field:
    """Servers with dash, bash and busybox where we are root, and an `lsblk` that leaves a line."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "lsblk").write_text('#!/bin/sh\necho run >> "$1"\n')
    (tools / "lsblk").chmod(0o755)
    if os.getuid() == 0:
        servers = {
            name: sshd(shell=replace(shell, path=f"{tools}:{shell.path}"))
            for name, shell in shells.items()
        }
    else:
        servers = {"sh": sshd(extra_config=f"SetEnv PATH={tools}:{os.environ['PATH']}")}
    return Field(tmp_path, tools, cockpits, servers)


@pytest.mark.slow
async def test_a_command_runs_once_however_the_link_and_cockpit_die(field: Field) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Result:
        async with free:
            return await attempt(field, chosen(SEED, number, list(field.servers)))

    results = await asyncio.gather(*(one(number) for number in range(CUTS)))
    await asyncio.sleep(1)  # whatever was still on its way has come
    for result in results:
        result.look()
    print(f"\nCOCKPIT_SEED={SEED}: {report(results)}")
    wrong = [str(result) for result in results if result.wrong]
    assert not wrong, f"COCKPIT_SEED={SEED}, {len(wrong)} trials\n" + "\n".join(wrong[:5])
    assert sum(result.ran for result in results) > CUTS / 2
