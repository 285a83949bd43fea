"""A log's bytes, cut anywhere, are the same messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.containers.frames import (
    LONGEST,
    PART,
    STDERR,
    STDOUT,
    Framed,
    Joined,
    Lined,
    Message,
    Resume,
    Stamps,
)

STAMP = b"2026-11-21T03:12:09.000000042Z"
AT = 1795230729 * 10**9 + 42


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def test_a_framed_log_cut_at_every_byte_is_the_same() -> None:
    data = frame(STDOUT, STAMP + b" one\n") + frame(STDERR, STAMP + b" two\x00\xff\n")
    data += frame(STDOUT, STAMP + b" \n")
    wanted = [
        Message(AT, STDOUT, b"one\n"),
        Message(AT, STDERR, b"two\x00\xff\n"),
        Message(AT, STDOUT, b"\n"),
    ]
    for cut in range(len(data) + 1):
        parser = Framed()
        assert parser.feed(data[:cut]) + parser.feed(data[cut:]) == wanted


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40))), st.data())
def test_any_log_in_any_pieces_is_the_same(
    bodies: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    whole = b"".join(frame(stream, STAMP + b" " + body) for stream, body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    parser = Framed()
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        got += parser.feed(whole[start:end])
    assert got == [Message(AT, stream, body) for stream, body in bodies]


def test_what_is_not_framed_is_said_and_not_guessed() -> None:
    try:
        Framed().feed(b"plain text of a terminal\n")
    except ValueError as wrong:
        assert "not a log frame" in str(wrong)
    else:
        raise AssertionError("accepted")


def test_a_terminals_log_is_cut_at_its_lines() -> None:
    data = STAMP + b" one\r\n" + STAMP + b" two\r\n" + STAMP + b" prompt> "
    for cut in range(len(data) + 1):
        parser = Lined()
        got = parser.feed(data[:cut]) + parser.feed(data[cut:])
        assert got == [Message(AT, STDOUT, b"one\n"), Message(AT, STDOUT, b"two\n")]


def test_times_of_other_engines_are_read_too() -> None:
    stamps = Stamps()
    assert stamps.split(STAMP + b" x") == (AT, b"x")
    assert stamps.split(b"2026-11-21T04:12:09.000001+01:00 x") == (AT - 42 + 1000, b"x")
    assert stamps.split(b"no time here") == (0, b"no time here")
    assert stamps.split(b"2026-99-99T99:99:99.000000042Z x")[0] == 0


def test_parts_of_a_long_line_are_joined_for_each_stream() -> None:
    joined = Joined()
    assert joined.add(Message(AT, STDOUT, b"b" * PART)) is None
    assert joined.add(Message(AT, STDERR, b"another\n")) == (b"another", 0)
    assert joined.add(Message(AT, STDOUT, b"end\n")) == (b"b" * PART + b"end", 0)


def test_a_line_without_end_takes_no_memory_and_is_counted() -> None:
    joined = Joined()
    for _ in range(100):
        assert joined.add(Message(AT, STDOUT, b"x" * (1 << 14))) is None
    got = joined.add(Message(AT, STDOUT, b"\n"))
    assert got is not None
    assert len(got[0]) == LONGEST
    assert got[1] == 100 * (1 << 14) + 1 - LONGEST


SECOND = 10**9


def at(seconds: float, body: bytes = b"x\n", stream: int = STDOUT) -> Message:
    return Message(int(seconds * SECOND) + AT, stream, body)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([b"a\n", b"b\n"])), min_size=1),
    st.lists(st.integers(1, 30), max_size=12),
)
def test_a_log_read_in_many_pieces_is_whole(
    written: list[tuple[int, bytes]], pieces: list[int]
) -> None:
    """The engine's file, lines at the same time and in twos included, read over many cuts.

    Times are not in order: two streams race, and the host's clock is set back by any amount.
    """
    log = [at(tenths / 10, body) for tenths, body in written]
    resume = Resume()
    got: list[Message] = []
    for piece in [*pieces, 10**6]:
        since = resume.since()
        late = next(number for number, line in enumerate(log) if line.at >= since)
        for message in log[late:][:piece]:
            new, hole = resume.fresh(message)
            assert not hole
            if new:
                got.append(message)
    assert got == log


@given(
    st.lists(st.integers(0, 40), min_size=1),
    st.lists(st.integers(1, 30), max_size=12),
    st.lists(st.integers(-9, 9), min_size=99, max_size=99),
)
def test_a_log_of_an_older_engine_is_whole_too(
    written: list[int], pieces: list[int], jitter: list[int]
) -> None:
    """One that looks at the time of each line, where times are out of order by less than 2 s."""
    times = [tenths / 10 + by / 10 for tenths, by in zip(sorted(written), jitter, strict=False)]
    log = [at(seconds, b"%d\n" % number) for number, seconds in enumerate(times)]
    resume = Resume()
    got: list[Message] = []
    for piece in [*pieces, 10**6]:
        since = resume.since()
        for message in [line for line in log if line.at >= since][:piece]:
            new, hole = resume.fresh(message)
            assert not hole
            if new:
                got.append(message)
    assert got == log


def test_a_log_that_was_rotated_during_a_cut_has_a_hole() -> None:
    resume = Resume()
    resume.fresh(at(0, b"old\n"))
    assert resume.since() == at(-2).at
    assert resume.fresh(at(9, b"new\n")) == (True, True)
    assert resume.fresh(at(9.1, b"newer\n")) == (True, False)


def test_a_terminals_line_left_without_end_is_not_one_with_the_next_start() -> None:
    """Unlike frames, a terminal's log has nothing between the two but the time of the second."""
    later, own = STAMP.replace(b"09.0", b"10.0"), STAMP.replace(b"09.0", b"08.0")
    data = STAMP + b" at " + own + b" password: " + later + b" up\r\n"
    wanted = [
        Message(AT, STDOUT, b"at " + own + b" password: "),
        Message(AT + SECOND, STDOUT, b"up\n"),
    ]
    for cut in range(len(data) + 1):
        parser = Lined()
        assert parser.feed(data[:cut]) + parser.feed(data[cut:]) == wanted


def test_a_line_without_end_is_cut_into_the_same_parts_in_any_pieces() -> None:
    """A terminal's line of 3 MiB: bounded memory, and a cut in its middle finds its place again."""
    chunk = STAMP + b" " + b"x" * PART
    data = chunk * 200 + STAMP + b" end\r\n" + STAMP + b" next\r\n"
    whole = Lined().feed(data)
    assert [len(message.body) for message in whole] == [64 * PART] * 3 + [8 * PART + 4, 5]
    parser = Lined()
    pieces = [data[start : start + 5000] for start in range(0, len(data), 5000)]
    assert [message for piece in pieces for message in parser.feed(piece)] == whole
    assert {message.at for message in whole} == {AT}


def test_the_last_words_of_a_process_need_no_end() -> None:
    joined = Joined()
    assert joined.add(Message(AT, STDERR, b"fatal: no space left")) == (b"fatal: no space left", 0)
    assert joined.add(Message(AT, STDOUT, b"x" * PART)) is None
    assert joined.add(Message(AT, STDOUT, b"y")) == (b"x" * PART + b"y", 0)
    joined.add(Message(AT, STDOUT, b"z" * PART))
    assert joined.end() == [(STDOUT, b"z" * PART, 0)]
    assert joined.end() == []
    parser = Lined()
    assert parser.feed(STAMP + b" a\r\n" + STAMP + b" $ ") == [Message(AT, STDOUT, b"a\n")]
    assert parser.end() == [Message(AT, STDOUT, b"$ ")]


def test_a_frame_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="4,294,967,295 bytes"):
        Framed().feed(b"\1\0\0\0\xff\xff\xff\xff")
