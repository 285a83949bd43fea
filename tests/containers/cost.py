"""What it costs to watch n containers: python -m tests.containers.cost 20 30"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from cockpit.containers.engine import Engine
from cockpit.containers.stats import stale
from cockpit.containers.watch import Watch
from cockpit.target.target import Local
from tests.containers.conftest import Dockerd


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def measure(path: Path, seconds: float) -> None:
    engine = Engine(Local(), str(path))
    watch = Watch(engine)
    began = time.monotonic()
    watch.start()
    while not watch.snapshot.rows:
        await asyncio.sleep(0.01)
    print(f"first rows after {time.monotonic() - began:.2f} s")
    await asyncio.sleep(5)
    used, began, missing = cpu(), time.monotonic(), 0
    while time.monotonic() - began < seconds:
        await asyncio.sleep(0.5)
        now = time.monotonic()
        rows = watch.snapshot.rows
        missing = max(missing, sum(not r.sample or stale(r.sample, now) for r in rows))
    minute = (cpu() - used) * 60 / (time.monotonic() - began)
    print(
        f"{len(watch.snapshot.rows)} containers: {minute:.2f} CPU s/min, with 2 snapshots a second"
    )
    print(
        f"stale rows at most: {missing}; {watch.snapshot.how}; {watch.snapshot.trouble or 'well'}"
    )
    await watch.close()
    await engine.close()


def main() -> None:
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="ck-", ignore_cleanup_errors=True) as folder:
        dockerd = Dockerd(Path(folder))
        dockerd.start()
        try:
            dockerd.build_image()
            for number in range(count):
                dockerd.run(f"c{number}", "sleep 999")
            asyncio.run(measure(dockerd.socket, seconds))
        finally:
            dockerd.clear()
            dockerd.stop()


if __name__ == "__main__":
    main()
