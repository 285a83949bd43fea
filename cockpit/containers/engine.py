"""Docker Engine API over a unix socket, tcp+tls, or through the ssh link."""

from __future__ import annotations

import asyncio
import builtins
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from cockpit import text
from cockpit.containers import address as addresses
from cockpit.containers import bodies
from cockpit.containers.address import Address, BadAddress
from cockpit.containers.reach import Unreachable, Way
from cockpit.containers.wire import Event, Inspected, Listed, Stats, Version
from cockpit.target.target import LinkDown, LinkLost, LinkState, Local, Target
from cockpit.text import Safe

if TYPE_CHECKING:
    import httpx

OLDEST: Final = (1, 41)
NEWEST: Final = (1, 47)
ANSWER_WITHIN: Final = 5.0
PODMAN_QUIET: Final = 1.0
LONGEST_ANSWER: Final = 1 << 26
LONGEST_LINE: Final = 1 << 20
EVENTS: Final = (
    *("create", "start", "restart", "die", "oom", "health_status"),
    # Of one that waits to be restarted, a stop is told and no death.
    *("kill", "stop", "pause", "unpause", "rename", "update", "destroy"),
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_IN_PODMAN: Final = {"die": "died", "destroy": "remove"}
T = TypeVar("T")


class EngineTrouble(Exception):
    """The engine does not give what was asked; the message says why and what to do."""


class NoSuchContainer(EngineTrouble):
    """The container is not, or no longer, there."""


class Engine:
    """The Docker engine of a target.

    docker: the `docker` key of the host: a socket path or URL, "" for the default. silence: why it
    says nothing though its connections stand, as whoever watches it found; "" while it answers.
    Every method raises EngineTrouble and nothing else, also when the link is lost. Nothing is
    connected before the first call.
    """

    def __init__(self, target: Target, docker: str = "") -> None:
        self.target = target
        self.where = Safe(text.clean_line(target.name))
        self.version_text = Safe("")
        self.silence = Safe("")
        self._docker = docker
        self._found: Address | None = None
        self._way: Way | None = None
        self._client: httpx.AsyncClient | None = None
        self._api = ""
        self._clock_ahead = timedelta()
        self._podman = False
        self._turn = asyncio.Lock()

    async def version(self) -> Version:
        """What the engine is; settles the API version that all other calls use."""
        heads: dict[str, str] = {}
        await self._fetch("/_ping", heads=heads)
        podman = heads.get("libpod-api-version", "")
        if podman:  # which takes seconds over /version, as it looks up packages
            got = Version(podman, heads.get("api-version", ""))
        else:
            got = _decode(await self._fetch("/version", heads=heads), Version, self.where)
        self._set_clock(heads.get("date", ""))
        self._api = _api_version(got, self.where)
        self._podman = bool(podman)
        self.version_text = text.clean_line(got.version)
        return got

    async def ping(self) -> None:
        """Return when the engine has answered anything."""
        await self._fetch("/_ping")

    async def list(self, all: bool = True) -> tuple[Listed, ...]:
        """All containers, or the running ones, in one request."""
        body = await self._get("/containers/json", {"all": str(int(all))})
        return _decode(body, tuple[Listed, ...], self.where)

    async def inspect(self, container: str) -> Inspected:
        """One container, by id or name. Raises NoSuchContainer."""
        return _decode(await self.inspect_raw(container), Inspected, self.where)

    async def inspect_raw(self, container: str) -> bytes:
        """The JSON of `inspect` as the engine sent it."""
        return await self._get(f"/containers/{_known(container)}/json")

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The answer to a GET that only a detail wants, as the engine sent it."""
        return await self._get(path, query)

    async def stats(self, container: str) -> Stats:
        """The counters of one container now, without the second that the engine else waits."""
        path = f"/containers/{_known(container)}/stats"
        body = await self._get(path, {"stream": "0", "one-shot": "1"})
        got = _decode(body, Stats, self.where)
        return _by_the_clock(got) if self._podman else got

    async def stats_stream(self, container: str, nth: int = 1) -> AsyncGenerator[Stats, None]:
        """The counters of one container until it is removed: twice, then every `nth` second."""
        decode = msgspec.json.Decoder(Stats).decode
        path = f"/containers/{_known(container)}/stats"
        await self._versioned(path)
        while self._podman:  # whose stream rests five seconds after each
            yield await self.stats(container)
            await asyncio.sleep(nth)
        number = 0
        async with self._stream(path, {"stream": "1"}) as chunks:
            async for line in _lines(chunks):
                number += 1
                if number == 1 or number % nth == 0:
                    yield _guarded(decode, line, self.where)

    async def events_stream(
        self,
        since: datetime,
        *,
        until: datetime | None = None,
        container: str = "",
        events: Iterable[str] = EVENTS,
    ) -> AsyncGenerator[Event, None]:
        """What happens to containers, from `since` on the engine's clock, for ever.

        Old events that the engine still knows come first, the 256 newest of any kind at most.
        Commands run in a container by health checks are left out by the engine. until: when it
        ends, on the same clock; None never.
        """
        await self._versioned("/events")
        wanted = {_IN_PODMAN.get(event, event) for event in events} if self._podman else set[str]()
        filters: dict[str, list[str]] = {"type": ["container"], "event": [*{*events, *wanted}]}
        if container:
            filters["container"] = [container]
        query = {
            "since": f"{since.timestamp():.6f}",
            "filters": msgspec.json.encode(filters).decode(),
        }
        # Podman ends at `until` before it has told all; so it is left when it says no more.
        quiet = PODMAN_QUIET if self._podman and until is not None else None
        if until is not None and quiet is None:
            query["until"] = f"{until.timestamp():.6f}"
        decode = msgspec.json.Decoder(Event).decode
        ours = {theirs: ours for ours, theirs in _IN_PODMAN.items()}
        async with self._stream("/events", query) as chunks:
            async for line in until_quiet(_lines(chunks), quiet):
                event = _guarded(decode, line, self.where)
                if quiet and until and event.time_ns > until.timestamp() * 1e9:
                    return
                action = ours.get(event.action)
                yield msgspec.structs.replace(event, action=action) if action else event

    async def logs(
        self,
        container: str,
        *,
        follow: bool,
        since: int = 0,
        until: int = 0,
        tail: int | None = None,
        timestamps: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a log as the engine sends them: framed, or raw when it has a terminal.

        since, until: nanoseconds UTC on the engine's clock, 0 for the start and for the end. tail:
        at most that many of the newest lines, counted before until leaves any out; None for all.
        Ends when the container stops.
        """
        query = {
            "follow": str(int(follow)),
            "stdout": "1",
            "stderr": "1",
            "timestamps": str(int(timestamps)),
            "tail": "all" if tail is None else str(tail),
        }
        if since:
            query["since"] = f"{since // 10**9}.{since % 10**9:09d}"
        if until:
            query["until"] = f"{until // 10**9}.{until % 10**9:09d}"
        path = f"/containers/{_known(container)}/logs"
        async with self._stream(path, query, endless=follow) as chunks:
            async for chunk in chunks:
                yield chunk

    async def service_logs(
        self, service: str, *, follow: bool, since: int = 0, tail: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The log of a swarm's service, framed; before each message stands which task wrote it.

        As of `logs`, but tail counts for each task by itself, and their lines come as each node
        sends them. Ends, when followed, with the connection alone.
        """
        query = {
            "follow": str(int(follow)),
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "details": "1",
            "tail": "all" if tail is None else str(tail),
        }
        if since:
            query["since"] = f"{since // 10**9}.{since % 10**9:09d}"
        path = f"/services/{_known(service)}/logs"
        async with self._stream(path, query, endless=follow) as chunks:
            async for chunk in chunks:
                yield chunk

    async def named(self, names: Iterable[str]) -> builtins.list[str]:
        """The containers that go by one of these names or Compose services; all for "*"."""
        wanted = set(names)
        found = []
        for row in await self.list():
            own = {row.id, row.id[:12], *(name.lstrip("/") for name in row.names or ())}
            own.add((row.labels or {}).get("com.docker.compose.service", ""))
            if "*" in wanted or own & wanted:
                found.append((row.names or [row.id])[0].lstrip("/"))
        return found

    @property
    def through(self) -> str:
        """The command that carries the connection, "" when the socket itself does.

        Every connection then is a process and a session on the host: short requests share one.
        """
        return self._way.command if self._way else ""

    @property
    def tail_tears(self) -> bool:
        """Whether a log of which the newest lines are asked for may lack some after those.

        Podman reads them, and then goes on at what meanwhile is the end. Known after `version`.
        """
        return self._podman

    @property
    def far_command(self) -> str:
        """The docker command that reaches this engine on the target; "" when it is not there."""
        if self._way is None:
            return ""
        return self._way.podman if self._podman else self._way.docker

    @property
    def link_trouble(self) -> Safe:
        """Why the host cannot be reached now, "" while it can."""
        link = self.target.link
        if link.state.usable:
            return Safe("")
        if link.state is LinkState.CONNECTING:
            return Safe(f"Not yet connected to {self.where}.")
        return Safe(f"The link to {self.where} is {link.state}: {self._why(link.reason)}")

    def _why(self, reason: str) -> Safe:
        """Why the link is gone, without the name of the host, which has been said."""
        return text.clean_line(reason.removeprefix(f"{self.where}: "))

    def now(self) -> datetime:
        """The engine's clock, within about a second."""
        return datetime.now(UTC) + self._clock_ahead

    async def close(self) -> None:
        """Close every connection; the next call opens one again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        return await self._fetch(await self._versioned(path), query)

    async def _fetch(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        heads: dict[str, str] | None = None,
    ) -> bytes:
        """The whole answer; heads takes the fields before it."""
        way = await self._reach()
        if way is None or self.through:
            async with self._answer(path, query) as response:
                if heads is not None:
                    heads.update(response.headers)
                return await response.aread()
        # A connection of its own and no httpx: a fourth of the processor time, and no second
        # before the first list that importing it may take.
        asked = f"{path}?{urlencode(query)}" if query else path
        parts, size = [], 0
        with self._told():
            async with aclosing(
                bodies.get(way.dial, asked, ANSWER_WITHIN, ANSWER_WITHIN, heads)
            ) as body:
                async for part in body:
                    parts.append(part)
                    size += len(part)
                    if size > LONGEST_ANSWER:
                        raise _no_docker(parts[0], self.where)
        return b"".join(parts)

    @asynccontextmanager
    async def _stream(
        self, path: str, query: Mapping[str, str], *, endless: bool = True
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        whole = await self._versioned(path)
        way = await self._reach()
        if way is None:
            async with self._answer(whole, query, endless=endless, alone=True) as response:
                yield response.aiter_raw()
            return
        patience = None if endless else ANSWER_WITHIN
        asked = f"{whole}?{urlencode(query)}"
        with self._told():
            async with aclosing(bodies.get(way.dial, asked, ANSWER_WITHIN, patience)) as body:
                yield body

    async def _versioned(self, path: str) -> str:
        if not self._api:
            await self.version()
        return f"/v{self._api}{path}"

    @asynccontextmanager
    async def _answer(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        endless: bool = False,
        alone: bool = False,
    ) -> AsyncIterator[httpx.Response]:
        """The answer to a GET, checked.

        alone: it takes long, and keeps its connection from others meanwhile.
        """
        client = self._client or await self._connect()
        import httpx

        patience = httpx.Timeout(ANSWER_WITHIN, read=None if endless else ANSWER_WITHIN)
        # Where a connection is a session of sshd, which lets few in, short requests share one.
        turn = self._turn if self.through and not alone else nullcontext()
        asked = client.stream("GET", path, params=query, timeout=patience)
        with self._told():
            try:
                async with turn, asked as response:
                    if response.status_code != 200:
                        raise _refused(response.status_code, await response.aread(), self.where)
                    yield response
            except httpx.TimeoutException as late:
                raise TimeoutError from late
            except httpx.ConnectError as closed:
                raise EngineTrouble(
                    f"No Docker at {client.base_url}: {text.clean_line(str(closed))}. "
                    "Check docker: in cockpit.yaml, or $DOCKER_HOST and the docker context."
                ) from closed
            except httpx.HTTPError as broken:
                raise ConnectionError(str(broken)) from broken

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every way in which a request can fail becomes an EngineTrouble."""
        try:
            yield
        except (LinkLost, LinkDown) as lost:
            why = self._why(str(lost) or "it is dialed again by itself")
            state = "down" if isinstance(lost, LinkDown) else "lost"
            raise EngineTrouble(f"The link to {self.where} is {state}: {why}") from lost
        except bodies.Refused as refused:
            raise _refused(refused.status, refused.body, self.where) from refused
        except TimeoutError as late:
            raise EngineTrouble(
                self.link_trouble
                or f"Docker at {self.where} has not answered within {ANSWER_WITHIN:.0f} s. "
                "If it stays so, look at it there: systemctl status docker"
            ) from late
        except Unreachable as closed:
            raise EngineTrouble(str(closed)) from closed
        except OSError as broken:
            raise EngineTrouble(
                f"Docker at {self.where} ended the connection. It is asked again by itself."
            ) from broken

    async def _reach(self) -> Way | None:
        """The way to a socket of the host; None where the engine is reached by tcp."""
        if self._found is None:
            try:
                here = isinstance(self.target, Local)
                found = await asyncio.to_thread(addresses.find, self._docker, local=here)
            except BadAddress as wrong:
                raise EngineTrouble(text.clean_line(str(wrong))) from wrong
            if self._found is None:
                self._found = found
                if found.path:
                    self._way = Way(self.target, found, chosen=bool(self._docker))
        return self._way

    async def _connect(self) -> httpx.AsyncClient:
        await self._reach()
        try:
            await asyncio.to_thread(_import_httpx)
            if self._client is None:
                self._client = self._client_for()
        except OSError as wrong:  # ssl.SSLError is one
            why = text.clean_line(str(wrong))
            raise EngineTrouble(
                f"The certificates for Docker cannot be used: {why}. "
                "See $DOCKER_CERT_PATH, or the docker context."
            ) from wrong
        return self._client

    def _client_for(self) -> httpx.AsyncClient:
        import httpx

        from cockpit.containers.transport import NO_LIMIT, DialedTransport

        found = self._found
        assert found is not None
        if self._way is not None:
            transport: httpx.AsyncHTTPTransport = DialedTransport(self._way.dial)
            base = "http://docker"
        else:
            transport = httpx.AsyncHTTPTransport(
                verify=_tls(found), trust_env=False, limits=NO_LIMIT
            )
            base = found.url
        return httpx.AsyncClient(
            transport=transport,
            base_url=base,
            trust_env=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "cockpit"},
        )

    def _set_clock(self, date: str) -> None:
        try:
            ahead = parsedate_to_datetime(date) - datetime.now(UTC)
        except (ValueError, TypeError):  # of a date without its zone
            return
        # The header counts whole seconds: less than two apart is no difference.
        self._clock_ahead = ahead if abs(ahead) > timedelta(seconds=2) else timedelta()


def _import_httpx() -> None:
    """Off the event loop: it takes long the first time."""
    import cockpit.containers.transport  # noqa: F401


def _decode(body: bytes, kind: type[T], where: str) -> T:
    return _guarded(lambda data: msgspec.json.decode(data, type=kind), body, where)


def _guarded(decode: Callable[[bytes], T], body: bytes, where: str) -> T:
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise _no_docker(body, where) from wrong


def _no_docker(body: bytes, where: str) -> EngineTrouble:
    begin = text.clean_line(body[:60])
    return EngineTrouble(
        f"What answers at {where} is not Docker's API: {begin!r}. Check docker: in cockpit.yaml."
    )


def _by_the_clock(got: Stats) -> Stats:
    """What Podman calls the CPU time of the whole machine leaves out when it was idle."""
    try:
        at = datetime.fromisoformat(got.read).timestamp()
    except ValueError:
        return got
    cpus = got.cpu_stats.online_cpus or len(got.cpu_stats.cpu_usage.percpu_usage or ()) or 1
    passed = msgspec.structs.replace(got.cpu_stats, system_cpu_usage=int(at * 1e9) * cpus)
    return msgspec.structs.replace(got, cpu_stats=passed)


def _refused(status: int, body: bytes, where: str) -> EngineTrouble:
    try:
        said = msgspec.json.decode(body)["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        said = f"HTTP {status}"
    sentence = text.clean_line(str(said))
    if status == 404 and "container" in sentence.lower():
        return NoSuchContainer(f"{where}: {sentence}")
    return EngineTrouble(f"Docker at {where} says: {sentence}")


def _api_version(got: Version, where: str) -> str:
    """The lower of theirs and ours, and never below their minimum."""
    theirs, least = _numbers(got.api_version), _numbers(got.min_api_version)
    if theirs < OLDEST:
        raise EngineTrouble(
            f"Docker at {where} is too old: API {text.clean_line(got.api_version)}, cockpit needs "
            f"{OLDEST[0]}.{OLDEST[1]} (Docker 20.10) or later. Update Docker there."
        )
    major, minor = max(min(theirs, NEWEST), least)
    return f"{major}.{minor}"


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def _known(container: str) -> str:
    """A name or id that can stand in a path; what could not be one is no container."""
    if not _NAME.fullmatch(container):
        raise NoSuchContainer(f"{text.clean_line(container)!r} cannot be the name of a container.")
    return container


def _tls(found: Address) -> ssl.SSLContext | bool:
    if found.url.startswith("http://"):
        return False
    context = ssl.create_default_context(cafile=found.ca or None)
    if not found.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.cert and found.key:
        context.load_cert_chain(found.cert, found.key)
    return context


async def until_quiet(
    lines: AsyncIterator[bytes], seconds: float | None
) -> AsyncGenerator[bytes, None]:
    """What comes until nothing did for so long; None to its end."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                line = await anext(lines)
        except (StopAsyncIteration, TimeoutError):
            return
        yield line


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines of a stream whose chunks may end anywhere."""
    held = b""
    async for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n") if held else chunk.split(b"\n")
        for line in whole:
            if line:
                yield line
        if len(held) > LONGEST_LINE:  # msgspec will say what it thinks of it
            yield held
            held = b""
