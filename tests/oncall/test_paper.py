"""cockpit print: all on paper, nothing cut, nothing that runs, whom to call first."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.cli import main
from cockpit.config import Config
from cockpit.oncall import paper, paper_page
from cockpit.oncall.model import Contact, Handbook, Level, Vendor
from cockpit.oncall.paper_page import BOX
from cockpit.runbook import parse
from cockpit.runbook.library import shipped
from cockpit.text import Safe
from tests.lab.fixtures import not_tested

MADE = datetime(2026, 11, 22, 3, 4, tzinfo=UTC)
EXAMPLES = int(os.environ.get("COCKPIT_PAPER_EXAMPLES", "100"))
BOOKS = int(os.environ.get("COCKPIT_PAPER_BOOKS", "1"))
"""How many of the shipped runbooks are made a PDF of; there are 7."""
LADDER = (
    Level(
        1,
        Safe("Primary"),
        (Contact(Safe("Ana Müller"), Safe("+49 30 123-4567"), Safe("@ana")),),
        respond=900,
    ),
    Level(2, Safe("Lead"), (Contact(Safe("Bo <b>"), missing=("phone",)),), respond=1800),
)


class Parts(HTMLParser):
    """The tags, attributes and texts of an HTML file."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.texts: list[str] = []
        self.broken: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.broken += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "br", "hr"):
            self._open.append(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.broken.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, name: str) -> set[str]:
        return {value for found, value in self.attributes if found == name}


def printed(tmp_path: Path, handbook: Handbook | None = None, **books: str) -> str:
    """The HTML of these runbooks, by name and text."""
    folder = tmp_path / "books"
    folder.mkdir(exist_ok=True)
    for name, text in books.items():
        (folder / f"{name}.md").write_text(text)
    stack = paper.gather(Config(runbooks=(folder,)), handbook or Handbook())
    return paper.html(stack, MADE)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


HOSTILE = """\
# Title <script>alert(1)</script> <img src=http://evil/x onerror=alert(1)>
<script>alert(2)</script>

<details><summary>More</summary><b onclick="x()">inside</b></details>
<style>body { display: none }</style> <iframe src="http://evil/"></iframe>

[a](javascript:alert(3)) [b](data:text/html,x) [c](file:///etc/passwd) [d](//evil/x)
[e](JaVaScRiPt:alert`1`) [f](http://good.example/?a=1&b="2) ![alt <b>](http://evil/track.png)
[g][ref] <https://auto.example> <vbscript:x> [h](tel:+4930123) [i](other.md) [j](nothere.md)

[k](gone%1b%e2%80%ae.md) &#x202e; &#27; &lt;script&gt;

[ref]: javascript:alert(4) "title' onmouseover='x"

| a | <script>t</script> |
|---|---|
| <svg onload=x> | `</code><script>` |

```bash
# </pre><script>alert(5)</script>
echo "</pre><img src=x>" \x1b]52;c;aGk=\x07 \u202e
```
"""


def test_nothing_in_a_runbook_can_run_load_or_leave_its_place(tmp_path: Path) -> None:
    printed(tmp_path, hostile=HOSTILE, other="# Other\n")
    (tmp_path / "books" / 'a";}<b>*{display:none}.md').write_text("# Odd name\n")
    html = printed(tmp_path)
    parts = Parts(html)
    assert not parts.tags & {"script", "img", "iframe", "svg", "b", "details", "summary", "link"}
    assert {name for name, _ in parts.attributes} <= {
        "lang", "charset", "name", "content", "http-equiv", "id", "class", "href", "start",
    }  # fmt: skip
    links = {one for one in parts.values("href") if not one.startswith("#")}
    assert links == {"http://good.example/?a=1&b=%222", "https://auto.example", "tel:+4930123"}
    said = "".join(parts.texts)
    assert "[picture: alt <b>]" in said
    assert "inside" in said
    assert "(nothere.md)" in said
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "</style><" not in html.replace("</style></head>", "")
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "display:none" not in squeezed(style)
    assert not re.search(r"url\((?!\)| ?page)", style.replace("attr(href url)", ""))


PIECES = st.sampled_from(
    ["# ", "## ", "- ", "- [ ] ", "1. ", "0. ", "> ", "```bash\n", "```\n", "~~~\n", "    ", "\t",
     "| a | b |\n", "|---|---|\n", "<div>", "</section>", "<!--", "-->", "<br>", "[x](#x)",
     "![p](q)", "[y](", ")", "`", "**", "docker restart <X>\n", "rm -rf / \\\n", "cat <<END\n",
     "END\n", "$ ls\n", "&#x202e;", "&lt;", "\n", "\n\n", "---\n", "title: x\n", "____",
     "\x1b[31m", "\u202e", "é", "API_KEY=.*", "password: hunter22x"]
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=30).map("".join))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_text_becomes_whole_html_that_shows_it_and_does_nothing(text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "any.md"
        file.write_bytes(text.encode("utf-8", "replace"))
        try:
            found = paper_page.read(file, "p1", paper_page.Secrets(b"salt"))
        except parse.Unreadable:
            return
        html = paper_page.page(found, {}).html
    parts = Parts(html)
    assert parts.broken == [], html
    assert {name for name, _ in parts.attributes} <= {"id", "class", "href", "start"}
    assert not parts.tags & {"section", "script"}
    assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in html if char != "\n")


def test_every_link_inside_leads_to_a_place(tmp_path: Path) -> None:
    html = printed(
        tmp_path,
        a="# A\n## Same\n## Same\nSee [B](b.md), [there](#same-1), [nowhere](#gone).\n",
        b="# B\n### Deep\n[A](./a.md#same)\n",
    )
    parts = Parts(html)
    inside = {one[1:] for one in parts.values("href") if one.startswith("#")}
    assert inside <= parts.values("id")
    assert {"p1", "p2", "p1-same", "p1-same-1"} <= inside
    assert "nowhere <span" in html, "a link that leads nowhere is plain text"


def test_every_command_of_the_shipped_runbooks_is_there_with_its_risk_in_words() -> None:
    stack = paper.gather(Config(), Handbook(path=str(shipped() / "ON_CALL.md")))
    html = paper.html(stack, MADE)
    assert len(stack.runbooks) == 7
    risks = {"read": "reads", "change": "CHANGES", "destroy": "DESTROYS"}
    blocks = re.findall(r'<div class="command (\w+)[^>]*>(.*?)</div>', html, re.DOTALL)
    texts = [(risk, squeezed("".join(Parts(block).texts))) for risk, block in blocks]
    count = 0
    for page in stack.pages:
        book = parse.read(page.source.path)
        for _, _, command in book.commands():
            if command.source == "inline":
                continue
            words = squeezed(page_text(command.text))
            assert any(
                risk == command.risk and words in page_text(said) and said.startswith(risks[risk])
                for risk, said in texts
            ), command.text
            count += 1
    assert count > 150


def page_text(text: str) -> str:
    """Without what stands for a secret, and what it stands for: the shipped ones have examples."""
    return re.sub(r"=(?:\[REDACTED:[^\]]*\]|(?:whsec_)?wrong/)", "=", text)


def test_a_command_with_gaps_is_marked_and_has_lines_to_write_on(tmp_path: Path) -> None:
    html = printed(
        tmp_path, a="# A\n## Recovery\n```bash\ndocker restart <CONTAINER>; tail $LOG\n```\n"
    )
    assert "CHANGES: docker restart" in html
    assert "<mark>&lt;CONTAINER&gt;</mark>" in html
    assert "<mark>$LOG</mark>" in html
    assert html.count('<p class="fill">') == 2
    assert '<span class="blank">' in html


def test_steps_and_tasks_have_a_box_each_to_tick_by_pen(tmp_path: Path) -> None:
    html = printed(
        tmp_path, a="# A\n## Diagnosis\n### Step 1: Look\nAt it.\n\n- [ ] one\n- [x] two\n- three\n"
    )
    assert f'<h3 id="p1-step-1-look">{BOX}Step 1: Look' in html
    assert f'<li class="task">{BOX}one' in html
    assert f'<li class="task">{BOX}two' in html
    assert "<li>three" in html


def test_secrets_are_left_out_and_patterns_stay(tmp_path: Path) -> None:
    key = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    html = printed(
        tmp_path,
        a=f"# A\n```bash\ncurl -u {key}: https://api.example\n"
        f"sed -i 's/^API_KEY=.*/API_KEY=Zx81kq0PwmT5/' .env\ngrep -o '^API_KEY=.*' .env\n```\n",
    )
    assert key not in html
    assert "Zx81kq0PwmT5" not in html
    assert "s/^API_KEY=.*/API_KEY=<mark>[REDACTED:" in html
    assert unescape("grep -o &#x27;^API_KEY=.*&#x27; .env") in unescape(html)


def test_whom_to_call_stands_first_with_lines_for_what_nobody_filled_in(tmp_path: Path) -> None:
    vendor = Vendor(Safe("Stripe"), have_ready=(Safe("account id"),), missing=("account",))
    book = Handbook(levels=LADDER, criteria=(Safe("a P0"),), vendors=(vendor,))
    html = printed(tmp_path, book, a="# Runbook A\n")
    said = " ".join(Parts(html.partition("<body>")[2]).texts)
    assert said.index("Ana Müller") < said.index("Runbook A")
    assert '<a class="bare" href="tel:+49301234567">+49 30 123-4567</a>' in html
    assert "Bo &lt;b&gt;" in html
    assert '<mark>phone?</mark> <span class="blank">' in html
    assert f"{BOX}account id" in html
    assert paper.gaps(LADDER) == 1


# As a PDF


@pytest.fixture
def pdftotext(request: pytest.FixtureRequest) -> str:
    found = shutil.which("pdftotext")
    if not found:
        not_tested(request, "the text of a PDF", ["pdftotext is not installed"])
    return found


def as_pdf(tmp_path: Path, pdftotext: str, html: str) -> tuple[list[str], str]:
    """The pages of the HTML as a PDF, with where each word stands; and all text but the footers."""
    (tmp_path / "out.pdf").write_bytes(paper.pdf(html))
    done = subprocess.run(
        [pdftotext, "-bbox", str(tmp_path / "out.pdf"), "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    pages = done.stdout.split("<page ")[1:]
    said = ""
    for page in pages:
        width, height = map(float, re.findall(r'(?:width|height)="([\d.]+)"', page)[:2])
        assert width <= 595.3, "no wider than A4"
        assert height <= 792.1, "no higher than Letter"
        for left, top, right, bottom in words(page):
            assert left > 20 and right < width - 20, page
            assert top > 20 and bottom < height - 20, page
        inside = unescape(" ".join(re.findall(r"<word [^>]*>(.*?)</word>", page)))
        said += squeezed(re.sub(r"(?:\S+ · sha256 \w+ · )?made \S+ \S+ UTC [^·]*$", "", inside))
    return pages, said


def test_on_paper_nothing_is_cut_and_each_page_says_what_it_is(
    tmp_path: Path, pdftotext: str
) -> None:
    long = "echo " + " ".join(f"word{number}" for number in range(60))
    solid = "cat /" + "x" * 400
    cell = "y" * 300
    wide = (
        f"# Wide\n## Diagnosis\n```bash\n{long}\n{solid}\n```\n| a | b |\n|---|---|\n"
        f"| {cell} | `{cell}` |\n\nSee [Disk](disk.md).\n"
    )
    disk = "# Disk Space Full\n" + "## Look\n```bash\ndf -h\n```\n" * 20
    html = printed(tmp_path, Handbook(levels=LADDER), disk=disk, wide=wide)
    pages, said = as_pdf(tmp_path, pdftotext, html)
    for whole in (long, solid, cell):
        assert squeezed(whole) in said
    assert said.count("df-h") == 20
    (number,) = re.findall(r"SeeDisk\(page(\d+)\)", said)
    there = " ".join(unescape(re.sub(r"<[^>]*>", " ", pages[int(number) - 1])).split())
    assert "Disk Space Full" in there
    sha = hashlib.sha256(disk.encode()).hexdigest()[:12]
    after = " ".join(unescape(re.sub(r"<[^>]*>", " ", pages[int(number)])).split())
    for page in (there, after):
        assert f"disk.md · sha256 {sha} · made 2026-11-22 03:04 UTC" in page


def test_the_commands_of_a_shipped_runbook_are_whole_on_paper(
    tmp_path: Path, pdftotext: str
) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    for book in sorted(shipped().glob("0*.md"), reverse=True)[:BOOKS]:
        shutil.copy(book, folder)
    stack = paper.gather(Config(runbooks=(folder,)), Handbook(levels=LADDER))
    assert len(stack.pages) == BOOKS
    _, said = as_pdf(tmp_path, pdftotext, paper.html(stack, MADE))
    for page in stack.pages:
        for _, _, command in page.source.runbook.commands():
            if command.source == "fence" and command.text.count("\n") < 3:
                assert squeezed(command.text) in said, command.text


def words(page: str) -> Iterator[tuple[float, ...]]:
    for found in re.finditer(
        r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)"', page
    ):
        yield tuple(map(float, found.groups()))


# The command


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["print", *arguments])


def own(tmp_path: Path, **books: str) -> None:
    """A team's own, with a handbook that is soon printed."""
    (tmp_path / "cockpit.yaml").write_text("handbook: ON_CALL.md\n")
    (tmp_path / "ON_CALL.md").write_text("# On call\n")
    (tmp_path / "runbooks").mkdir()
    for name, text in books.items():
        (tmp_path / "runbooks" / f"{name}.md").write_text(text)


def test_a_broken_runbook_is_named_and_the_rest_is_printed(tmp_path: Path) -> None:
    own(tmp_path, good="# Good one\n", bad="")
    (tmp_path / "runbooks" / "binary.md").write_bytes(b"\0\1\2")
    done = call("out")
    assert done.exit_code == 1
    assert re.search(r"Not in it: .*bad\.md is empty", done.output)
    assert re.search(r"Not in it: .*binary\.md is a binary file", done.output)
    html = (tmp_path / "out" / paper.HTML).read_text()
    assert "Good one" in html
    assert "bad.md is empty" in html
    assert (tmp_path / "out" / paper.PDF).read_bytes().startswith(b"%PDF")


def test_it_writes_over_its_own_files_and_over_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, one="# One\n")
    assert call("out").exit_code == 0
    (tmp_path / "runbooks" / "one.md").write_text("# Another\n")
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert call("out").exit_code == 0
    assert "Another" in (tmp_path / "out" / paper.HTML).read_text()
    assert (tmp_path / "out" / paper.HTML).stat().st_mode & 0o777 == 0o600
    pdf = tmp_path / "out" / paper.PDF
    paper.write(pdf, pdf.read_bytes())
    for name in (paper.HTML, paper.PDF):
        foreign = tmp_path / f"of-others-{name}"
        foreign.write_text("mine")
        with pytest.raises(paper.NotOurs, match="not made by cockpit print"):
            paper.write(foreign, b"ours")
        assert foreign.read_text() == "mine"
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / paper.HTML).symlink_to(tmp_path / "cockpit.yaml")
    done = call("taken")
    assert done.exit_code == 2
    assert "not made by cockpit print" in done.output
    (tmp_path / "a-file").write_text("")
    done = call("a-file")
    assert done.exit_code == 2
    assert "a-file" in done.output


def test_without_the_extra_there_is_html_and_one_line_that_says_how_to_get_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, one="# One\n")
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    done = call("out")
    assert done.exit_code == 0
    assert [line for line in done.output.split("\n") if "cockpit[pdf]" in line]
    assert "One" in (tmp_path / "out" / paper.HTML).read_text()
    assert not (tmp_path / "out" / paper.PDF).exists()
    assert call("out", "--pdf").exit_code == 1
