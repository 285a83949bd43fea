"""What one program with its arguments would do. `shell` finds the programs in a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import SHELLS

_ORDER = (Risk.READ, Risk.CHANGE, Risk.DESTROY)


@dataclass(frozen=True, slots=True)
class Effect:
    """risk with its reason in plain words; containers: names that it stops or restarts."""

    risk: Risk
    because: str
    waits: Waits | None = None
    containers: tuple[str, ...] = ()

    def and_(self, other: Effect) -> Effect:
        """The two together: the higher risk, and whatever waits first."""
        high = other if _ORDER.index(other.risk) > _ORDER.index(self.risk) else self
        containers = tuple(dict.fromkeys(self.containers + other.containers))
        return Effect(high.risk, high.because, self.waits or other.waits, containers)


def read(because: str, waits: Waits | None = None) -> Effect:
    return Effect(Risk.READ, because, waits)


def change(because: str, waits: Waits | None = None) -> Effect:
    return Effect(Risk.CHANGE, because, waits)


def destroy(because: str, waits: Waits | None = None) -> Effect:
    return Effect(Risk.DESTROY, because, waits)


@dataclass(frozen=True, slots=True)
class Call:
    """A program about to run.

    words: name and arguments, quotes removed; piped: its input comes from a pipe or a redirection.
    script judges text as shell, argv judges words as a call with the same input.
    """

    words: tuple[str, ...]
    piped: bool
    script: Callable[[str], Effect]
    argv: Callable[[Sequence[str]], Effect]

    @property
    def args(self) -> tuple[str, ...]:
        return self.words[1:]

    def has(self, *flags: str) -> bool:
        """Whether one of the flags stands there; a short one also inside a bundle (`-rf`)."""
        for word in self.args:
            if word == "--":
                return False
            for flag in flags:
                if word == flag or (flag.startswith("--") and word.startswith(f"{flag}=")):
                    return True
                if len(flag) == 2 and flag[1] != "-" and re.fullmatch(r"-[A-Za-z0-9]+", word):
                    if flag[1] in word[1:]:
                        return True
        return False

    def value(self, *flags: str) -> str | None:
        """What a flag is given: `-c X`, `-cX`, `--command X`, `--command=X`."""
        for number, word in enumerate(self.args):
            for flag in flags:
                if word == flag and number + 1 < len(self.args):
                    return self.args[number + 1]
                if flag.startswith("--") and word.startswith(f"{flag}="):
                    return word[len(flag) + 1 :]
                if len(flag) == 2 and word.startswith(flag) and len(word) > 2 and word[1] != "-":
                    return word[2:]
        return None

    def positional(self, valued: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """The arguments that are neither flags nor the values of the given flags."""
        out: list[str] = []
        skip = False
        for number, word in enumerate(self.args):
            if skip:
                skip = False
            elif word == "--":
                return (*out, *self.args[number + 1 :])
            elif word.startswith("-") and len(word) > 1:
                skip = word in valued
            else:
                out.append(word)
        return tuple(out)

    def after(self, valued: frozenset[str], count: int = 0) -> tuple[str, ...]:
        """What follows the leading flags and count positional words: a command to be wrapped."""
        i = 0
        args = self.args
        while i < len(args):
            word = args[i]
            if word == "--":
                i += 1
                if not count:
                    break
            elif word.startswith("-") and len(word) > 1:
                i += 2 if word in valued else 1
            elif count:
                count -= 1
                i += 1
            else:
                break
        return args[i:]


_RULES: dict[str, Callable[[Call], Effect]] = {}


def _rule(names: str) -> Callable[[Callable[[Call], Effect]], Callable[[Call], Effect]]:
    def keep(rule: Callable[[Call], Effect]) -> Callable[[Call], Effect]:
        for name in names.split():
            _RULES[name] = rule
        return rule

    return keep


READ_ONLY = frozenset(
    """
    : [ [[ apropos arp arping base32 base64 basename bat bc bind blkid break cal cat cd cksum cmp
    column comm continue curlie cut dc declare df diff dig dir dirname dirs du echo egrep exit expand
    export expr false fgrep file findmnt fmt fold free getconf getent getfacl getopt getopts grep
    groups hash head hexdump hexyl host hostid hostnamectl iconv id ipcs jobs join jps jq jstack jstat
    kubectx kubens last lastb lastlog ldd less let link-check local locale locate logname look ls
    lsattr lsb_release lsblk lscpu lsmem lsmod lsns lsof lspci lsusb man mapfile md5sum mdstat
    mktemp more mpstat mtr namei netstat nl nproc nslookup ntpq numfmt od paste pathchk pg_dump
    pg_dumpall pg_isready pg_lsclusters pgrep pidof pidstat pinky ping ping6 pmap popd pr printenv printf ps
    pstree pushd pwd pwdx rdate readarray readlink readonly realpath return rev rg sar sdiff seq
    set sha1sum sha224sum sha256sum sha512sum shasum shift shopt sleep slabtop smartctl sort ss
    stat strings sum tac tail test tload top touch-check tput tr traceroute tracepath tree true tsort
    tty type typeset ulimit umask uname unexpand uniq unset uptime users vmstat w wait wc whatis
    whereis which who whoami whois xxd xzcat yes yq zcat zgrep zless zmore iostat htop atop btop
    iotop iftop nethogs ctop k9s lazydocker glances ncdu nmon dry dive tcpdump tshark ngrep bzcat
    md5 jmap jcmd mysqldump sensors timedatectl loginctl lshw dmidecode lsipc apachectl-status
    pg_controldata nmap openssl
    """.split()
)

_STREAMS = frozenset("watch tcpdump tshark ngrep yes ping ping6 mtr".split())
_TUI = frozenset(
    "top htop atop btop iotop iftop nethogs ctop k9s lazydocker glances ncdu nmon dry dive slabtop mc tig "
    "nmtui alsamixer tmux screen aptitude lazygit".split()
)
_PAGERS = frozenset("less more man most zless zmore pg".split())
_EDITORS = frozenset(
    "vi vim nvim nano emacs ed joe pico micro ne view vipw vigr visudo sudoedit".split()
)

_READ_VERBS = frozenset(
    "get list ls describe show status info version view logs log inspect history search top explain "
    "whoami diff plan output validate config-view current-context ps check env events help print lint "
    "test test-smoke health health-check healthcheck count query read tail doctor verify outdated "
    "tree cat stat stats head find lookup whois can-i api-resources cluster-info ping monitor "
    "fsck-check graph dry-run template members endpoint smoke".split()
)
_DESTROY_VERBS = re.compile(
    r"(?:delete|destroy|remove|rm|del|purge|drop|prune|wipe|terminate|uninstall|flush\w*|truncate|erase|"
    r"nuke|teardown|tear-down|clean|cleanup|clobber|recycle|restore|revoke|reboot|shutdown|evict|drain|deregister|"
    r"autoremove|force-delete|kill|obliterate|reset-db|detach|expire|factory-reset)(?:[-_:.]|$)|"
    r"\w+[-_:](?:delete|destroy|remove|purge|drop|prune|wipe|terminate|restore|nuke|teardown|clean|reset)$"
)
_DESTROY_SCRIPT = re.compile(
    r"(?:^|[-_./])(?:restore|delete|remove|destroy|purge|drop|wipe|prune|nuke|teardown|uninstall|clean(?:up)?|"
    r"truncate|failover|kill|recover-from-backup|factory-reset)",
    re.IGNORECASE,
)
_BACKUP = re.compile(
    r"backup|\bbak\b|\.bak|dump|snapshot|\.orig\b|\.old\b|known-good", re.IGNORECASE
)
_DESTRUCTIVE_CODE = re.compile(
    r"rmtree|\bunlink|os\.remove|\.rmdir|rm\s+-|FileUtils\.rm|deleteMany|deleteOne|delete_all|destroy_all|"
    r"\.drop\w*\(|\.remove\(|flush(?:all|db)|DROP\s|DELETE\s+FROM|TRUNCATE\s|\.delete\(|mkfs|shutdown|reboot|"
    r"os\.kill|truncate\(|destroy\b|killpg",
    re.IGNORECASE,
)

_ACCESS = re.compile(r"\s-{1,2}\w")


def judge(call: Call) -> Effect:
    """The effect of one program with its arguments."""
    name = call.words[0]
    plain = name.removeprefix("\\").rpartition("/")[2]
    if call.args and all(word in ("--version", "--help") for word in call.args):
        return read(f"{plain} prints its {call.args[0].removeprefix('--')}")
    rule = _RULES.get(plain)
    if rule is None and "/" in name and not re.match(r"/(?:usr/(?:local/)?)?s?bin/", name):
        return _script_file(call, name)
    if rule:
        return rule(call)
    if plain in READ_ONLY:
        return read(f"{plain} only reads", _waits_by_name(plain, call))
    if plain in _EDITORS:
        return change(f"{plain} edits a file", Waits.EDITOR)
    if plain in _TUI:
        return change(f"{plain} takes over the screen", Waits.TUI)
    return _by_verb(call, plain)


def _waits_by_name(name: str, call: Call) -> Waits | None:
    if name in _PAGERS:
        return Waits.PAGER
    if name == "top" and call.has("-b"):
        return None if call.has("-n") else Waits.STREAM
    if name in _TUI:
        return Waits.TUI
    if name == "tail" and call.has("-f", "-F", "--follow"):
        return Waits.STREAM
    if name in ("ping", "ping6"):
        return None if call.has("-c", "-w") else Waits.STREAM
    if name == "mtr":
        return None if call.has("-r", "--report", "-c") else Waits.TUI
    if name in ("tcpdump", "tshark", "ngrep"):
        return None if call.has("-c", "-r", "-n") and call.value("-c") else Waits.STREAM
    if name in ("vmstat", "iostat", "mpstat", "pidstat", "sar", "free"):
        numbers = [word for word in call.args if word.isdigit()]
        if name == "free":
            return Waits.STREAM if call.has("-s") and not call.has("-c") else None
        return Waits.STREAM if len(numbers) == 1 else None
    if name == "openssl" and "s_client" in call.args and not call.piped:
        return Waits.TTY
    if name == "yes" or (name == "sleep" and "infinity" in call.args):
        return Waits.STREAM
    return None


def _script_file(call: Call, name: str) -> Effect:
    if _DESTROY_SCRIPT.search(name) or any(_DESTROY_VERBS.match(word) for word in call.args[:2]):
        return destroy(f"the name of {name} says that it deletes or overwrites")
    return change(f"{name} is a script that cockpit cannot look into")


def _by_verb(call: Call, name: str) -> Effect:
    """A program with sub-commands that we only know by their names."""
    follows = (
        Waits.STREAM
        if call.has("--follow") or "-f" in call.args[2:] or "--watch" in call.args
        else None
    )
    words = [word for word in call.positional() if "=" not in word and "/" not in word][:4]
    for word in words[:3]:
        if _DESTROY_VERBS.match(word):
            return destroy(f"{name} {word} deletes or overwrites")
    if "login" in words[:2]:
        return change(f"{name} logs in", Waits.LOGIN)
    if name in _UNKNOWN_READERS and words:
        verb = next(
            (word for word in words if word.split("-")[0] in _READ_VERBS or word in _READ_VERBS), ""
        )
        if verb and not any(word.split("-")[0] in _WRITE_VERBS for word in words[:3]):
            return read(f"{name} {verb} only reads", follows)
    if name in _UNKNOWN_READERS:
        return change(f"{name} {' '.join(words[:2])}".strip() + " may change something", follows)
    return change(f"cockpit does not know what {name} does", follows)


_WRITE_VERBS = frozenset(
    "set create update apply put patch add enable disable start stop restart scale run exec import "
    "install upgrade deploy rollback write edit label annotate cordon uncordon taint migrate".split()
)
_UNKNOWN_READERS = frozenset(
    "aws gcloud az doctl heroku flyctl fly gh glab helm terraform tofu vault consul nomad etcdctl argocd istioctl "
    "linkerd flux cilium talosctl eksctl velero kustomize pip pip3 npm yarn pnpm cargo go gem composer "
    "apt apt-get apt-cache yum dnf apk zypper pacman brew snap dpkg-query rabbitmqctl rabbitmq-diagnostics "
    "supervisorctl pm2 nginx haproxy rclone restic borg mc gsutil bq stripe supabase vercel wrangler promtool "
    "amtool logcli influx ansible virsh pct qm lxc multipass minikube kind k3s crictl ctr nerdctl skopeo "
    "nmcli networkctl resolvectl firewall-cmd ufw fail2ban-client zfs zpool btrfs lvs vgs pvs mdadm "
    "loginctl puppet salt chef-client gitlab-ctl gitlab-rake keytool certbot mysqladmin make just task".split()
)


# Wrappers


@_rule("sudo doas")
def _sudo(call: Call) -> Effect:
    if call.has("-l", "-v", "-k") and not call.has("-u"):
        return read("sudo shows or refreshes what is allowed")
    if call.words[0].endswith("sudo") and call.has("-e"):
        return change("sudo -e edits a file", Waits.EDITOR)
    rest = call.after(frozenset("-u -g -h -p -C -r -t -T -U -D -R --user --group --prompt".split()))
    rest = _without_assignments(rest)
    if not rest:
        return change("opens a shell as another user", Waits.TTY)
    return call.argv(rest)


@_rule("env")
def _env(call: Call) -> Effect:
    if split := call.value("-S", "--split-string"):
        return call.script(split)
    rest = _without_assignments(call.after(frozenset({"-u", "-C", "--unset", "--chdir"})))
    return call.argv(rest) if rest else read("env lists the environment")


def _without_assignments(words: tuple[str, ...]) -> tuple[str, ...]:
    while words and re.match(r"[A-Za-z_]\w*=", words[0]):
        words = words[1:]
    return words


@_rule(
    "nohup time setsid stdbuf nice ionice chrt taskset unbuffer builtin busybox caffeinate setarch numactl proxychains"
)
def _wrapper(call: Call) -> Effect:
    rest = call.after(frozenset("-n -c -p -o -e -i -t -u --adjustment".split()))
    return call.argv(rest) if rest else read(f"{call.words[0]} alone does nothing")


@_rule("command exec")
def _command(call: Call) -> Effect:
    if call.words[0] == "command" and call.has("-v", "-V"):
        return read("command -v looks up a program")
    rest = call.after(frozenset({"-a"}))
    return call.argv(rest) if rest else read("changes nothing")


@_rule("timeout")
def _timeout(call: Call) -> Effect:
    rest = call.after(frozenset("-k -s --signal --kill-after".split()), 1)
    effect = call.argv(rest) if rest else read("timeout alone does nothing")
    ends = effect.waits in (Waits.STREAM, Waits.TUI)
    return Effect(effect.risk, effect.because, None if ends else effect.waits, effect.containers)


@_rule("chroot flock nsenter strace ltrace sshpass unshare script parallel xargs watch")
def _inner(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if inner := call.value("-c") if name in ("script", "flock") else None:
        return call.script(inner)
    valued = {
        "chroot": "--userspec",
        "nsenter": "-t -S -G --target",
        "strace": "-p -e -o -s",
        "ltrace": "-p -e -o",
        "sshpass": "-p -f -e",
        "xargs": "-I -n -P -L -d -a -s -i --max-args --max-procs --delimiter",
        "parallel": "-j -a --jobs",
        "watch": "-n --interval",
        "unshare": "",
    }.get(name, "")
    rest = call.after(frozenset(valued.split()), 1 if name in ("chroot", "flock") else 0)
    if not rest:
        if name in ("strace", "ltrace"):
            return read(f"{name} follows a process", Waits.STREAM)
        if name == "xargs":
            return read("xargs without a program prints")
        return change(f"{name} opens a shell", Waits.TTY)
    if name == "watch":
        inner_effect = call.script(" ".join(rest))
        return Effect(
            inner_effect.risk, inner_effect.because, Waits.STREAM, inner_effect.containers
        )
    if name in ("xargs", "parallel"):
        effect = call.argv((*rest, "$@"))
        containers = ("*",) if effect.containers else ()
        return Effect(
            effect.risk, effect.because, effect.waits if name != "xargs" else None, containers
        )
    return call.argv(rest)


@_rule("su runuser")
def _su(call: Call) -> Effect:
    inner = call.value("-c", "--command")
    if inner:
        return call.script(inner)
    if call.words[0].endswith("runuser") and call.has("-u"):
        rest = call.after(frozenset({"-u", "-g", "-G"}))
        return call.argv(rest) if rest else change("opens a shell as another user", Waits.TTY)
    return change("opens a shell as another user", Waits.TTY)


_SSH_VALUED = frozenset("-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w -B".split())


@_rule("ssh mosh")
def _ssh(call: Call) -> Effect:
    rest = call.after(_SSH_VALUED, 1)
    if rest and rest[0] == "--":
        rest = rest[1:]
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


@_rule("eval")
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
        return _script_file(call, files[0])
    if call.piped:
        return change(f"{call.words[0]} runs whatever it is given")
    return change("opens a shell", Waits.TTY)


for _name in SHELLS:
    _RULES[_name] = _shell


@_rule("source .")
def _source(call: Call) -> Effect:
    return change("runs a file in this shell") if call.args else read("does nothing")


@_rule("alias trap")
def _later(call: Call) -> Effect:
    effect = read(f"{call.words[0]} sets up a command for later")
    for word in call.args[: 1 if call.words[0] == "trap" else None]:
        inner = word.partition("=")[2] if call.words[0] == "alias" else word
        if inner and inner != "-":
            effect = effect.and_(call.script(inner))
    return effect


@_rule("read select")
def _prompt(call: Call) -> Effect:
    return read("reads a line from the keyboard", None if call.piped else Waits.PROMPT)


@_rule(
    "python python2 python3 perl ruby node php awk gawk mawk nawk lua deno bun Rscript osascript rails"
)
def _interpreter(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if call.has("-V") or (call.has("-v") and len(call.args) == 1):
        return read(f"{name} prints its version")
    code = call.value("-c", "-e", "-r", "-ne", "-pe", "-E", "--eval") or ""
    if "awk" in name:
        return _awk(call)
    if code or any(re.match(r"-\w*[cer]$", word) for word in call.args):
        if _DESTRUCTIVE_CODE.search(" ".join(call.args)):
            return destroy(f"the {name} program in it deletes or overwrites")
        return change(f"runs a {name} program that cockpit does not read")
    if name.startswith("python") and (module := call.value("-m")):
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
    return _script_file(call, call.positional()[0])


def _awk(call: Call) -> Effect:
    text = " ".join(call.args)
    if re.search(
        r"system\s*\(|\|\s*getline|\"\s*\|\s*\"|\|\s*\"|\bprint\w*[^;}]*>|-i\s*inplace|\s-f\s|@load|@include",
        f" {text}",
    ):
        if _DESTRUCTIVE_CODE.search(text) or re.search(r"\brm\b", text):
            return destroy("the awk program runs a command that deletes")
        return change("the awk program runs commands or writes files")
    return read("awk only reads")


# Files


@_rule("rm rmdir unlink shred wipefs srm")
def _rm(call: Call) -> Effect:
    waits = Waits.CONFIRM if call.has("-i", "-I") and not call.piped else None
    return destroy(f"{_short(call)} deletes", waits)


@_rule("mv cp install scp rsync ln")
def _copy(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2].removeprefix("\\")
    if name == "rsync" and any(word.startswith(("--del", "--remove-source")) for word in call.args):
        return destroy("rsync --delete removes files at the destination")
    if name == "rsync" and call.has("-n", "--dry-run"):
        return read("rsync only shows what it would copy")
    places = call.positional(
        frozenset("-e -S -m -o -g -t -p -i -P -F --rsh --exclude --include".split())
    )
    if len(places) > 1 and places[-1] != "/dev/null":
        sources = " ".join(place.rstrip("/").rpartition("/")[2] for place in places[:-1])
        if (
            name in ("cp", "mv", "scp")
            and _BACKUP.search(sources)
            and not _BACKUP.search(places[-1])
        ):
            return destroy(f"{name} puts a backup over what is there now")
    if places and places[-1] == "/dev/null":
        return (
            destroy(f"{name} throws the file away") if name == "mv" else read("copies to nowhere")
        )
    return change(f"{name} writes files")


@_rule("dd")
def _dd(call: Call) -> Effect:
    out = next((word[3:] for word in call.args if word.startswith("of=")), "")
    if not out or out == "/dev/null":
        return read("dd only reads")
    return destroy(f"dd overwrites {out}")


@_rule("truncate")
def _truncate(call: Call) -> Effect:
    return destroy("truncate cuts a file")


@_rule("tee")
def _tee(call: Call) -> Effect:
    files = [word for word in call.positional() if not is_capture(word)]
    return change(f"tee writes {files[0]}") if files else read("tee keeps a copy of the output")


@_rule("find fd")
def _find(call: Call) -> Effect:
    effect = read("find only looks")
    args = call.args
    for number, word in enumerate(args):
        if word == "-delete":
            effect = effect.and_(destroy("find -delete deletes what it finds"))
        elif word in ("-exec", "-execdir", "-ok", "-okdir", "-x", "-X"):
            stop = next(
                (n for n in range(number + 1, len(args)) if args[n] in (";", "+", "\\;")), len(args)
            )
            if number + 1 < stop:
                effect = effect.and_(call.argv(args[number + 1 : stop]))
            if word.startswith("-ok"):
                effect = effect.and_(read("", Waits.CONFIRM))
        elif word.startswith("-fprint") or word == "-fls":
            effect = effect.and_(change("find writes a file"))
    return effect


@_rule("sed perl-rename")
def _sed(call: Call) -> Effect:
    if any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in call.args):
        return change("sed -i edits files in place")
    if any(
        re.search(r"(?:^|[;}/\d\s])[we]\s*(?:/|$|\w+[./])", word)
        for word in call.args
        if not word.startswith("-")
    ):
        text = " ".join(call.args)
        if re.search(r"/[gpI\d]*[ew](?:\s|$)|(?:^|[;\d])\s*e\s|\bw\s+\S", text):
            return change("the sed program runs a command or writes a file")
    return read("sed only filters")


@_rule("sort")
def _sort(call: Call) -> Effect:
    return (
        change("sort -o writes a file") if call.has("-o", "--output") else read("sort only reads")
    )


@_rule("tar bsdtar unzip gunzip gzip bzip2 bunzip2 xz unxz zstd zip cpio 7z")
def _archive(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    mode = call.args[0] if call.args else ""
    if name in ("tar", "bsdtar"):
        letters = mode.lstrip("-") if re.fullmatch(r"-?[A-Za-z]+", mode) else ""
        if call.has("-t", "--list") or "t" in letters:
            return read("tar lists an archive")
        if call.has("-x", "--extract") or "x" in letters:
            if _BACKUP.search(" ".join(call.args)):
                return destroy("tar puts a backup over what is there now")
            return change("tar unpacks files, over those that are there")
        return change("tar writes an archive")
    if name == "unzip" and call.has("-l", "-t", "-p"):
        return read("unzip lists an archive")
    if call.has("-c", "--stdout", "-t", "-l") and name != "cpio":
        return read(f"{name} writes to the output only")
    if name in ("gunzip", "bunzip2", "unxz") and call.piped:
        return read(f"{name} only unpacks its input")
    return change(f"{name} writes files")


@_rule("chmod chown chgrp touch mkdir mkfifo setfacl chattr ln patch split csplit mknod")
def _writes(call: Call) -> Effect:
    return change(f"{_short(call)} changes files")


# The machine


@_rule("kill pkill killall xkill skill fuser")
def _kill(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name == "fuser":
        return destroy("fuser -k kills processes") if call.has("-k") else read("fuser only looks")
    text = " ".join(call.args).upper()
    if call.has("-l", "-L") or re.search(r"(?:^|\s)-0(?:\s|$)", text):
        return read(f"{name} only asks")
    if re.search(r"-(?:S |N )?(?:9|KILL|SIGKILL)\b|--SIGNAL[= ](?:9|KILL|SIGKILL)", text):
        return destroy(f"{name} -9 kills without a chance to save")
    return change(f"{name} stops a process")


@_rule("reboot shutdown halt poweroff telinit init")
def _power(call: Call) -> Effect:
    if call.has("-c") and call.words[0].endswith("shutdown"):
        return change("cancels a shutdown")
    return destroy(f"{_short(call)} takes the whole machine down")


@_rule(
    "mkfs mkswap fdisk sfdisk gdisk parted lvremove vgremove pvremove userdel groupdel deluser "
    "dropdb dropuser pg_resetwal pg_rewind pg_restore mongorestore mysqlimport cryptsetup "
    "mkfs.ext4 mkfs.xfs mkfs.ext3 mkfs.btrfs mkfs.vfat xfs_repair e2fsck fsck postsuper"
)
def _wipes(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name in ("fdisk", "sfdisk", "gdisk", "parted") and call.has("-l", "--list"):
        return read(f"{name} -l lists")
    if name in ("fsck", "e2fsck", "xfs_repair"):
        dry = call.has("-n", "-N")
        return (
            read(f"{name} -n only checks")
            if dry
            else change(f"{name} repairs a file system", Waits.CONFIRM)
        )
    if name == "postsuper" and not call.has("-d"):
        return change("postsuper changes the mail queue")
    if name in ("pg_restore",) and call.has("-l", "--list"):
        return read("pg_restore -l lists a dump")
    if name in ("pg_restore", "mongorestore", "mysqlimport"):
        return destroy(f"{name} puts a backup over what is there now")
    return destroy(f"{name} destroys data", Waits.TTY if name in ("fdisk", "gdisk") else None)


_SYSTEMCTL_READ = frozenset(
    "status show cat is-active is-enabled is-failed list-units list-unit-files list-timers list-jobs "
    "list-sockets list-dependencies get-default help show-environment is-system-running".split()
)


@_rule("systemctl service rc-service initctl launchctl supervisorctl")
def _systemctl(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional(
        frozenset("-H -M -t -p -n -o -s --host --machine --type --property".split())
    )
    if not words:
        return read(
            f"{name} lists units", Waits.TTY if name == "supervisorctl" and not call.piped else None
        )
    verb = (
        words[0]
        if name in ("systemctl", "initctl", "launchctl", "supervisorctl")
        else (words[1:] or ("status",))[0]
    )
    if name == "service" and call.has("--status-all"):
        return read("service lists services")
    if verb in _SYSTEMCTL_READ or verb in ("list", "print", "pid", "avail"):
        return read(f"{name} {verb} only reads")
    if verb in ("reboot", "poweroff", "halt", "kexec", "rescue", "emergency", "isolate"):
        return destroy(f"{name} {verb} takes the whole machine down")
    if verb == "edit":
        return change("systemctl edit edits a unit", Waits.EDITOR)
    if verb == "tail":
        return read("shows a log", Waits.STREAM if call.has("-f") else None)
    if verb == "kill" and re.search(
        r"KILL|-9|=9", " ".join(call.args).upper().replace("KILL ", "", 1)
    ):
        return destroy("kills without a chance to save")
    return change(f"{name} {verb} changes a service")


@_rule("journalctl")
def _journalctl(call: Call) -> Effect:
    if any(word.startswith(("--vacuum", "--rotate", "--flush")) for word in call.args):
        return destroy("journalctl throws old logs away")
    return read("journalctl only reads", Waits.STREAM if call.has("-f", "--follow") else None)


@_rule("dmesg")
def _dmesg(call: Call) -> Effect:
    if call.has("-C", "-c", "--clear"):
        return destroy("dmesg -C throws the kernel log away")
    return read("dmesg only reads", Waits.STREAM if call.has("-w", "--follow") else None)


@_rule("crontab")
def _crontab(call: Call) -> Effect:
    if call.has("-r"):
        return destroy("crontab -r deletes all jobs")
    if call.has("-e"):
        return change("crontab -e edits the jobs", Waits.EDITOR)
    return read("crontab -l lists jobs") if call.has("-l") else change("crontab replaces the jobs")


@_rule("iptables ip6tables nft ipset ebtables")
def _iptables(call: Call) -> Effect:
    if call.has("-L", "-S", "--list", "--list-rules") or call.args[:1] == ("list",):
        return read(f"{call.words[0]} lists rules")
    if call.has("-F", "-X", "-D", "--flush", "--delete") or call.args[:1] in (
        ("flush",),
        ("delete",),
        ("destroy",),
    ):
        return destroy(f"{call.words[0]} deletes rules")
    return change(f"{call.words[0]} changes rules")


@_rule(
    "ip ifconfig route tc ethtool sysctl date hostname mount umount swapon swapoff swap losetup modprobe rmmod insmod locale-gen ulimit hwclock setenforce getenforce sestatus sync"
)
def _settings(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional()
    if name == "ip":
        verbs = {"add", "del", "delete", "set", "flush", "replace", "change", "append"}
        done = next((word for word in words[1:] if word in verbs), None)
        follows = Waits.STREAM if "monitor" in words else None
        return change(f"ip {done} changes the network") if done else read("ip only shows", follows)
    if name in ("getenforce", "sestatus", "ulimit"):
        return read(f"{name} only shows")
    if name == "sync":
        return read("sync flushes buffers")
    if name == "date":
        return (
            change("date -s sets the clock") if call.has("-s", "--set") else read("date only shows")
        )
    if name == "sysctl":
        writes = call.has("-w", "-p", "--system", "--load") or any("=" in word for word in words)
        return change("sysctl changes the kernel") if writes else read("sysctl only shows")
    alone = {
        "hostname": 0,
        "mount": 0,
        "ifconfig": 1,
        "route": 0,
        "ethtool": 1,
        "hwclock": 0,
        "tc": 2,
        "losetup": 0,
        "swapon": 0,
    }
    if name in alone and len(words) <= alone[name] and not call.has("-a", "-o", "-s", "-K", "-A"):
        return read(f"{name} only shows")
    return change(f"{_short(call)} changes the machine")


@_rule("passwd chpasswd ssh-keygen htpasswd useradd adduser usermod groupadd chage kinit vipw")
def _accounts(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    asks = name in ("passwd", "htpasswd", "kinit", "adduser") or (
        name == "ssh-keygen" and not call.has("-l", "-R", "-N", "-F", "-y")
    )
    if name == "ssh-keygen" and call.has("-l", "-F"):
        return read("ssh-keygen only shows")
    return change(
        f"{name} changes accounts or keys", Waits.PROMPT if asks and not call.piped else None
    )


# The network


@_rule("curl wget http https xh httpie")
def _http(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    method = (call.value("-X", "--request", "--method") or "").strip("'\"").upper()
    if name in ("http", "https", "xh", "httpie"):
        method = next(
            (
                word
                for word in call.args
                if word in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
            ),
            "GET",
        )
    elif not method and (
        any(
            word.startswith(("--data", "--form", "--json", "--post-", "--upload-file", "--body-"))
            for word in call.args
        )
        or (name == "curl" and call.has("-d", "-F", "-T") and not call.has("-G", "--get"))
    ):
        method = "POST"
    if method == "DELETE":
        return destroy(f"{name} sends a DELETE request")
    if method and method not in ("GET", "HEAD", "OPTIONS"):
        words = " ".join(call.positional()).lower()
        if re.search(
            r"/(?:delete|destroy|purge|drop|flush|shutdown|restore|_delete_by_query)\b", words
        ):
            return destroy(f"{name} asks a service to delete")
        return change(f"{name} sends a {method} request")
    out = call.value("-o", "--output") if name == "curl" else call.value("-O", "--output-document")
    if out and out != "-" and not is_capture(out):
        return change(f"{name} writes {out}")
    if name == "wget" and not out and not call.has("--spider"):
        return change("wget writes a file")
    if name == "curl" and call.has("-O", "--remote-name") and not out:
        return change("curl -O writes a file")
    return read(
        f"{name} only asks",
        Waits.STREAM if name == "curl" and call.has("-N", "--no-buffer") else None,
    )


@_rule("telnet ftp sftp nc ncat netcat socat")
def _connect(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name in ("nc", "ncat", "netcat"):
        if call.has("-e", "-c"):
            return change(f"{name} connects a program to the network")
        if call.has("-l"):
            return read(f"{name} -l listens", Waits.STREAM)
        return read(
            f"{name} opens a connection", None if call.has("-z") or call.piped else Waits.TTY
        )
    if name == "socat":
        return change("socat connects two places", Waits.STREAM)
    waits = None if call.piped or (name == "sftp" and call.has("-b")) else Waits.TTY
    return (read if name == "telnet" else change)(f"{name} opens a session", waits)


def is_capture(place: str) -> bool:
    """Whether a file to be written is only a copy of output kept for later: nothing is lost by it."""
    if place in ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "-", "&1", "&2"):
        return True
    if re.match(r"(?:/tmp|/var/tmp|\$\{?TMPDIR\}?)/", place):
        return not re.search(r"\.(?:sock|pid|db|sqlite)$", place)
    if place.startswith("/") or ".." in place:
        return False
    return bool(
        re.search(
            r"\.(?:log|txt|out|err|csv|tsv|json|html|ya?ml\.dump|prom|pcap|trace|prof)$", place
        )
    )


def _short(call: Call) -> str:
    name = call.words[0].rpartition("/")[2].removeprefix("\\")
    flags = [word for word in call.args[:2] if word.startswith("-")]
    return " ".join([name, *flags])
