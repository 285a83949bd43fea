"""Programs that run other programs: sudo, xargs, ssh, shells, interpreters."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cockpit.runbook.effects.call import RULES, Call, Effect, change, destroy, read, rule
from cockpit.runbook.effects.names import DESTRUCTIVE_CODE, is_capture, script_file
from cockpit.runbook.model import Waits
from cockpit.runbook.programs import SHELLS, names_of

_SUDO_VALUED = names_of(
    "-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir --role --type"
)


@rule("sudo doas")
def _sudo(call: Call) -> Effect:
    args = list(call.args)
    flags: list[str] = []
    while args and args[0].startswith("-") and args[0] != "--":
        flags.append(args.pop(0))
        if args and (
            flags[-1] in _SUDO_VALUED or re.fullmatch(r"-[A-Za-z]+[ugpCrtThDR]", flags[-1])
        ):
            args.pop(0)
    rest = tuple(args[1:] if args[:1] == ["--"] else args)
    letters = "".join(flag[1:] for flag in flags if not flag.startswith("--"))
    if "e" in letters or "--edit" in flags:
        return replace(change("sudo -e edits a file", Waits.EDITOR), sudo=True)
    asks = not (
        "n" in letters
        or "--non-interactive" in flags
        or (call.piped and ("S" in letters or "--stdin" in flags))
    )
    if not rest and (set(letters) & set("lvkKV") or "--list" in flags):
        asks = asks and not set(letters) & set("kKV")
        return replace(read("sudo shows or refreshes what is allowed"), sudo=asks)
    rest = _without_assignments(rest)
    if not rest:
        return replace(change("opens a shell as another user", Waits.TTY), sudo=asks)
    effect = call.argv(rest)
    return replace(effect, sudo=asks or effect.sudo)


@rule("env")
def _env(call: Call) -> Effect:
    if split := call.value("-S", "--split-string"):
        return call.script(split)
    rest = _without_assignments(call.after(frozenset({"-u", "-C", "--unset", "--chdir"})))
    return call.argv(rest) if rest else read("env lists the environment")


def _without_assignments(words: tuple[str, ...]) -> tuple[str, ...]:
    while words and re.match(r"[A-Za-z_]\w*=", words[0]):
        words = words[1:]
    return words


_WRAPPERS = {
    "time": "-f -o --format --output",
    "nice": "-n",
    "ionice": "-c -n -p",
    "stdbuf": "-i -o -e",
    "chrt": "-p",
    "numactl": "-m -N -C",
    **dict.fromkeys(
        ["nohup", "setsid", "unbuffer", "builtin", "busybox", "caffeinate", "setarch", "taskset"],
        "",
    ),
}
"""Programs that run the rest of their arguments, with their flags that take a value."""


@rule(" ".join(_WRAPPERS))
def _wrapper(call: Call) -> Effect:
    name = call.words[0].removeprefix("\\").rpartition("/")[2]
    rest = call.after(names_of(_WRAPPERS[name]))
    own = _own(call, rest)
    if name == "ionice" and own.has("-p") and own.has("-c", "-n"):
        return change("ionice -p sets the priority of a process")
    effect = call.argv(rest) if rest else read(f"{name} alone does nothing")
    return effect.and_(_logged(own, name)) if name == "time" else effect


def _own(call: Call, rest: tuple[str, ...]) -> Call:
    """The call with its own flags alone, without the command that it runs."""
    return replace(call, words=call.words[: len(call.words) - len(rest)])


def _logged(own: Call, name: str) -> Effect:
    """What a wrapper does besides: a file that it writes, a program that it feeds."""
    out = own.value("-o", "--output") or ""
    if out.startswith(("|", "!")):
        return change(f"{name} -o runs a program")
    if out and not is_capture(out):
        return change(f"{name} -o writes {out}")
    if any(re.search(r"\b(?:inject|fault)=", word) for word in own.args):
        return change(f"{name} makes calls of the program fail")
    return read(f"{name} only watches")


@rule("tmux screen")
def _terminals(call: Call) -> Effect:
    away = call.has("-d", "-dm", "-dmS", "-X") or {"send-keys", "kill-session"} & set(call.args)
    effect = change(f"{call.words[0]} keeps a terminal", None if away else Waits.TUI)
    for number, word in enumerate(call.args):
        if " " in word:
            effect = effect.and_(call.script(word))
        elif number and not word.startswith("-"):
            effect = effect.and_(call.argv(call.args[number:]))
    if set(call.args[:1]) & {"ls", "list-sessions", "-ls"}:
        return read(f"{call.words[0]} lists sessions")
    return effect


@rule("command exec")
def _command(call: Call) -> Effect:
    if call.words[0] == "command" and call.args[:1] in (("-v",), ("-V",)):
        return read("command -v looks up a program")
    rest = call.after(frozenset({"-a"}))
    return call.argv(rest) if rest else read("changes nothing")


@rule("timeout")
def _timeout(call: Call) -> Effect:
    rest = call.after(names_of("-k -s --signal --kill-after"), 1)
    effect = call.argv(rest) if rest else read("timeout alone does nothing")
    ends = effect.waits in (Waits.STREAM, Waits.TUI, Waits.TTY)
    return replace(effect, waits=None) if ends else effect


@rule("chroot flock nsenter strace ltrace sshpass unshare script parallel xargs watch")
def _inner(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if inner := call.value("-c") if name in ("script", "flock") else None:
        effect = call.script(inner)
        files = call.positional(frozenset({"-c"})) if name == "script" else ()
        if files and not is_capture(files[0]):
            return effect.and_(change(f"script writes {files[0]}"))
        return effect
    valued = {
        "chroot": "--userspec",
        "nsenter": "-t -S -G --target",
        "strace": "-p -e -o -s -E -a -b -I -O -P -S -u -U -X --output",
        "ltrace": "-p -e -o -s -a -u -l -x --output",
        "sshpass": "-p -f -e",
        "xargs": "-I -n -P -L -d -a -s -i --max-args --max-procs --delimiter",
        "parallel": "-j -a --jobs",
        "watch": "-n --interval",
        "unshare": "",
    }.get(name, "")
    rest = call.after(frozenset(valued.split()), 1 if name in ("chroot", "flock") else 0)
    if not rest:
        if name in ("strace", "ltrace"):
            return read(f"{name} follows a process", Waits.STREAM).and_(_logged(call, name))
        if name == "xargs":
            return read("xargs without a program prints")
        return change(f"{name} opens a shell", Waits.TTY)
    if name == "watch":
        return replace(call.script(" ".join(rest)), waits=Waits.STREAM)
    if name in ("xargs", "parallel"):
        effect = call.argv((*rest, "$@"))
        containers = ("*",) if effect.containers else ()
        waits = effect.waits if name != "xargs" else None
        return replace(effect, waits=waits, containers=containers)
    effect = call.argv(rest)
    if name in ("strace", "ltrace"):
        return effect.and_(_logged(_own(call, rest), name))
    return effect


@rule("su runuser")
def _su(call: Call) -> Effect:
    inner = call.value("-c", "--command")
    if inner:
        return call.script(inner)
    if call.words[0].endswith("runuser") and call.has("-u"):
        rest = call.after(frozenset({"-u", "-g", "-G"}))
        return call.argv(rest) if rest else change("opens a shell as another user", Waits.TTY)
    return change("opens a shell as another user", Waits.TTY)


_SSH_VALUED = names_of("-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w -B")


@rule("ssh mosh")
def _ssh(call: Call) -> Effect:
    rest = call.after(_SSH_VALUED, 1)
    rest = replace(call, words=("ssh", *rest)).after(_SSH_VALUED)
    local = re.search(r"(?:Proxy|Local|KnownHosts)Command\s*[= ]", " ".join(call.args))
    if local:
        return change("ssh runs a command of this machine").and_(call.script(" ".join(rest)))
    if rest:
        effect = call.script(" ".join(rest))
        return Effect(
            effect.risk,
            effect.because,
            effect.waits or (Waits.TTY if call.has("-t") else None),
            effect.containers,
        )
    if call.has("-N"):
        return read("ssh keeps a tunnel open", Waits.STREAM)
    if call.has("-V", "-Q", "-G"):
        return read("ssh prints its settings")
    return read("opens a shell on another host", None if call.piped else Waits.TTY)


@rule("eval")
def _eval(call: Call) -> Effect:
    inner = call.script(" ".join(call.args))
    return change("eval runs what another command prints").and_(inner)


def _shell(call: Call) -> Effect:
    if call.has("-c"):
        after = call.after(frozenset({"-o", "-O"}))
        number = next((n for n, word in enumerate(call.args) if re.fullmatch(r"-\w*c", word)), None)
        text = call.args[number + 1] if number is not None and number + 1 < len(call.args) else ""
        return call.script(text or " ".join(after))
    files = call.positional(frozenset({"-o", "-O", "--rcfile", "--init-file"}))
    if files and not call.has("-s"):
        if call.has("-n"):
            return read("only checks a script")
        return script_file(call, files[0])
    if call.piped:
        return change(f"{call.words[0]} runs whatever it is given")
    return change("opens a shell", Waits.TTY)


for _name in SHELLS:
    RULES[_name] = _shell


@rule("source .")
def _source(call: Call) -> Effect:
    return change("runs a file in this shell") if call.args else read("does nothing")


@rule("alias trap")
def _later(call: Call) -> Effect:
    effect = read(f"{call.words[0]} sets up a command for later")
    for word in call.args[: 1 if call.words[0] == "trap" else None]:
        inner = word.partition("=")[2] if call.words[0] == "alias" else word
        if inner and inner != "-":
            effect = effect.and_(call.script(inner))
    return effect


@rule("read select")
def _prompt(call: Call) -> Effect:
    return read("reads a line from the keyboard", None if call.piped else Waits.PROMPT)


@rule(
    "python python2 python3 perl ruby node php awk gawk mawk nawk lua deno bun "
    "Rscript osascript rails"
)
def _interpreter(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if call.has("-V") or (call.has("-v") and len(call.args) == 1):
        return read(f"{name} prints its version")
    code = call.value("-c", "-e", "-r", "-ne", "-pe", "-E", "--eval") or ""
    if "awk" in name:
        return _awk(call)
    if code or any(re.match(r"-\w*[cer]$", word) for word in call.args):
        if DESTRUCTIVE_CODE.search(" ".join(call.args)):
            return destroy(f"the {name} program in it deletes or overwrites")
        return change(f"runs a {name} program that cockpit does not read")
    if name.startswith("python") and (module := call.value("-m")):
        files = call.positional(names_of("-m --indent"))
        if module == "json.tool" and len(files) > 1 and not is_capture(files[1]):
            return change(f"json.tool writes {files[1]}")
        if module in ("json.tool", "this"):
            return read("formats JSON")
        if module == "http.server":
            return change("starts a server", Waits.STREAM)
        return change(f"runs the {name} module {module}")
    if not call.positional():
        return (
            change(f"{name} runs what it is given")
            if call.piped
            else change(f"opens {name}", Waits.TTY)
        )
    return script_file(call, call.positional()[0])


_AWK_FLAGS = (
    r"-[odpDEl](?![a-z])|--(?:dump-var|pretty-print|profile|exec|file|include|load|debug|source)"
)
"""Flags of gawk that write a file or take a program from elsewhere."""


def _awk(call: Call) -> Effect:
    text = " ".join(call.args)
    if re.search(
        r"system\s*\(|\|\s*getline|\"\s*\|\s*\"|\|\s*\"|\bprint\w*[^;}]*>|-i\s*inplace|"
        r"\|&|\s-f\s|@load|@include",
        f" {text}",
    ) or any(re.match(_AWK_FLAGS, word) for word in call.args):
        if DESTRUCTIVE_CODE.search(text) or re.search(r"\brm\b", text):
            return destroy("the awk program runs a command that deletes")
        return change("the awk program runs commands or writes files")
    return read("awk only reads")
