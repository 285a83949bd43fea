"""Imports what a key may ask for later: none waits for it, nor for files that were upgraded since.

A cockpit that is upgraded while it runs would else join its own code with another version's.
"""

from __future__ import annotations

import asyncio
import pkgutil
from importlib import import_module
from typing import Final

import cockpit
import screens

_BEGINS_AFTER_S: Final = 3.0
_REST_S: Final = 0.01
# What commands of their own need; and what costs much, and is there where a host is reached by it.
_LEFT_OUT: Final = (
    "cockpit.cli",
    "cockpit.junit",
    "cockpit.target.openssh",
    "cockpit.target.ssh",
)


def names() -> list[str]:
    """The modules that are imported ahead."""
    found = (
        module.name
        for package in (screens, cockpit)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    )
    return [name for name in found if not name.startswith(_LEFT_OUT)]


async def load() -> None:
    """Imports them one by one, beside the loop, once what is on the screen has come to rest."""
    await asyncio.sleep(_BEGINS_AFTER_S)
    for name in await asyncio.to_thread(names):
        await asyncio.to_thread(import_module, name)
        await asyncio.sleep(_REST_S)
    from cockpit.target import job_call, session

    await asyncio.to_thread(job_call.library)
    await asyncio.to_thread(session.texts)
