"""What comes through the door steers no terminal, leaves no code block, and keeps no secret."""

from __future__ import annotations

import re
import string
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.cells import cell_len

from cockpit.text import Redactor, Safe, clean, clean_line, code_span, fence, plain, shortened

FUZZ = settings(max_examples=300, deadline=None)
MAX = 64
MARK = len("…[+99999999 chars]")

PIECES = [
    *("\x1b", "\x1b[", "\x1b]", "\x1b]52;c;", "\x1bP", "\x1b\\", "\x07", "\x9b", "\x9d", "\x9c"),
    *("31m", "?1049h", "2J", "0;1", " q", "\r", "\r\n", "\n", "\t", "\x00", "\x7f", "\x85"),
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u2028", "\u0301", "\u20dd", "\ufe0f"),
    *("\u3164", "\u1160", "\u1161", "\u115f", "\u2800", "\U000e0041", "\U000e0101", "\ud800"),
    *(
        "日",
        "🙂",
        "é",
        "\u0e33",
        "a",
        " ",
        "`",
        "…[+3 chars]",
        "\u00a0",
        "\u3000",
        "\xad",
        "\ue000",
    ),
]
HOSTILE = st.lists(
    st.sampled_from(PIECES) | st.text(max_size=3) | st.characters(), max_size=60
).map("".join)


def harmless(char: str) -> bool:
    return char == " " or (
        unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
        and not 0xFE00 <= ord(char) <= 0xFE0F
        and not 0xE0000 <= ord(char) <= 0xE0FFF
        and ord(char) not in (0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x34F, 0x17B4, 0x17B5)
    )


def assert_harmless(safe: Safe, newline: str) -> None:
    assert type(safe) is Safe
    safe.encode()
    bad = [hex(ord(char)) for char in safe if char not in newline and not harmless(char)]
    assert not bad
    marks = "".join("m" if unicodedata.category(c) in ("Mn", "Me", "Mc") else "." for c in safe)
    assert "mmmm" not in marks
    for line in safe.split("\n"):
        assert len(line) <= MAX + MARK
        assert cell_len(line) <= 2 * len(line)


@FUZZ
@given(HOSTILE | st.binary(max_size=200))
@example("\x1b\x1b[0m]52;c;eA==\x07")
@example("\x1b[\x1b[0m2J")
@example("a" * 64 + "…[+3 chars]")
@example("\u200b" * 64 + "…[+3 chars]")
@example("\r\r\na\r\r\nb\r")
def test_whatever_comes_in_nothing_that_steers_comes_out(raw: str | bytes) -> None:
    for cleaner, newline in ((clean, "\n"), (clean_line, "")):
        safe = cleaner(raw, max_chars=MAX)
        assert_harmless(safe, newline)
        assert cleaner(safe, max_chars=MAX) == safe


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_no_control_character_stands(code: int) -> None:
    safe = clean_line(f"a{chr(code)}é")
    assert safe.startswith("a") and safe.endswith("é") and safe.isprintable()
    assert safe != "aé"


def test_every_code_point_is_harmless_or_visible() -> None:
    for start in range(0, 0x110000, 4096):
        block = " ".join(map(chr, range(start, start + 4096)))
        safe = clean_line(block, max_chars=1 << 20)
        assert all(map(harmless, set(safe))), hex(start)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain words\nand more\n", "plain words\nand more\n"),
        ("\x1b[1;31mred\x1b[0m and \x9b4mmore\x9b0m", "red and more"),
        ("\x1b]52;c;aGk=\x07paste", "␛paste"),
        ("\x1b]0;title\x1b\\rest", "␛rest"),
        ("\x1b]0;never ended\nnext", "␛0;never ended\nnext"),
        ("\x1b[2Jgone\x1b[H", "␛gone␛"),
        ("\x1bPq#0\x1b\\x\x1b(B\x1b7", "␛x␛␛"),
        ("\x1b", "␛"),
        ("a\u202eb\u200bc", "a<U+202E>b<U+200B>c"),
        ("\x00\x07\x7f\x85", "␀␇␡\\x85"),
        ("a\tb\n12345678\tc", "a       b\n12345678        c"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("10%\r50%\r100%\n", "10%␍\n50%␍\n100%\n"),
        ("done\r", "done"),
        ("safe\rrm -rf /", "safe␍\nrm -rf /"),
        ("e\u0301\u0302\u0303\u0304\u0305x", "e\u0301\u0302\u0303x"),
        ("⚠\ufe0f up", "⚠ up"),
        ("a\u00a0b\u3000c", "a b c"),
        ("name\udcff", "name<U+DCFF>"),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        ("日本語 naïve 🙂", "日本語 naïve 🙂"),
    ],
)
def test_what_a_reader_sees(raw: str | bytes, shown: str) -> None:
    assert clean(raw) == shown


def test_one_line_stays_one_line() -> None:
    assert clean_line("web\r\n\x1b[31mdb\nx\ry") == "web␤db␤x␍y"


def test_each_line_is_cut_and_says_how_much_is_missing() -> None:
    assert clean("a" * 10 + "\n" + "b" * 15 + "\nc", max_chars=10) == (
        "a" * 10 + "\n" + "b" * 10 + "…[+5 chars]\nc"
    )
    assert clean_line("é" * 15, max_chars=10) == "é" * 10 + "…[+5 chars]"
    assert len(clean("\u200b" * 4096)) == 4096 + len("…[+28672 chars]")


def test_a_forged_cut_mark_does_not_make_a_line_longer() -> None:
    assert len(clean("a" * 5000 + "…[+1 chars]")) < 4096 + MARK


REPEATS = [
    *("\x1b]", "\x1b[", "\x1b[0;", "\x9d", "\x1b[ ", "\x1bP\x1b", "\r", "\r\rx", "\t", "\u0301"),
    *("password", "password=", "token_", "tokens", "eyJaaaaaaaaaa", "://a:", "://a:b@", "curl "),
    *("mysql -p ", "--a-", "password='\\", "<a", "SG.aaaaaaaaa", "name: token ", "sk-", "bearer a"),
    *("-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n", "A" * 64 + "\n", '\\"'),
]


@pytest.mark.parametrize("unit", REPEATS)
def test_time_grows_with_the_input_and_not_with_its_square(unit: str) -> None:
    redact = Redactor(b"salt")

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        uncut = Safe(text.replace("\x1b", "e"))
        took = []
        for _ in range(3):
            start = time.thread_time()
            clean(text, max_chars=size)
            redact(uncut)
            took.append(time.thread_time() - start)
        return min(took)

    small, large = seconds(4_000), seconds(32_000)
    assert large < 8 * 3 * small + 0.01, f"8 times the input took {large / small:.0f} times as long"


def test_our_own_words_must_be_printable() -> None:
    assert type(plain("update due 03:40 · ok\n")) is Safe
    for text in ("\x1b[2J", "a\tb", "a\u200bb", "\u202e", "a\rb", "\ud800"):
        with pytest.raises(ValueError, match="not plain text"):
            plain(text)


# --- markdown ---


def leaves(tokens: list[Token]) -> list[Token]:
    return [
        leaf for token in tokens for leaf in ([token] if not token.children else token.children)
    ]


BACKTICKS = st.text("`~ \n#<>[]()!*_\\&|-=abé", max_size=40)


@FUZZ
@given((BACKTICKS | HOSTILE).map(clean), st.sampled_from(["", "sh", "a`b\nc", "x y"]))
def test_hostile_text_stays_inside_its_fence(text: Safe, info: str) -> None:
    tokens = MarkdownIt().parse(f"before\n\n{fence(text, info)}\n\nafter `x`\n")
    kinds = [token.type for token in tokens if token.type != "inline"]
    assert kinds == [
        *("paragraph_open", "paragraph_close", "fence", "paragraph_open", "paragraph_close")
    ]
    (code,) = (token for token in tokens if token.type == "fence")
    assert code.content == (text.removesuffix("\n") + "\n" if text.removesuffix("\n") else "\n")


@FUZZ
@given((BACKTICKS | HOSTILE).map(clean))
@example(Safe("`"))
@example(Safe(" a "))
@example(Safe("  "))
@example(Safe(""))
@example(Safe("\n"))
def test_hostile_text_stays_inside_its_code_span(text: Safe) -> None:
    (_, inline, _) = MarkdownIt().parse(f"before {code_span(text)} after\n")
    assert inline.children is not None
    assert [child.type for child in inline.children] == ["text", "code_inline", "text"]
    assert inline.children[1].content == (text.replace("\n", "␤") or " ")


# --- secrets ---

HEX40 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
SECRETS = [
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "stripe"),
    ("rk_test_4eC39HqLyjWDarjtT1zdp7dc", "stripe"),
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "stripe"),
    ("AKIAIOSFODNN7EXAMPLE", "aws"),
    ("ASIAIOSFODNN7EXAMPLE", "aws"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github"),
    ("gho_16C7e42F292c6912E7710c838347Ae178B4a", "github"),
    ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz", "github"),
    ("glpat-aBcDeFgHiJkLmNoPqRsT", "gitlab"),
    ("xox" + "b-123456789012-abcdefABCDEF", "slack"),
    ("hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX", "slack"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "jwt"),
    ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "google"),
    ("SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc1s5cr", "sendgrid"),
    ("npm_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789", "npm"),
    ("pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtMDAwMC0wMDAw", "pypi"),
    ("SK" + "0123456789abcdef" * 2, "twilio"),
    ("hvs.CAESIJ1234567890abcdefghij", "vendor"),
]
AROUND = [
    "{}",
    "key {} used",
    'error: bad key "{}"',
    "x={},",
    "Set it (like {}).",
    "log line\\n{}\\n",
    "https://h/?k%3D{}",
    "a_{}",
    "https://api.example.net/v1/{}/x",
    "|{}|",
]


@pytest.mark.parametrize(("secret", "rule"), SECRETS, ids=range(len(SECRETS)))
@pytest.mark.parametrize("around", AROUND)
def test_a_token_is_known_by_its_shape(secret: str, rule: str, around: str) -> None:
    redacted = Redactor(b"salt")(around.format(secret))
    assert secret not in redacted
    assert re.search(rf"\[REDACTED:{rule}:[0-9a-f]{{6}}\]", redacted)
    assert redacted.startswith(around.partition("{}")[0])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("password=§", "password=#value"),
        ("DB_PASSWORD=§ PORT=1", "DB_PASSWORD=#value PORT=1"),
        ("export STRIPE_SECRET_KEY='§'", "export STRIPE_SECRET_KEY='#value'"),
        ('"password": "§",', '"password": "#value",'),
        ('{"user":"x","api_key":"§","n":1}', '{"user":"x","api_key":"#value","n":1}'),
        ("{'auth_token': '§'}", "{'auth_token': '#value'}"),
        ('{\\"token\\":\\"§\\",\\"a\\":1}', '{\\"token\\":\\"#value\\",\\"a\\":1}'),
        ('["DB_PASSWORD=§","PORT=1"]', '["DB_PASSWORD=#value","PORT=1"]'),
        ("password: §\n", "password: #value\n"),
        ("  secretAccessKey: §", "  secretAccessKey: #value"),
        ("apiKey = §", "apiKey = #value"),
        ("aws_secret_access_key=§", "aws_secret_access_key=#value"),
        ("SECRET_KEY_BASE=§", "SECRET_KEY_BASE=#value"),
        ("PGPASSWORD=§ psql -h db", "PGPASSWORD=#value psql -h db"),
        ("SMTP_PASS=§", "SMTP_PASS=#value"),
        ("MYSQL_PWD=§", "MYSQL_PWD=#value"),
        ("GET /x?token=§&page=2", "GET /x?token=#value&page=2"),
        ("a.blob?sv=1&sig=§&x=1", "a.blob?sv=1&sig=#value&x=1"),
        ("Server=db;Password=§;Database=x", "Server=db;Password=#value;Database=x"),
        ("<password>§</password>", "<password>#value</password>"),
        ("- name: DB_PASSWORD\n  value: §\n", "- name: DB_PASSWORD\n  value: #value\n"),
        ("mytool --password § --force", "mytool --password #option --force"),
        ("mytool --db-password=§ x", "mytool --db-password=#value x"),
        ("mytool --token '§' x", "mytool --token '#option' x"),
        ("curl -s -u ops:§ http://h/", "curl -s -u ops:#option http://h/"),
        ("mysql -u root -p§ shop", "mysql -u root -p#option shop"),
        ("sshpass -p § ssh h", "sshpass -p #option ssh h"),
        ("redis-cli -h r -a § ping", "redis-cli -h r -a #option ping"),
        ("ALTER USER x IDENTIFIED BY '§';", "ALTER USER x IDENTIFIED BY '#option';"),
        ("requirepass §", "requirepass #option"),
        ("postgres://app:§@db:5432/shop", "postgres://app:#url@db:5432/shop"),
        ("redis://:§@cache/0", "redis://:#url@cache/0"),
        ("https://§@git.example.net/x.git", "https://#url@git.example.net/x.git"),
        ("Authorization: Bearer §", "Authorization: Bearer #auth"),
        ("authorization: Basic §", "authorization: Basic #auth"),
        ("-H 'Authorization: token §'", "-H 'Authorization: token #auth'"),
        ('"Authorization": "Bearer §"', '"Authorization": "Bearer #auth"'),
        ("sent Bearer §", "sent Bearer #auth"),
        ("Cookie: session=§; a=b", "Cookie: #cookie"),
        ("sed 's/^A_SECRET=.*/A_SECRET=§/' .env", "sed 's/^A_SECRET=.*/A_SECRET=#value' .env"),
        ("token=§␤Found: it", "token=#value␤Found: it"),
    ],
)
def test_a_value_is_known_by_what_stands_before_it(text: str, kept: str) -> None:
    secret = "s3cr3t-W0rd-x9-Long-enough"
    redacted = Redactor(b"salt")(text.replace("§", secret))
    assert secret not in redacted
    assert re.sub(r"\[REDACTED:([a-z]+):[0-9a-f]{6}\]", r"#\1", redacted) == kept


@pytest.mark.parametrize(
    "text",
    [
        f"commit {HEX40}",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  file",
        "550e8400-e29b-41d4-a716-446655440000",
        "f2ca1bb6c7e9   kamiyo   Up 3 hours (healthy)",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "2026-11-21T03:12:44.123Z GET /api/v1/payments/webhook 200",
        "/app/data/kamiyo.db /etc/ssl/private/key.pem",
        "token_count=5 max_tokens=100 tokens: 12 prompt_tokens=7",
        "SyntaxError: unexpected token: expired",
        "invalid password: it must not be empty",
        "Password: ",
        "DB_PASSWORD=$DB_PASSWORD TOKEN=${TOKEN} secret: {{ .Secret }} pw=$(pass show x)",
        "password=**** token=<your-token> PASSWORD=xxxxx secret=null",
        "PWD=/app OLDPWD=/root",
        "sed -i 's/^A_SECRET=.*/A_SECRET=<A_SECRET>/' .env",
        "token=[REDACTED:github:fa9dd7].␤Found: it",
        "password_file=/run/secrets/db TOKEN_URL=https://h/oauth secretName: tls",
        "tests pass: 12 fail: 0",
        "http://127.0.0.1:8000/health http://localhost:4873/@scope/pkg",
        "ops@prod-1.example.net:/srv git@github.com:a/b.git",
        "docker run -u 1000:1000 -p 80:80 nginx",
        "if token == expected: keyboard = monkey",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 ops@laptop",
        "-----BEGIN CERTIFICATE-----\nMIIBszCCARygAwIBAgIB\n-----END CERTIFICATE-----",
        "risk_test_something_long task_live_view_module_x",
        "Basic authentication failed; Bearer authentication is required",
        '"credentials": {"user": "x"}',
        "mytool --token is required",
        "tokenizer: gpt secretary=Bob",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(b"salt")(text) == text


KEY_LINES = [(string.ascii_letters + string.digits + "+/")[n:][:48] for n in range(5)]
BODY = "\n".join([*KEY_LINES, "c2hvcnQ="])
BEGIN, END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        f"before\n{BEGIN}\n{BODY}\n{END}\nafter",
        f"before\n{BEGIN}\nProc-Type: 4,ENCRYPTED\n\n{BODY}\n{END}\nafter",
        "before\n" + f"{BEGIN}\n{BODY}\n{END}".replace("\n", "\\n") + "\nafter",
        "before\n  " + f"{BEGIN}\n{BODY}\n{END}".replace("\n", "\n  ") + "\nafter",
        f"before\n{BEGIN}\n{BODY}\nafter",
        f"before\n{BODY}\n{END}\nafter",
        f"before\n{BEGIN}\n{BODY}\n{BEGIN}\n{BODY}\n{END}\nafter",
        f"before\nkey: {BEGIN.replace('OPENSSH ', '')} {BODY} {END.replace('OPENSSH ', '')}\nafter",
    ],
)
def test_private_keys_whole_or_cut(text: str) -> None:
    redacted = Redactor(b"salt")(text)
    assert not [line for line in KEY_LINES if line in redacted]
    assert redacted.startswith("before\n")
    assert redacted.endswith("\nafter")
    assert "[REDACTED:pem:" in redacted


def test_the_same_key_can_be_told_from_another_only_within_an_incident() -> None:
    one, other = Redactor(b"one"), Redactor(b"other")
    assert one("password=abc1") == one("password=abc1")
    assert one("password=abc1") != one("password=abc2")
    assert one("password=abc1") != other("password=abc1")
    assert one("password=abc1").endswith(one("TOKEN=abc1").removeprefix("TOKEN="))


def test_a_secret_glued_to_a_token_goes_with_it() -> None:
    assert "tail9" not in Redactor(b"salt")("password=sk_live_4eC39HqLyjWDarjt!tail9")


@pytest.mark.parametrize("around", ["Authorization: Bearer {}", "password={}", "--token {}"])
def test_what_was_cut_after_it_was_redacted_holds_no_new_secret(around: str) -> None:
    redact = Redactor(b"salt")
    whole = redact(around.format("sk_live_4eC39HqLyjWDarjtT1zdp7dc"))
    for chars in range(1, len(whole) + 1):
        cut = shortened(f"{whole} and more", chars)
        assert not re.search(r"\[REDACTED:(?![a-z]+:[0-9a-f]{6}\])", cut)
        assert redact(f"`{cut}` ended") == f"`{cut}` ended"
    for chars in range(whole.index("[REDACTED:") + 10, len(whole)):
        assert redact(f"`{whole[:chars]}…` ended") == f"`{whole[:chars]}…` ended"


def test_what_is_redacted_is_safe_even_when_it_came_in_raw() -> None:
    assert Redactor(b"salt")("\x1b[2Jpassword=x1") == Redactor(b"salt")(clean("\x1b[2Jpassword=x1"))


WORDS = st.sampled_from(
    [
        *(secret for secret, _ in SECRETS),
        *("password", "token", "=", ":", ": ", '"', "'", "\\", "--", "://", "@", "a", " ", "\n"),
        *("&", ";", ",", "]", "[", "[REDACTED:x:abcdef]", "Bearer ", "$A", BEGIN, END, BODY),
        *("name: ", "value: ", "curl -u ", "mysql -p", "cookie:", "Authorization: "),
    ]
)


@FUZZ
@given(st.lists(WORDS | st.text(max_size=4), max_size=25).map("".join))
def test_redacting_never_raises_is_safe_and_is_done_once(text: str) -> None:
    redact = Redactor(b"salt")
    once = redact(text)
    assert type(once) is Safe
    assert redact(once) == once


VALUES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9+/_.!%^-]{6,38}[A-Za-z0-9]", fullmatch=True).filter(
    lambda value: any(map(str.isdigit, value)) and any(map(str.isalpha, value))
)
PLACES = ["{n}={v}", '{n}="{v}"', "{n}: {v}", '"{n}": "{v}"', "--{n} {v}", "--{n}={v}", "{n} = {v}"]
KEYS = st.sampled_from(
    ("password", "PASSWD", "client_secret", "API_KEY", "apiKey", "private-key", "DB_PASSWORD")
)


@FUZZ
@given(KEYS, VALUES, st.sampled_from(PLACES), st.text("ab \n", max_size=8))
def test_a_planted_secret_never_survives(name: str, value: str, place: str, around: str) -> None:
    text = f"{around} {place.format(n=name, v=value)} {around}"
    assert value not in Redactor(b"salt")(text)


@FUZZ
@given(st.sampled_from(SECRETS), st.text(string.printable, max_size=10), st.text(max_size=10))
def test_a_planted_token_never_survives(secret: tuple[str, str], before: str, after: str) -> None:
    assert secret[0] not in Redactor(b"salt")(f"{before} {secret[0]} {after}")
