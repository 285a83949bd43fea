"""The second service of the lab: fetches exchange rates on a timer into data/rates.json.

It fails the way real ones do: its source is down, its key is refused, a lock that a killed process
left behind stops every round, the disk is full, or it hangs.
"""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DATA = Path(os.environ.get("KAMIYO_DATA", "/app/data"))
RATES = DATA / "rates.json"
LOCK = DATA / "aggregator.lock"
SOURCE = os.environ.get("RATES_SOURCE", "http://localhost:9100")
EVERY_S = float(os.environ.get("RATES_EVERY_S") or 60)


def log(level: str, text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{stamp} {level} {text}", flush=True)


def fetch() -> dict[str, float]:
    key = os.environ.get("RATES_API_KEY", "")
    request = urllib.request.Request(f"{SOURCE}/rates", headers={"X-Api-Key": key})
    with urllib.request.urlopen(request, timeout=3) as answer:
        rates: dict[str, float] = json.load(answer)
    return rates


def one_round() -> None:
    try:
        lock = os.open(LOCK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        log("ERROR", f"round skipped: {LOCK} is there, another round seems to run")
        return
    except OSError as error:
        log("ERROR", f"round skipped: {LOCK} cannot be made: {error.strerror}")
        return
    try:
        os.close(lock)
        rates = fetch()
        partial = RATES.with_suffix(".new")
        partial.write_text(json.dumps({"source": SOURCE, "rates": rates}) + "\n")
        partial.replace(RATES)
        log("INFO", f"fetched {len(rates)} rates from {SOURCE}")
    except urllib.error.HTTPError as error:
        log("ERROR", f"fetch failed: {SOURCE} answered {error.code} {error.reason}")
    except urllib.error.URLError as error:
        log("ERROR", f"fetch failed: cannot reach {SOURCE}: {error.reason}")
    except TimeoutError:
        log("ERROR", f"fetch failed: {SOURCE} does not answer: timed out")
    except OSError as error:
        log("ERROR", f"rates not written: {error.strerror}")
    finally:
        LOCK.unlink(missing_ok=True)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log("INFO", f"aggregator starting: {SOURCE} every {EVERY_S:g} s")
    while True:
        one_round()
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
