"""What reading runbooks costs, against markdown-it-py alone on the same text, in the same run.

    python benchmarks/parse.py [--files 1800] [--seed 1] [--corpus DIR]

Without a corpus the files are made of the runbooks that come with cockpit: sections drawn from them
in another order, with other names and numbers in titles, prose and commands. Every cache is emptied
before every file, so each is read as if it were the only one. CPU time of this process; the three
ways take turns at each file. `parse` is all that a Runbook holds, risk, waits, placeholders and
expectations among them: nothing is left for later. `record` adds what `runbook show --json` prints.
First imports and compiled patterns are not counted but reported. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

FILES = 1800
RUNBOOKS = Path(__file__).resolve().parents[1] / "runbooks"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
_NAME = re.compile(r"\b(?:kamiyo|aggregator|checkout|stripe|webhook|prod-1|sqlite|backup)\b")
_NUMBER = re.compile(r"(?<![\w<$#.])[1-9]\d{1,3}(?![\w.])")
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "linden")
_FIRST = "---\nseverity: P1\n---\n# T\n\n## Step 1\n\n```bash\nls $(pwd) > x\n```\n\nRun `ls -l`.\n"


def made(count: int, seed: int) -> Iterator[str]:
    """Files of which no two are alike, as long and full of commands as those they are made of."""
    chance = random.Random(seed)
    books = [path.read_text(encoding="utf-8") for path in sorted(RUNBOOKS.glob("*.md"))]
    sections = [section for book in books for section in _SECTION.split(book)[1:]]
    for number in range(count):
        book = chance.choice(books)
        chosen = chance.sample(sections, len(_SECTION.split(book)) - 1)
        text = f"# {chance.choice(_WORDS)} {number} is down\n\n" + "".join(chosen)
        for name in set(_NAME.findall(text)):
            text = text.replace(name, f"{chance.choice(_WORDS)}-{number}")
        yield _NUMBER.sub(lambda found: str(int(found[0]) + chance.randrange(9)), text)


def forget() -> None:
    """Empty every cache by which a file could be read faster for those before it."""
    from cockpit.runbook import headings, placeholders, programs, prose, shell

    for module in (headings, placeholders, programs, prose, shell):
        for function in vars(module).values():
            if hasattr(function, "cache_info") and function.cache_info().maxsize is not None:
                function.cache_clear()


def first_use() -> float:
    """Seconds of CPU for the imports and patterns of a first small runbook."""
    began = time.process_time()
    from cockpit.runbook import parse, show

    show.record(parse.parse(_FIRST, "first.md"))
    return time.process_time() - began


def measure(texts: Iterator[str]) -> dict[str, float]:
    """Seconds of CPU for all texts: markdown-it-py alone, our parse, and our parse with record."""
    from markdown_it import MarkdownIt

    from cockpit.runbook import parse, show

    markdown = MarkdownIt("commonmark").enable("table")
    ways: dict[str, Callable[[str], object]] = {
        "markdown": markdown.parse,
        "parse": lambda text: parse.parse(text, "runbook.md"),
        "record": lambda text: show.record(parse.parse(text, "runbook.md")),
    }
    markdown.parse("# warm *up*\n\n| a |\n|---|\n| `b` |\n")
    spent = dict.fromkeys(ways, 0.0)
    size = commands = files = 0
    for number, text in enumerate(texts):
        turns = [*ways] if number % 2 else [*reversed(ways)]
        for way in turns:
            forget()
            began = time.process_time()
            ways[way](text)
            spent[way] += time.process_time() - began
        size, files = size + len(text), files + 1
        commands += sum(1 for _ in parse.parse(text, "runbook.md").commands())
    return spent | {"files": files, "bytes": size, "commands": commands}


def ratios(count: int, seed: int = 1) -> tuple[float, str]:
    """How much longer parse and record take than markdown-it-py alone, and what was read."""
    first_use()
    found = measure(made(count, seed))
    beside = f"{count} files, {found['commands']:.0f} commands, parse {found['parse']:.2f} s"
    return found["record"] / found["markdown"], beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, default=None, help="Markdown files to read instead.")
    asked = parser.parse_args()
    texts = made(asked.files, asked.seed)
    if asked.corpus:
        files = sorted(asked.corpus.rglob("*.md"))[: asked.files]
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in files)
    first = first_use()
    found = measure(texts)
    print(f"first imports and patterns  {first:.2f} s")
    size = found["bytes"] / 1e6
    print(f"{found['files']:.0f} files, {size:.1f} MB, {found['commands']:.0f} commands")
    for way in ("markdown", "parse", "record"):
        print(f"{way:10} {found[way]:8.2f} s  {found[way] / found['markdown']:5.2f}")
    print(json.dumps({key: round(value, 3) for key, value in found.items()}))


if __name__ == "__main__":
    main()
