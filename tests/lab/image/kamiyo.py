"""The service of the lab: payments over one SQLite file, made to fail the way real ones do.

    kamiyo.py                          serve on port 8000
    kamiyo.py send-test-event [EVERY]  post a signed event; with EVERY, play Stripe

It keeps one connection open, as most services do: a database file that is moved away, replaced,
locked or damaged is a lost connection, and only some of these mend themselves without a restart.
It remembers every quote that it gave, for ever unless QUOTE_CACHE_MAX says how many: a leak. Its
access log is never rotated.
"""

import contextlib
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = Path(os.environ.get("KAMIYO_DATA", "/app/data"))
DB = DATA / "kamiyo.db"
BACKUPS = DATA / "backups"
KEEP_BACKUPS = 5
ACCESS_LOG = DATA / "logs/access.log"
RATES = DATA / "rates.json"
RATES_MAX_AGE_S = float(os.environ.get("RATES_MAX_AGE_S") or 900)
QUOTE_CACHE_MAX = int(os.environ.get("QUOTE_CACHE_MAX") or 0)
WEBHOOK = "/api/v1/payments/webhook"
TOLERANCE_S = 300
STARTED = time.monotonic()
SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhook_events (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, received_at TEXT NOT NULL, payload TEXT NOT NULL);
"""
ORDERS = """
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, amount INTEGER NOT NULL);
CREATE INDEX orders_by_customer ON orders (customer_id, amount);
INSERT INTO orders (customer_id, amount)
    SELECT id % 40 + 1, id * 100 FROM customers;
"""
TOTALS = """
SELECT id, (SELECT sum(amount) FROM orders WHERE customer_id = customers.id) FROM customers
"""


class Unavailable(Exception):
    """The database cannot be used; the text says why."""


def log(level: str, text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stream = sys.stderr if level == "ERROR" else sys.stdout
    print(f"{stamp} {level} {text}", file=stream, flush=True)


class Database:
    """The one connection, and the truth about whether it still reaches the file on disk."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self.inode = 0

    def open(self) -> None:
        """Open the file. An empty one is made only where there are no backups."""
        if not DB.exists() and any(BACKUPS.glob("*.db")):
            log("ERROR", f"database file missing: {DB}; backups exist, so no empty one is made")
            return
        try:
            self.connection = sqlite3.connect(DB, timeout=1.0, check_same_thread=False)
            self.inode = DB.stat().st_ino
            self.connection.executescript(SCHEMA)
            if not self.connection.execute("SELECT count(*) FROM customers").fetchone()[0]:
                rows = [(f"customer{n}@example.net",) for n in range(1, 41)]
                self.connection.executemany("INSERT INTO customers (email) VALUES (?)", rows)
            if not self.connection.execute("PRAGMA table_info(orders)").fetchone():
                self.connection.executescript(ORDERS)  # an index that was lost stays lost
            self.connection.commit()
        except sqlite3.Error as error:
            log("ERROR", f"database cannot be opened: {error}")
            return
        log("INFO", f"database connected: {DB}")
        try:
            self.back_up()
        except (sqlite3.Error, OSError) as error:
            log("ERROR", f"no backup written: {error}")

    def back_up(self) -> None:
        BACKUPS.mkdir(parents=True, exist_ok=True)
        target = BACKUPS / time.strftime("kamiyo-%Y%m%dT%H%M%SZ.db", time.gmtime())
        assert self.connection is not None
        with contextlib.closing(sqlite3.connect(target)) as copy:
            self.connection.backup(copy)
        for old in sorted(BACKUPS.glob("kamiyo-*.db"))[:-KEEP_BACKUPS]:
            old.unlink()
        log("INFO", f"backup written: {target}")

    @contextlib.contextmanager
    def usable(self) -> Iterator[sqlite3.Connection]:
        """The connection, checked, for one caller at a time. Raises Unavailable with the reason."""
        with self.lock:
            try:
                inode = DB.stat().st_ino
            except FileNotFoundError:
                raise Unavailable(f"database file missing: {DB}") from None
            if self.connection is None or inode != self.inode:
                raise Unavailable("connection is stale: the database file changed; restart needed")
            try:
                verdict = self.connection.execute("PRAGMA quick_check").fetchone()[0]
                if verdict != "ok":
                    raise Unavailable(f"database is corrupt: {verdict}")
                self.connection.execute("BEGIN IMMEDIATE")
                yield self.connection
                self.connection.commit()
            except sqlite3.OperationalError as error:
                raise Unavailable(str(error)) from None
            except sqlite3.DatabaseError as error:
                raise Unavailable(f"database is corrupt: {error}") from None
            finally:
                if self.connection.in_transaction:
                    self.connection.rollback()


class AccessLog:
    """One line a request, in a file that stays open: time, client, method, path, status, time."""

    def __init__(self) -> None:
        self.file = -1
        self.writable = True

    def open(self) -> None:
        with contextlib.suppress(OSError):
            ACCESS_LOG.parent.mkdir(parents=True, exist_ok=True)
            self.file = os.open(ACCESS_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, line: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            os.write(self.file, f"{stamp} {line}\n".encode())
            self.writable = True
        except OSError as error:
            if self.writable:
                log("ERROR", f"access log cannot be written: {error.strerror}")
            self.writable = False


class Quotes:
    """Quotes by their idempotency key, so that the same question gets the same answer."""

    def __init__(self) -> None:
        self.given: OrderedDict[str, tuple[dict[str, object], bytes]] = OrderedDict()

    def quote(self, body: bytes, rates: dict[str, float]) -> dict[str, object]:
        """Raises ValueError, KeyError or TypeError where the question is not one."""
        asked = json.loads(body)
        key = str(asked["key"])
        if key not in self.given:
            amount = round(float(asked["amount"]) * rates[asked["currency"]], 2)
            self.given[key] = {"key": key, "amount": amount}, body
        while QUOTE_CACHE_MAX and len(self.given) > QUOTE_CACHE_MAX:
            self.given.popitem(last=False)
        return self.given[key][0]


def fresh_rates() -> tuple[dict[str, float], int]:
    """The rates and their age in seconds. Raises Unavailable when they are too old or missing."""
    try:
        age = time.time() - RATES.stat().st_mtime
        rates: dict[str, float] = json.loads(RATES.read_bytes())["rates"]
    except (OSError, ValueError, KeyError):
        raise Unavailable(f"no rates: {RATES} cannot be read") from None
    if age > RATES_MAX_AGE_S:
        raise Unavailable(f"rates are {age:.0f} s old; the limit is {RATES_MAX_AGE_S:.0f} s")
    return rates, round(age)


database = Database()
access_log = AccessLog()
quotes = Quotes()


def sign(secret: str, stamp: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()


def signature_fault(header: str, body: bytes) -> str | None:
    """Why the signature header is refused, or None when it is good."""
    secret = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
    if not secret:
        return "STRIPE_WEBHOOK_SECRET is not set"
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    if not parts.get("t", "").isdigit() or "v1" not in parts:
        return "no signature in the request"
    stamp = int(parts["t"])
    if not hmac.compare_digest(parts["v1"], sign(secret, stamp, body)):
        return "signature mismatch"
    if abs(time.time() - stamp) > TOLERANCE_S:
        return "timestamp outside the tolerance"
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "kamiyo/1.4.2"
    began = 0.0

    def reply(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        took = round((time.monotonic() - self.began) * 1000)
        agent = (self.headers.get("User-Agent") or "-").split()[0]
        access_log.write(f"{agent} {self.command} {self.path} {status} {took}ms")
        with contextlib.suppress(ConnectionError):  # who asked did not wait
            self.wfile.write(data)

    def do_GET(self) -> None:
        self.began = time.monotonic()
        match self.path:
            case "/health":
                self.health()
            case "/metrics":
                self.metrics()
            case "/api/v1/rates":
                self.rates()
            case "/api/v1/orders":
                self.orders()
            case _:
                self.reply(405 if self.path == WEBHOOK else 404, {"error": "not here"})

    def do_POST(self) -> None:
        self.began = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match self.path:
            case "/api/v1/payments/webhook":
                self.webhook(body)
            case "/api/v1/quotes":
                self.quote(body)
            case _:
                self.reply(404, {"error": "not here"})

    def health(self) -> None:
        uptime = round(time.monotonic() - STARTED)
        try:
            with database.usable():
                pass
        except Unavailable as why:
            log("ERROR", f"health 503 {why}")
            self.reply(503, {"status": "unhealthy", "database": str(why), "uptime_s": uptime})
            return
        self.reply(200, {"status": "healthy", "database": "connected", "uptime_s": uptime})

    def metrics(self) -> None:
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20
        self.reply(200, {"quotes_cached": len(quotes.given), "memory_mib": memory})

    def rates(self) -> None:
        try:
            rates, age = fresh_rates()
        except Unavailable as why:
            log("ERROR", f"rates 503 {why}")
            self.reply(503, {"error": str(why)})
            return
        self.reply(200, {"age_s": age, "rates": rates})

    def quote(self, body: bytes) -> None:
        try:
            answer = quotes.quote(body, fresh_rates()[0])
        except Unavailable as why:
            log("ERROR", f"quote 503 refused: {why}")
            self.reply(503, {"error": str(why)})
        except (ValueError, KeyError, TypeError):
            self.reply(400, {"error": "not a question"})
        else:
            self.reply(200, answer)

    def orders(self) -> None:
        try:
            with database.usable() as connection:
                totals = connection.execute(TOTALS).fetchall()
        except Unavailable as why:
            log("ERROR", f"orders 503 {why}")
            self.reply(503, {"error": str(why)})
            return
        self.reply(200, {"totals": dict(totals)})

    def webhook(self, body: bytes) -> None:
        fault = signature_fault(self.headers.get("Stripe-Signature", ""), body)
        if fault:
            log("ERROR", f"webhook 400 rejected: {fault}")
            self.reply(400, {"error": fault})
            return
        try:
            event = json.loads(body)
            row = (str(event["id"]), str(event["type"]), body.decode())
        except (ValueError, KeyError, TypeError):
            log("ERROR", "webhook 400 rejected: not an event")
            self.reply(400, {"error": "not an event"})
            return
        try:
            with database.usable() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO webhook_events (id, type, received_at, payload)"
                    " VALUES (?, ?, datetime('now'), ?)",
                    row,
                )
        except Unavailable as why:
            log("ERROR", f"webhook 500 {row[0]} not stored: {why}")
            self.reply(500, {"error": "database unavailable"})
            return
        log("INFO", f"webhook 200 {row[0]} {row[1]}")
        self.reply(200, {"received": True})

    def log_message(self, format: str, *args: object) -> None:
        """The lines above say what matters."""


def send_event(kind: str) -> int:
    """Sign an event with this environment's secret, post it, print status and answer."""
    event_id = f"evt_{kind}_{time.time_ns():x}"
    body = json.dumps({"id": event_id, "type": "payment_intent.succeeded", "test": True}).encode()
    stamp = int(time.time())
    signature = sign(os.environ.get("STRIPE_WEBHOOK_SECRET", ""), stamp, body)
    url = os.environ.get("KAMIYO_URL", "http://localhost:8000") + WEBHOOK
    request = urllib.request.Request(
        url, data=body, headers={"Stripe-Signature": f"t={stamp},v1={signature}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    except OSError as error:
        status, text = 0, str(error)
    print(f"{status} {event_id} {text.strip()}", flush=True)
    return 0 if status == 200 else 1


def serve() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log("INFO", "kamiyo 1.4.2 starting on port 8000")
    access_log.open()
    database.open()
    ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()


def main(argv: list[str]) -> int:
    if argv[:1] != ["send-test-event"]:
        serve()
        return 0
    if len(argv) == 1:
        return send_event("test")
    while True:
        send_event("sim")
        time.sleep(float(argv[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
