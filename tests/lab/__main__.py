"""The lab by hand, from the root of the checkout: python -m tests.lab up | down | leak | ..."""

import argparse
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from tests.lab import host
from tests.lab.lab import ROOT, Lab, missing

BREAKS: dict[str, Callable[[Lab], None]] = {
    "lose-database": Lab.lose_database,
    "corrupt-database": Lab.corrupt_database,
    "break-secret": Lab.break_secret,
    "leak": Lab.leak,
    "fill-disk": Lab.fill_disk,
    "stop-upstream": Lab.stop_upstream,
    "break-rates-key": Lab.break_rates_key,
    "leave-lock": Lab.leave_lock,
    "hang-aggregator": Lab.hang_aggregator,
    "slow": Lab.drop_index,
    "hold-database": Lab.hold_database,
    "ask-too-much": Lab.ask_too_much,
    "reset": Lab.reset,
}


def up(state: Path) -> int:
    reasons = missing()
    if reasons:
        print("The lab cannot start here: " + "; ".join(reasons), file=sys.stderr)
        print("As root on Debian or Ubuntu: sh tests/lab/install.sh", file=sys.stderr)
        return 1
    lab = Lab.find(state) or Lab.start(state)
    config = lab.write_config(state)
    runbook = "runbooks/01_database_connection_loss.md"
    others = textwrap.fill(
        " ".join([*BREAKS][1:]), 76, subsequent_indent=" " * 19, break_on_hyphens=False
    )
    print(
        "prod-1 is up: the kamiyo service on its own Docker engine, "
        f"sshd on 127.0.0.1:{lab.ssh_port}\n"
        "\n"
        "Open it:      "
        f"cockpit --config {_short(config)} --host prod-1 --runbook {runbook}\n"
        f"Break it:     python -m tests.lab lose-database\n"
        f"              (or: {others})\n"
        f"A shell:      ssh -F {_short(lab.ssh_config)} prod-1\n"
        f"Its engine:   docker -H unix://{lab.socket} ps\n"
        "Take it away: python -m tests.lab down"
    )
    return 0


def down(state: Path) -> int:
    lab = Lab.find(state)
    if lab is not None:
        lab.stop()
    elif not host.sweep(state):
        print(f"A lab is starting or stopping in {state}; try again in a moment.", file=sys.stderr)
        return 1
    print("prod-1 is gone.")
    return 0


def status(state: Path) -> int:
    lab = Lab.find(state)
    if lab is None:
        print("prod-1 is down. Start it: python -m tests.lab up")
        return 1
    print(f"prod-1 is up: sshd on 127.0.0.1:{lab.ssh_port}, /health {lab.health()}")
    print(lab.run("docker ps -a --format '{{.Names}}\t{{.Status}}'").stdout, end="")
    return 0


def change(state: Path, verb: str) -> int:
    lab = Lab.find(state)
    if lab is None:
        return status(state)
    BREAKS[verb](lab)
    return status(state)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".lab", help="where its files are")
    parser.add_argument(
        "verb",
        choices=[
            *("up", "down", "status", *BREAKS),
            *("serve", "serve-attached"),
        ],
    )
    options = parser.parse_args()
    state, verb = options.state.resolve(), options.verb
    match verb:
        case "up":
            return up(state)
        case "down":
            return down(state)
        case "status":
            return status(state)
        case "serve" | "serve-attached":
            host.serve(state, until_stdin_closes=verb == "serve-attached")
            return 0
        case _:
            return change(state, verb)


if __name__ == "__main__":
    sys.exit(main())
