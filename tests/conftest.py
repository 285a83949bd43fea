"""Shared by all tests: the async backend, and the lab's fixtures."""

import pytest

pytest_plugins = ["tests.lab.fixtures"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
