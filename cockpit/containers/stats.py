"""What a container uses, from two of the engine's counters."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.containers.wire import Memory, Stats

LATE = 2.5


@dataclass(frozen=True, slots=True)
class Sample:
    """What one container used at one moment.

    at: monotonic seconds when it arrived here. every: seconds until the next one is due.
    cpu_percent: of one core, as `docker stats` counts (200 is two cores busy); None for a first
    sample. memory, memory_limit: bytes, without page cache; the limit of a container that has
    none is the machine's memory. The network and block counters are bytes since the container
    started.
    """

    at: float
    cpu_percent: float | None
    memory: int
    memory_limit: int
    net_rx: int
    net_tx: int
    block_read: int
    block_write: int
    pids: int
    every: float = 1.0


def sample(previous: Stats | None, raw: Stats, at: float, every: float = 1.0) -> Sample | None:
    """The sample that `raw` makes after `previous`; None when the container was not running."""
    if raw.read.startswith("0001-"):
        return None
    networks = (raw.networks or {}).values()
    return Sample(
        at=at,
        cpu_percent=None if previous is None else _cpu_percent(previous, raw),
        memory=_memory(raw.memory_stats),
        memory_limit=raw.memory_stats.limit,
        net_rx=sum(network.rx_bytes for network in networks),
        net_tx=sum(network.tx_bytes for network in networks),
        block_read=_blocks(raw, "read"),
        block_write=_blocks(raw, "write"),
        pids=raw.pids_stats.current,
        every=every,
    )


def age(sample: Sample, now: float) -> float:
    """Seconds since the sample arrived. now: monotonic."""
    return max(0.0, now - sample.at)


def stale(sample: Sample, now: float) -> bool:
    """Whether two samples that were due after this one have not come. now: monotonic."""
    return age(sample, now) > LATE * sample.every


def _cpu_percent(previous: Stats, raw: Stats) -> float | None:
    """None when the counters went back (the container restarted) or stood still."""
    before, after = previous.cpu_stats, raw.cpu_stats
    used = after.cpu_usage.total_usage - before.cpu_usage.total_usage
    passed = after.system_cpu_usage - before.system_cpu_usage
    if used < 0 or passed <= 0 or previous.read.startswith("0001-"):
        return None
    cpus = after.online_cpus or len(after.cpu_usage.percpu_usage or ()) or 1
    return used / passed * cpus * 100


def _memory(memory: Memory) -> int:
    if memory.stats is None:
        return memory.usage
    v1 = memory.stats.total_inactive_file
    cache = memory.stats.inactive_file if v1 is None else v1
    return memory.usage - cache if cache < memory.usage else memory.usage


def _blocks(raw: Stats, op: str) -> int:
    entries = raw.blkio_stats.io_service_bytes_recursive or ()
    return sum(entry.value for entry in entries if entry.op.lower() == op)
