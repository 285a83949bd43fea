"""Numbers from counters, by the formulas of `docker stats`."""

from __future__ import annotations

import pytest

from cockpit.containers.far import parse
from cockpit.containers.stats import Sample, age, sample, stale
from cockpit.containers.wire import (
    BlockEntry,
    Blocks,
    Cpu,
    CpuUsage,
    Memory,
    Network,
    PageCache,
    Pids,
    Stats,
)

READ = "2026-11-21T03:12:09Z"


def counted(used: int, system: int, cpus: int = 4) -> Stats:
    return Stats(READ, Cpu(CpuUsage(used), system, cpus))


def made(previous: Stats | None, raw: Stats) -> Sample:
    got = sample(previous, raw, at=10.0)
    assert got is not None
    return got


def test_two_busy_cores_of_four_are_200_percent() -> None:
    got = made(counted(0, 10**9), counted(2 * 10**9, 5 * 10**9))
    assert got.cpu_percent == pytest.approx(200.0)


def test_the_first_sample_has_no_cpu() -> None:
    assert made(None, counted(5, 10)).cpu_percent is None


def test_counters_that_went_back_are_a_restart_and_not_a_number() -> None:
    assert made(counted(500, 10), counted(5, 20)).cpu_percent is None
    assert made(counted(5, 20), counted(5, 20)).cpu_percent is None


def test_an_engine_that_names_no_cpu_count_is_counted_by_its_cores() -> None:
    before = Stats(READ, Cpu(CpuUsage(0, [0, 0]), 0))
    after = Stats(READ, Cpu(CpuUsage(100, [50, 50]), 200))
    assert made(before, after).cpu_percent == pytest.approx(100.0)


def test_page_cache_is_not_memory_in_use() -> None:
    v2 = Memory(usage=1000, limit=5000, stats=PageCache(inactive_file=300))
    v1 = Memory(usage=1000, limit=5000, stats=PageCache(inactive_file=1, total_inactive_file=400))
    odd = Memory(usage=100, limit=5000, stats=PageCache(inactive_file=300))
    bare = Memory(usage=100, limit=5000)
    used = [made(None, Stats(READ, memory_stats=memory)).memory for memory in (v2, v1, odd, bare)]
    assert used == [700, 600, 100, 100]


def test_traffic_is_summed_over_networks_and_disks() -> None:
    got = made(
        None,
        Stats(
            READ,
            networks={"eth0": Network(1, 2), "eth1": Network(10, 20)},
            blkio_stats=Blocks(
                [BlockEntry("Read", 5), BlockEntry("write", 7), BlockEntry("Read", 1)]
            ),
            pids_stats=Pids(3),
        ),
    )
    assert (got.net_rx, got.net_tx, got.block_read, got.block_write, got.pids) == (11, 22, 6, 7, 3)


def test_a_container_that_does_not_run_has_no_sample() -> None:
    assert sample(None, Stats("0001-01-01T00:00:00Z"), at=1.0) is None


def test_a_sample_is_stale_when_two_more_were_due() -> None:
    each_second = made(None, counted(1, 1))
    assert not stale(each_second, now=12.0)
    assert stale(each_second, now=12.6)
    assert age(each_second, now=12.6) == pytest.approx(2.6)
    slow = sample(None, counted(1, 1), at=10.0, every=5.0)
    assert slow is not None
    assert not stale(slow, now=20.0)
    assert stale(slow, now=23.0)


def test_the_words_of_docker_stats_are_read_as_numbers() -> None:
    line = "baf0ca0fbc1d|0.15%|308KiB / 23.54GiB|1.2kB / 3MB|0B / 4.1GB|12\n"
    got = parse(line, at=5.0)
    assert got is not None
    container, read = got
    assert container == "baf0ca0fbc1d"
    assert (read.cpu_percent, read.memory, read.memory_limit) == (0.15, 308 << 10, 25275882537)
    assert (read.net_rx, read.net_tx, read.block_read, read.block_write) == (
        1200,
        3_000_000,
        0,
        4_100_000_000,
    )
    assert read.pids == 12
    assert not stale(read, now=19.0)
    assert parse("baf0ca0fbc1d|--|-- / --|-- / --|-- / --|--\n", at=5.0) is None
    assert parse("\x1b]52;c;aGk=\x07|1%|1B / 1B|0B / 0B|0B / 0B|1", at=5.0) is None
    assert parse("Cannot connect to the Docker daemon\n", at=5.0) is None
