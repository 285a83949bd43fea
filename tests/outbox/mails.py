"""A real mail server that answers as a test tells it, and keeps what it took."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class Inbox:
    """What the server does with a mail. answers: to a recipient, and to the mail, by default ok."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.refuses: dict[str, str] = {}
        self.to_mail = "250 taken"
        self.hangs_up = False
        self.password = b"pw"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address not in self.refuses:
            envelope.rcpt_tos.append(address)
        return self.refuses.get(address, "250 ok")

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.to_mail.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(envelope.content)
        if self.hangs_up:
            server.transport.abort()
        return self.to_mail

    def authenticator(self, server: Any, session: Any, envelope: Any, how: str, data: Any) -> Any:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == self.password, handled=False)


@contextlib.contextmanager
def serving(
    inbox: Inbox, from_the_start: ssl.SSLContext | None = None, **more: Any
) -> Iterator[str]:
    """A mail server on a loop of its own; its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> asyncio.Server:
        return await loop.create_server(
            lambda: SMTP(inbox, loop=loop, **more), "127.0.0.1", 0, ssl=from_the_start
        )

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_ended(server), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _ended(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
