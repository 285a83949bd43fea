"""What is around the services of the lab: who sells rates, who asks too much, who locks.

world.py exchange          sell exchange rates on port 9100, to who has the key in EXCHANGE_KEY
world.py quotes COUNT KIB  ask for that many quotes of that size, each with a key of its own
world.py report            hold the database for most of the time, as a careless export does
world.py import            ask for all orders, without a pause, many at a time
"""

import json
import os
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RATES = {"CHF": 1.07, "EUR": 1.0, "GBP": 1.16, "USD": 0.93}
URL = os.environ.get("KAMIYO_URL", "http://localhost:8000")


class Exchange(BaseHTTPRequestHandler):
    """Its status is for everybody, its rates are for customers."""

    def do_GET(self) -> None:
        good = self.path == "/status" or self.headers.get("X-Api-Key") == os.environ["EXCHANGE_KEY"]
        data = json.dumps(RATES if good else {"error": "unknown key"}).encode() + b"\n"
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def quotes(count: int, kib: int) -> int:
    """How many were answered: fewer than asked for where the service died of it."""
    for number in range(count):
        asked = {
            "key": f"{time.time_ns()}",
            "amount": 10,
            "currency": "USD",
            "note": "x" * 1024 * kib,
        }
        request = urllib.request.Request(f"{URL}/api/v1/quotes", data=json.dumps(asked).encode())
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except OSError as error:
            print(f"{number} quotes, then: {error}")
            return number
    print(f"{count} quotes")
    return count


def report() -> None:
    database = sqlite3.connect("/app/data/kamiyo.db", timeout=30, isolation_level=None)
    while True:
        database.execute("BEGIN EXCLUSIVE")
        time.sleep(0.7)
        database.execute("COMMIT")
        time.sleep(0.2)


def ask_for_orders() -> None:
    agent = {"User-Agent": "batch-import/2.1"}
    while True:
        try:
            request = urllib.request.Request(f"{URL}/api/v1/orders", headers=agent)
            urllib.request.urlopen(request, timeout=30).close()
        except OSError:
            time.sleep(0.2)


def main(verb: str, *rest: str) -> int:
    match verb:
        case "exchange":
            ThreadingHTTPServer(("0.0.0.0", 9100), Exchange).serve_forever()
        case "quotes":
            return 0 if quotes(int(rest[0]), int(rest[1])) == int(rest[0]) else 1
        case "report":
            report()
        case "import":
            for _ in range(15):
                threading.Thread(target=ask_for_orders, daemon=True).start()
            ask_for_orders()
        case _:
            print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
