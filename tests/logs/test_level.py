"""A level is what a logger says, not what the line is about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.logs.level import level
from cockpit.logs.line import Level

ERRORS = (
    "ERROR: relation \"orders\" does not exist",
    "2026-11-21 03:12:44,120 ERROR [pool-3-thread-12] c.s.Ledger req=7f3a",
    "2026-11-21T03:12:44.120Z\tERROR\tpool/dial.go:88\tdial failed",
    "[2026-11-21 03:12:44 +0000] [7] [ERROR] Worker (pid:12) was sent SIGKILL!",
    "[03:12:44 ERR] Could not connect",
    "2026/11/21 03:12:44 [error] 31#31: *1 connect() failed (111: Connection refused)",
    "[Sat Nov 21 03:12:44 2026] [proxy:error] [pid 7] AH00957",
    "[E] disk full",
    "E1121 03:12:44.120000       1 reflector.go:138] Failed to watch",
    "E, [2026-11-21T03:12:44 #1] ERROR -- : boom",
    "level=error msg=\"no route\"",
    "ts=1763694764 lvl=eror msg=stuck",
    "time=2026 level=FATAL msg=\"cannot bind\"",
    '{"level":"error","ts":1763694764.12,"msg":"dial tcp: refused"}',
    '{"time":"2026-11-21","severity":"ERROR","message":"x"}',
    '{"level":50,"time":1763694764120,"msg":"stuck"}',
    '{"level": 60, "name": "api", "msg": "gone"}',
    '{"t":{"$date":"2026"},"s":"E","c":"NETWORK","msg":"x"}',
    '{"@t":"2026","@mt":"x","@l":"Error"}',
    '{"@timestamp":"2026","log.level":"error","message":"x"}',
    '{"levelname": "CRITICAL", "message": "x"}',
    "<3>disk failure imminent",
    "<11>Nov 21 03:12:44 host app: x",
    "Nov 21 03:12:44 prod-1 kernel: [8812.1] Out of memory: Killed process 4711 (mailer)",
    "kernel: api[12]: segfault at 0 ip 0000",
    "Traceback (most recent call last):",
    'Exception in thread "main" java.lang.NullPointerException',
    "panic: runtime error: index out of range",
    "fatal error: all goroutines are asleep - deadlock!",
    "thread 'main' panicked at src/main.rs:4:5:",
    "java.lang.IllegalStateException: pool is closed",
    "sqlalchemy.exc.OperationalError: database is locked",
    "ValueError: bad",
    "TypeError: Cannot read properties of undefined",
    "KeyError",
    "fatal: not a git repository",
    "nginx: [emerg] bind() to 0.0.0.0:80 failed",
    "2026-11-21 03:12:44 UTC [71] FATAL:  password authentication failed",
    "[MY-010119] [ERROR] Aborting",
    "cc: error: no input files",
    "error[E0382]: use of moved value",
    "Error connecting to db-7",
    "Failed to start listener",
    "fail: Microsoft.AspNetCore.Server.Kestrel[13]",
    "crit: Host[0]",
    "PHP Fatal error:  Uncaught Exception: x in /a.php:3",
    '10.0.0.7 - - [21/Nov/2026:03:12:44 +0000] "GET /pay HTTP/1.1" 502 157 "-" "curl"',
    'INFO:     10.0.0.7:5 - "GET /pay HTTP/1.1" 500 Internal Server Error',
    '{"level":"info","status":503,"path":"/pay"}',
    "level=info method=GET path=/pay status=504 took=30s",
    '"POST /pay" 503 12ms',
    "RED error 374",
    "curl: got error code 28",
    "2026-11-22 14:00:01 - app - error - boom",
    "Error response from daemon: no such image",
    "newco err: disk failing",
)  # fmt: skip
WARNINGS = (
    "2026-11-21 03:12:44 WARN slow query: 812 ms",
    "WARNING: no logging configuration",
    "[warn] deprecated",
    "[Warning] [MY-1] old plugin",
    "W1121 03:12:44.120000       1 x.go:1] retry",
    '{"level":"warn","msg":"error rate is rising"}',
    '{"level":40,"msg":"slow"}',
    "level=warning msg=\"error=3\"",
    "<4>temperature above threshold",
    "npm warning: old lockfile",
    "warn: Microsoft.Hosting[0]",
    "03:12:44 WRN retry",
)  # fmt: skip
OTHERS = {
    "2026-11-21 INFO last job ended with ERROR": Level.INFO,
    "INFO 0 errors, 0 warnings": Level.INFO,
    '{"level":"info","msg":"ERROR was seen before","error":null}': Level.INFO,
    '{"level":30,"msg":"x"}': Level.INFO,
    '{"level":20,"msg":"x"}': Level.DEBUG,
    "info: Microsoft.Hosting.Lifetime[14]": Level.INFO,
    "[debug] cache miss: error": Level.DEBUG,
    "DEBUG errors=[]": Level.DEBUG,
    "I1121 03:12:44.120000       1 x.go:1] ok": Level.INFO,
    "<6>usb 1-1: new device": Level.INFO,
    "<7>x": Level.DEBUG,
    "03:12:44 INF started": Level.INFO,
    "2026-11-21 | NOTICE   | x": Level.INFO,
}
NOTHING = (
    "",
    "GET /errors 200",
    "0 errors",
    "no error",
    "no ERROR today",
    "found 0 ERROR lines",
    "error_count=0",
    "ERROR_COUNT=0",
    "errors=0 warnings=0",
    "ERROR=0 WARN=0",
    "ERROR: 0",
    "errorless operation",
    "GET /errors/ERROR.html",
    "/var/log/error.log rotated",
    "serving /ERROR/page",
    "an error-free day",
    "error: none",
    "last error: <nil>",
    "no error: all is well",
    "loading ErrorHandler and ExceptionMapper",
    "com.example.ErrorReporter started",
    "the FINEPRINT of it",
    "listening on 5000",
    "took 500 ms",
    '10.0.0.7 - - [21/Nov/2026:03:12:44 +0000] "GET /x HTTP/1.1" 404 157',
    '10.0.0.7 - - [21/Nov/2026:03:12:44 +0000] "GET /x HTTP/1.1" 200 502',
    '"GET /500" 200 5',
    "INFORMATIONAL brochure",
    "x.ERROR.y",
    "level=",
    "elevel=error_count",
    "status=200 size=503",
    "alert manager reloaded",
    "no error 3 today",
    "error 0",
    "last err: nil",
    "1 - error-free - ok",
)


@pytest.mark.parametrize("text", ERRORS)
def test_this_is_an_error(text: str) -> None:
    assert level(text.expandtabs(8)) == Level.ERROR


@pytest.mark.parametrize("text", WARNINGS)
def test_this_is_a_warning(text: str) -> None:
    assert level(text) == Level.WARN


@pytest.mark.parametrize(("text", "what"), OTHERS.items())
def test_the_first_word_for_it_counts(text: str, what: Level) -> None:
    assert level(text) == what


@pytest.mark.parametrize("text", NOTHING)
def test_this_says_nothing_of_how_bad_it_is(text: str) -> None:
    assert level(text) == Level.NONE


PIECES = st.sampled_from(
    [*"{}[]<>|:=\"' 5E0", "level", "ERROR", "error:", "HTTP/1.1\" 5", "status", "Exception", "no ",
     "severity=", "<3>", "E1121 03:12:44", "a.", "50"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.characters(), max_size=30).map("".join))
def test_any_text_has_a_level(text: str) -> None:
    assert level(text) in Level


@pytest.mark.parametrize("piece", ["a.", "ERROR ", "no ", "level", '"GET /', "[a:", "status", "x:"])
def test_a_long_line_takes_no_longer_than_its_length(piece: str) -> None:
    import time

    def took(text: str) -> float:
        best = 9.0
        for _ in range(5):
            begun = time.process_time()
            level(text)
            best = min(best, time.process_time() - begun)
        return best

    short, long = took(piece * (512 // len(piece))), took(piece * (4096 // len(piece)))
    # Eight times the text: 8 when linear, 64 when quadratic; a floor for the clock.
    assert long < max(32 * short, 0.002)
