"""From blocks to sections, steps and commands: what the responder sees as one thing to tick."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cockpit.runbook import attributes, blocks, fences, headings, placeholders, prose, shell
from cockpit.runbook.attributes import Attributes
from cockpit.runbook.blocks import Block, Kind
from cockpit.runbook.comments import Group, groups, language
from cockpit.runbook.draft import DraftSection, DraftStep
from cockpit.runbook.model import (
    Command,
    Expectation,
    Item,
    Lines,
    Phase,
    Prose,
    Reference,
    Snippet,
    StepKind,
)
from cockpit.runbook.tree import Node
from cockpit.text import clean, clean_line

WARNING = frozenset({Phase.SYMPTOMS, Phase.MISTAKES})
"""Phases whose prose names commands that are not to be run, such as `docker compose down -v`."""

PASSIVE = frozenset(
    {
        Phase.SYMPTOMS,
        Phase.OVERVIEW,
        Phase.MISTAKES,
        Phase.REFERENCES,
        Phase.PREVENTION,
        Phase.OTHER,
    }
)
"""Phases in which a list or a sub-heading without a command is something to read, not to do."""

STEADY = frozenset({Phase.VERIFICATION, Phase.ROLLBACK, Phase.PREREQUISITES, Phase.POST_INCIDENT})
"""Phases that the steps of a list keep, whatever a step is called."""

_BOLD = re.compile(r"(\*\*|__)[^*_\n]{2,100}\1:?")
_TASK = re.compile(r"\[[ xX]\]\s+")
_LONGEST = 4_000
"""Characters of what is expected of one command; what goes on longer is to be read beside it."""
_URL = re.compile(r"\]\((?!#)|<https?://")


@dataclass(slots=True)
class Builder:
    """Collects the sections of a file.

    also: programs that the file's own shell fences use; used: variables that it reads somewhere;
    known: variables that its commands set.
    """

    also: frozenset[str]
    used: frozenset[str] = frozenset()
    sections: list[DraftSection] = field(default_factory=list)
    procedures: list[tuple[str, int]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    last_command: tuple[list[Item], int] | None = None
    awaited: tuple[list[Item], int] | None = None
    procedure_level: int = 0
    forbidden: bool = False
    warnings: list[str] = field(default_factory=list)
    _read_before: dict[int, list[fences.Piece]] = field(default_factory=dict)

    # Headings

    def node(self, node: Node, parent: Phase | None, procedure_nodes: frozenset[int]) -> None:
        """A heading that becomes a section, and all below it."""
        phase = headings.phase(node.title, parent)
        if id(node) in procedure_nodes:
            self.procedures.append((node.title, node.first))
            self.procedure_level = node.level
            if phase is Phase.SYMPTOMS or any(headings.strong(n.title) for n in node.children):
                phase = headings.strong(node.title) or Phase.PROCEDURE
        elif procedure_nodes and self._leaves_procedure(node):
            self.procedures.append((self.procedures[0][0], node.first))
            self.procedure_level = 0
        if phase is Phase.SYMPTOMS and headings.MANY.search(node.title):
            phase = Phase.OTHER if any(child.children for child in node.children) else phase
        section = self.open(node, phase)
        kind = node.kind
        single = (not node.children or self._flattened(node)) and not (
            _has_steps(node) or self._offers(node)
        )
        explicit = node.pseudo or re.match(r"\W*(?:step|option)\b", node.title, re.IGNORECASE)
        if kind and single and explicit:
            self._whole(section, node, kind, phase)
            return
        self.direct(section, node.body)
        self._name_it(section, parent)
        options = [child for child in node.children if child.kind is StepKind.OPTION]
        apart = all(_has_steps(child) for child in options)
        modes = [
            None
            if id(child) in procedure_nodes or (apart and child.kind is StepKind.OPTION)
            else self._mode(child, phase)
            for child in node.children
        ]
        for child, mode in zip(node.children, modes, strict=True):
            child_phase = headings.phase(child.title, phase)
            if all(mode is not None for mode in modes):
                self._whole(section, child, mode or StepKind.STEP, child_phase)
                self._name_it(section, parent)
            elif mode is None or child.kind is None:
                self.node(child, phase, procedure_nodes)
            else:
                own = self.open(child, child_phase)
                self._whole(own, child, mode, child_phase)
                self._name_it(own, phase)

    def _name_it(self, section: DraftSection, parent: Phase | None) -> None:
        """A section with commands is at least a procedure, whatever its heading does not say."""
        unsaid = section.phase is Phase.OTHER or (
            section.phase is Phase.OVERVIEW and parent is Phase.OVERVIEW
        )
        if unsaid and any(
            isinstance(item, Command) for step in section.steps for item in step.items
        ):
            self.rephase(section, Phase.PROCEDURE)

    def _leaves_procedure(self, node: Node) -> bool:
        return len(self.procedures) > 1 and not node.pseudo and node.level <= self.procedure_level

    def _flattened(self, node: Node) -> bool:
        """A step whose only sub-headings are bold labels stays one step."""
        return bool(node.kind) and all(child.pseudo for child in node.children)

    def _offers(self, node: Node) -> bool:
        """Whether a code block below the heading names options by comments: "# Option 1: …"."""
        return any(
            sum(
                group.has_commands and headings.kind(group.title) is StepKind.OPTION
                for group in self._groups(block)
            )
            > 1
            for block in blocks.flat(node.body)
            if block.kind is Kind.FENCE and "#" in block.text
        )

    def open(self, node: Node, phase: Phase) -> DraftSection:
        """A new section; what follows goes into it."""
        section = DraftSection(
            node.title, phase, node.level, node.first, node.last, max(len(self.procedures) - 1, 0)
        )
        section.kind = node.kind
        self.sections.append(section)
        self.last_command = self.awaited = None
        return section

    def _mode(self, node: Node, parent: Phase) -> StepKind | None:
        """The kind of step that a sub-heading is, None when it is a section with its own steps."""
        kind = node.kind
        if (node.children and not self._flattened(node)) or self._offers(node):
            return None
        body = blocks.flat(node.body)
        lists = [block for block in body if block.kind is Kind.LIST]
        if any(_is_task(item) for block in lists for item in block.children):
            return None
        if kind:
            return kind
        if any(block.ordered and len(block.children) > 1 for block in lists):
            return None
        code = [block for block in body if block.kind in (Kind.FENCE, Kind.INDENTED)]
        with_commands = sum(self._has_commands(block) for block in body)
        if not with_commands:
            phase = headings.phase(node.title, parent)
            return StepKind.MANUAL if phase not in PASSIVE and not code and lists else None
        if not any(self._has_commands(block) for block in code) and lists:
            return None
        return StepKind.STEP

    def _told(self, text: str, in_list: bool, phase: Phase) -> tuple[prose.Found, ...]:
        """The commands in a text; none where it tells of commands without telling to run them."""
        return (
            () if self.forbidden or phase in WARNING else prose.commands(text, self.also, in_list)
        )

    def _has_commands(
        self, block: Block, phase: Phase = Phase.OTHER, in_list: bool = False
    ) -> bool:
        if block.kind in (Kind.FENCE, Kind.INDENTED):
            return any(piece.kind is fences.Kind.COMMAND for piece in self._pieces(block))
        if block.kind in (Kind.LIST, Kind.ITEM, Kind.QUOTE):
            below = in_list or block.kind is not Kind.QUOTE
            return any(self._has_commands(child, phase, below) for child in block.children)
        return block.kind is Kind.PARAGRAPH and bool(self._told(block.text, in_list, phase))

    def _whole(self, section: DraftSection, node: Node, kind: StepKind, phase: Phase) -> None:
        """A heading that is one step with all that stands below it."""
        step = DraftStep(node.title, kind, phase, node.first, node.last)
        section.steps.append(step)
        section.last = max(section.last, node.last)
        self.last_command = self.awaited = None
        self.inside(step, node.body)
        for child in node.children:
            line = Lines(child.first, child.first)
            step.items.append(Prose(clean_line(child.title), line, f"**{child.title}**"))
            step.phase = headings.strong(child.title) or phase
            self.inside(step, child.body, child.title)
        step.phase = phase
        if kind is StepKind.STEP and not any(isinstance(item, Command) for item in step.items):
            step.kind = StepKind.MANUAL

    def rephase(self, section: DraftSection, phase: Phase) -> None:
        """Give a section, its steps and their commands another phase."""
        section.phase, before = phase, section.phase
        for step in section.steps:
            step.phase = phase if step.phase is before else step.phase
            for at, item in enumerate(step.items):
                if isinstance(item, Command) and item.phase is before:
                    step.items[at] = replace(item, phase=phase)

    # What stands below a heading

    def direct(self, section: DraftSection, body: Sequence[Block]) -> None:
        """A section's own content: a step for each thing that can be ticked."""
        content = blocks.flat(body)
        pending: list[Block] = []
        label = ""
        for number, block in enumerate(content):
            section.reaches(block.first - 1 if section.steps else block.last)
            if tab := blocks.is_tab_label(block):
                label = tab
                pending.append(block)
                continue
            match block.kind:
                case Kind.PARAGRAPH | Kind.TABLE:
                    if self._says_expectation(block):
                        continue
                    if self._has_commands(block) or (
                        block.kind is Kind.TABLE and self._cells(block)
                    ):
                        self._flush(section, pending)
                        step = self._step(section, prose.title(block.text), block)
                        self.inside(step, [block])
                    else:
                        pending.append(block)
                case Kind.FENCE | Kind.INDENTED:
                    after_list = number > 0 and content[number - 1].kind is Kind.LIST
                    self._code(section, block, pending, label, after_list)
                    pending, label = [], ""
                case Kind.LIST:
                    self._flush(section, pending)
                    before = content[number - 1] if number else block
                    self.forbidden = before.kind is Kind.PARAGRAPH and prose.forbids(before.text)
                    self._list(section, block)
                    self.forbidden = False
                    pending = []
                case _:
                    pending.append(block)
            if pending and block.kind not in (Kind.PARAGRAPH,):
                self._flush(section, pending)
        self._flush(section, pending)

    def _flush(self, section: DraftSection, pending: list[Block]) -> None:
        for block in pending:
            self._read(section.place(), block)
        if pending:
            section.reaches(pending[-1].last)
        pending.clear()

    def _step(
        self, section: DraftSection, title: str, block: Block, kind: StepKind = StepKind.STEP
    ) -> DraftStep:
        step = DraftStep(title or section.title, kind, section.phase, block.first, block.last)
        section.steps.append(step)
        section.reaches(block.last)
        return step

    def _code(
        self,
        section: DraftSection,
        block: Block,
        pending: list[Block],
        label: str,
        after_list: bool,
    ) -> None:
        groups = self._groups(block)
        has = [group for group in groups if group.has_commands]
        own = any(headings.kind(group.title) for group in has)
        if not has or (after_list and section.steps and not own):
            self._flush(section, pending)
            step = section.steps[-1] if section.steps else None
            self._put(section.place(), block, step.phase if step else section.phase)
            section.reaches(block.last)
            return
        intro = pending[-1] if pending else None
        if len(has) == 1 or not all(group.title for group in has[1:]):
            if intro:
                self._flush(section, pending[:-1])
            title = label or (prose.title(intro.text) if intro else "") or has[0].title
            first = not section.steps
            title = title or (section.title if first else self._first_command(block))
            step = self._step(section, title, intro or block)
            if intro and not label:
                self._read(step.items, intro)
            self._put(step.items, block, step.phase)
            section.reaches(block.last)
            return
        self._flush(section, pending)
        step = None
        said = self._attributes(block)
        for group in groups:
            if group.has_commands:
                title = group.title or (
                    section.title if not section.steps else group.commands[0].text
                )
                option = headings.kind(title) is StepKind.OPTION
                kind = StepKind.OPTION if option else StepKind.STEP
                step = DraftStep(title, kind, section.phase, group.first, group.last)
                section.steps.append(step)
            place = step.items if step else section.place()
            self._put_group(place, group, section.phase, "", said)
            section.reaches(group.last)
        self._expect_said(said, block)

    def _first_command(self, block: Block) -> str:
        piece = next(piece for piece in self._pieces(block) if piece.kind is fences.Kind.COMMAND)
        return piece.text.split("\n")[0][:80]

    def _list(self, section: DraftSection, block: Block) -> None:
        if self._lists_expectation(block):
            section.reaches(block.last)
            return
        for number, item in enumerate(block.children, 1):
            sign = f"{item.info or number}. " if block.ordered else "- "
            text = next((child.text for child in item.children if child.kind is Kind.PARAGRAPH), "")
            told = self._told(text, True, section.phase)
            has = self._has_commands(item, section.phase) or bool(told)
            task = _is_task(item)
            acts = section.phase not in PASSIVE or section.phase is Phase.OTHER
            active = block.ordered and acts
            looks = active and prose.says_look(text)  # of a numbered list a step like the others
            if not (has or task or active) or (
                text and not has and not looks and self._expects(item)
            ):
                if not self._expects(item):
                    self.last_command = self.awaited = None
                self._item(section.place(), item, sign, section.phase)
                section.reaches(item.last)
                continue
            bare = prose.without(text, told)
            kind = StepKind.CHECK if task else StepKind.STEP if has else StepKind.MANUAL
            if headings.kind(bare) is StepKind.OPTION:
                kind = StepKind.OPTION
            step = self._step(section, prose.title(_TASK.sub("", bare, count=1)), item, kind)
            if _BOLD.fullmatch(text) and section.phase not in STEADY:
                step.phase = headings.strong(step.title) or step.phase
            self.last_command = self.awaited = None
            own, *options = _offered(item.children)
            self.inside(step, own, own_title=True)
            if options and not any(isinstance(part, Command) for part in step.items):
                step.kind = StepKind.MANUAL if kind is StepKind.STEP else kind
            for option in options:
                title = prose.title(option[0].text)
                other = self._step(section, title, option[0], StepKind.OPTION)
                other.phase = step.phase
                self.last_command = self.awaited = None
                self.inside(other, option, own_title=True)

    def _expects(self, item: Block) -> bool:
        text = item.children[0].text if item.children else ""
        return self.last_command is not None and prose.expectation(text) is not None

    def inside(
        self, step: DraftStep, body: Sequence[Block], title: str = "", own_title: bool = False
    ) -> None:
        """Content that belongs to one step, whatever its shape."""
        for number, block in enumerate(blocks.flat(body)):
            step.last = max(step.last, block.last)
            match block.kind:
                case Kind.FENCE | Kind.INDENTED:
                    self._put(step.items, block, step.phase, title)
                    title = ""
                case Kind.LIST if not self._lists_expectation(block):
                    for count, item in enumerate(block.children, 1):
                        sign = f"{item.info or count}. " if block.ordered else "- "
                        self._item(step.items, item, sign, step.phase)
                case Kind.LIST:
                    pass
                case Kind.PARAGRAPH if not self._says_expectation(block):
                    said = step.title if own_title and number == 0 else ""
                    self._paragraph(step.items, block, step.phase, own_title, said)
                    if not own_title or number:
                        title = (
                            prose.title(block.text) if block.text.rstrip(" *").endswith(":") else ""
                        )
                case Kind.PARAGRAPH:
                    pass
                case Kind.TABLE:
                    self._read(step.items, block)
                    for found in self._cells(block):
                        self._add(
                            step.items,
                            found.command,
                            block.first + found.line,
                            0,
                            step.phase,
                            "",
                            "inline",
                        )
                case _:
                    self._read(step.items, block)

    def _item(self, place: list[Item], item: Block, sign: str, phase: Phase) -> None:
        """A list item that is not a step of its own."""
        for number, child in enumerate(blocks.flat(item.children)):
            match child.kind:
                case Kind.PARAGRAPH if number == 0:
                    if self._says_expectation(child):
                        continue
                    self._paragraph(place, replace(child, text=sign + child.text), phase, True, "")
                case Kind.PARAGRAPH:
                    if not self._says_expectation(child):
                        self._paragraph(place, child, phase, True, "")
                case Kind.LIST:
                    for count, inner in enumerate(child.children, 1):
                        mark = f"{inner.info or count}. " if child.ordered else "- "
                        self._item(place, inner, "  " + mark, phase)
                case Kind.FENCE | Kind.INDENTED:
                    self._put(place, child, phase)
                case _:
                    self._read(place, child)

    # Leaves

    def _paragraph(
        self, place: list[Item], block: Block, phase: Phase, in_list: bool, said: str
    ) -> None:
        found = self._told(block.text, in_list, phase)
        text = prose.without(block.text, found)
        title = prose.title(re.sub(r"^\s*(?:-|\d+\.)\s", "", text)) if found else ""
        says = not said or headings.plain(text).rstrip(":") != said or _URL.search(text)
        if says and text.strip():
            self._read(place, block if text is block.text else replace(block, text=text))
        else:
            self._point(place, block)
        for item in found:
            self._add(
                place,
                item.command,
                block.first + item.line,
                item.last - item.line,
                phase,
                title,
                item.source,
            )
            shown = prose.shown(block.text, item.command) if phase is Phase.VERIFICATION else ""
            if in_list and shown:
                self._expect(shown, Lines(block.first, block.last))

    def _read(self, place: list[Item], block: Block) -> None:
        """Something to read only."""
        if block.kind in (Kind.LIST, Kind.ITEM):
            for number, child in enumerate(block.children, 1):
                self._item(place, child, f"{number}. " if block.ordered else "- ", Phase.OTHER)
            return
        text = block.text if block.kind in (Kind.TABLE, Kind.HTML) else headings.plain(block.text)
        if text.strip():
            written = blocks.quoted(block)
            place.append(Prose(clean(text), Lines(block.first, block.last), written))
        if block.kind is Kind.PARAGRAPH:
            self._point(place, block)
            self.awaited = self.last_command if prose.output_follows(block.text) else None

    def _point(self, place: list[Item], block: Block) -> None:
        for pointer in prose.pointers(block.text):
            line = block.first + pointer.line
            place.append(Reference(clean_line(pointer.text), Lines(line, line), pointer.where))

    def _says_expectation(self, block: Block) -> bool:
        """Attach a paragraph like "Expected: running" to the command before it."""
        said = prose.expectation(block.text)
        if said is None or self.last_command is None:
            return False
        if said:
            self._expect(said, Lines(block.first, block.last))
        if not said or said.endswith(":"):
            self.awaited = self.last_command
        return True

    def _lists_expectation(self, block: Block) -> bool:
        """Attach the list below "Look for:" to the command before that."""
        if not self.awaited or self._has_commands(block):
            return False
        lines = [line for item in block.children for line in _text_of(item).split("\n")]
        self._expect("\n".join(lines), Lines(block.first, block.last), self.awaited)
        self.awaited = None
        return True

    def _expect(self, text: str, lines: Lines, where: tuple[list[Item], int] | None = None) -> None:
        place, at = where or self.last_command or ([], 0)
        command = place[at] if at < len(place) and text.strip() else None
        if not isinstance(command, Command):
            return
        if old := command.expectation:
            if len(old.text) + len(text) > _LONGEST:
                place.append(Prose(clean(text), lines))
                return
            text, lines = f"{old.text}\n{text}", Lines(old.lines.first, lines.last)
        place[at] = replace(command, expectation=Expectation(clean(text), lines))

    def _add(
        self,
        place: list[Item],
        text: str,
        line: int,
        more: int,
        phase: Phase,
        title: str,
        source: str,
        said: Attributes = attributes.NOTHING,
    ) -> None:
        verdict = shell.judge(text)
        raised = said.risk if said.risk and said.risk.above(verdict.risk) else None
        gaps = placeholders.find(text, self.known)
        self.known |= placeholders.assigned(text)
        place.append(
            Command(
                "",
                text,
                Lines(line, line + more),
                said.phase or phase,
                raised or verdict.risk,
                "the runbook says so" if raised else verdict.because,
                clean_line(title),
                said.waits(verdict.waits),
                gaps,
                None,
                source,
                said.host,
                said.timeout_s,
                said.name,
            )
        )
        self.last_command, self.awaited = (place, len(place) - 1), None

    def _cells(self, block: Block) -> list[prose.Found]:
        found = []
        for number, line in enumerate(block.text.split("\n")):
            for cell in re.split(r"(?<!\\)\|", line):
                for item in prose.commands(cell.strip(), self.also, True):
                    if item.source == "inline":
                        command = item.command.replace("\\|", "|")
                        found.append(prose.Found(command, number, number, "inline"))
        return found

    # Code

    def _pieces(self, block: Block) -> list[fences.Piece]:
        if block.first not in self._read_before:
            lines = block.text.rstrip("\n").split("\n")
            self._read_before[block.first] = fences.read(
                lines, language(block), self.also, self.used
            )
        return self._read_before[block.first]

    def _groups(self, block: Block) -> list[Group]:
        return groups(self._pieces(block), block.body, language(block))

    def _attributes(self, block: Block) -> Attributes:
        """What stands beside the fence's language; what is wrong there becomes a warning."""
        if "{" not in block.info:
            return attributes.NOTHING
        said, problems = attributes.of_fence(block.info)
        self.warnings += [f"line {block.first}: {problem}." for problem in problems]
        return said

    def _put(self, place: list[Item], block: Block, phase: Phase, title: str = "") -> None:
        said = self._attributes(block)
        for group in self._groups(block):
            self._put_group(place, group, phase, title, said)
        self._expect_said(said, block)

    def _expect_said(self, said: Attributes, block: Block) -> None:
        if said.expect and self._has_commands(block):
            self._expect(said.expect, Lines(block.first, block.first))

    def _put_group(
        self, place: list[Item], group: Group, phase: Phase, title: str, said: Attributes
    ) -> None:
        source = "indented" if group.indented else "fence"
        # A comment of several lines is read from its first line on.
        more = bool(group.parts) and isinstance(group.parts[0], Prose)
        if group.title and (more or all(part.note for part in group.commands)):
            step = self.sections[-1].steps[-1] if self.sections[-1].steps else None
            if group.commands and not (step and step.title == group.title):
                place.append(Prose(clean(group.title), Lines(group.first, group.first)))
        for part in group.parts:
            if isinstance(part, fences.Piece):
                name = part.note if part.note and prose.expectation(part.note) is None else ""
                self._add(
                    place,
                    part.text,
                    part.first,
                    part.last - part.first,
                    phase,
                    name or group.title or title,
                    source,
                    said,
                )
                if part.note and not name:
                    self._expect(
                        prose.expectation(part.note) or part.note, Lines(part.first, part.last)
                    )
            elif isinstance(part, Expectation):
                self._expect(part.text, part.lines)
            elif isinstance(part, Snippet) and self.awaited:
                self._expect(part.text.strip("\n"), part.lines, self.awaited)
                self.awaited = None
                place.append(part)
            else:
                place.append(part)


def _is_task(item: Block) -> bool:
    return bool(item.children) and bool(_TASK.match(item.children[0].text))


def _offered(body: Sequence[Block]) -> list[Sequence[Block]]:
    """What stands in a list item, cut before each "**Option A: …**" in a paragraph of its own."""
    cuts = [
        at
        for at, block in enumerate(body)
        if at and _BOLD.fullmatch(block.text) and headings.kind(block.text) is StepKind.OPTION
    ]
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def _has_steps(node: Node) -> bool:
    """Whether an option has a numbered list of its own; where all have, each is a section."""
    return node.kind is StepKind.OPTION and any(
        block.ordered and len(block.children) > 1 for block in blocks.flat(node.body)
    )


def _text_of(block: Block, depth: int = 0) -> str:
    """What stands in a list item, as lines; what stands in a list in it moved to the right."""
    out: list[str] = []
    for child in block.children:
        if child.children:
            out.append(_text_of(child, depth + (child.kind is Kind.ITEM)))
        elif child.text.strip():
            sign = "" if out else "  " * depth + "- "
            out.append(sign + headings.plain(child.text))
    return "\n".join(out)
