"""Lines of JSON and logfmt are laid out field by field; no other line is, and none breaks it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.logs.fields import laid_out, message
from cockpit.logs.line import Level
from cockpit.text import Safe, clean_line

FUZZ = settings(max_examples=200, deadline=None)


def plain(text: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in laid_out(text)}


def test_json_is_laid_out_with_what_is_inside_by_its_path() -> None:
    line = (
        '{"level":"error","http":{"status":502,"path":"/pay"},"tags":["a","b"],"x":null,"ok":true}'
    )
    assert plain(line) == {
        "level": "error", "http.status": "502", "http.path": "/pay",
        "tags": '["a","b"]', "x": "null", "ok": "true",
    }  # fmt: skip


def test_what_stands_before_json_is_kept() -> None:
    assert plain('web-1  | {"a":1}') == {"": "web-1  |", "a": "1"}


def test_logfmt_is_laid_out() -> None:
    line = r'ts=2026-11-21T03:12:44Z level=warn msg="cannot \"pay\"\nnow" err= took=30s'
    assert plain(line) == {
        "ts": "2026-11-21T03:12:44Z", "level": "warn", "msg": 'cannot "pay"␤now', "err": "",
        "took": "30s",
    }  # fmt: skip
    assert plain("INFO started a=1 b=2") == {"": "INFO started", "a": "1", "b": "2"}


@pytest.mark.parametrize(
    "line",
    ["", "plain words", "a=1", "x = 1 and y = 2", "if (a == b) { return }", '{"cut": "off', "{}",
     "[1, 2]", "a=1 b=2 then words", "http://h/?a=1&b=2", '"quoted"', "{not json}", "==", "a=1 =2"],
)  # fmt: skip
def test_other_lines_have_no_fields(line: str) -> None:
    assert laid_out(line) == ()
    assert message(line) is None


@pytest.mark.parametrize(
    ("line", "when", "level", "said", "rest"),
    [
        ('{"ts":1.5,"level":"error","msg":"refused","db":7}', "1.5", Level.ERROR, "refused",
         {"db": "7"}),
        ('{"time":1763694764120,"level":50,"pid":1,"msg":"stuck"}', "1763694764120", Level.ERROR,
         "stuck", {"pid": "1"}),
        ('{"@timestamp":"T","log":{"level":"warn"},"message":"slow"}', "T", Level.WARN, "slow", {}),
        ('{"Timestamp":"T","Severity":"INFO","Message":"up"}', "T", Level.INFO, "up", {}),
        ('time=T level=info msg="it is up" port=80', "T", Level.INFO, "it is up", {"port": "80"}),
        ('{"level":"info","error":"boom"}', "", Level.INFO, "boom", {}),
    ],
)  # fmt: skip
def test_the_message_comes_first(
    line: str, when: str, level: Level, said: str, rest: dict[str, str]
) -> None:
    found = message(line)
    assert found is not None
    assert (found.time, found.level, found.message) == (when, level, said)
    assert {str(name): str(value) for name, value in found.rest} == rest


def test_a_json_that_is_no_log_line_stays_as_it_is() -> None:
    assert message('{"a":1,"b":2}') is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
HOSTILE = st.lists(
    st.sampled_from(['{"', '":', '"', "}", "=", "a=", '="', "\\", "\\u202e", "\x1b[2J", "{", " "])
    | st.characters(),
    max_size=40,
).map("".join)


@FUZZ
@given(HOSTILE | st.dictionaries(st.text(max_size=6), VALUES).map(json.dumps))
def test_no_line_breaks_it_and_all_it_gives_is_safe(text: str) -> None:
    message(text)
    for name, value in laid_out(clean_line(text)):
        assert type(name) is Safe and name == clean_line(name)
        assert type(value) is Safe and value == clean_line(value)


@pytest.mark.parametrize("piece", ["a=1 ", '{"a":', "[", 'a="\\', "a=", '"{', "a" * 7 + " "])
def test_a_long_line_takes_no_longer_than_its_length(piece: str) -> None:
    begun = time.process_time()
    for _ in range(20):
        message(piece * (4096 // len(piece)))
        message("{" + piece * (4096 // len(piece)) + "}")
    assert time.process_time() - begun < 2


def test_what_is_deep_or_has_many_fields_is_bounded() -> None:
    deep = '{"a":' * 600 + "1" + "}" * 600
    assert len(laid_out(deep)) <= 1
    wide = "{" + ",".join(f'"k{number}":1' for number in range(2000)) + "}"
    assert len(laid_out(wide)) == 500
