"""Every command of the shipped runbooks, run for real against what it was written for.

Commands come from cockpit's own parser, so what runs here is what cockpit would run. 01 to 06 and
the handbook run over SSH on prod-1, in the directory of compose.yaml; 00 runs on this machine, in
three shells.
"""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cockpit.runbook.expect import applies, suggest
from cockpit.runbook.lint import lint
from cockpit.runbook.model import Command, Reference, Risk, Runbook, Snippet, Step
from cockpit.runbook.parse import read
from cockpit.runbook.placeholders import fill
from tests.lab.lab import ROOT, Lab
from tests.lab.sshd import Shell

RUNBOOKS = ROOT / "runbooks"
Run = Callable[[str], subprocess.CompletedProcess[str]]


PROSE = {
    "Use% below 95%",
    "at least one, from the last start or later",
    "the same twelve characters as above",
    "the time on your own clock, to the minute",
}
"""What stands behind "Expected:" and is for a person to judge. Everything else is checked."""


def as_expected(command: Command, done: subprocess.CompletedProcess[str]) -> bool | None:
    """Whether the author's expectation holds, as cockpit sees it; None where a person judges."""
    if command.expectation is None:
        return None
    text = str(command.expectation.text)
    found = suggest(text, done.stdout + done.stderr, done.returncode)
    if found is None and done.returncode == 0:
        assert text in PROSE or text.startswith("Look for"), f"cannot be checked: {text}"
    return found.matches if found else None


@dataclass
class Responder:
    """Follows a runbook step by step, and remembers which commands were run."""

    runbook: Runbook
    run: Run
    values: dict[str, str] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)

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
        Afterwards `sent` has where the "If ...: See ..." of this step lead that are the case now.
        """
        unexpected = unexpected or {}
        step = self._step(title)
        outputs: list[str] = []
        status = 0
        self.sent = []
        for item in step.items:
            if isinstance(item, Reference) and applies(str(item.text), outputs[-1], status):
                self.sent.append(self._title(item))
            if not isinstance(item, Command):
                continue
            number = len(outputs)
            done = self.run(fill(item.text, self.values))
            # A time is also of what else the machine does: it is taken until it is as wanted.
            left = 15 if "%{time_total}" in item.text else 0
            while left and (as_expected(item, done) is True) is (number in unexpected):
                done, left = self.run(fill(item.text, self.values)), left - 1
            self.ran.add(item.id)
            output, status = done.stdout + done.stderr, done.returncode
            told = f"{title}: {item.text}\nexit {status}\n{output}"
            assert (status != 0) == (number in failing), told
            if number in unexpected:
                assert as_expected(item, done) is not True, told
                assert unexpected[number] in output, told
            else:
                assert as_expected(item, done) is not False, told
            outputs.append(output)
        return outputs

    def section(self, title: str) -> None:
        """Run all steps of a section; all must go as the author expects."""
        for section, step in self.runbook.steps():
            if section.title == title and step.commands:
                self.step(step.id)

    def never_ran(self) -> list[str]:
        return [c.text for _, _, c in self.runbook.commands() if c.id not in self.ran]

    def _title(self, reference: Reference) -> str:
        titles = {section.id: str(section.title) for section in self.runbook.sections()}
        titles |= {step.id: str(step.title) for _, step in self.runbook.steps()}
        return titles[reference.target or ""].partition(" (")[0]

    def _step(self, title: str) -> Step:
        found = [s for _, s in self.runbook.steps() if title in (s.id, str(s.title))]
        found = found or [s for _, s in self.runbook.steps() if str(s.title).startswith(title)]
        assert len(found) == 1, f"{title!r} names {[s.id for s in found]}"
        assert found[0].commands, f"{title!r} has no command"
        return found[0]


@pytest.fixture
def run(service: Lab) -> Iterator[Run]:
    """Runs a command on prod-1 beside compose.yaml, all of them over one SSH connection."""
    ssh = ["ssh", "-F", str(service.ssh_config), "-S", str(service.state / "one-connection")]
    master = subprocess.Popen([*ssh, "-MN", service.name], stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (service.state / "one-connection").exists():
            assert master.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)

        def run(command: str) -> subprocess.CompletedProcess[str]:
            there = f"cd {service.workdir} && exec sh -c {shlex.quote(command)}"
            return subprocess.run(
                [*ssh, service.name, there],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
            )

        yield run
    finally:
        master.terminate()
        master.wait(60)


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("0*.md")), ids=lambda path: path.stem)
def test_a_shipped_runbook_reads_without_a_warning(path: Path) -> None:
    runbook = read(path)
    assert runbook.warnings == ()
    assert str(runbook.severity) in ("P0", "P1", "P2", "P3")
    phases = [section.phase.value for section in runbook.sections()]
    assert {"prerequisites", "symptoms", "diagnosis", "recovery", "verification"} <= set(phases)
    assert {"post_incident", "escalation", "common_mistakes"} <= set(phases)
    assert "prevention" in phases or path.name.startswith("00")
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
            if section.title == "Testing This Runbook":
                assert command.risk is not Risk.READ, f"breaks it unasked: {command.text}"
            if str(step.title) == "Clean Up" or command.text == "docker compose down":
                assert command.risk is Risk.DESTROY, command.text
            if re.match(r"docker compose (restart|stop|up)|mv|sed -i", command.text):
                assert command.risk is Risk.CHANGE, command.text
    assert asked_for == {
        *("MOVED_FILE", "BACKUP_FILE", "WEBHOOK_SECRET", "PID", "OLD_FILE"),
        *("RATES_KEY", "CLIENT_CONTAINER"),
    }
    training = read(RUNBOOKS / "00_first_five_minutes.md")
    recovery = [c.risk for s, _, c in training.commands() if s.phase == "recovery"]
    assert recovery and set(recovery) == {Risk.CHANGE}
    assert next(training.commands())[2].risk is Risk.READ, "the first enter is harmless"


def follow_the_first_five_minutes(program: str, path: str, scratch: Path) -> list[str]:
    """All of 00, in a shell; returns the commands that were left out."""
    scratch.mkdir()
    env = {"PATH": path, "TMPDIR": str(scratch), "HOME": "/nonexistent"}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        # argv[0] is sh: bash becomes the POSIX shell it is as /bin/sh, busybox its ash.
        return subprocess.run(
            ["sh", "-c", command],
            executable=program,
            cwd="/",
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,  # the shop would hold the output open for an hour
        )

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
    deadline = time.monotonic() + 60
    while works_in(pid, scratch):
        assert time.monotonic() < deadline, "the shop outlives the training"
        time.sleep(0.1)
    return training.never_ran()


@pytest.mark.slow
def test_the_first_five_minutes_can_be_followed_in_any_shell(
    shells: dict[str, Shell], tmp_path: Path
) -> None:
    def follow(shell: Shell) -> list[str]:
        scratch = tmp_path / f"scratch of {shell.name}"
        return follow_the_first_five_minutes(str(shell.program), shell.path, scratch)

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(follow, shells.values())) == [[]] * len(shells)


@pytest.mark.slow
def test_the_first_five_minutes_can_be_followed_on_a_slow_machine(tmp_path: Path) -> None:
    """A machine that is busy with other things: the shop needs 1.5 s for each of its lines."""
    slow, usual = tmp_path / "bin", os.environ["PATH"]
    slow.mkdir()
    (slow / "date").write_text(f"#!/bin/sh\nsleep 1.5\nPATH='{usual}' exec date \"$@\"\n")
    (slow / "date").chmod(0o755)
    path = f"{slow}:{usual}"
    assert follow_the_first_five_minutes("/bin/sh", path, tmp_path / "scratch") == []


@pytest.mark.slow
def test_every_command_of_database_connection_loss(service: Lab, run: Run) -> None:
    book = Responder(read(RUNBOOKS / "01_database_connection_loss.md"), run)
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
    service.wait_health(200)

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
def test_every_command_of_stripe_webhook_failure(service: Lab, run: Run) -> None:
    book = Responder(read(RUNBOOKS / "02_stripe_webhook_failure.md"), run)
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


@pytest.mark.slow
def test_every_command_of_high_memory_usage(service: Lab, run: Run) -> None:
    book = Responder(read(RUNBOOKS / "03_high_memory_usage.md"), run)
    book.section("Prerequisites")
    service.wait_rates(200)

    # It leaks: more room buys time, the cap ends it.
    book.section("Testing This Runbook")
    book.step("Step 1: How Full Is It?", unexpected={1: "%"})
    assert "starting" in book.step("Step 2: Was It Killed Already?")[1]
    book.step("Step 3: Does It Grow?", unexpected={1: "120"})
    assert book.sent == ["Option 4: Cap the Quote Cache"]
    book.step("Step 5: Has the Host Memory Left?")
    book.step("Option 1:")

    # It is killed: Docker says so, and it is up again by itself.
    service.leak(until_killed=True)
    service.wait_health(200)
    book.step("Step 2: Was It Killed Already?", unexpected={0: "oom=true"})
    assert book.sent == ["Step 3: Does It Grow?"]
    book.step("Option 4:")
    service.leak()
    wait_until_docker_says(service, "healthy")
    book.section("Verification")

    # Somebody left a report in the container.
    hoard = "x = b'x' * (40 << 20); open('/tmp/has', 'w'); import time; time.sleep(600)"
    service.run(f'docker compose exec -d kamiyo python3 -c "{hoard}"')
    service.run("until docker exec kamiyo test -e /tmp/has; do sleep 0.1; done")
    table = book.step("Step 4: What Runs in the Container?")[0]
    (line,) = [line for line in table.splitlines() if "40 << 20" in line]
    book.values["PID"] = line.split()[0]
    assert int(line.split()[1]) > 40 * 1024, "RSS is in KiB"
    assert "40 << 20" not in book.step("Option 2:")[1]
    book.step("Option 3:")
    assert book.never_ran() == []


@pytest.mark.slow
def test_every_command_of_disk_space_full(service: Lab, run: Run) -> None:
    book = Responder(read(RUNBOOKS / "04_disk_space_full.md"), run)
    book.section("Prerequisites")

    # A log fills the disk: health stays green, payments are refused, emptying it is enough.
    book.section("Testing This Runbook")
    service.wait_health(200)
    book.step("Step 1: Which Disk Is Full?", unexpected={0: "100%"})
    assert book.sent == ["Step 3: What Fills the Data Disk?"]
    book.step("Step 2: What Fails Already?", unexpected={0: "disk is full"})
    assert book.sent == ["Step 3: What Fills the Data Disk?"]
    assert "data/logs/access.log" in book.step("Step 3: What Fills the Data Disk?")[0]
    book.step("Step 5: What Does Docker Keep?")
    book.step("Option 1:")
    assert service.path("/var/tmp/access.log.tail").read_text().count("\n") == 1000
    book.section("Verification")

    # The log was deleted, and the service has it open: the space comes back with a restart.
    service.fill_disk()
    service.run("rm data/logs/access.log")
    book.step("Step 1: Which Disk Is Full?", unexpected={0: "100%"})
    assert "access.log" not in book.step("Step 3: What Fills the Data Disk?")[0]
    book.step("Step 4: Deleted and Still Open?", unexpected={0: "/app/data/logs/access.log"})
    assert book.sent == ["Option 3: Restart the Service"]
    book.step("Option 3:")
    book.step("Step 4: Deleted and Still Open?")

    # An old export fills it: it is moved to another disk.
    service.run("yes export | head -c 60M > data/export.csv && touch -d '-9 days' data/export.csv")
    book.values["OLD_FILE"] = "data/export.csv"
    assert "data/export.csv" in book.step("Option 2:")[0]
    assert not service.path("/opt/kamiyo/data/export.csv").exists()

    # Docker's own: what nobody uses goes, what is used or young stays.
    service.run("tar c compose.yaml | docker import - old:1")
    service.run("echo | tar c --null -T /dev/null | docker import - old:1")
    before = service.run("docker ps -aq").stdout
    listed = book.step("Option 4:")[0]
    assert "<none>" in listed
    assert "<none>" not in service.run("docker image ls").stdout
    assert service.run("docker ps -aq").stdout == before
    service.run("docker rmi old:1; rm -f /var/tmp/export.csv /var/tmp/*.tail")
    assert book.never_ran() == []


@pytest.mark.slow
def test_every_command_of_aggregator_not_fetching(service: Lab, run: Run) -> None:
    book = Responder(read(RUNBOOKS / "05_aggregator_not_fetching.md"), run)
    service.wait_rates(200)
    book.section("Prerequisites")

    # The key is refused: found in the log and by asking, and the right one is put in place.
    book.section("Testing This Runbook")
    service.wait_rates(503)
    book.step("Step 1: How Old Are the Rates?", unexpected={0: "503"})
    book.step("Step 2: Does It Run?")
    book.step("Step 3: Read Its Log")
    assert book.sent == ["Option 3: Put the Right Key in Place"]
    book.step("Step 4: Ask the Source", unexpected={1: "401"})
    assert book.sent == ["Option 3: Put the Right Key in Place"]
    book.values["RATES_KEY"] = service.rates_key
    book.step("Option 3:")
    book.section("Verification")

    # A lock was left behind: a restart does not help.
    service.leave_lock()
    service.run("docker compose restart aggregator")
    service.wait_log("aggregator", "round skipped")
    book.step("Step 5: Is There an Old Lock?", unexpected={0: "aggregator.lock"})
    assert book.sent == ["Option 2: Take the Old Lock Away"]
    book.step("Step 3: Read Its Log")
    assert book.sent[0] == "Step 5: Is There an Old Lock?"
    book.step("Option 2:")
    book.step("Step 5: Is There an Old Lock?")

    # It hangs: nothing new in the log, and a restart mends it.
    service.hang_aggregator()
    service.wait_rates(503)
    book.step("Step 4: Ask the Source")
    book.step("Option 1:")

    # The source is down: old rates count for a while, and then no more.
    service.stop_upstream()
    service.wait_rates(503)
    book.step("Step 3: Read Its Log")
    assert "Step 4: Ask the Source" in book.sent
    book.step("Step 4: Ask the Source", unexpected={0: "000", 1: "000"}, failing=(0, 1))
    assert book.sent == ["Option 4: Let Older Rates Count"]
    book.step("Option 4:")
    book.step("Option 5:")
    service.wait_rates(503)
    assert book.never_ran() == []


@pytest.mark.slow
def test_every_command_of_api_slow_response(service: Lab, run: Run) -> None:
    book = Responder(read(RUNBOOKS / "06_api_slow_response.md"), run)
    book.section("Prerequisites")

    # A report holds the database: everything is slow until it is ended.
    service.hold_database()
    book.step("Step 1: What Is Slow?", unexpected={0: ".", 1: "."})
    assert book.sent == ["Step 2: Who Else Uses the Database?"]
    table = book.step("Step 2: Who Else Uses the Database?")[0]
    (line,) = [line for line in table.splitlines() if "world.py report" in line]
    book.values["PID"] = line.split()[0]
    assert "world.py" not in book.step("Option 1:")[2]

    # A client asks without a pause.
    service.ask_too_much()
    service.run(
        'until [ "$(grep -c batch-import data/logs/access.log)" -gt 300 ]; do sleep 0.2; done'
    )
    counts, slowest = book.step("Step 3: Who Asks So Much?")
    assert counts.splitlines()[0].endswith(" batch-import/2.1")
    assert re.match(r"\d+ms /", slowest)
    book.values["CLIENT_CONTAINER"] = "batch-import"
    assert "batch-import" in book.step("Option 2:")[0]
    book.step("Option 4:")

    # The index is gone: only the orders are slow.
    book.section("Testing This Runbook")
    book.step("Step 1: What Is Slow?", unexpected={0: "."})
    assert book.sent == ["Step 4: Is the Index There?"]
    book.step("Step 4: Is the Index There?", unexpected={0: "SCAN"})
    assert book.sent == ["Option 3: Build the Index"]
    book.step("Step 5: Is the Machine at Its End?")
    book.step("Option 3:")
    book.step("Step 4: Is the Index There?")
    book.section("Verification")
    assert book.never_ran() == []


def test_lint_finds_nothing_but_what_a_team_must_fill_in() -> None:
    handbook = RUNBOOKS / "ON_CALL.md"
    found = lint([RUNBOOKS], handbook=handbook)
    lines = handbook.read_text().splitlines()
    gaps = [n for n, line in enumerate(lines, 1) if line.endswith(":** UPDATE THIS!")]
    assert len(gaps) == 4 * 6 + 9
    assert [(f.path, f.line, f.rule) for f in found] == [
        (str(handbook), line, "placeholder") for line in gaps
    ]


def test_the_handbook_reads_without_a_warning_and_its_links_lead_somewhere() -> None:
    handbook = RUNBOOKS / "ON_CALL.md"
    text = handbook.read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert sorted(links) == sorted(path.name for path in RUNBOOKS.glob("0*.md"))
    for link in links:
        assert str(read(RUNBOOKS / link).title) in text, "named as it calls itself"
    book = read(handbook)
    assert book.warnings == ()
    assert all(len(line) <= 240 for line in text.splitlines())
    for _, _, command in book.commands():
        assert command.title, "each quick command says what it is for"
        assert command.waits is None and not command.placeholders
        assert (command.risk is Risk.READ) != command.title.startswith("Changes"), command.text
    templates = [i for s in book.sections() for i in s.intro if isinstance(i, Snippet)]
    templates += [i for _, step in book.steps() for i in step.items if isinstance(i, Snippet)]
    assert [str(t.language) for t in templates] == ["text"] * 4


@pytest.mark.slow
def test_every_quick_command_of_the_handbook(service: Lab, run: Run) -> None:
    service.wait_rates(200)
    book = Responder(read(RUNBOOKS / "ON_CALL.md"), run)
    for _, step in book.runbook.steps():
        if step.commands:
            book.step(step.id)
    assert book.never_ran() == []


def works_in(pid: int, folder: Path) -> bool:
    """Whether the process lives and its directory is below the folder, be that deleted or not."""
    try:
        return str(folder) in os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False


def wait_until_docker_says(lab: Lab, health: str) -> None:
    deadline = time.monotonic() + 60
    ask = "docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' kamiyo"
    while not (said := lab.run(ask).stdout).startswith(health):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
