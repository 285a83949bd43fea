"""Every command of the shipped runbooks, run for real against what it was written for.

Commands come from cockpit's own parser, so what runs here is what cockpit would run. 01 and 02 run
over SSH on prod-1, in the directory of compose.yaml; 00 runs on this machine, in three shells.
"""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cockpit.runbook.model import Command, Risk, Runbook
from cockpit.runbook.parse import read
from cockpit.runbook.placeholders import fill
from tests.lab.lab import ROOT, Lab
from tests.lab.sshd import Shell

RUNBOOKS = ROOT / "runbooks"
Run = Callable[[str], subprocess.CompletedProcess[str]]


def as_expected(command: Command, done: subprocess.CompletedProcess[str]) -> bool | None:
    """Whether the author's expectation holds; None where it is prose for a person to judge."""
    if command.expectation is None:
        return None
    text, output = str(command.expectation.text), done.stdout + done.stderr
    if quoted := re.fullmatch(r'"(.+)"', text):
        return quoted[1] in output
    if exit_status := re.fullmatch(r"exit status (\d+)", text):
        return done.returncode == int(exit_status[1])
    if text == "Number > 0":
        return int(output) > 0
    if re.fullmatch(r"\d+", text):
        return output.strip() == text
    return None


@dataclass
class Responder:
    """Follows a runbook step by step, and remembers which commands were run."""

    runbook: Runbook
    run: Run
    values: dict[str, str] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)

    def step(
        self,
        title: str,
        *,
        unexpected: Mapping[int, str] | None = None,
        failing: tuple[int, ...] = (),
    ) -> list[str]:
        """Run all commands of the step whose path or title holds the text; returns their output.

        unexpected: by command (from 0), the author's expectation must not hold, and this is seen.
        failing: the commands that must exit with another status than 0. All others must hold.
        """
        unexpected = unexpected or {}
        outputs = []
        for number, command in enumerate(self._commands(title)):
            done = self.run(fill(command.text, self.values))
            self.ran.add(command.id)
            output = done.stdout + done.stderr
            told = f"{title}: {command.text}\nexit {done.returncode}\n{output}"
            assert (done.returncode != 0) == (number in failing), told
            if number in unexpected:
                assert as_expected(command, done) is not True, told
                assert unexpected[number] in output, told
            else:
                assert as_expected(command, done) is not False, told
            outputs.append(output)
        return outputs

    def section(self, title: str) -> None:
        """Run all steps of a section; all must go as the author expects."""
        for section, step in self.runbook.steps():
            if section.title == title and step.commands:
                self.step(step.id)

    def never_ran(self) -> list[str]:
        return [c.text for _, _, c in self.runbook.commands() if c.id not in self.ran]

    def _commands(self, title: str) -> tuple[Command, ...]:
        found = [s for _, s in self.runbook.steps() if title in (s.id, str(s.title))]
        found = found or [s for _, s in self.runbook.steps() if str(s.title).startswith(title)]
        assert len(found) == 1, f"{title!r} names {[s.id for s in found]}"
        assert found[0].commands, f"{title!r} has no command"
        return found[0].commands


def over_ssh(lab: Lab) -> Run:
    return lambda command: lab.ssh(f"cd {lab.workdir} && exec sh -c {shlex.quote(command)}")


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("0*.md")), ids=lambda path: path.stem)
def test_a_shipped_runbook_reads_without_a_warning(path: Path) -> None:
    runbook = read(path)
    assert runbook.warnings == ()
    assert str(runbook.severity) in ("P0", "P1", "P2", "P3")
    phases = [section.phase.value for section in runbook.sections()]
    assert {"prerequisites", "symptoms", "diagnosis", "recovery", "verification"} <= set(phases)
    assert len([s for s, _ in runbook.steps() if s.phase == "diagnosis"]) == 5
    references = [r for _, step in runbook.steps() for r in step.references]
    assert references and all(r.target for r in references), "every reference leads somewhere"
    assert all(len(line) <= 240 for line in path.read_text().splitlines())


def test_looking_never_meets_the_gate_and_changing_always_does() -> None:
    asked_for = set()
    for path in sorted(RUNBOOKS.glob("0*.md")):
        for section, step, command in read(path).commands():
            asked_for |= {str(placeholder.name) for placeholder in command.placeholders}
            assert command.waits is None, "runs to its end, without a terminal"
            if section.phase == "diagnosis":
                assert command.risk is Risk.READ, command.text
            if str(step.title) == "Clean Up" or command.text == "docker compose down":
                assert command.risk is Risk.DESTROY, command.text
            if re.match(r"docker compose (restart|stop|up)|mv|sed -i", command.text):
                assert command.risk is Risk.CHANGE, command.text
    assert asked_for == {"MOVED_FILE", "BACKUP_FILE", "WEBHOOK_SECRET"}
    training = read(RUNBOOKS / "00_first_five_minutes.md")
    recovery = [c.risk for s, _, c in training.commands() if s.phase == "recovery"]
    assert recovery and set(recovery) == {Risk.CHANGE}
    assert next(training.commands())[2].risk is Risk.READ, "the first enter is harmless"


@pytest.mark.slow
def test_the_first_five_minutes_can_be_followed_in_any_shell(
    shells: dict[str, Shell], tmp_path: Path
) -> None:
    def follow(shell: Shell) -> list[str]:
        scratch = tmp_path / f"scratch of {shell.name}"
        scratch.mkdir()
        env = {"PATH": shell.path, "TMPDIR": str(scratch), "HOME": "/nonexistent"}

        def run(command: str) -> subprocess.CompletedProcess[str]:
            # argv[0] is sh: bash becomes the POSIX shell it is as /bin/sh, busybox its ash.
            began = time.monotonic()
            done = subprocess.run(
                ["sh", "-c", command],
                executable=shell.program,
                cwd="/",
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            assert time.monotonic() - began < 10, f"holds its output open: {command}"
            return done

        training = Responder(read(RUNBOOKS / "00_first_five_minutes.md"), run)
        training.section("Prerequisites")
        training.step("Step 1: Read the Log")
        training.step("Step 2: Is the Process Up?", unexpected={0: "down"})
        training.step("Step 3: Is the Data There?", unexpected={0: "tidied-away.txt"})
        training.step("Step 4: Is the Backup Good?")
        training.step("Option 1:")
        training.section("Verification")
        training.step("Option 2:")
        pid = int((scratch / "cockpit-training/pid").read_text())
        training.step("Clean Up")
        assert not any(scratch.iterdir())
        deadline = time.monotonic() + 5
        while works_in(pid, scratch):
            assert time.monotonic() < deadline, "the shop outlives the training"
            time.sleep(0.1)
        return training.never_ran()

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(follow, shells.values())) == [[]] * len(shells)


@pytest.mark.slow
def test_every_command_of_database_connection_loss(service: Lab) -> None:
    book = Responder(read(RUNBOOKS / "01_database_connection_loss.md"), over_ssh(service))
    book.section("Prerequisites")

    # The file is moved away: found by diagnosis, a restart does not help, putting it back does.
    book.section("Testing This Runbook")
    wait_until_docker_says(service, "unhealthy")
    book.step("Step 1: Ask the Service", unexpected={0: "503", 1: "database file missing"})
    book.step("Step 2: Look at the Container", unexpected={1: "health=unhealthy"})
    assert "database file missing" in book.step("Step 3: Read the Log")[1]
    book.step(
        "Step 4: Look at the Database File",
        unexpected={0: "No such file", 1: "unable to open"},
        failing=(0, 1),
    )
    assert "kamiyo-" in book.step("Step 5: Look at Disk and Backups")[1]
    book.step("Option 1:", unexpected={1: ""}, failing=(1,))
    book.values["MOVED_FILE"] = "./data/kamiyo.db.moved"
    found = book.step("Option 2:")[0]
    assert found == "./data/kamiyo.db.moved\n"
    wait_until_docker_says(service, "healthy")
    book.section("Verification")

    # The file is corrupt: a checked backup takes its place, and the old one is kept.
    service.corrupt_database()
    book.step("Step 1: Ask the Service", unexpected={0: "503", 1: "corrupt"})
    book.step("Step 4: Look at the Database File", unexpected={1: "not a database"}, failing=(1,))
    book.values["BACKUP_FILE"] = book.run("ls -1t data/backups").stdout.split()[0]
    book.step("Option 3:")
    assert service.path("/opt/kamiyo/data/kamiyo.db.broken").stat().st_size > 0
    assert service.health() == 200

    # The file was replaced under the service: stale, and the most common option mends it.
    service.run("cp data/kamiyo.db copy && mv copy data/kamiyo.db")
    book.step("Step 1: Ask the Service", unexpected={0: "503", 1: "connection is stale"})
    book.step("Option 1:")
    before = service.run("docker inspect -f '{{.Id}}' kamiyo").stdout
    book.step("Option 4:")
    book.step("Option 5:")
    assert service.run("docker inspect -f '{{.Id}}' kamiyo").stdout != before
    wait_until_docker_says(service, "healthy")
    book.section("Verification")
    assert book.never_ran() == []


@pytest.mark.slow
def test_every_command_of_stripe_webhook_failure(service: Lab) -> None:
    book = Responder(read(RUNBOOKS / "02_stripe_webhook_failure.md"), over_ssh(service))
    book.section("Prerequisites")
    book.section("Verification")
    same = book.step("Step 4: Compare the Secrets")
    assert len(same[0]) == 13 and same[0] == same[1], "twelve characters and a newline"

    # A wrong secret in the file: Stripe's events are refused until the right one is in place.
    book.section("Testing This Runbook")
    service.wait_health(200)
    assert service.post_event().startswith("400 ")
    book.step("Step 1: Knock at the Endpoint")
    book.step("Step 2: Is the Service Healthy?")
    assert "400 rejected: signature mismatch" in book.step("Step 3: Read the Webhook Lines")[0]
    same = book.step("Step 4: Compare the Secrets")
    assert same[0] == same[1]
    assert re.search(r"\d\d:\d\d:\d\d\|\d+\n", book.step("Step 5: Check Clock")[1])
    book.values["WEBHOOK_SECRET"] = service.secret
    book.step("Option 2:")
    assert service.post_event().startswith("200 ")
    book.section("Verification")
    book.step("Option 3:")
    assert service.post_event().startswith("400 "), "the file of before had the wrong secret"

    # The file is right and the container has the old one: a restart does not help, Option 1 does.
    service.run("cp -p .env.right .env")
    different = book.step("Step 4: Compare the Secrets")
    assert different[0] != different[1]
    book.step("Option 4:")
    assert service.post_event().startswith("400 ")
    book.step("Option 1:")
    assert service.post_event().startswith("200 ")

    # The database is gone: the runbook sends the reader to the other one.
    service.lose_database()
    book.step("Step 2: Is the Service Healthy?", unexpected={0: "503"})
    service.run("mv data/kamiyo.db.moved data/kamiyo.db")
    assert book.never_ran() == []


def works_in(pid: int, folder: Path) -> bool:
    """Whether the process lives and its directory is below the folder, be that deleted or not."""
    try:
        return str(folder) in os.readlink(f"/proc/{pid}/cwd")
    except FileNotFoundError:
        return False


def wait_until_docker_says(lab: Lab, health: str) -> None:
    deadline = time.monotonic() + 20
    ask = "docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' kamiyo"
    while not (said := lab.run(ask).stdout).startswith(health):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
