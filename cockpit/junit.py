"""Trials of runbooks as JUnit XML, which CI systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as xml

from cockpit.runbook.model import Runbook
from cockpit.trial import Outcome, Tried

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


KEPT = 32 * 1024
"""Characters of an output's start, and of its end, that a report holds."""


@dataclass(frozen=True, slots=True)
class Suite:
    """The trial of one file. error: why it ended early; empty where it did not."""

    runbook: Runbook
    host: str
    at: datetime
    tried: Sequence[Tried]
    error: str = ""


def document(suites: Sequence[Suite]) -> bytes:
    """One testsuite a file, one testcase a command."""
    root = xml.Element("testsuites", {"name": "cockpit runbook test"})
    for suite in suites:
        root.append(_suite(suite))
    xml.indent(root)
    return bytes(xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(suite: Suite) -> xml.Element:
    cases = [_case(suite, one) for one in suite.tried]
    if suite.error:
        case = _element("testcase", classname=suite.runbook.path, name="host", time="0")
        case.append(_element("error", message=suite.error))
        cases.append(case)
    element = _element(
        "testsuite",
        name=suite.runbook.path,
        hostname=suite.host,
        timestamp=f"{suite.at:%Y-%m-%dT%H:%M:%S}",
        tests=str(len(cases)),
        failures=str(sum(one.outcome is Outcome.FAILED for one in suite.tried)),
        errors=str(int(bool(suite.error))),
        skipped=str(sum(one.outcome is Outcome.NOT_RUN for one in suite.tried)),
        time=f"{sum(one.seconds for one in suite.tried):.3f}",
    )
    element.extend(cases)
    return element


def _case(suite: Suite, tried: Tried) -> xml.Element:
    first = tried.text.split("\n")[0]
    case = _element(
        "testcase",
        classname=f"{suite.runbook.path}: {tried.section.title}",
        name=f"line {tried.command.lines.first}: {first}",
        time=f"{tried.seconds:.3f}",
    )
    match tried.outcome:
        case Outcome.FAILED:
            case.append(_element("failure", _cut(tried.output), message=tried.why))
        case Outcome.NOT_RUN:
            case.append(_element("skipped", message=tried.why))
    if tried.output:
        case.append(_element("system-out", _cut(tried.output)))
    return case


def _element(tag: str, text: str = "", **attributes: str) -> xml.Element:
    element = xml.Element(tag, {key: _writable(value) for key, value in attributes.items()})
    element.text = _writable(text) or None
    return element


def _cut(text: str) -> str:
    left = len(text) - 2 * KEPT
    if left <= 0:
        return text
    return f"{text[:KEPT]}\n[... {left} characters left out ...]\n{text[-KEPT:]}"


def _writable(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
