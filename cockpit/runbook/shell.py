"""What a shell command would do to the place where it runs: read, change or destroy, and why.

Bias to recall (DESIGN sections 6 and 7): what is not known to only read counts as change, and a
word that destroys anywhere in the command counts, whether that branch is taken or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache, reduce
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from cockpit.runbook import effects, placeholders, plain
from cockpit.runbook.effects.call import Call, Effect, change, destroy, read
from cockpit.runbook.effects.data import sql
from cockpit.runbook.effects.names import is_capture
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import SHELLS, names_of
from cockpit.text import clean_line

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_DEPTH = 6
"""Shells within shells that are followed; deeper ones count as change."""
_LONGEST = 20_000
"""Characters; a command of a runbook is shorter, and the time to judge may grow with the square."""

_DANGER = re.compile(
    r"\brm\s+-\w*[rf]|\bmkfs|\bdd\s+[^|;]*of=|\bDROP\s+(?:TABLE|DATABASE)|"
    r"\bTRUNCATE\b|\bDELETE\s+FROM|\bprune\b|"
    r"--hard\b|\bkill\s+-9|\breboot\b|\bshutdown\b|\bcompose\s+[^|;]*\bdown\b|"
    r"\bdelete\b|\bdestroy\b|\s-delete\b|\brm\s",
    re.IGNORECASE,
)
_SILENT = re.compile(
    r"(?:echo|printf)(?:\s+-[neE]+)?(?:\s+[\"']?(?:q|quit|exit|)(?:(?:\\r)?\\n)?[\"']?)?\s*"
    r"|true|:|sleep\s+[\d.]+[smh]?",
    re.IGNORECASE,
)
"""Commands whose output, sent to another machine, asks it for nothing."""
_CLIENTS = names_of("sqlite3 psql mysql mariadb clickhouse-client cqlsh")


class Verdict(msgspec.Struct, frozen=True):
    """What a command would do.

    because: plain words for the gate. waits: why it needs a person or does not end. containers:
    names or Compose services that it restarts, stops or removes, ("*",) for a whole project or an
    unknown set. assigns: variables it sets for later commands. sudo: whether sudo or doas may ask
    for a password where the command runs (behind ssh or in a container it has no terminal to).
    """

    risk: Risk
    because: str
    waits: Waits | None = None
    containers: tuple[str, ...] = ()
    assigns: frozenset[str] = frozenset()
    sudo: bool = False


@lru_cache(maxsize=4096)
def judge(command: str) -> Verdict:
    """What a command would do. Never raises; what cannot be understood counts as change."""
    try:
        effect = _script(placeholders.neutral(command), 0)
    except (RecursionError, ValueError, IndexError) as error:
        effect = change(f"the command could not be parsed ({type(error).__name__})")
    return Verdict(
        effect.risk,
        clean_line(effect.because),
        effect.waits,
        effect.containers,
        placeholders.assigned(command),
        effect.sudo,
    )


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _script(text: str, depth: int) -> Effect:
    if not text.strip():
        return read("does nothing")
    if depth > _DEPTH:
        return change("too many shells within shells to follow")
    if len(text) > _LONGEST:
        return change("the command is too long to be read")
    if pipelines := plain.split(text):
        return _plainly(pipelines, depth)
    return _parsed(text, depth)


def _plainly(pipelines: plain.Pipelines, depth: int) -> Effect:
    """The effect of commands that needed no grammar, in their order."""
    walk = _Walk(b"", depth)
    effects = [
        walk.part(pipeline, number) for pipeline in pipelines for number in range(len(pipeline))
    ]
    return reduce(Effect.and_, effects)


def _parsed(text: str, depth: int) -> Effect:
    source = text.encode("utf-8", "surrogatepass")
    root = _parser().parse(source).root_node
    effect = _Walk(source, depth).judge(root)
    if root.has_error:
        effect = change("part of the command could not be parsed").and_(effect)
        if _DANGER.search(text):
            effect = effect.and_(destroy("a part that could not be parsed has a word that deletes"))
    return effect


@dataclass(frozen=True, slots=True)
class _Walk:
    source: bytes
    depth: int
    redirects: dict[int, list[Node]] = field(default_factory=dict)

    def judge(self, root: Node) -> Effect:
        effect = read("does nothing")
        named = False
        for node in _all(root):
            part = self._node(node)
            if part:
                effect = part if not named else effect.and_(part)
                named = True
        return effect

    def _node(self, node: Node) -> Effect | None:
        match node.type:
            case "command":
                return self._command(node)
            case "file_redirect":
                return self._redirect(node)
            case "while_statement":
                head = self._text(node).split("\n")[0]
                if re.match(
                    r"(?:while\s+(?:true|:)|until\s+false)\s*;?", head
                ) and "break" not in self._text(node):
                    return read("loops until it is stopped", Waits.STREAM)
            case "expansion" if "`" in self._text(node):
                inner = re.findall(r"`([^`]*)`", self._text(node))
                return _script("\n".join(inner), self.depth + 1)
            case "declaration_command" | "variable_assignment" | "test_command" | "unset_command":
                return read("only sets variables in its own shell")
        return None

    def part(self, pipeline: list[tuple[list[str], bool]], number: int) -> Effect:
        """One command of a pipeline of plain words."""
        words, _ = pipeline[number]
        silent = number > 0 and bool(_SILENT.fullmatch(" ".join(pipeline[number - 1][0])))
        effect = self._argv(words, number > 0, self.depth, silent)
        if number:
            said, redirected = pipeline[number - 1]
            if said[0] in ("echo", "printf") and len(said) > 1 and not redirected:
                effect = self._fed(words, "text", " ".join(said[1:]), effect)
        if effect.waits is Waits.STREAM and len(pipeline) > 1:
            fills = words[0] == "yes" and number + 1 < len(pipeline)
            if fills or pipeline[-1][0][0] == "head":
                return replace(effect, waits=None)
        return effect

    def _text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _command(self, node: Node) -> Effect:
        words = [
            self._word(child)
            for child in node.children
            if child.type
            not in (
                "variable_assignment",
                "herestring_redirect",
                "file_redirect",
                "heredoc_redirect",
            )
        ]
        if not words:
            return read("only sets variables in its own shell")
        if re.match(r"[$`]|\S*\$\(", words[0]) or not words[0]:
            return change("which program runs is only known when it runs")
        feeds = [*self._feeds(node)]
        piped = bool(feeds) or self._piped(node)
        effect = self._argv(words, piped, self.depth, piped and self._silent(node, feeds))
        for kind, text in feeds:
            effect = self._fed(words, kind, text, effect)
        return self._ends(node, effect)

    def _ends(self, node: Node, effect: Effect) -> Effect:
        """An endless command ends when its reader does (`| head`), or is in the background."""
        if effect.waits is Waits.STREAM:
            after = node.parent
            while after is not None and after.type in ("redirected_statement",):
                after = after.parent
            if after is not None and after.type == "pipeline":
                end = after.children[-1]
                last = self._text(end).split()
                fills = self._text(node).split()[:1] == ["yes"] and end != node
                if fills or (last and last[0] == "head"):
                    return replace(effect, waits=None)
            sibling = node.next_sibling
            if sibling is not None and sibling.type == "&":
                return replace(effect, waits=None)
        return effect

    def _silent(self, node: Node, feeds: Sequence[tuple[str, str]]) -> bool:
        """Whether its input asks for nothing; a redirection of another command is not its own."""
        if node.parent is None or node.parent.type not in ("pipeline", "redirected_statement"):
            return False
        if node.parent.type == "redirected_statement":
            return bool(feeds) and all(text.strip() == "/dev/null" for _, text in feeds)
        before = node.prev_named_sibling
        if before is None or not _SILENT.fullmatch(self._text(before)):
            return False
        return all(kind == "text" and _SILENT.fullmatch(f"echo {text}") for kind, text in feeds)

    def _argv(self, words: Sequence[str], piped: bool, depth: int, silent: bool = False) -> Effect:
        if not words:
            return read("does nothing")
        if depth > _DEPTH:
            return change("too many commands within commands to follow")
        if words[0].startswith(("$", "`", "<")):
            return change("which program runs is only known when it runs")
        call = Call(
            tuple(words),
            piped,
            lambda text: _script(text, depth + 1),
            lambda inner: self._argv(list(inner), piped, depth + 1, silent),
            silent,
        )
        return effects.judge(call)

    def _piped(self, node: Node) -> bool:
        """Whether the input of the command is the output of another one."""
        child, parent = node, node.parent
        while parent is not None:
            if parent.type == "pipeline" and parent.child(0) != child:
                return True
            above = parent.parent.type if parent.parent is not None else ""
            if above == "pipeline" and parent.type == "list" and parent.child(0) != child:
                return False  # the grammar reads `a | b | c && d` as a pipe into `c && d`
            if parent.type == "redirected_statement" and any(
                other.type in ("heredoc_redirect", "herestring_redirect")
                or (other.type == "file_redirect" and self._text(other).lstrip("0").startswith("<"))
                for other in parent.children
            ):
                return True
            child, parent = parent, parent.parent
        return False

    def _feeds(self, node: Node) -> Iterator[tuple[str, str]]:
        """Text and files that a command is given as input: (kind, text)."""
        parent = node.parent
        around = [*node.children]
        above = parent
        while above is not None and above.type in (
            "redirected_statement",
            "pipeline",
            "heredoc_redirect",
        ):
            around += [above] if above.type == "heredoc_redirect" else self._redirects(above)
            above = above.parent
        for other in around:
            if other.type == "heredoc_redirect":
                for body in other.children:
                    if body.type == "heredoc_body":
                        yield "text", self._text(body)
            elif other.type == "herestring_redirect":
                yield "text", " ".join(self._word(child) for child in other.named_children)
            elif other.type == "file_redirect" and self._text(other).lstrip("0").startswith("<"):
                yield "file", self._text(other).lstrip("0< ")
        if parent is not None and parent.type == "pipeline":
            before = node.prev_named_sibling
            if before is not None and before.type == "command":
                said = [self._word(child) for child in before.named_children]
                if said and said[0] in ("echo", "printf") and len(said) > 1:
                    yield "text", " ".join(said[1:])

    def _redirects(self, above: Node) -> list[Node]:
        """The redirections below a pipeline or a redirected statement; found once for each."""
        if above.id not in self.redirects:
            found: list[Node] = []
            for child in above.children:
                inner = child.children if child.type == "redirected_statement" else [child]
                found += [it for it in inner if it.type.endswith("redirect")]
            self.redirects[above.id] = found
        return self.redirects[above.id]

    def _fed(self, words: Sequence[str], kind: str, text: str, effect: Effect) -> Effect:
        """The effect of a shell or database client with what it is given to run."""
        runner = self._runner(words)
        if not runner:
            return effect
        if kind == "file":
            if runner in _CLIENTS:
                return effect.and_(destroy(f"{runner} runs {text} over what is there now"))
            return effect.and_(change(f"{runner} runs {text}"))
        inner = sql(text) if runner in _CLIENTS else _script(text, self.depth + 1)
        if effect.risk is Risk.CHANGE and "given" in effect.because:
            sudo = effect.sudo or inner.sudo
            return replace(inner, waits=effect.waits or inner.waits, sudo=sudo)
        return effect.and_(inner)

    def _runner(self, words: Sequence[str]) -> str:
        """The shell or client behind wrappers, which runs its input; "" when there is none."""
        for word in words:
            name = word.removeprefix("\\").rpartition("/")[2]
            if name in _CLIENTS or name in SHELLS:
                return name
        return "ssh" if words[0].rpartition("/")[2] == "ssh" else ""

    def _word(self, node: Node) -> str:
        """A word as the program gets it, as far as that is known without running anything."""
        match node.type:
            case "command_name" | "concatenation":
                return "".join(self._word(child) for child in node.children) or self._text(node)
            case "raw_string":
                return self._text(node)[1:-1]
            case "string":
                return re.sub(r'\\([\\"$`\n])', r"\1", self._text(node)[1:-1])
            case "ansi_c_string":
                return _ansi(self._text(node)[2:-1])
            case "word":
                return re.sub(r"\\(.)", r"\1", self._text(node), flags=re.DOTALL)
        return self._text(node)

    def _redirect(self, node: Node) -> Effect | None:
        text = self._text(node)
        sign = re.match(r"\d*(?:&>>?|>>|>\||<>|>&|>)", text)
        if not sign:
            return None
        place = " ".join(
            self._word(child) for child in node.named_children if child.type != "file_descriptor"
        )
        if sign[0].endswith(">&") and re.fullmatch(r"\d+|-", place):
            return None
        if re.match(r"/dev/(?:sd|nvme|vd|xvd|disk|mapper)", place):
            return destroy(f"overwrites the device {place}")
        if place.startswith(("/dev/tcp/", "/dev/udp/")):
            return change(f"sends to {place}")
        if place.startswith("/dev/") and is_capture(place):
            return None
        if ">>" not in sign[0] and self._empties(node):
            return destroy(f"empties {place}")
        if is_capture(place):
            typed = ">>" not in sign[0] and not place.endswith(".log") and self._typed(node)
            return change(f"writes a text of the runbook to {place}") if typed else None
        if ">>" in sign[0]:
            return change(f"appends to {place}")
        if not place.startswith(("/", "$")) or re.match(
            r"(?:/home|/root|/opt/backup|/backup)\b", place
        ):
            return change(f"writes {place}")
        return change(f"overwrites {place}")

    def _typed(self, node: Node) -> bool:
        """Whether what is written stands in the command itself, and is no output kept for later."""
        parent = node.parent
        body = parent.children[0] if parent is not None and parent.children else None
        if body is None or body.type != "command":
            return False
        name = self._text(body).split(None, 1)[0]
        fed = (
            any(child.type == "heredoc_redirect" for child in parent.children) if parent else False
        )
        return name in ("echo", "printf") or (name == "cat" and fed)

    def _empties(self, node: Node) -> bool:
        parent = node.parent
        body = parent.children[0] if parent is not None and parent.children else None
        if body is None or body == node:
            return True
        return bool(
            re.fullmatch(
                r"(?::|true|echo(?:\s+-n)?(?:\s+(?:''|\"\"))?|cat\s+/dev/null)",
                self._text(body).strip(),
            )
        )


def _all(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children)


def _ansi(text: str) -> str:
    """`$'…'` with its escapes; those that we do not know stay."""
    simple = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "r": "\r"}
    text = re.sub(r"\\x([0-9a-fA-F]{1,2})", lambda match: chr(int(match[1], 16)), text)
    text = re.sub(r"\\([0-7]{1,3})", lambda match: chr(int(match[1], 8)), text)
    return re.sub(r"\\(.)", lambda match: simple.get(match[1], match[0]), text, flags=re.DOTALL)
