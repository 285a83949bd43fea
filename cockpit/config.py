"""cockpit.yaml -> Config, with errors that name the file, the line, what is wrong and the mend."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from cockpit import paths
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import yaml

_MAX_BYTES = 1 << 20
_SECRET = re.compile(
    r"(?i)passw(or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|credential"
)
_NO_SECRETS = (
    "secrets never stand in cockpit.yaml; leave it out and use the SSH agent, an environment "
    "variable, or a command that prints it"
)


class ConfigError(Exception):
    """cockpit.yaml cannot be used. The message has one line for each mistake, in order of lines."""

    def __init__(self, *mistakes: Safe) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class _Wrong(Exception):
    """What is wrong with one value, as the end of a sentence that begins with the value."""


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise _Wrong("it must be a whole number from 1 to 65535")
    return int(text)


def _word(text: str) -> str:
    """Goes to ssh as an argument: an option or two words there would be something else."""
    if not text or text.startswith("-") or re.search(r"\s", text) or not text.isprintable():
        raise _Wrong("it must be one word that does not begin with -")
    return text


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise _Wrong("it must be text on one line")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", text) or not text.isprintable():
        raise _Wrong("it must be a URL such as http://127.0.0.1:8000/health")
    if parts.password is not None:
        raise _Wrong(_NO_SECRETS)
    return text


def _address(text: str) -> str:
    """As `_url`, also of a mail server."""
    if not text.startswith(("smtp://", "smtps://")):
        return _url(text)
    parts = urlsplit("http" + text[text.index(":") :])
    _url(parts.geturl())
    if parts.path.strip("/") or parts.query or parts.username:
        raise _Wrong("it must be smtp://HOST:PORT or smtps://HOST:PORT; a login stands under user")
    return text


def _mail_address(text: str) -> str:
    part = r"[!-~]+"  # ASCII without blanks
    if not re.fullmatch(rf"{part}@{part}", text) or re.search(r"[<>,;:\"()\[\]\\]|@.*@", text):
        raise _Wrong("it must be a mail address such as oncall@example.net")
    return text


def _docker(text: str) -> str:
    if text.startswith("ssh:"):
        raise _Wrong(
            "it must be the socket as that host sees it, such as /var/run/docker.sock: "
            "cockpit reaches the host over its own SSH connection"
        )
    try:
        parts = urlsplit(text)
        good = (
            text.startswith("/")
            or (parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc)
            or (parts.scheme == "tcp" and parts.hostname and parts.port and not parts.path)
        )
    except ValueError:
        good = False
    if not good or re.search(r"\s", text) or not text.isprintable():
        raise _Wrong("it must be /path/to/docker.sock, unix:///path, or tcp://host:port")
    if parts.password is not None:
        raise _Wrong(_NO_SECRETS)
    return text


def _zone(text: str) -> str:
    if text == "UTC":
        return text
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        near = _nearest(text, zoneinfo.available_timezones())
        raise _Wrong(f"it must be a time zone such as {near or 'UTC or Europe/Berlin'}") from None
    return text


def _transport(text: str) -> str:
    if text not in ("", "openssh"):
        raise _Wrong("it must be openssh, or left out")
    return text


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text, re.ASCII) or int(text) < 1:
        raise _Wrong("it must be a whole number from 1")
    return int(text)


def _percent(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= 100:
        raise _Wrong("it must be a whole number from 1 to 100")
    return int(text)


def _kind(text: str) -> str:
    from cockpit.outbox.kinds import KINDS

    if text not in KINDS:
        raise _Wrong(f"it must be one of {', '.join(KINDS)}")
    return text


Word = Annotated[str, _word]
Text = Annotated[str, _one_line]


class Host(msgspec.Struct, frozen=True):
    """A machine that commands run on. In the file also just a string: `ssh`, or `user@ssh`."""

    ssh: Word = ""
    """An alias of the ssh configuration, or an address; `user@` may stand before it.

    Empty: the host's name.
    """
    user: Word = ""
    """Whom to log in as. Empty: what the ssh configuration says."""
    port: Annotated[int, _port] = 0
    """Where sshd listens. 0: what the ssh configuration says."""
    workdir: Text = ""
    """The directory on the host in which commands start. Empty: the user's home."""
    docker: Annotated[str, _docker] = ""
    """Docker as the host sees it: a socket's path, unix://, tcp://host:port. Empty: the usual."""
    labels: tuple[Text, ...] = ()
    """Groups that it belongs to, such as web or eu: a command can run on all hosts of one."""
    transport: Annotated[str, _transport] = ""
    """What carries the connection: empty for ours, `openssh` for the ssh program."""


class Service(msgspec.Struct, frozen=True):
    """Something that people miss when it is down."""

    containers: tuple[Word, ...] = ()
    """The names of its containers; one may be written without a list."""
    host: Word = ""
    """Where it runs: a name under hosts, or an ssh alias. Empty: this machine."""
    health: Annotated[str, _url] = ""
    """A URL that answers 2xx while it is well."""


class Person(msgspec.Struct, frozen=True):
    """Somebody who can be called, where that does not stand in the handbook."""

    level: Annotated[int, _count]
    """The level of the ladder."""
    name: Text
    """Who it is."""
    role: Text = ""
    """What the level is called, such as Senior Engineer."""
    phone: Text = ""
    """With the country's code: +49 30 1234567."""
    slack: Text = ""
    email: Text = ""
    timezone: Annotated[str, _zone] = ""
    """By its tz database name, such as Europe/Berlin."""
    availability: Text = ""
    """As people write it: 24/7; weekdays 9-18; emergency only."""
    respond_within: Annotated[int, _count] = 0
    """Minutes in which the level promises to answer. 0: as the handbook says."""


class Destination(msgspec.Struct, frozen=True):
    """Where messages go. What is secret of it never stands here: env or command gives it."""

    kind: Annotated[str, _kind]
    """slack, pagerduty, ntfy, webhook, smtp, or apprise."""
    url: Annotated[str, _address] = ""
    """Where there is nothing secret in it: https://ntfy.sh/topic, smtp://mail.example.net:587, a
    webhook; another entrance to PagerDuty than that of the USA."""
    env: Word = ""
    """The environment variable that holds the secret: a Slack webhook's URL, a key, a token."""
    command: Text = ""
    """A command that prints the secret on its first line, such as `pass show oncall/slack`."""
    user: Text = ""
    """Whom to log in as with ntfy, a webhook or a mail server; the secret is the password."""
    sender: Annotated[str, _mail_address] = ""
    """Whom a mail is from."""
    to: tuple[Annotated[str, _mail_address], ...] = ()
    """Whom a mail goes to; one may be written without a list."""


class Thresholds(msgspec.Struct, frozen=True):
    """From when on something is told: on the screen, on the timeline, by `cockpit health`."""

    restarts: Annotated[int, _count] = 3
    """Restarts of a container in ten minutes."""
    memory: Annotated[int, _percent] = 90
    """Percent of a container's limit."""
    memory_minutes: Annotated[int, _count] = 5
    """Minutes over that percentage until it is told of."""
    disk: Annotated[int, _percent] = 85
    """Percent of a disk on a host."""
    errors: Annotated[int, _count] = 10
    """Errors a minute in a log."""


class Config(msgspec.Struct, frozen=True):
    """Everything that cockpit.yaml may say; the defaults are for when there is none."""

    hosts: dict[Word, Host] = {}
    """Machines by the name that the screen shows."""
    services: dict[Word, Service] = {}
    """Services by name."""
    runbooks: tuple[Path, ...] = ()
    """Folders of runbooks, searched before those that ship with cockpit. Relative to the file."""
    handbook: Path | None = None
    """The team's ON_CALL.md. Relative to the file."""
    contacts: tuple[Person, ...] = ()
    """Whom to call; a level that stands here counts instead of the handbook's."""
    outbox: dict[Word, Destination] = {}
    """Where messages can be sent, by name."""
    thresholds: Thresholds = Thresholds()
    """From when on something is told."""
    keymap: dict[Word, Word] = {}
    """Action id -> key, or several keys with commas. Whether the ids exist is the App's to say."""
    theme: Word = ""
    """A theme's name; whether it exists is the App's to say. Empty: the terminal's own colours."""
    timezone: Annotated[str, _zone] = "UTC"
    """The local time zone that the toggle shows, by its tz database name."""
    ssh_config: Path | None = None
    """The ssh configuration to honour instead of ~/.ssh/config. Relative to the file."""
    path: Path | None = None
    """The file that was read; None when there was none. Not a key of the file."""


def load(explicit: Path | None = None) -> Config:
    """The configuration; the defaults when there is no file at all.

    explicit: what --config names. Else $COCKPIT_CONFIG, ./cockpit.yaml, and the user's
    configuration directory are tried, and the first that exists is read; a file that was named
    must exist. Raises ConfigError with every mistake that is in the file.
    """
    if explicit is not None:
        return _read(explicit, str(explicit))
    named = os.environ.get("COCKPIT_CONFIG")
    for index, path in enumerate(paths.config_files()):
        if named and index == 0:
            return _read(path, str(path), " ($COCKPIT_CONFIG names it)")
        if os.path.lexists(path):
            return _read(path, path.name if index == 0 else str(path))
    return Config()


def _read(path: Path, name: str, why: str = "") -> Config:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise _error(name, None, f"is not there{why}; write it, or name another file") from None
    except IsADirectoryError:
        raise _error(name, None, f"is a directory{why}; name the file in it") from None
    except OSError as error:
        trouble = error.strerror or str(error)
        raise _error(
            name, None, f"cannot be read{why}: {trouble}; see ls -l, or name another file"
        ) from None
    if len(raw) > _MAX_BYTES:
        raise _error(name, None, "is larger than 1 MiB; is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _error(
            name, line, f"byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
    return parse(text, path.absolute(), name)


def parse(text: str, path: Path, name: str) -> Config:
    """The configuration in `text`. path: what relative paths are relative to, and Config.path.

    name: the file's name in errors. Raises ConfigError.
    """
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        char = f"U+{ord(text[error.position]):04X}"
        raise _error(name, line, f"a control character ({char}) stands here; remove it") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(name, error) from None
    except RecursionError:
        raise _error(name, None, "is nested too deeply; it holds names, lists and text") from None
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return Config(path=path)
    walk = _Walk(path.parent)
    config: Config = walk.struct(root, Config, "")
    if walk.found:
        walk.found.sort(key=lambda mistake: mistake[0])
        raise ConfigError(*(_sentence(name, line, what) for line, what in walk.found))
    return msgspec.structs.replace(config, path=path)


def _sentence(name: str, line: int | None, what: str) -> Safe:
    place = f"{name}:{line}:" if line else f"{name}:"
    return clean_line(f"{place} {what}", max_chars=500)


def _error(name: str, line: int | None, what: str) -> ConfigError:
    return ConfigError(_sentence(name, line, what))


def _syntax(name: str, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    problem = error.problem or "it cannot be read"
    if "'\\t'" in problem:
        return _error(name, line, "a tab stands here; YAML is indented with blanks only")
    if "found another document" in problem:
        return _error(name, line, "a second document begins here (---); keep one")
    since = ""
    if error.context and error.context_mark and error.context_mark.line + 1 != line:
        since = f" ({error.context} from line {error.context_mark.line + 1})"
    mend = "check the quotes, colons and indentation of this line and the one above"
    return _error(name, line, f"this is not YAML: {problem}{since}; {mend}")


def _nearest(word: str, known: Any) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), "")


class _Walk:
    """One way through the YAML nodes along the types above; collects the mistakes.

    A value is None after a mistake, and where the file says nothing: then the default holds.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: list[tuple[int, str]] = []

    def wrong(self, node: yaml.Node, what: str) -> None:
        self.found.append((node.start_mark.line + 1, what))

    def value(self, node: yaml.Node, kind: Any, where: str) -> Any:
        origin, args = get_origin(kind), get_args(kind)
        struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        if node.tag == "tag:yaml.org,2002:null" and kind not in (Person, Destination):
            return kind() if struct else None
        if origin is dict:
            return self.table(node, args[0], args[1], where)
        if origin is tuple:
            return self.several(node, args[0], where)
        if kind is Host:
            return self.host(node, where)
        if kind is Destination:
            return self.destination(node, where)
        if struct:
            return self.struct(node, kind, where)
        if origin is Annotated:
            return self.scalar(node, args[1], where)
        return self.scalar(node, self.file, where)

    def struct(self, node: yaml.Node, kind: type[msgspec.Struct], where: str) -> Any:
        kinds = get_type_hints(kind, include_extras=True)
        kinds.pop("path", None)
        values: dict[str, Any] = {}
        said = set()
        for key, key_node, child in self.pairs(node, where):
            at = f"{where}.{key}" if where else key
            said.add(key)
            if key in kinds:
                value = self.value(child, kinds[key], at)
                if value is not None:
                    values[key] = value
            elif _SECRET.search(key):
                self.wrong(key_node, f"{at}: {_NO_SECRETS}")
            else:
                near = _nearest(key, kinds)
                mend = f"did you mean {near}?" if near else f"known here: {', '.join(kinds)}"
                self.wrong(key_node, f"{at} is not known; {mend}")
        needed = [one.name for one in msgspec.structs.fields(kind) if one.required]
        missing = [name for name in needed if name not in said]
        if missing:
            self.wrong(node, f"{where} must have {' and '.join(missing)}")
        if not set(needed) <= set(values):
            return None
        return kind(**values)

    def host(self, node: yaml.Node, where: str) -> Host:
        if _form(node) == "scalar":
            host = Host(ssh=self.scalar(node, _word, where) or "")
        else:
            host = self.struct(node, Host, where)
        user, _, address = host.ssh.rpartition("@")
        return msgspec.structs.replace(host, ssh=address, user=host.user or user)

    def destination(self, node: yaml.Node, where: str) -> Destination | None:
        from cockpit.outbox.kinds import mistakes

        before = len(self.found)
        destination: Destination | None = self.struct(node, Destination, where)
        if destination is not None and len(self.found) == before:  # else that is said first
            for what in mistakes(destination):
                self.wrong(node, f"{where}{what}")
        return destination

    def table(self, node: yaml.Node, name: Any, kind: Any, where: str) -> dict[str, Any]:
        check: Callable[[str], Any] = get_args(name)[1]
        table: dict[str, Any] = {}
        keys: dict[str, tuple[str, int]] = {}
        for key, key_node, child in self.pairs(node, where):
            at = f"{where}.{key}"
            try:
                check(key)
            except _Wrong as wrong:
                self.wrong(key_node, f"{where} has the name {_quoted(key)}; {wrong}")
                continue
            value = self.value(child, kind, at)
            if where == "keymap":
                self.one_action(keys, child, at, value or "")
            if value is not None:
                table[key] = value
        return table

    def one_action(
        self, keys: dict[str, tuple[str, int]], node: yaml.Node, where: str, value: str
    ) -> None:
        for key in filter(None, value.split(",")):
            if key in keys:
                other, line = keys[key]
                self.wrong(node, f"{where} is {key}, the key of {other} (line {line}); change one")
            else:
                keys[key] = (where, node.start_mark.line + 1)

    def several(self, node: yaml.Node, kind: Any, where: str) -> tuple[Any, ...] | None:
        if _form(node) == "mapping":
            self.wrong(node, f"{where} holds keys; it must be a list, one entry a line: - entry")
            return None
        items = node.value if _form(node) == "sequence" else [node]
        values = [self.value(item, kind, f"{where}[{n}]") for n, item in enumerate(items, 1)]
        return tuple(value for value in values if value is not None)

    def pairs(self, node: yaml.Node, where: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """Key, the key's node, and the value's node, of each key once."""
        if _form(node) != "mapping":
            what = f"{where} is {_seen(node)}; it" if where else "the file"
            self.wrong(node, f"{what} must hold lines of the form key: value")
            return []
        lines: dict[str, int] = {}
        found = []
        for key_node, child in node.value:
            line = key_node.start_mark.line + 1
            if _form(key_node) != "scalar":
                what = f"{where or 'the file'} has {_seen(key_node)} as a key"
                self.wrong(key_node, f"{what}; it must be text")
            elif key_node.value in lines:
                at = f"{where}.{key_node.value}" if where else key_node.value
                before = lines[key_node.value]
                self.wrong(key_node, f"{at} stands here again (first in line {before}); keep one")
            else:
                lines[key_node.value] = line
                found.append((key_node.value, key_node, child))
        return found

    def scalar(self, node: yaml.Node, check: Callable[[str], Any], where: str) -> Any:
        """Numbers and dates count as the text that stands there; yes and true do not."""
        if _form(node) != "scalar":
            self.wrong(node, f"{where} is {_seen(node)}; it must be one value")
            return None
        if node.tag == "tag:yaml.org,2002:bool":
            self.wrong(node, f'{where} is {node.value}; if it is text, write "{node.value}"')
            return None
        try:
            return check(node.value)
        except _Wrong as wrong:
            # A value with a secret in it is not shown.
            shown = "" if str(wrong) == _NO_SECRETS else f" is {_quoted(node.value)}"
            self.wrong(node, f"{where}{shown}{';' if shown else ':'} {wrong}")
            return None

    def file(self, text: str) -> Path:
        if not text.strip() or not text.isprintable():
            raise _Wrong("it must be a path")
        try:
            return self.folder / Path(text).expanduser()
        except RuntimeError:
            raise _Wrong("there is no such user, or no home directory; write it in full") from None


def _quoted(text: str) -> str:
    return f'"{clean_line(text, max_chars=80)}"'


def _seen(node: yaml.Node) -> str:
    if _form(node) == "scalar":
        return _quoted(node.value)
    return "a list" if _form(node) == "sequence" else "a group of keys"


def _form(node: yaml.Node) -> str:
    import yaml

    forms = {yaml.ScalarNode: "scalar", yaml.SequenceNode: "sequence", yaml.MappingNode: "mapping"}
    return forms[type(node)]
