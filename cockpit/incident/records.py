"""One record, one line: how an event is written down so that damage shows.

    {"seq": 7, "id": ..., "ts": ..., ..., "kind": "note.added", "text": ..., "h": ..., "c": ...}

h is the SHA-256 of the raw bytes of the line before it in the file, which has an h of its own, so
the lines make a chain; c is the CRC-32 of the line's own bytes before `, "c"`. Both are over bytes
as they stand, never over JSON written anew. Everything is 7-bit: `cat` cannot be attacked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import zlib
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import msgspec

from cockpit.incident.events import Event, Known, Record, Unreadable

ENVELOPE = ("seq", "id", "ts", "mono", "boot", "writer", "who")
START = hashlib.sha256().digest()

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TRAILER = re.compile(rb', "h": "([0-9a-f]{64})", "c": "([0-9a-f]{8})"\}\Z')
_TRAILER_BYTES = len(', "h": "", "c": ""}') + 64 + 8


class Bad(Exception):
    """The line is no record; the message says why."""


class _Envelope(msgspec.Struct):
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    id: str
    ts: Annotated[datetime, msgspec.Meta(tz=True)]
    mono: float
    boot: str
    writer: str
    who: str
    kind: str


def _names(event: type[Event]) -> frozenset[str]:
    fields = (field.encode_name for field in msgspec.structs.fields(event))
    return frozenset((*ENVELOPE, "kind", *fields, "h", "c"))


_KINDS: dict[object, tuple[type[Event], frozenset[str]]] = {
    event.__struct_config__.tag: (event, _names(event)) for event in get_args(Known)
}


def ulid(now: datetime) -> str:
    """26 characters: 48 bits of time in ms, then 80 random ones; sorts by time."""
    number = int(now.timestamp() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def body(record: Record) -> bytes:
    """The line without its h and c, without the closing brace: the part that never changes."""
    ts = record.ts.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields: dict[str, Any] = {name: getattr(record, name) for name in ENVELOPE} | {"ts": ts}
    fields |= msgspec.to_builtins(record.event)
    return json.dumps(fields, ensure_ascii=True)[:-1].encode("ascii")


def seal(part: bytes, previous: bytes) -> bytes:
    """The whole line, without newline. previous: `digest` of the line before."""
    part += b', "h": "%s"' % previous.hex().encode()
    return part + b', "c": "%08x"}' % zlib.crc32(part)


def digest(line: bytes) -> bytes:
    """What the next line's h must be; line without newline."""
    return hashlib.sha256(line).digest()


def unseal(line: bytes) -> tuple[bytes, bytes]:
    """The body and the h of a line. Raises Bad when the line is not whole."""
    found = _TRAILER.match(line, max(0, len(line) - _TRAILER_BYTES))
    if found is None:
        raise Bad("not a whole record")
    if zlib.crc32(line[: found.end(1) + 1]) != int(found[2], 16):
        raise Bad("the checksum does not match")
    return line[: found.start()], bytes.fromhex(found[1].decode())


def decode(line: bytes) -> Record:
    """The record on a line that `unseal` took. Raises Bad when it has no readable envelope.

    A kind this version does not know, or one with fields it cannot read, becomes Unreadable.
    """
    try:
        text = line.decode("ascii")
        fields = _parse(line)
        envelope = msgspec.convert(fields, _Envelope)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise Bad(f"no readable record: {error}") from None
    kind, names = _KINDS.get(envelope.kind, (None, frozenset()))
    event: Event = Unreadable(name=envelope.kind, text=text)
    extra = ""
    if kind is not None:
        with contextlib.suppress(msgspec.ValidationError):
            event = msgspec.convert(fields, kind)
            if not fields.keys() <= names:
                extra = json.dumps({name: fields[name] for name in fields if name not in names})
    return Record(
        seq=envelope.seq,
        id=envelope.id,
        ts=envelope.ts,
        mono=envelope.mono,
        boot=envelope.boot,
        writer=envelope.writer,
        who=envelope.who,
        event=event,
        extra=extra,
    )


def _parse(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:  # half a surrogate pair: strict parsers refuse it, Python writes it
        return json.loads(line)
