"""Which values of a container's environment may stand on a screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.containers import environ


@pytest.mark.parametrize(
    "entry",
    ["PATH=/usr/bin", "TZ=UTC", "LANG=C.UTF-8", "DB_HOST=db.internal", "DB_PORT=5432",
     "APP_VERSION=1.2.3", "NODE_ENV=production", "LOG_LEVEL=debug"],
)  # fmt: skip
def test_what_says_where_and_how_it_runs_is_shown(entry: str) -> None:
    assert environ.masked(entry) == entry


@pytest.mark.parametrize(
    "entry",
    ["DB_PASSWORD=hunter2", "STRIPE_KEY=sk_live_abcdefghijklmnop12345", "SECRET=x",
     "DATABASE_URL=postgres://app:hunter2@db/app", "ANYTHING_ELSE=hunter2",
     "DB_HOST=postgres://app:hunter2@db/app", "DB_HOST=//hunter2@db",
     "API_VERSION=sk_live_abcdefghijklmnop12345", "TOKEN_ENV=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
     ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"],
)  # fmt: skip
def test_what_may_be_a_secret_is_hidden_by_its_name_or_its_value(entry: str) -> None:
    name, _, value = entry.partition("=")
    assert environ.masked(entry) == f"{name}=<hidden>"
    assert value not in environ.masked(entry)


def test_an_empty_value_is_said_to_be_empty() -> None:
    assert environ.masked("DB_PASSWORD=") == "DB_PASSWORD=<empty>"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_variable_steers_a_terminal(name: str, value: str) -> None:
    (one,) = environ.read([f"{name}={value}"])
    for words in (one.name, one.value, one.words):
        assert words.isprintable()
