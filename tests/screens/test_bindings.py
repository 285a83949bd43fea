"""Every key: it can be remapped by its id, and says what it does."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from textual.binding import Binding

import screens


def bindings() -> Iterator[tuple[str, object]]:
    for found in pkgutil.walk_packages(screens.__path__, "screens."):
        module = importlib.import_module(found.name)
        for name, kind in vars(module).items():
            if isinstance(kind, type) and kind.__module__ == found.name:
                for binding in vars(kind).get("BINDINGS", ()):
                    yield name, binding


def test_every_key_has_an_id_and_says_what_it_does() -> None:
    every = list(bindings())
    assert len(every) > 100
    for name, binding in every:
        assert isinstance(binding, Binding) and binding.id and binding.tooltip, (name, binding)
