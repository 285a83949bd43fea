"""The shortcut through markdown-it finds the very blocks that its own rules find."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cockpit.runbook import blocks

BLOCKS = "- |* |+ |1. |2) |12. |> |# |## |#|```|~~~|---|***|___|===|=|-|    |  |\t| |\n|\n|\n\n"
WORDS = "foo|bar|**b**|*i*|_u_|`c`|[x]|[x]: /u|[x]:|<div>|</div>|<!-- c -->|é|\\|!|1|10 b|- [ ] |>"
TABLES = ["|", "|", "a | b", "|---|---|", "---|---", ":-"]
PIECES = [*BLOCKS.split("|"), *WORDS.split("|"), *TABLES]


PLAIN = MarkdownIt("commonmark").enable("table")


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=18))
@example(["a | b", "\n", "---|---", "\n", "1 | 2"])
@example(["- ", "foo", "\n", "---"])
@example(["foo", "\n", "bar", "\n", "==="])
@example(["> ", "foo", "\n", "bar", "\n", "- ", "x"])
@example(["* ", "* ", "*"])
@example(["> ", "foo", "\n"])
@example(["# ", "foo", " ", "#", "\n", "## ", "#"])
def test_every_block_is_the_same_with_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_markdown", lambda: PLAIN)
        without = blocks.read(text)
    assert blocks.read(text) == without
