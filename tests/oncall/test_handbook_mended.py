"""What other programs did to a handbook's characters is undone; good text is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cockpit.oncall import handbook
from cockpit.oncall.mended import decode, mend

GOOD = (
    "⚠️ Größe – “quoted” … 🚨 ✅ → naïve café São ├── x, 日本語 한국어 Привет, 5 °C, ½\n"
    "Plain line\n"
    "Müller’s □ 24/7 ☑ days 👍🏽 „Ä“ €, ✔ • ◉ Δ Łódź, ελληνικά, עברית\n"
)


def mangled(text: str, encoding: str) -> str:
    """The text as a program sees it that takes its UTF-8 for another encoding."""
    if encoding == "latin-1":
        return text.encode().decode("latin-1")
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_was_mangled_is_turned_back(encoding: str, times: int) -> None:
    text = GOOD
    for _ in range(times):
        text = mangled(text, encoding)
    assert mend(text) == (GOOD, (1, 3))


def test_the_classic_with_its_lost_bytes() -> None:
    for seen in ("âš ï¸", "âš\xa0ï¸", "âš\xa0ï¸\x8f", "âš\xa0ï¸\ufffd"):
        assert mend(f"## {seen} Read first") == ("## ⚠️ Read first", (1,))
    assert mend("she said â€œnoâ€\x9d")[0] == "she said “no”"


def test_only_the_mangled_lines_of_a_file_are_touched() -> None:
    good = "日本 „Ä“ CAFÉ™ «Â» 10 °C"
    text = f"{good}\nâ€¢ GrÃ¼ÃŸe\n{good}"
    assert mend(text) == (f"{good}\n• Grüße\n{good}", (2,))


@pytest.mark.parametrize(
    "text",
    [
        "“CAFÉ” NESTLÉ® É™", "„Gruß“ ‚ß’", "AMANHÃ” IRMÃ…", "Ü–Ä—", "«Â» “Â”", "GRÜSSE‘", "À…",
        "Voilà… brouhahâ”", "ŠKODA–Ž", "naïve…", "10 °C ±5 µs ½", "Ñandú¿", "Ελλάδα", "Привет",
        "日本語", "한국어", "עברית", "🚨✅⚠️👍🏽", "Łódź Žižkov", "x²y³", "Ærø–Å", "çã õ ê", "…”’",
    ],
)  # fmt: skip
def test_good_text_that_looks_a_little_like_it_stays(text: str) -> None:
    assert mend(text) == (text, ())


WORDS = st.text(
    alphabet=st.one_of(
        st.sampled_from("äöüÄÖÜßéèêàçñåøæœšžŠŽÀÉÈÑÅØÆ‘’“”„–—…€•™©®°§«» \n"),
        st.characters(min_codepoint=0x20, max_codepoint=0x7E),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
        st.characters(min_codepoint=0x1F300, max_codepoint=0x1F64F),
        st.characters(min_codepoint=0x400, max_codepoint=0x44F),
    )
)


@settings(max_examples=400, deadline=None)
@given(WORDS)
@example("CAFÉ”É”É”")
def test_text_of_any_language_is_unchanged(text: str) -> None:
    assert mend(text) == (text, ())
    assert decode(text.encode()) == (text, ())


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_what_is_mended_is_not_mended_again(text: str) -> None:
    once, _ = mend(mangled(text, "cp1252"))
    assert mend(once)[0] == once


@pytest.mark.parametrize(
    ("data", "text", "told"),
    [
        (b"\xef\xbb\xbf# Hi", "# Hi", "the file begins with a byte order mark; it was passed over"),
        ("# Hü\n".encode("utf-16"), "# Hü\n", "the file is UTF-16; save it as UTF-8"),
        ("# Hü\n".encode("utf-16-be"), "# Hü\n", "the file is UTF-16; save it as UTF-8"),
        ("# Hü\n".encode("utf-32"), "# Hü\n", "the file is UTF-32; save it as UTF-8"),
    ],
)
def test_marks_and_wide_encodings(data: bytes, text: str, told: str) -> None:
    found, (oddity,) = decode(data)
    assert (found, oddity.line, oddity.what) == (text, 1, told)


@pytest.mark.parametrize(
    ("data", "text", "line"),
    [
        (b"# One\n\ngr\xfc\xdfe \x80\n", "# One\n\ngrüße €\n", 3),
        ("# Grün\n".encode() + b"it\x92s fine\n", "# Grün\nit’s fine\n", 2),
        (b"CAF\xc9\x94 \xfc \xe4 \xf6\n", "CAFÉ” ü ä ö\n", 1),
    ],
)
def test_bytes_that_are_not_utf_8(data: bytes, text: str, line: int) -> None:
    found, (oddity,) = decode(data)
    assert (found, oddity.line) == (text, line)
    assert (
        oddity.what == "a byte that is not UTF-8 was read as Windows-1252; save the file as UTF-8"
    )


def test_what_cannot_be_turned_back_is_told() -> None:
    text, (oddity,) = decode("first\nâ€ and more".encode())
    assert text == "first\nâ€ and more"
    assert (oddity.line, oddity.what) == (
        2,
        "“â€ and m” looks mangled, and what stood there is not certain",
    )


def test_a_mangled_handbook_is_read_as_if_it_were_not(tmp_path: Path) -> None:
    good = (
        "# Bereitschaft\n\n## Kontakte und Contacts\n\n### Level 1: Büro\n\n"
        "- Name: Jürgen Groß\n- Availability: ☑ 24/7  □ Business hours\n"
    )
    (tmp_path / "good.md").write_text(good)
    (tmp_path / "bad.md").write_text(mangled(good, "cp1252"))
    want, got = (handbook.read(tmp_path / name) for name in ("good.md", "bad.md"))
    assert got.levels == want.levels
    assert got.levels[0].contacts[0].name == "Jürgen Groß"
    assert got.levels[0].contacts[0].availability == "24/7"
    assert [(one.line, one.what[:41]) for one in got.oddities] == [
        (5, "UTF-8 that was read as something else was")
    ]
