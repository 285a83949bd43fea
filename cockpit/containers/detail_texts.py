"""What an engine tells of a container as text: processes, changed files, all of inspect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cockpit.containers import detail_wire as wire
from cockpit.containers import environ
from cockpit.containers.engine import EngineTrouble, NoSuchContainer
from cockpit.containers.environ import without_secrets
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    from cockpit.containers.details import About
    from cockpit.containers.engine import Engine

MOST_FILES: Final = 2000
# As ps has it on the engine's host; as Podman has it, which reads /proc itself.
_PS: Final = (
    "-eo pid,ppid,user,stat,pcpu,pmem,etime,args",
    "pid,ppid,user,state,pcpu,etime,args",
)


async def top(engine: Engine, container: str) -> Safe:
    """Its processes, one a line. Raises EngineTrouble."""
    path = f"/containers/{container}/top"
    for asked in _PS:
        try:
            got = wire.decoded(await engine.ask(path, {"ps_args": asked}), wire.Top)
            break
        except NoSuchContainer:
            raise
        except EngineTrouble:  # another ps than that; the last try tells why
            continue
    else:
        got = wire.decoded(await engine.ask(path), wire.Top)
    return _table([got.titles or [], *(got.processes or [])])


async def files(engine: Engine, container: str) -> Safe:
    """What was changed in its file system since it was made, one a line. Raises EngineTrouble."""
    body = await engine.ask(f"/containers/{container}/changes")
    got = [] if body.strip() == b"null" else wire.decoded(body, list[wire.Changed])
    if not got:
        return Safe("Nothing in its file system was changed. Mounts are not looked into.")
    kinds = {0: "changed", 1: "added", 2: "deleted"}
    lines = [
        f"{kinds.get(one.kind, 'other'):<8} {clean_line(one.path)}" for one in got[:MOST_FILES]
    ]
    more = len(got) - len(lines)
    return Safe("\n".join([*lines, *([f"and {more} more"] if more else [])]))


async def inspect_text(engine: Engine, container: str) -> Safe:
    """All of inspect as JSON, without values that may be secret. Raises EngineTrouble."""
    raw = await engine.inspect_raw(container)
    try:
        return without_secrets(environ.inspect_masked(raw))
    except ValueError as wrong:
        raise EngineTrouble(f"{engine.where}: {wrong}.") from wrong


def wiring(found: About) -> Safe:
    """Its ports and networks, as text."""
    ports = [f"  {one}" for one in found.ports] or ["  none is exposed"]
    networks = [f"  {one}" for one in found.networks] or [f"  mode {found.network_mode}"]
    return Safe("\n".join(["Ports", *ports, "", "Networks", *networks]))


def _table(rows: Iterable[Iterable[str]]) -> Safe:
    """Columns one below the other; the last is not filled."""
    lines = [[without_secrets(clean_line(cell)) for cell in row] for row in rows]
    columns = max((len(line) for line in lines), default=0)
    widths = [
        max((len(line[n]) for line in lines if n < len(line)), default=0) for n in range(columns)
    ]
    return Safe(
        "\n".join(
            "  ".join(
                cell if n == len(line) - 1 else f"{cell:<{min(40, widths[n])}}"
                for n, cell in enumerate(line)
            )
            for line in lines
        )
    )
