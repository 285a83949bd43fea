"""What finding a runbook costs: 2,000 files indexed cold, and found.

    python benchmarks/find.py [--files 2000]

The files are made up, of about the size that runbooks have (5 to 9 kB), in two dialects. Cold is
with no index at all, its file on disk; warm is a look at every file when none has changed. Found is
the time of one search, of words as they are typed letter by letter, of alert names and log lines.
The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cockpit.runbook.index import Index

FILES = 2000
_THINGS = """checkout billing ledger search catalogue invoice mailer gateway cart session ranking
feed profile payout settlement fraud warehouse courier pricing coupon loyalty webhook scheduler
ingest exporter thumbnail upload archive report audit consent cookie banner chat presence
""".split()  # noqa: SIM905
_PARTS = "api worker db cache queue proxy cron broker replica shard".split()  # noqa: SIM905
_TROUBLES = {
    "down": ("{n} does not answer", "dial tcp 10.0.3.7:8443: connect: connection refused"),
    "slow": ("p99 of {n} is over 2 s", "context deadline exceeded while waiting for {n}"),
    "out of memory": ("{n} is killed again and again", "Out of memory: Killed process 4711 ({n})"),
    "disk full": ("writes of {n} fail", "write /var/lib/{n}/wal: no space left on device"),
    "locked": ("{n} answers 503", "OperationalError: database is locked"),
    "certificate expired": ("clients refuse {n}", "x509: certificate has expired or is not valid"),
    "crash looping": ("{n} restarts every minute", "panic: runtime error: index out of range"),
    "lagging": ("{n} is minutes behind", "consumer group {n} lag 184223 exceeds threshold"),
}
_WORDS = """the a of to and when after before each host node pool pod volume mount index table row
lock lease leader follower quorum replica failover backup snapshot restore retention rotation token
secret config flag rollout canary deploy release version header timeout retry backoff limit quota
burst thread connection socket port firewall route peer tunnel region zone bucket object blob topic
partition offset consumer producer schema migration query plan vacuum checkpoint heap stack dump
""".split()  # noqa: SIM905


def write(folder: Path, count: int, seed: int = 7) -> None:
    """Makes up that many runbooks."""
    chance = random.Random(seed)
    for number in range(count):
        thing, part = chance.choice(_THINGS), chance.choice(_PARTS)
        trouble = chance.choice(list(_TROUBLES))
        name = f"{thing}-{part}"
        path = folder / thing / f"{number:04}-{name}-{trouble.replace(' ', '-')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_runbook(chance, name, trouble, number % 2 == 0), encoding="utf-8")


def _runbook(chance: random.Random, name: str, trouble: str, front: bool) -> str:
    symptom, line = (text.format(n=name) for text in _TROUBLES[trouble])
    camel = "".join(part.title() for part in f"{name} {trouble}".replace("-", " ").split())

    def prose(sentences: int) -> str:
        said = []
        for _ in range(sentences):
            words = chance.choices(_WORDS, k=chance.randint(8, 16))
            words += [f"{chance.choice(_WORDS)}{chance.randint(0, 400)}"]
            said.append(" ".join(words).capitalize() + ".")
        return " ".join(said)

    lines = [f"---\nservices: [{name}]\nalerts:\n  - {camel}\n---"] if front else []
    lines += [f"# {name}: {trouble}", "", f"**Severity:** P{chance.randint(0, 3)}", prose(3), ""]
    lines += ["## Symptoms", f"- {symptom}", f'- the log says "{line}"', f"- {prose(1)}", ""]
    for title in ("Diagnosis", "Recovery", "Verification", "Escalation"):
        lines += [f"## {title}", prose(4), ""]
        for step in range(1, 4):
            lines += [f"### Step {step}: {prose(1)[:50]}", "```bash", f"# {prose(1)}"]
            lines += [f"docker logs --tail 100 {name} | grep -i {chance.choice(_WORDS)}"]
            lines += [f"curl -s http://{name}.internal:8080/health | jq .{chance.choice(_WORDS)}"]
            lines += ["```", f"Expected: {prose(1)}", ""]
    return "\n".join(lines)


ASKED = (
    "CheckoutApiDiskFull",
    "kube pod crash",
    "ledger db locked",
    "how do I restart the billing worker",
    "certficate expird gateway",
    "2026-11-21T03:12:44.120Z ERROR [pool-3-thread-12] c.s.Ledger req=7f3a9c1e2b "
    'sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked [SQL: "PUT"]',
    '{"level":"error","ts":1763694764.12,"caller":"pool/dial.go:88","msg":"dial tcp 10.0.3.7:8443: '
    'connect: connection refused","service":"search-proxy"}',
    "Nov 21 03:12:01 prod-1 kernel: [8812.1] Out of memory: Killed process 4711 (mailer-worker)",
)


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall, and of CPU: what else the machine does is only in the first."""
    wall, busy = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - busy


def finding(index: Index) -> list[tuple[float, float]]:
    """The time of every search: each letter typed, then everything asked as a whole."""
    typed = [ASKED[2][:end] for end in range(len(ASKED[2]) + 1)]
    return [
        timed(lambda text=text: index.search(text, ["ledger-db"], typing=True))  # type: ignore[misc]
        for text in [*typed, *ASKED, *ASKED]
    ]


def measure(folder: Path, count: int = FILES) -> dict[str, float]:
    """Seconds to index cold and to look again, milliseconds to find; of CPU and on the wall."""
    write(folder / "runbooks", count)
    index = Index([folder / "runbooks"], file=folder / "index.db")
    cold, warm = timed(index.refresh), timed(index.refresh)
    assert index.count == count
    index.close()
    index = Index([folder / "runbooks"], file=folder / "index.db")
    times = finding(index)
    assert index.search(ASKED[2])[0].title.startswith("ledger-db")
    index.close()
    found = {"cold_s": cold[0], "cold_cpu_s": cold[1], "warm_s": warm[0], "warm_cpu_s": warm[1]}
    for place, name in enumerate(("ms", "cpu_ms")):
        each = sorted(one[place] * 1000 for one in times)
        found |= {f"p50_{name}": each[len(each) // 2], f"worst_{name}": each[-1]}
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cockpit-find-") as name:
        os.environ["COCKPIT_HOME"] = name
        found = measure(Path(name), asked.files)
    print(f"{asked.files} files: cold {found['cold_s']} s ({found['cold_cpu_s']} s of CPU)")
    print(f"looked at again: {found['warm_s']} s ({found['warm_cpu_s']} s of CPU)")
    print(f"found: p50 {found['p50_ms']} ms ({found['p50_cpu_ms']} ms of CPU)")
    print(f"found: worst {found['worst_ms']} ms ({found['worst_cpu_ms']} ms of CPU)")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
