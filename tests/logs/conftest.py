"""What the tests of logs wait with."""

from tests.containers.conftest import until

__all__ = ("until",)
