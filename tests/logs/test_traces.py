"""A trace stays together, and is an error; what only looks like one does not swallow the log."""

from __future__ import annotations

import pytest

from cockpit.logs.line import Level, Line, Stream
from cockpit.logs.window import Window
from cockpit.text import clean_line

SECOND = 10**9
STEP = SECOND // 1000

PYTHON = """\
2026-11-21 03:12:44 ERROR cannot pay
Traceback (most recent call last):
  File "/app/pay.py", line 12, in pay
    charge(order)
    ~~~~~~^^^^^^^
KeyError: 'card'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 4, in <module>
    pay()
app.errors.PaymentError: no card"""

PYTHON_ALONE = """\
Traceback (most recent call last):
  File "/app/pay.py", line 12, in pay
    charge(order)
KeyboardInterrupt"""

JAVA = """\
2026-11-21 03:12:44.120  WARN 7 --- [io-8080-exec-3] c.e.Pay : cannot pay
java.lang.IllegalStateException: pool is closed
\tat com.example.Pool.get(Pool.java:12) ~[app.jar:1.0]
\tat com.example.Pay.run(Pay.java:40)
Caused by: java.net.SocketException: reset
\tat java.base/java.net.Socket.read(Socket.java:9)
\t... 12 more"""

JAVA_MAIN = """\
Exception in thread "main" java.lang.NullPointerException
\tat com.example.Main.main(Main.java:3)"""

GO = """\
panic: runtime error: index out of range [3] with length 3 [recovered]
\tpanic: again

goroutine 1 [running]:
main.(*Server).handle(0xc000010000, {0x1, 0x2})
\t/src/main.go:12 +0x1d
created by main.main in goroutine 1
\t/src/main.go:30 +0x85
exit status 2"""

NODE = """\
/app/index.js:12
    throw new Error('boom')
    ^

Error: boom
    at pay (/app/index.js:12:9)
    at Object.<anonymous> (/app/index.js:20:1) {
  code: 'E_PAY'
}

Node.js v20.9.0"""

NODE_CAUGHT = """\
payment went wrong
    at pay (/app/index.js:12:9)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""

DOTNET = """\
fail: Api.Pay[0]
      cannot pay
      System.InvalidOperationException: pool is closed
         at Api.Pay.Run() in /src/Pay.cs:line 12"""

PHP = """\
PHP Fatal error:  Uncaught Exception: boom in /app/a.php:3
Stack trace:
#0 /app/a.php(9): pay()
#1 {main}
  thrown in /app/a.php on line 3"""

RUST = """\
thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 3
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"""

JSON = """\
{
  "level": "error",
  "msg": "boom"
}"""

RUBY = """\
/app/pay.rb:12:in `pay': boom (RuntimeError)
\tfrom /app/pay.rb:20:in `<main>'"""


def held(*logs: str, step: int = STEP) -> Window:
    """The lines of these logs, each a millisecond after the one before, one of each in turn."""
    window = Window()
    lines = [text.split("\n") for text in logs]
    at = SECOND
    for index in range(max(map(len, lines))):
        for origin, own in enumerate(lines):
            if index < len(own):
                at += step
                window.add(origin, [Line(at, Stream.STDERR, clean_line(own[index]))])
    return window


def entries(window: Window) -> list[tuple[int, int, Level]]:
    found = []
    number = window.first
    while number < window.end:
        first, last = window.entry(number)
        found.append((first, last, window[first].level))
        number = last + 1
    return found


@pytest.mark.parametrize(
    ("trace", "level"),
    [
        (PYTHON, Level.ERROR),
        (PYTHON_ALONE, Level.ERROR),
        (JAVA, Level.WARN),
        (JAVA_MAIN, Level.ERROR),
        (GO, Level.ERROR),
        (NODE, Level.ERROR),
        (NODE_CAUGHT, Level.ERROR),
        (DOTNET, Level.ERROR),
        (PHP, Level.ERROR),
        (RUST, Level.ERROR),
        (RUBY, Level.ERROR),
    ],
    ids=["python", "python alone", "java", "java main", "go", "node", "node caught", "dotnet",
         "php", "rust", "ruby"],
)  # fmt: skip
def test_a_trace_is_one_entry_and_as_bad_as_its_head(trace: str, level: Level) -> None:
    size = trace.count("\n") + 1
    window = held(f"starting up\n{trace}\nall is well again")
    assert entries(window) == [
        (0, 0, Level.NONE),
        (1, size, level),
        (size + 1, size + 1, Level.NONE),
    ]
    assert window.errors() == ({0: 1} if level == Level.ERROR else {})


def test_json_over_several_lines_is_one_entry() -> None:
    assert [(first, last) for first, last, _ in entries(held(f"{JSON}\nnext"))] == [(0, 3), (4, 4)]


@pytest.mark.parametrize("trace", [PYTHON, GO, NODE])
def test_lines_of_other_logs_do_not_part_it(trace: str) -> None:
    size = trace.count("\n") + 1
    other = "\n".join(f"order {number} paid" for number in range(size))
    window = held(trace, other)
    origins = [window[number].origin for number in range(window.first, window.end)]
    assert origins == [0] * size + [1] * size
    assert window.entry(3) == (0, size - 1)


@pytest.mark.parametrize(
    "log",
    [
        "one\ntwo\nthree",
        "INFO start\nERROR failed\nINFO again",
        "  2026-11-21T03:12:44Z  INFO one\n  2026-11-21T03:12:45Z  INFO two",
        "ValueError: one\nValueError: two",
        "KeyError\n\nnext",
        "{\"a\":1}\n{\"b\":2}",
        "panic: one\nserving again",
    ],
)  # fmt: skip
def test_what_is_no_trace_is_not_held_together(log: str) -> None:
    assert all(first == last for first, last, _ in entries(held(log)))


def test_what_is_indented_much_later_begins_anew() -> None:
    window = held("head\n  more\n  later", step=2 * SECOND)
    assert [first for first, *_ in entries(window)] == [0, 1, 2]


def test_what_is_indented_without_end_is_parted() -> None:
    window = held("head" + "\n  more" * 2500, step=1000)
    assert [last - first + 1 for first, last, _ in entries(window)] == [1001, 1001, 499]
