"""Several hosts at once: each has its own engine, trouble, age and logs, and holds up no other."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cockpit import rollout_plan
from cockpit.config import Config, Host
from cockpit.containers import engine as engines
from cockpit.incident import events as e
from cockpit.incident.journal import read
from cockpit.responder import Responder
from tests.containers.conftest import Dockerd, Until
from tests.containers.fake_engine import FakeEngine
from tests.lab.fixtures import StartSshd

pytestmark = [pytest.mark.anyio, pytest.mark.docker]


@pytest.mark.usefixtures("patient")
async def test_logs_are_saved_on_every_host_whose_engine_answers_and_the_others_are_said(
    dockerd: Dockerd, sshd: StartSshd, tmp_path: Path
) -> None:
    server = sshd()
    dockerd.run("web", "echo it was here; sleep 99")
    dockerd.wrote("web", "it was here")
    config = Config(
        hosts={
            "web-1": Host(ssh=server.host, docker=str(dockerd.socket), labels=("web",)),
            "web-2": Host(ssh=server.host, docker=f"{tmp_path}/none.sock", labels=("web",)),
        },
        ssh_config=server.ssh_config,
    )
    responder = Responder(tmp_path / "incidents", "sam", config)
    try:
        plan = rollout_plan.plan(responder, "web", ["web-1", "web-2"], "docker restart web")
        intents = rollout_plan.intents(responder, plan)
        for intent in intents:
            await responder.links.to(intent.host).ready()
        said = await rollout_plan.save_evidence(responder, intents, plan.id)
        assert said.startswith("Logs saved on 1 of 2 hosts. Not on web-2: logs of web could not")
        folder = responder.folder
        assert folder is not None
        assert not [
            entry
            for entry in responder.incident.entries
            if isinstance(entry.record.event, e.EvidenceSaved | e.EvidenceMissed)
        ]
    finally:
        await responder.close()
    events = [record.event for record in read(folder).records]
    (saved,) = [event for event in events if isinstance(event, e.EvidenceSaved)]
    (missed,) = [event for event in events if isinstance(event, e.EvidenceMissed)]
    assert (saved.host, saved.container, saved.rollout) == ("web-1", "web", plan.id)
    assert (missed.host, missed.rollout) == ("web-2", plan.id)
    assert b"it was here" in (folder / saved.file).read_bytes()


async def test_a_host_whose_engine_hangs_holds_up_none_of_the_others(
    sshd: StartSshd,
    short_folder: Path,
    tmp_path: Path,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = sshd()
    names = ("web-1", "web-2", "web-3")
    sockets = {name: short_folder / f"{name}.sock" for name in names}
    config = Config(
        hosts={name: Host(ssh=server.host, docker=str(sockets[name])) for name in names},
        ssh_config=server.ssh_config,
    )
    responder = Responder(tmp_path / "incidents", "sam", config)
    async with (
        FakeEngine(sockets["web-1"], 60).serving(),
        FakeEngine(sockets["web-2"], 5, "silent").serving() as hangs,
    ):
        try:
            responder.choose_host("web-1")
            responder.watch_beside(["web-2", "web-3"])
            well, hung, none = responder.watched
            for watch in responder.watched:
                watch.in_sight(())
            rows = await until(lambda: len(well.snapshot.rows) == 60)
            await until(lambda: well.snapshot.trouble == "")
            assert {row.host for row in well.snapshot.rows} == {"web-1"}
            await until(lambda: any(row.sample for row in well.snapshot.rows))
            await until(lambda: "is not there" in none.snapshot.trouble)
            await until(lambda: "has not answered" in hung.snapshot.trouble)
            assert (none.snapshot.at, hung.snapshot.at) == (None, None)
            await until(lambda: well.snapshot.trouble == "")
            at = well.snapshot.at
            await until(lambda: (well.snapshot.at or 0) > (at or 0))
            hangs.how = "well"
            await until(lambda: len(hung.snapshot.rows) == 5 and not hung.snapshot.trouble)
            assert {row.host for row in hung.snapshot.rows} == {"web-2"}
            assert well.limits is not hung.limits
            monkeypatch.setattr(engines, "ANSWER_WITHIN", 600.0)  # whoever waits, waits long
            hangs.how = "silent"
            hangs.tell(hangs.live[0], "die")
            responder.watch_beside(["web-2"])
            assert [watch.engine.where for watch in responder.watched] == ["web-1", "web-2"]
            print(f"60 rows after {rows:.2f} s, one host of three hung and one without Docker")
        finally:
            began = time.monotonic()
            await responder.close()
            closing = time.monotonic() - began
    assert closing < 30.0
