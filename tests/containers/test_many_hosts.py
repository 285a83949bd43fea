"""Before a change on many hosts, the logs of its containers are saved from the engine of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit import rollout_plan
from cockpit.config import Config, Host
from cockpit.incident import events as e
from cockpit.incident.journal import read
from cockpit.responder import Responder
from tests.containers.conftest import Dockerd
from tests.lab.fixtures import StartSshd

pytestmark = [pytest.mark.anyio, pytest.mark.docker]


async def test_logs_are_saved_on_every_host_whose_engine_answers_and_the_others_are_said(
    dockerd: Dockerd, sshd: StartSshd, tmp_path: Path
) -> None:
    server = sshd()
    dockerd.run("web", "echo it was here; sleep 99")
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
