"""The one door for untrusted text: clean it so that it cannot steer a terminal, then redact it."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, partial
from typing import NamedTuple

from cockpit import colours


class Safe(str):
    """Text that went through `clean`, or that is ours. The only text a screen may show."""

    __slots__ = ()


def plain(text: str) -> Safe:
    """Our own words as `Safe`: text written in our source, or composed from `Safe` parts.

    Never for text that came from a machine, a file or a person: that goes through `clean`.
    Raises ValueError when there is anything in it that is not printable, a newline excepted.
    """
    if not text.replace("\n", "").isprintable():
        raise ValueError(f"not plain text, so it needs text.clean: {text!r}")
    return Safe(text)


# ECMA-48 sequences, 7-bit and 8-bit. No part of one can contain the start of another, so that the
# search stays linear; none crosses a line; a string without its end hides only its introducer.
_COLOUR = re.compile("(?:\x1b\\[|\x9b)[0-9;:]*+m")
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f\n\r]*+(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]++[0-~]"
    "|\x1b[0-~]"
)
_SGR = re.compile("(?:\x1b\\[|\x9b)([0-9;:]*+)m")
_NOT_PLAIN = re.compile("[^ -~\n]")
_CR_BEFORE_END = re.compile("(?<!\r)\r++(?=\n|\\Z)")
_CR_RUN = re.compile("\r+")
_CUT_MARK = re.compile("…\\[\\+[0-9]+ chars\\]\\Z")
_FOREIGN_RUN = re.compile("[^\x00-\x7f]{4,}")

_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Letters and marks that draw nothing: fillers, the blank Braille cell, the grapheme joiner.
_BLANK = frozenset((0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x34F, 0x17B4, 0x17B5))
_MAX_MARKS = 3
_TAB = 8


class _Shown(dict[int, str]):
    """What stands on the screen for a code point; filled as code points are met."""

    def __init__(self) -> None:
        super().__init__({0x09: "\t", 0x0A: "\n", 0x7F: "␡"})
        self.marks: set[str] = set()

    def __missing__(self, code: int) -> str:
        shown = self[code] = self._show(code)
        return shown

    def _show(self, code: int) -> str:
        char = chr(code)
        if code < 0x20:
            return chr(0x2400 + code)
        if code in (0xFE0E, 0xFE0F):
            # Asks for a text or an emoji form; terminals disagree about the width that follows.
            return ""
        category = unicodedata.category(char)
        if (
            category in _HIDDEN
            or code in _BLANK
            or 0xFE00 <= code <= 0xFE0D
            or 0xE0100 <= code <= 0xE01EF
        ):
            return f"\\x{code:02x}" if code <= 0xFF else f"<U+{code:04X}>"
        if category == "Zs":
            return " "
        # Hangul vowels and finals join the syllable before them, as marks do.
        joins = 0x1161 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FB
        if category in ("Mn", "Me", "Mc") or joins:
            self.marks.add(char)
        return char


_shown = _Shown()


def _few_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for char in run[0]:
        marks = marks + 1 if char in _shown.marks else 0
        if marks <= _MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _cut(line: str, max_chars: int, missing: int = 0) -> tuple[str, int]:
    """The line without what is beyond max_chars, and how many characters are now missing."""
    mark = _CUT_MARK.search(line) if len(line) > max_chars else None
    if len(line) <= max_chars or (mark and mark.start() <= max_chars and not missing):
        return line, missing
    return line[:max_chars], missing + len(line) - max_chars


def _cut_lines(lines: list[str], max_chars: int, missing: dict[int, int]) -> None:
    """Cuts the lines in place and keeps how much each has lost, by index."""
    for index, line in enumerate(lines):
        if len(line) > max_chars or index in missing:
            lines[index], lost = _cut(line, max_chars, missing.get(index, 0))
            if lost:
                missing[index] = lost


def _visible(text: str, max_chars: int) -> str:
    """Every character of the text harmless, its lines cut before (less to do) and after."""
    lines = text.split("\n")
    missing: dict[int, int] = {}
    _cut_lines(lines, max_chars, missing)
    text = "\n".join(lines)
    if _NOT_PLAIN.search(text):
        text = text.translate(_shown).expandtabs(_TAB)
        if not text.isascii():
            text = _FOREIGN_RUN.sub(_few_marks, text)
        lines = text.split("\n")
        _cut_lines(lines, max_chars, missing)
    for index, lost in missing.items():
        lines[index] += f"…[+{lost} chars]"
    return "\n".join(lines)


def _decoded(raw: str | bytes) -> str:
    return raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw


def clean(raw: str | bytes, *, max_chars: int = 4096) -> Safe:
    """Foreign text, whole lines of it, made harmless to a terminal and honest to a reader.

    max_chars: where each line is cut; the line then ends in `…[+120 chars]` (characters missing,
    counted as they came). Colours vanish; every other escape sequence becomes ␛; control, bidi,
    zero-width and unassigned characters become visible (␀, \\x85, <U+202E>); no more than three
    combining marks stay in a row; tabs become blanks up to the next eighth column. CRLF is a
    newline. A carriage return inside a line, which would overwrite what stands there, becomes
    `␍` and a newline: each state of a progress bar has its line, and nothing can be hidden.
    Bytes are UTF-8; bytes that are not become `\\xff`. Linear in the input; cleaning twice
    changes nothing.
    """
    text = _decoded(raw)
    if len(text) <= max_chars and not _NOT_PLAIN.search(text):
        return Safe(text)
    if not text.isascii() or "\x1b" in text:
        text = _SEQUENCE.sub("␛", _COLOUR.sub("", text))
    if "\r" in text:
        text = _CR_RUN.sub("␍\n", _CR_BEFORE_END.sub("", text))
    return Safe(_visible(text, max_chars))


def clean_line(raw: str | bytes, *, max_chars: int = 4096) -> Safe:
    """As `clean`, for text that must stay on one line: newlines show as ␤, returns as ␍."""
    text = _decoded(raw)
    if len(text) <= max_chars and "\n" not in text and not _NOT_PLAIN.search(text):
        return Safe(text)
    text = _SEQUENCE.sub("␛", _COLOUR.sub("", text))
    return Safe(_visible(text.replace("\r\n", "\n").replace("\n", "␤"), max_chars))


class Look(NamedTuple):
    """Characters of a line that its writer coloured: from start up to end, a word of our looks."""

    start: int
    end: int
    look: str


def coloured_line(raw: str | bytes, *, max_chars: int = 4096) -> tuple[Safe, tuple[Look, ...]]:
    """As `clean_line`, and the colours that stood in it as looks of our own, in order.

    Where cleaning moved characters so that it is not sure any more what was coloured, there are
    no looks: the text is always that of `clean_line`.
    """
    text = _decoded(raw)
    safe = clean_line(text, max_chars=max_chars)
    if "\x1b" not in text and "\x9b" not in text:
        return safe, ()
    # What is cut off need not be looked at; codes take room that is not seen.
    pieces = _SGR.split(text[: 16 * max_chars])
    pen, joined = colours.PLAIN, ""
    looks: list[Look] = []
    for index, piece in enumerate(pieces):
        if index % 2:
            pen = colours.after(pen, piece)
            continue
        if not piece or len(joined) > max_chars:
            continue
        lead = " " * (len(joined) % _TAB) if "\t" in piece else ""
        shown = clean_line(lead + piece, max_chars=max_chars)[len(lead) :]
        if shown and (look := colours.look(pen)):
            start = len(joined)
            if looks and looks[-1].end == start and looks[-1].look == look:
                start = looks.pop().start
            looks.append(Look(start, len(joined) + len(shown), look))
        joined += shown
    mark = _CUT_MARK.search(safe) if len(safe) > max_chars else None
    size = min(len(joined), mark.start() if mark else len(safe))
    if joined[:size] != safe[:size]:
        return safe, ()
    cut = (Look(start, min(end, size), look) for start, end, look in looks)
    return safe, tuple(look for look in cut if look.start < look.end)


def shortened(text: str, chars: int) -> str:
    """The beginning of a line; one that is cut ends in `…`.

    The cut is never inside a mark that stands for a secret: it comes after the whole of it.
    """
    if len(text) <= chars:
        return text
    end = chars - 1
    for mark in _MARK.finditer(text):
        if mark.start() < end < mark.end():
            end = mark.end()
    return text if end == len(text) else text[:end] + "…"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def fence(text: Safe, info: str = "") -> str:
    """A markdown code block that the text cannot leave; its fence is longer than any inside.

    info: the language; anything but letters, digits and `+-_.` is dropped. Starts at a line's
    beginning and has no newline at its end.
    """
    ticks = "`" * max(3, _longest_run(text) + 1)
    language = re.sub("[^A-Za-z0-9+_.-]", "", info)
    return f"{ticks}{language}\n{text.removesuffix(chr(10))}\n{ticks}"


def code_span(text: Safe) -> str:
    """A markdown code span that the text cannot leave. Newlines show as ␤; empty shows a blank.

    Must not follow a backtick or a backslash of the surrounding line.
    """
    line = text.replace("\n", "␤") or " "
    ticks = "`" * (_longest_run(line) + 1)
    blank = not line.strip(" ")
    edges = line[0] + line[-1]
    pad = " " if not blank and ("`" in edges or edges == "  ") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


# What follows is redaction. A token starts where no letter or digit stands before it, or after an
# escape (\n, %3D) whose last letter is none of its own.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
# Also a mark that was cut before it got here, and whatever closes the words it stands in.
_DONE = re.compile(r"\[REDACTED:(?:[a-z-]+:[0-9a-f]{6}|[0-9a-z:-]*…)[\]…`.,:;!?)}]*")
_MARK = re.compile(r"\[REDACTED:[a-z-]+:[0-9a-f]{6}\]")

_NAMES = (
    r"password|passwd|passphrase|passcode|secret[_-]?id|secret|token|api[_-]?key|private[_-]?key"
    r"|(?:access|account|auth|client|encryption|master|shared|signing)[_-]?key|credentials?"
    r"|x-(?:amz|goog)-signature|(?<![a-z])pwd|(?<=[_.-])(?:pass|auth)(?![a-z])|(?<=[?&])sig"
)
# What may follow the secret word in a name when the value is about the secret, not the secret.
_ABOUT = re.compile(
    r"""(?ix) s?[_.-]? (?: age | arn | at | attempts? | budget | class | count | enabled | endpoint
    | env | error | expir\w* | fields? | files? | format | headers? | hint | ids? | invalid | issuer
    | len | lengths? | lifetime | limits? | manager | names? | path | per\w* | policy | prompt
    | provider | rate | refs? | required | rotat\w* | size | status | store | ttl | types? | url
    | usage | used | uri | version ) (?: [_.-]\w+ )?"""
)
# Values that name a secret without holding it, what programs print in its place, and what a cut
# left of the word before it.
_NO_SECRET = re.compile(
    r"""(?x) [\[{(]+ | \$[A-Z_][A-Z0-9_]* | \$\{[A-Za-z_]\w*\} | \$\(.* | \{\{.* | \*+ | [xX]{3,}
    | \.{3,} | =.* | (?i: b(?:e(?:a(?:r(?:er?)?)?)? | a(?:s(?:ic?)?)? )? )? …`?
    | (?i: true | false | null | none | nil | yes | no | undefined | empty )"""
)
_PROSE = re.compile(
    "a|an|and|are|authentication|bad|cannot|changed|denied|does|eof|error|expired|failed|flag|for"
    "|from|has|in|incorrect|invalid|is|it|malformed|missing|must|not|of|ok|on|option|or|required"
    "|requires|revoked|rotated|set|should|string|the|this|to|unauthorized|unexpected|unknown|unset"
    "|valid|value|was|which|with|wrong|you|your",
    re.IGNORECASE,
)
_NEXT_FIELD = re.compile(r"[&,;](?=[\w.-]+[=:])|[,;](?=[\"'\\])")
# A bare one ends with its line, also where lines were joined; `.*` is a pattern, not a secret.
_VALUE = (
    r"""(?:\\"(?P<escaped>[^"\n]+?)(?=\\*"|\n|\Z)|"(?P<double>(?:[^"\\\n]|\\.)++)"""
    r"""|'(?P<single>(?:[^'\\\n]|\\.)++)|(?P<bare>(?!\.\*)[^\s␤"'`<>|][^\s␤"'`<]*+))"""
)


@cache
def _assigned() -> re.Pattern[str]:
    return re.compile(
        rf"""(?P<name>(?i:{_NAMES}))(?P<about>(?:s(?![a-z])|[_.-]\w|[A-Z0-9])[\w.-]{{0,64}}+|)"""
        rf"""\\?["']?\]? {{0,8}}(?P<sep>:=|=>|=|:) {{0,8}}{_VALUE}"""
    )


def _tokens(*shapes: str) -> re.Pattern[str]:
    return re.compile(f"{_START}(?P<secret>{'|'.join(shapes)})")


def _after(*shapes: str) -> re.Pattern[str]:
    """Shapes of what stands before an unquoted or quoted secret word."""
    before = "|".join(shapes)
    return re.compile(
        rf"""(?i:{before})(?:"(?P<double>[^"\n]+)|'(?P<single>[^'\n]+)|(?P<bare>[^\s"'`|;<>]+))"""
    )


@cache
def _shapes() -> tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...]:
    """Rule, what must be in the lower-case text for it to be tried at all, pattern.

    Made when first needed: compiling takes longer than the rest of the start.
    """
    return (
        (
            "url",
            ("://",),
            re.compile(
                r"""(?<=[A-Za-z0-9])://(?:[^\s/:@'"<>\[\]]{0,128}:(?![0-9]{1,5}[/?#])"""
                r"""(?P<secret>[^\s'"<>@]{1,256}(?:@[^\s'"<>@/]{1,256}(?=@))*)@"""
                r"""|(?P<bare>[A-Za-z0-9_-]{20,256})@)"""
            ),
        ),
        (
            "auth",
            ("authorization",),
            re.compile(
                r"""(?i)authorization\\?["']? {0,8}[:=] {0,8}\\?["']?(?:(?:bearer|basic|token"""
                r"""|digest|apikey|negotiate) {1,8})?(?P<bare>[^\s"'\\]+)"""
            ),
        ),
        (
            "auth",
            ("bearer ", "basic "),
            re.compile(
                r"(?i)\b(?:bearer|basic) {1,8}"
                r"(?P<secret>(?=[a-z._~+/-]{0,256}[0-9=])[a-z0-9._~+/=-]{8,})"
            ),
        ),
        ("cookie", ("cookie:",), re.compile(r"""(?i)cookie: {0,8}(?P<secret>[^\s"'][^"'\n]*)""")),
        (
            "stripe",
            ("sk_", "rk_", "whsec_"),
            _tokens(r"[sr]k_(?:live|test)_\w{8,}", r"whsec_[\w+/=-]{8,}"),
        ),
        (
            "aws",
            ("akia", "asia", "abia", "acca"),
            _tokens(r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?!\w)"),
        ),
        (
            "github",
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
            _tokens(r"gh[pousr]_\w{16,}", r"github_pat_\w{16,}"),
        ),
        ("gitlab", ("gl",), _tokens(r"gl(?:pat|ptt|rt|dt|cbt|ft|soat|agent|imt)-[\w.-]{16,}")),
        (
            "slack",
            ("xox", "xapp-", "hooks.slack.com"),
            _tokens(r"xox[a-z]-[\w-]{8,}", r"xapp-[\w-]{8,}", r"hooks\.slack\.com/\w+/[\w/]{16,}"),
        ),
        ("jwt", ("eyj",), _tokens(r"eyJ[\w-]{8,512}\.[\w-]{4,}(?:\.[\w-]*){0,4}")),
        ("google", ("aiza", "ya29.", "gocspx-"), _tokens(r"(?:AIza|ya29\.|GOCSPX-)[\w-]{20,}")),
        ("sendgrid", ("sg.",), _tokens(r"SG\.[\w-]{8,128}\.[\w-]{8,}")),
        ("npm", ("npm_",), _tokens(r"npm_[A-Za-z0-9]{30,}")),
        ("pypi", ("pypi-",), _tokens(r"pypi-[\w-]{40,}")),
        ("twilio", ("sk",), _tokens(r"SK[0-9a-f]{32}(?!\w)")),
        (
            "vendor",
            ("sk-", "hvs.", "dckr_pat_", "dop_v1_", "shpat_", "hf_", "age-secret-key-"),
            _tokens(
                r"sk-[\w-]{32,}",
                r"hvs\.[\w-]{20,}",
                r"(?:dckr_pat|dop_v1|shpat|hf)_[\w-]{20,}",
                r"AGE-SECRET-KEY-1[A-Z0-9]{30,}",
            ),
        ),
        (
            "option",
            ("--",),
            _after(rf"--(?:[a-z0-9]{{1,32}}[_-]){{0,4}}(?:{_NAMES}|pass) {{1,8}}(?!-)"),
        ),
        (
            "option",
            ("curl ", "wget "),
            re.compile(
                r"""\b(?:curl|wget) [^\n|;&]{0,200}?(?:-u|--user)[ =]?["']?[^\s:"']{1,64}:"""
                r"""(?P<bare>[^\s"'`|;<>]+)"""
            ),
        ),
        (
            "option",
            ("mysql", "mariadb", "sshpass", "redis-cli", "docker login"),
            _after(
                r"\b(?:mysql|mariadb)[\w-]{0,16} (?:[^\n|;&]{0,200}? )?-p(?=\S)",
                r"\bsshpass -p {0,8}",
                r"\bredis-cli (?:[^\n|;&]{0,200}? )?-a {1,8}",
                r"\bdocker login (?:[^\n|;&]{0,200}? )?-p {1,8}",
            ),
        ),
        (
            "option",
            ("identified by", "password '", "requirepass", "masterauth"),
            _after(
                r"\b(?:identified by|password) {1,8}(?=')", r"\b(?:requirepass|masterauth) {1,8}"
            ),
        ),
        (
            "value",
            ("value",),
            re.compile(
                rf"""(?i)\bname["']?: {{0,8}}["']?[\w.-]{{0,64}}(?:{_NAMES})["']?,?\s{{1,64}}"""
                r"""["']?value["']?: {0,8}(?:"(?P<double>[^"\n]+)|'(?P<single>[^'\n]+)"""
                r"""|(?P<bare>[^\s"',}]+))"""
            ),
        ),
        (
            "value",
            ("</",),
            re.compile(rf"(?i)<[\w:.-]{{0,40}}(?:{_NAMES})>(?P<secret>[^<\s][^<\n]*+)</"),
        ),
    )


_NAME_HINT = re.compile(
    "passw|passphrase|passcode|secret|token|key|credential|signature|pwd|pass|auth|sig"
)
_PEM_EDGE = re.compile(r"-----(?P<edge>BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
# The inside of a key whose end is missing.
_PEM_BODY = re.compile(r"(?:(?:\s|\\[nr]|[\"'>|+,])*+[A-Za-z0-9+/]{20,}+={0,2})*+")
_PEM_LINE = re.compile(r"[\s>|]*[A-Za-z0-9+/]{20,128}={0,2}\s*")
_PEM_LAST_LINE = re.compile(r"[\s>|]*[A-Za-z0-9+/]{1,128}={0,2}\s*")
_PEM_MAX = 32_768


class Redactor:
    """Takes the secrets out of text before it is written or told to anybody.

    Known token shapes, and values whose name says that they are secret, become
    `[REDACTED:rule:6hex]`. The hex is an HMAC-SHA256 of the secret with the salt: within one
    incident the same secret has the same hex, so "the same key?" can still be answered, and
    nobody without the salt can try guesses. References (`$DB_PASSWORD`), counts (`max_tokens=100`)
    and prose (`token: expired`) stay. It knows shapes, not meanings: a password alone on a line
    or in a sentence is not seen.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def __call__(self, text: str) -> Safe:
        """The text without its secrets; cleaned first when it is not yet `Safe`.

        Redacting what is redacted changes nothing.
        """
        text = text if isinstance(text, Safe) else clean(text)
        for _ in range(8):
            before, text = text, self._once(text)
            if text == before:
                break
        return Safe(text)

    def _once(self, text: str) -> str:
        low = text.lower()
        if "private key" in low:
            text = self._without_keys(text)
        for rule, hints, pattern in _shapes():
            if any(hint in low for hint in hints):
                text = pattern.sub(partial(self._replace, rule), text)
        if _NAME_HINT.search(low):
            text = _assigned().sub(self._replace_assigned, text)
        return text

    def mark(self, rule: str, secret: str) -> str:
        """What stands for a secret that was found by that rule."""
        import hmac  # pulls in OpenSSL, which the start need not wait for

        digest = hmac.digest(self._salt, secret.encode("utf-8", "surrogatepass"), "sha256")
        return f"[REDACTED:{rule}:{digest.hex()[:6]}]"

    def _replace(self, rule: str, found: re.Match[str]) -> str:
        group = found.lastgroup or "secret"
        secret = found[group]
        if _DONE.fullmatch(secret) or (group != "secret" and _NO_SECRET.fullmatch(secret)):
            return found[0]
        if rule == "option" and _PROSE.fullmatch(secret):
            return found[0]
        start, end = (at - found.start() for at in found.span(group))
        return found[0][:start] + self.mark(rule, secret) + found[0][end:]

    def _replace_assigned(self, found: re.Match[str]) -> str:
        group = found.lastgroup or "bare"
        value, name, about = found[group], found["name"].lower(), found["about"]
        if group == "bare":
            value = _NEXT_FIELD.split(value, maxsplit=1)[0].rstrip("\\,;")
            if not _NO_SECRET.fullmatch(value):
                value = value.rstrip("\\,;)}]")
        word = value.rstrip(".:!?")
        if (
            not value
            or _DONE.fullmatch(value)
            or _NO_SECRET.fullmatch(value)
            or (about and _ABOUT.fullmatch(about))
            or (about in ("s", "S") and value.isdecimal())
            or (found["sep"] == ":" and group == "bare" and _PROSE.fullmatch(word))
            or (name in ("pwd", "pass", "auth") and (value[0] in "/~" or value.isdecimal()))
        ):
            return found[0]
        start = found.start(group) - found.start()
        return found[0][:start] + self.mark("value", value) + found[0][start + len(value) :]

    def _without_keys(self, text: str) -> str:
        """Private keys in PEM form, also when a cut took their first or last lines."""
        kept: list[str] = []
        at = 0
        edges = list(_PEM_EDGE.finditer(text))
        for index, edge in enumerate(edges):
            if edge.start() < at:
                continue
            if edge["edge"] == "BEGIN":
                start, end = edge.span()
                after = edges[index + 1] if index + 1 < len(edges) else None
                if after and after["edge"] == "END" and after.end() - start <= _PEM_MAX:
                    end = after.end()
                elif body := _PEM_BODY.match(text, end):
                    end = body.end()
            else:
                start, end = self._key_above(text, at, edge.start()), edge.end()
            kept += [text[at:start], self.mark("pem", text[start:end])]
            at = end
        return "".join([*kept, text[at:]])

    def _key_above(self, text: str, limit: int, edge: int) -> int:
        """Where the lines of a key begin whose end stands at `edge` and whose start is missing."""
        start = edge
        line = _PEM_LAST_LINE
        while start > limit:
            above = max(text.rfind("\n", limit, start - 1) + 1, limit)
            if not line.fullmatch(text, above, start):
                break
            start, line = above, _PEM_LINE
        return start
