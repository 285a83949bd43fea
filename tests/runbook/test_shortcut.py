"""The shortcut through markdown-it gives the very tokens that its own rules give."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cockpit.runbook import shortcut

BLOCKS = "- |* |+ |1. |2) |12. |> |# |## |#|```|~~~|---|***|___|===|=|-|    |  |\t| |\n|\n|\n\n"
WORDS = "foo|bar|**b**|*i*|_u_|`c`|[x]|[x]: /u|[x]:|<div>|</div>|<!-- c -->|é|\\|!|1|10 b|- [ ] |>"
TABLES = ["|", "|", "a | b", "|---|---|", "---|---", ":-"]
PIECES = [*BLOCKS.split("|"), *WORDS.split("|"), *TABLES]


def rules() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable("inline")


PLAIN, SHORT = rules(), rules()
shortcut.add_to(SHORT)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=18))
@example(["a | b", "\n", "---|---", "\n", "1 | 2"])
@example(["- ", "foo", "\n", "---"])
@example(["foo", "\n", "bar", "\n", "==="])
@example(["> ", "foo", "\n", "bar", "\n", "- ", "x"])
@example(["* ", "* ", "*"])
def test_every_block_is_the_same_with_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert [token.as_dict() for token in SHORT.parse(text)] == [
        token.as_dict() for token in PLAIN.parse(text)
    ]
