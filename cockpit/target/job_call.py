"""One call of the job protocol: a shell on the target that runs job.sh and one line of it."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import time
import zlib
from collections.abc import AsyncGenerator
from functools import cache
from importlib import resources

from cockpit.target.target import LinkLost, Reader, Target


class Refused(Exception):
    """The target said no; code: of job.sh, heard: what its tools printed."""

    def __init__(self, code: str, heard: str) -> None:
        super().__init__(code)
        self.code = code
        self.heard = heard

    def sentence(self, name: str) -> str:
        what = {
            "write": f"{name} could not store the command",
            "nodir": f"{name} could not make a directory for the command",
            "noclaim": f"{name} could not start the command",
            "cut": f"{name} received the command damaged",
        }.get(self.code, f"{name} refused the command ({self.code})")
        return f"{what}: {self.heard}" if self.heard else what


class Broken(Exception):
    """The shell on the target ended without an answer, and not because of the link."""

    def __init__(self, status: int, heard: str) -> None:
        super().__init__(heard)
        self.status = status
        self.heard = heard

    def sentence(self, name: str) -> str:
        heard = f' and said "{self.heard}"' if self.heard else ""
        return (
            f"{name} lets us in but its shell ended with status {self.status}{heard}."
            f" Try: ssh {name} /bin/sh -c date"
        )


class Call:
    """One shell on the target that runs job.sh and one line of it; a context manager."""

    def __init__(self, target: Target, body: bytes) -> None:
        self._target = target
        self._nonce = secrets.token_hex(6)
        self._body = body
        self._queue: asyncio.Queue[dict[str, str] | bytes | Exception | None] = asyncio.Queue(16)
        self._noise = b""
        self._answered = False

    async def __aenter__(self) -> Call:
        self._channel = await self._target.shell()
        # A shell that was opened ahead has been given the library by then: see ssh_line.
        ahead = getattr(self._channel, "knows_jobs", False)
        call = f"CK_N={self._nonce}\n".encode() + (b"" if ahead else library()) + self._body
        self.sent = time.monotonic()
        self._channel.stdin.write(call)
        self._channel.stdin.write_eof()
        self._pumps = [
            asyncio.create_task(self._pump(self._data(self._channel.stdout))),
            asyncio.create_task(self._pump(self._control(self._channel.stderr))),
        ]
        self._flowing = len(self._pumps)
        return self

    async def __aexit__(self, *_: object) -> None:
        for pump in self._pumps:
            pump.cancel()
        self._channel.close()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def next(self) -> dict[str, str] | bytes | None:
        """A control line, or output; None after the last. Raises LinkLost, Refused, Broken."""
        while self._flowing:
            item = await self._queue.get()
            if item is None:
                self._flowing -= 1
            elif isinstance(item, Exception):
                raise item
            elif isinstance(item, dict) and "error" in item:
                if item["error"] == "short":
                    raise LinkLost("the call was cut short")
                raise Refused(item["error"], self._heard())
            else:
                if isinstance(item, dict) and ("state" in item or "hello" in item):
                    self._answered = True
                return item
        if self._answered:
            return None
        status = await self._channel.wait()
        if status is None:
            raise LinkLost("the link ended before the answer")
        raise Broken(status, self._heard())

    async def _pump(self, source: AsyncGenerator[dict[str, str] | bytes, None]) -> None:
        try:
            async for item in source:
                await self._queue.put(item)
            await self._queue.put(None)
        except (LinkLost, OSError) as lost:
            await self._queue.put(lost if isinstance(lost, LinkLost) else LinkLost(str(lost)))

    async def _data(self, stdout: Reader) -> AsyncGenerator[dict[str, str] | bytes, None]:
        """What a login shell prints, dropped; the sentinel as a claim; then output."""
        sentinel = f"@ck {self._nonce} data ".encode()
        held = b""
        while chunk := await stdout.read(65536):
            held += chunk
            before, found, after = held.partition(sentinel)
            claim, line_end, output = after.partition(b"\n")
            if found and line_end:
                yield {"claim": claim.decode("ascii", "replace")}
                if output:
                    yield output
                break
            if not found:
                held = before[-len(sentinel) :]
        while chunk := await stdout.read(65536):
            yield chunk

    async def _control(self, stderr: Reader) -> AsyncGenerator[dict[str, str] | bytes, None]:
        held = b""
        while chunk := await stderr.read(65536):
            *lines, held = (held + chunk).split(b"\n")
            held = held[-65536:]
            for line in lines:
                # A tool may have printed half a line before ours.
                noise, found, fields = line.partition(f"@ck {self._nonce} ".encode())
                self._hear(noise)
                if found:
                    yield _fields(fields.decode("utf-8", "surrogateescape"))
        self._hear(held)

    def _hear(self, noise: bytes) -> None:
        self._noise = (self._noise + b" " + noise.strip()).strip()[-300:]

    def _heard(self) -> str:
        return self._noise.decode("utf-8", "replace")


def _fields(line: str) -> dict[str, str]:
    """The fields of a control line; the last one may be a path with blanks in it."""
    path = ""
    for last in ("root", "cwd"):
        line, found, value = line.partition(f" {last}=")
        if found:
            path, name = value, last
            break
    fields = dict(word.partition("=")[::2] for word in line.split())
    return fields | {name: path} if path else fields


async def ask(target: Target, body: bytes, key: str) -> dict[str, str]:
    """The control lines of a call, up to the one with `key`; took: seconds until then."""
    said: dict[str, str] = {}
    async with Call(target, body) as call:
        while key not in said:
            item = await call.next()
            if isinstance(item, dict):
                said |= item
        return said | {"took": str(time.monotonic() - call.sent)}


def call_line(function: str, *arguments: object) -> bytes:
    words = [function, *(shlex.quote(str(argument)) for argument in arguments), "=END="]
    return " ".join(words).encode("utf-8", "surrogateescape") + b"\n"


@cache
def library() -> bytes:
    """job.sh without its comments: they need not travel. It defines, and runs nothing."""
    text = resources.files("cockpit.target").joinpath("job.sh").read_bytes()
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if line.strip() and not line.lstrip().startswith(b"#"))


def cksum(data: bytes) -> str:
    """What POSIX `cksum` prints: a CRC-32 of its own kind, and the length.

    It is zlib's from zero on, with every bit the other way round.
    """
    length = len(data)
    data += length.to_bytes((length.bit_length() + 7) // 8, "little")
    crc = zlib.crc32(data.translate(_MIRRORED), 0xFFFFFFFF)
    return f"{int(f'{crc:032b}'[::-1], 2)} {length}"


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
