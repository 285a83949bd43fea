"""A Watch over the engine behind a socket of this machine, for as long as a test needs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from cockpit.containers.engine import Engine
from cockpit.containers.watch import Watch
from cockpit.target.target import Local


@contextlib.asynccontextmanager
async def watching(path: Path, streams: int = 64) -> AsyncIterator[Watch]:
    engine = Engine(Local(), str(path))
    watch = Watch(engine, streams=streams)
    watch.start()
    try:
        yield watch
    finally:
        await watch.close()
        await engine.close()
