"""What the design promises about the source itself, read from the source: one way in, one way out.

Each rule walks a syntax tree and says what breaks it. Each is tried on samples first, so that a
rule that has gone blind fails here and not in silence.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Rule = Callable[[ast.Module], Iterator[tuple[int, str]]]


def name_of(node: ast.expr) -> str:
    """The last name of a dotted expression or of what is called: `self.journal` -> journal."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return name_of(func)
    return ""


def calls(tree: ast.Module, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (not names or name_of(node.func) in names):
            yield node


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every imported module, and every name imported from one, dotted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def painted(node: ast.expr) -> bool:
    """`paint.text(…)`, or either branch of a choice between such."""
    if isinstance(node, ast.IfExp):
        return painted(node.body) and painted(node.orelse)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and name_of(node.func.value) == "paint"
    )


def literal(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return literal(node.body) and literal(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def no_markup(call: ast.Call) -> bool:
    value = keyword(call, "markup")
    return isinstance(value, ast.Constant) and value.value is False


# --- what reaches a widget ---


WIDGETS = ("Static", "Label", "Option", "Button", "Checkbox", "RadioButton", "Tooltip", "Link")
# `.update` of these is not a widget's.
NOT_WIDGETS = {"responder", "_values"}
TITLES = {"border_title", "border_subtitle", "tooltip"}


def bare_text_in_a_widget(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Text goes to a widget through `paint`, or as a literal with markup=False."""
    for call in calls(tree, *WIDGETS):
        given = call.args[0] if call.args else keyword(call, "content")
        if given is not None and not painted(given) and not (literal(given) and no_markup(call)):
            yield call.lineno, f"{name_of(call)}(…) with text that did not pass through paint"
    for call in calls(tree, "update"):
        to = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if call.args and to not in NOT_WIDGETS and not painted(call.args[0]):
            yield call.lineno, ".update(…) with text that did not pass through paint"
    for call in calls(tree, "add_option", "add_options", "set_options", "replace_option_prompt"):
        for given in call.args[-1:]:
            if isinstance(given, ast.Constant | ast.JoinedStr):
                yield call.lineno, f".{name_of(call)}(…) with text that did not pass through paint"


def bare_text_in_a_notice(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """notify shows a literal or cleaned text, and never markup."""
    for call in calls(tree, "notify"):
        given = call.args[0] if call.args else keyword(call, "message")
        clean = isinstance(given, ast.Call) and name_of(given) in ("clean", "clean_line", "plain")
        if given is None or not (literal(given) or clean):
            yield call.lineno, "notify(…) with text that is neither a literal nor cleaned"
        if not no_markup(call):
            yield call.lineno, "notify(…) without markup=False"
        if (title := keyword(call, "title")) is not None and not literal(title):
            yield call.lineno, "notify(title=…) is always markup: only a literal may stand there"


def bare_text_in_a_title(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Textual reads a str in border_title, border_subtitle and tooltip as markup."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        for target in targets:
            if not isinstance(target, ast.Attribute) or target.attr not in TITLES:
                continue
            value = getattr(node, "value", None)
            fixed = isinstance(value, ast.Constant) and "[" not in str(value.value)
            if value is not None and not fixed and not painted(value):
                yield target.lineno, f"{target.attr} = text that did not pass through paint"


def markup_made(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Nobody but paint makes Textual's or Rich's text, and nobody parses markup."""
    for call in calls(tree):
        if name_of(call) in ("from_markup", "from_ansi", "render_markup", "RichLog", "Markdown"):
            yield call.lineno, f"{name_of(call)}(…) reads text as markup"
        value = keyword(call, "markup")
        if value is not None and not no_markup(call):
            yield call.lineno, "markup must be False"
    for line, module in imports(tree):
        if module in ("textual.content.Content", "rich.text.Text", "rich.markup.render"):
            yield line, f"{module} is for screens/paint.py"


# --- one way in, one way out ---


def a_pass_made(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Only the guard hands out a Pass."""
    for call in calls(tree, "Pass"):
        yield call.lineno, "Pass(…) is handed out by cockpit.target.guard.answer alone"


def an_order_given(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Only the Responder gives a command to a target."""
    for call in calls(tree, "order"):
        if isinstance(call.func, ast.Attribute) and name_of(call.func.value) == "job":
            yield call.lineno, "job.order(…) is for the Responder"
    for line, module in imports(tree):
        if module == "cockpit.target.job.order":
            yield line, "cockpit.target.job.order is for the Responder"


def a_terminal_started(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Only the Responder starts a command in a terminal, and only by an order."""
    for call in calls(tree, "terminal", "start"):
        to = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if (name_of(call), to) in (("start", "terminal"), ("terminal", "target")):
            yield call.lineno, f"{to}.{name_of(call)}(…) is for the Responder"


def an_event_appended(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Only the Responder appends to a journal."""
    events = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module in ("cockpit.incident", "cockpit.incident.events")
        for alias in node.names
        if node.module.endswith("events") or alias.name == "events"
    }
    for call in calls(tree, "append"):
        to = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        given = call.args[0] if call.args else None
        first = given.func if isinstance(given, ast.Call) else None
        while isinstance(first, ast.Attribute):
            first = first.value
        if "journal" in to.lower() or (isinstance(first, ast.Name) and first.id in events):
            yield call.lineno, "only the Responder appends to the journal"


def screens_imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The engine knows no screen."""
    for line, module in imports(tree):
        if module.split(".")[0] in ("screens", "textual"):
            yield line, f"cockpit imports {module}"


SCREENS, ENGINE, ALL = ("screens",), ("cockpit",), ("cockpit", "screens")
# The Responder with what it is made of: runs, links, rollouts, the sender of the outbox, the
# logbook, the journal below.
WRITERS = {
    "cockpit/responder.py",
    "cockpit/runs.py",
    "cockpit/links.py",
    "cockpit/rollout.py",
    "cockpit/evidence.py",
    "cockpit/outbox/sender.py",
    "cockpit/incident/logbook.py",
    "cockpit/incident/journal.py",
    # A shift is no incident: it has a journal of its own, and this alone writes in it.
    "cockpit/oncall/shift.py",
}
# rule, where it holds, and the files that are excepted
RULES: list[tuple[Rule, tuple[str, ...], set[str]]] = [
    (bare_text_in_a_widget, SCREENS, set()),
    (bare_text_in_a_notice, SCREENS, set()),
    (bare_text_in_a_title, SCREENS, set()),
    (markup_made, SCREENS, {"screens/paint.py"}),
    (a_pass_made, ALL, {"cockpit/target/guard.py"}),
    (an_order_given, ALL, {"cockpit/runs.py"}),
    (a_terminal_started, ALL, {"cockpit/runs.py", "cockpit/target/terminal.py"}),
    # The journal itself says what it had to repair.
    (an_event_appended, ALL, WRITERS),
    (screens_imported, ENGINE, {"cockpit/cli.py"}),
]


def tree(source: str) -> ast.Module:
    # Garbage of other tests may log a traceback while it is collected, which parses too, and
    # CPython 3.11 fails on a parse within a parse (its issue 106905).
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        gc.enable()


@cache
def parsed(file: Path) -> ast.Module:
    return tree(file.read_text())


@pytest.mark.parametrize(
    ("rule", "folders", "excepted"), RULES, ids=[rule.__name__ for rule, _, _ in RULES]
)
def test_the_source_keeps_the_rule(
    rule: Rule, folders: tuple[str, ...], excepted: set[str]
) -> None:
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    names = {str(file.relative_to(ROOT)) for file in files}
    assert len(names) > 5
    assert excepted <= names, "an exception for a file that is not there"
    broken = [
        f"{file.relative_to(ROOT)}:{line}: {what}"
        for file in files
        if str(file.relative_to(ROOT)) not in excepted
        for line, what in rule(parsed(file))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    "name", ["cockpit/target/guard.py", "cockpit/runs.py", "cockpit/target/terminal.py"]
)
def test_the_excepted_files_do_what_they_are_excepted_for(name: str) -> None:
    source = parsed(ROOT / name)
    rules = [rule for rule, _, excepted in RULES if name in excepted]
    assert any(list(rule(source)) for rule in rules)


BROKEN: list[tuple[Rule, str]] = [
    (bare_text_in_a_widget, "Static(name)"),
    (bare_text_in_a_widget, "Static('fixed')"),
    (bare_text_in_a_widget, "Static(name, markup=False)"),
    (bare_text_in_a_widget, "Static('fixed', markup=True)"),
    (bare_text_in_a_widget, "Static(f'host {name}', markup=False)"),
    (bare_text_in_a_widget, "Static(content=name)"),
    (bare_text_in_a_widget, "widgets.Label(str(name), id='x')"),
    (bare_text_in_a_widget, "Option(f'{name}')"),
    (bare_text_in_a_widget, "Static(paint.text(a) if a else name)"),
    (bare_text_in_a_widget, "self.query_one(Static).update(name)"),
    (bare_text_in_a_widget, "self.update(f'{n} lines')"),
    (bare_text_in_a_widget, "self.banner.update('x' + name)"),
    (bare_text_in_a_widget, "self.list.add_option(f'{name}')"),
    (bare_text_in_a_notice, "self.notify(name, markup=False)"),
    (bare_text_in_a_notice, "self.notify(f'{name}', markup=False)"),
    (bare_text_in_a_notice, "self.notify('fixed')"),
    (bare_text_in_a_notice, "self.notify(clean_line(name), markup=True)"),
    (bare_text_in_a_notice, "self.notify('fixed', title=name, markup=False)"),
    (bare_text_in_a_title, "self.border_title = name"),
    (bare_text_in_a_title, "self.border_title = f'logs of {name}'"),
    (bare_text_in_a_title, "self.border_subtitle = '[b]x'"),
    (bare_text_in_a_title, "pane.tooltip = ' '.join(parts)"),
    (bare_text_in_a_title, "self.border_title += name"),
    (markup_made, "Content.from_markup(name)"),
    (markup_made, "Static(paint.text(a), markup=True)"),
    (markup_made, "from rich.text import Text"),
    (markup_made, "from textual.content import Content as C"),
    (markup_made, "RichLog()"),
    (a_pass_made, "leave = Pass('rm', 'h', risk, '', '', seal)"),
    (a_pass_made, "leave = guard.Pass(*values)"),
    (an_order_given, "job.order(leave, id)"),
    (an_order_given, "target.job.order(leave, id)"),
    (an_order_given, "from cockpit.target.job import order"),
    (an_order_given, "from cockpit.target.job import order as o"),
    (a_terminal_started, "await terminal.start(target, order, term=t, size=s)"),
    (a_terminal_started, "await target.terminal(script, term, 80, 24)"),
    (an_event_appended, "self.journal.append(event)"),
    (an_event_appended, "Journal(path).append(event)"),
    (an_event_appended, "open_journal().append(event)"),
    (an_event_appended, "from cockpit.incident import events as e\nx.append(e.NoteAdded(text=t))"),
    (an_event_appended, "from cockpit.incident.events import NoteAdded\nx.append(NoteAdded())"),
    (screens_imported, "import screens"),
    (screens_imported, "def f():\n    from screens.app import App"),
    (screens_imported, "from textual.app import App"),
    (screens_imported, "import textual.widget as w"),
]


@pytest.mark.parametrize(("rule", "source"), BROKEN)
def test_the_rule_sees_what_breaks_it(rule: Rule, source: str) -> None:
    assert list(rule(tree(source)))


def test_every_rule_is_tried_on_what_breaks_it() -> None:
    assert {rule for rule, _, _ in RULES} == {rule for rule, _ in BROKEN}


KEPT: list[tuple[Rule, str]] = [
    (bare_text_in_a_widget, "Static('', id='banner', markup=False)"),
    (bare_text_in_a_widget, "Static(paint.text((safe, 'strong')), classes='x')"),
    (bare_text_in_a_widget, "Static(paint.text(a) if a else paint.text(b))"),
    (bare_text_in_a_widget, "Static(id='later')"),
    (bare_text_in_a_widget, "self.update()"),
    (bare_text_in_a_widget, "self.banner.update(paint.text(words))"),
    (bare_text_in_a_widget, "self.responder.update(text)"),
    (bare_text_in_a_notice, "self.notify(clean_line(words), markup=False, timeout=3)"),
    (bare_text_in_a_notice, "self.notify('No more.' if n else 'None.', markup=False)"),
    (bare_text_in_a_title, "self.border_title = '4 Timeline'"),
    (bare_text_in_a_title, "self.border_title = paint.text(title)"),
    (bare_text_in_a_title, "self.border_title = None"),
    (markup_made, "Static(paint.text(a), markup=False)"),
    (a_pass_made, "def f(leave: Pass) -> None: guard.answer(asked)"),
    (an_order_given, "self.order = ORDERS[0]; docker.order(x)"),
    (a_terminal_started, "task.start(); await responder.run_in_terminal(leave, hand)"),
    (an_event_appended, "rows.append(row); parts.append(str(x))"),
    (screens_imported, "import asyncio\nfrom cockpit import text"),
]


@pytest.mark.parametrize(("rule", "source"), KEPT)
def test_the_rule_leaves_alone_what_keeps_it(rule: Rule, source: str) -> None:
    assert not list(rule(tree(source)))
