"""A command that runs at most once on a target, outlives the link, and gives back every byte.

The id is chosen and journaled here before anything is sent; the target decides, by one atomic
claim under that id, whether the command is launched (the protocol is in job.sh). So the same order
may be sent again after a lost link, and nobody ever has to guess: a job is running, ended, never
started, or honestly unknown.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final, Literal, NewType

from cockpit.clock import awake_or_not
from cockpit.target import session
from cockpit.target.guard import Pass
from cockpit.target.job_call import Broken, Call, Refused, ask, call_line, cksum
from cockpit.target.target import LinkDown, LinkLost, Target

JobId = NewType("JobId", str)

_SEAL: Final = object()
KEPT_DAYS: Final = 7
"""How long a host keeps what an ended job told; then `hello` has it removed (ck_sweep)."""

STALE_S: Final = 60.0
_LEASE_S: Final = 60
_BROKEN_SHELLS: Final = 15
_BEFORE_THE_LAUNCH: Final = ("write", "nodir", "cut", "noclaim")
"""What a host refuses an order with before it runs anything of it, for certain."""


def new_id() -> JobId:
    """A fresh id of 80 random bits, to be journaled before the order is sent."""
    return JobId(secrets.token_hex(10))


class NoPlace(Exception):
    """The target has no directory for jobs; the message says what was tried."""


class Unsendable(ValueError):
    """No shell can be given this command; the message says why. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs live on a target and in which life of it; journaled before the first order.

    Good until the link was lost: the host may have been restarted meanwhile, and an order for
    another boot is refused there. kill_on_logout: systemd there ends jobs when the link drops.
    skew: seconds that its clock is ahead of ours, give or take one.
    """

    root: str
    boot: str
    mark: str
    uid: int
    interp: str
    kill_on_logout: bool = False
    skew: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Order:
    """A script for one target under one id. Made by `order` alone."""

    id: JobId
    host: str
    script: bytes
    timeout_s: int
    limit_kib: int
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("an Order is made by cockpit.target.job.order alone")


@dataclass(frozen=True, slots=True)
class Claimed:
    """The target has launched the command; it runs free of the link."""


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of stdout and stderr, as they came; offset of the first."""

    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Ended:
    """It will not run on. exit_status: 128 + n for signal n, None when it never started.

    ended_at: the host's clock, seconds since 1970. seconds: how long it ran, by a clock of the host
    that nobody sets; None where it did not say. size: bytes of output. truncated: output beyond
    the cap, or what did not fit on the host's disk, was thrown away. why: for "never started".
    left: what it left for the next command of its session; None where it says nothing of that.
    """

    exit_status: int | None
    how: Literal["done", "stopped", "timeout", "never started"]
    ended_at: float | None
    size: int
    truncated: bool
    why: str = ""
    left: session.Kept | session.Lost | None = None
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say whether, or how far, the command ran. Ask the responder; never send again."""

    why: str


@dataclass(frozen=True, slots=True)
class Running:
    """Launched and not ended; size: bytes of output so far."""

    size: int


@dataclass(frozen=True, slots=True)
class Absent:
    """The target has no claim under this id: it does not run, an order on its way may start it."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What it took; by an earlier stop too, whose answer was lost.

    left: pids of the job that live on, out of its process group. "still running": what there is of
    it belongs to another user, as what sudo started does, and we may not end it; left names it.
    """

    how: Literal["gently", "killed", "was over", "never started", "still running"]
    left: tuple[int, ...]


def order(
    leave: Pass,
    id: JobId,
    *,
    workdir: str = "",
    timeout_s: int = 0,
    carry: session.Carry | None = None,
) -> Order:
    """The order for the command that the gate let pass.

    workdir: "" is the home directory, a leading ~ too. timeout_s: 0 is none; then TERM, and KILL
    ten seconds later. carry: what it finds of commands before it; then workdir counts where it
    finds nothing. Raises Unsendable, and TypeError without a Pass.
    """
    if not isinstance(leave, Pass):
        raise TypeError("an order needs a Pass from cockpit.target.guard.answer")
    if carry is None:
        script = f"{session.enter(workdir)}{leave.command}\n"
    else:
        script = session.script(leave.command, carry, workdir)
    try:
        encoded = script.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        odd = f"U+{ord(script[error.start]):04X}"
        raise Unsendable(
            f"The command holds half a character ({odd}), which no host can be sent."
            " Type that place anew."
        ) from None
    if 0 in encoded:
        line = leave.command.partition("\0")[0].count("\n") + 1
        raise Unsendable(
            f"The command holds a NUL byte (in line {line}), which no shell can be given:"
            " it would run without the rest. Take it out, or write \\0 for printf."
        )
    return Order(id, leave.host, encoded, timeout_s, 65536, _SEAL)


async def hello(target: Target, root: str | None = None) -> Place:
    """Ask the target where jobs can live; one round trip.

    root: the directory so far, kept while it can still be used. Jobs in an older one are asked for
    with the Place that was journaled with them. Raises LinkLost, LinkDown, NoPlace.
    """
    try:
        said = await ask(target, call_line("ck_hello", root or ""), "hello")
        heard = time.time()
    except Refused:
        raise NoPlace(
            f"{target.name} has no directory for jobs: ~/.cache, /var/tmp, /tmp and /dev/shm are"
            " full, read-only or not private. Free some space there and try again."
        ) from None
    except Broken as broken:
        raise LinkDown(broken.sentence(target.name)) from None
    return Place(
        root=said["root"],
        boot=said["boot"],
        mark=said["mark"],
        uid=int(said["uid"]),
        interp=said["interp"],
        kill_on_logout=said["kill"] in ("yes", "true", "1", "on"),
        # It told whole seconds, somewhere between the question and its answer.
        skew=float(said["now"]) + 0.5 - (heard - float(said["took"]) / 2) if said["now"] else 0.0,
    )


async def follow(
    target: Target, place: Place, id: JobId, *, order: Order | None, claimed: bool, offset: int
) -> AsyncGenerator[Claimed | Output | Ended | Unknown, None]:
    """Start a job, or take it up again, and tell all about it until it has ended.

    order: None only re-attaches; with an order, it is sent until the target has claimed it, never
    after, and for a minute at most: what was confirmed long ago may be wrong by now. claimed: a
    Claimed was seen before. offset: bytes of output already held; the consumer keeps each Output
    before it asks for more. The last item is Ended or Unknown. Lost links are waited out. Raises
    LinkDown when the link will not come back by itself: follow again later. Close it with
    `contextlib.aclosing`; the job goes on.
    """
    if order is not None and (order.id != id or order.host != target.name):
        raise ValueError(f"the order is for {order.host} under {order.id}, not for {target.name}")
    patience = _Patience(target)
    refused, given = "", awake_or_not()
    # Whether an order may be on its way still; one from before we were asked would be, too.
    adrift = order is None
    while True:
        await target.ready()
        if order and not (claimed or refused) and awake_or_not() - given > STALE_S:
            refused = "the link was lost before it arrived there, and too much time has passed"
        sends = order is not None and not claimed and not refused
        if claimed:
            body = b""
        elif refused:
            body = call_line("ck_settle", place.root, id, place.mark, place.boot)
        else:
            body = _start(place, order) if order else b""
        body += call_line("ck_tail", place.root, id, offset, _LEASE_S)
        said: dict[str, str] = {}
        try:
            async with Call(target, body) as call:
                while "state" not in said or offset < int(said["size"]):
                    item = await call.next()
                    if item is None:
                        break
                    if isinstance(item, bytes):
                        patience.progress()
                        yield Output(item, offset)
                        offset += len(item)
                    elif "claim" in item:
                        if not claimed and _launched(item["claim"]):
                            patience.progress()
                            claimed = True
                            yield Claimed()
                    else:
                        said |= item
        except LinkLost:
            adrift |= sends
            await patience.lost()
            continue
        except Broken as broken:
            adrift |= sends
            await patience.broken(broken)
            continue
        except Refused as refusal:
            # Whatever kept it from starting: have the target promise that it never will.
            refused = refusal.sentence(target.name)
            adrift |= refusal.code not in _BEFORE_THE_LAUNCH
            continue
        match said["state"]:
            case "running" | "orphan":
                continue
            case "done" if offset < int(said["size"]):
                continue
            case "absent" | "prepared" if not claimed and not refused and _same_life(place, said):
                refused = "it was never sent"
                continue
            case "absent" | "prepared" if not claimed and not adrift and _same_life(place, said):
                # No room even for the promise: but it was sent no more than that.
                yield Ended(None, "never started", None, 0, False, refused)
                return
        yield _verdict(target, place, said, claimed, offset, refused)
        return


async def stop(target: Target, place: Place, id: JobId, grace_s: int = 5) -> Stopped:
    """End a job: TERM to its process group, KILL after the grace; one not started never will be.

    Waits out lost links. Raises LinkDown.
    """
    patience = _Patience(target)
    body = call_line("ck_stop", place.root, id, place.mark, place.boot, grace_s)
    while True:
        await target.ready()
        try:
            said = await ask(target, body, "state")
        except LinkLost:
            await patience.lost()
            continue
        except Broken as broken:
            await patience.broken(broken)
            continue
        if said["state"] == "abandoned":
            return Stopped("never started", ())
        left = tuple(int(pid) for pid in said["left"].split(",") if pid)
        match said["how"]:
            case "gently":
                return Stopped("gently", left)
            case "killed":
                return Stopped("killed", left)
            case "alive":
                return Stopped("still running", left)
            case _:
                return Stopped("was over", left)


async def state(target: Target, place: Place, id: JobId) -> Running | Ended | Absent | Unknown:
    """What the target says about a job now; changes nothing. Raises LinkLost, LinkDown."""
    try:
        said = await ask(target, call_line("ck_stat", place.root, id), "state")
    except Broken as broken:
        raise LinkDown(broken.sentence(target.name)) from None
    if said["state"] in ("running", "orphan"):
        return Running(int(said["size"]))
    if said["state"] in ("absent", "prepared") and _same_life(place, said):
        return Absent()
    return _verdict(target, place, said, False, int(said["size"]), "")


def _same_life(place: Place, said: dict[str, str]) -> bool:
    return said["boot"] == place.boot and said["mark"] == place.mark


def _launched(claim: str) -> bool:
    return bool(claim) and not claim.startswith("tombstone:")


def _verdict(
    target: Target, place: Place, said: dict[str, str], claimed: bool, offset: int, refused: str
) -> Ended | Unknown:
    """The last word on a job that is not running."""
    name = target.name
    check = f"Look on {name} what it did before you run it again."
    match said["state"]:
        case "done" | "exit":
            ended, _, clock = said["end"].partition(".")
            began, _, over = clock.partition("-")
            how: Literal["done", "stopped", "timeout"] = "done"
            if said["cancel"]:
                how = "timeout" if said["cancel"] == "timeout" else "stopped"
            return Ended(
                exit_status=int(said["rc"]),
                how=how,
                # A host that could start no program, `date` neither, says nothing.
                ended_at=float(ended) if ended else None,
                size=offset if said["state"] == "exit" else int(said["size"]),
                truncated=bool(said["trunc"]),
                left=session.left(said),
                seconds=max(0.0, float(over) - float(began)) if began and over else None,
            )
        case "abandoned":
            return Ended(None, "never started", None, 0, False, refused)
        case "rebooted":
            return Unknown(
                f"{name} was restarted while the command ran; how far it came is not known. {check}"
            )
        case "lost":
            return Unknown(
                f"the process that watched the command on {name} was killed, as when memory runs"
                f" out; the command is over, what it started may still run, and its exit status is"
                f" not known. {check}"
            )
        case "swept":
            return Unknown(
                f"{name} keeps what a command did for {KEPT_DAYS} days after its end, and this one"
                f" is gone by now; whether it ran, and how it ended, is not known. {check}"
            )
        case _ if said["boot"] != place.boot:
            return Unknown(
                f"{name} was restarted since the command was sent, and has no trace of it; whether"
                f" it ran is not known. {check}"
            )
        case _ if claimed or said["mark"] != place.mark:
            return Unknown(
                f"what was known of the command in {place.root} on {name} was deleted; how far it"
                f" came is not known. {check}"
            )
        case _:
            return Unknown(
                f"{refused or 'it has no trace there'}; whether it ran is not known. {check}"
            )


class _Patience:
    """How long to wait before the next try, where the link itself does not say."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tries = 0
        self._breaks = 0

    def progress(self) -> None:
        self._tries = self._breaks = 0

    async def lost(self) -> None:
        if self._target.link.state.usable:
            await asyncio.sleep(min(0.05 * 2**self._tries, 2))
            self._tries = min(self._tries + 1, 8)

    async def broken(self, broken: Broken) -> None:
        """Raises LinkDown when it is broken for good."""
        self._breaks += 1
        if self._breaks >= _BROKEN_SHELLS:
            raise LinkDown(broken.sentence(self._target.name)) from None
        # A host that cannot fork just now may well recover: about a minute's worth of tries.
        await asyncio.sleep(min(0.1 * 2**self._breaks, 5))


def _start(place: Place, order: Order) -> bytes:
    checksum = f"{hashlib.sha256(order.script).hexdigest()}:{cksum(order.script)}"
    call = call_line(
        "ck_start",
        place.root,
        order.id,
        place.mark,
        place.boot,
        checksum,
        order.limit_kib,
        order.timeout_s,
        place.interp,
    )
    end = f"CK{secrets.token_hex(12)}".encode()
    return call.rstrip(b"\n") + b" <<'" + end + b"' || exit\n" + order.script + end + b"\n"
