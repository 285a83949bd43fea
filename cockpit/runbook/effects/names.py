"""What the name and the sub-command of a program say when no rule knows more."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cockpit.runbook.effects.call import RULES, Call, Effect, change, destroy, read
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import names_of

READ_ONLY = names_of(
    """
    : [ [[ apropos arp arping base32 base64 basename bat bc bind blkid break cal cat cd cksum
    cmp column comm continue curlie cut dc declare df diff dig dir dirname dirs du echo egrep
    exit expand export expr false fgrep file findmnt fmt fold free getconf getent getfacl getopt
    getopts grep groups hash head hexdump hexyl host hostid hostnamectl iconv id ipcs jobs join
    jps jq jstack jstat kubectx kubens last lastb lastlog ldd less let link-check local locale
    locate logname look ls lsattr lsb_release lsblk lscpu lsmem lsmod lsns lsof lspci lsusb man
    mapfile md5sum mdstat mktemp more mpstat mtr namei netstat nl nproc nslookup ntpq numfmt od
    paste pathchk pg_dump pg_dumpall pg_isready pg_lsclusters pgrep pidof pidstat pinky ping
    ping6 pmap popd pr printenv printf ps pstree pushd pwd pwdx rdate readarray readlink
    readonly realpath return rev rg sar sdiff seq set sha1sum sha224sum sha256sum sha512sum
    shasum shift shopt sleep slabtop smartctl sort ss stat strings sum tac tail test tload top
    touch-check tput tr traceroute tracepath tree true tsort tty type typeset ulimit umask uname
    unexpand uniq unset uptime users vmstat w wait wc whatis whereis which who whoami whois xxd
    xzcat yes yq zcat zgrep zless zmore iostat htop atop btop iotop iftop nethogs ctop k9s
    lazydocker glances ncdu nmon dry dive tcpdump tshark ngrep bzcat md5 jmap jcmd mysqldump
    sensors timedatectl loginctl lshw dmidecode lsipc apachectl-status pg_controldata nmap
    lnav gotop bpytop btm nvtop pg_top pg_activity systemd-cgtop bmon nload
    """
)


_TUI = names_of(
    "top htop atop btop iotop iftop nethogs ctop k9s lazydocker glances ncdu nmon "
    "dry dive slabtop tig nload bmon iptraf iptraf-ng lnav gotop bpytop btm nvtop innotop mytop "
    "pg_top pg_activity powertop systemd-cgtop "
    "nmtui alsamixer tmux screen aptitude lazygit"
)


_PAGERS = names_of("less more man most zless zmore pg")


_EDITORS = names_of("vi vim nvim nano emacs ed joe pico micro ne view vipw vigr visudo sudoedit")


_READ_VERBS = names_of(
    "get list ls describe show status info version view logs log inspect history "
    "search top explain "
    "whoami diff plan output validate config-view current-context ps check env "
    "events help print lint "
    "test test-smoke health health-check healthcheck count query read tail doctor verify outdated "
    "tree cat stat stats head find lookup whois can-i api-resources cluster-info ping monitor "
    "fsck-check graph dry-run template members endpoint smoke"
)


_DESTROY_VERBS = re.compile(
    r"(?:delete|destroy|remove|rm|del|purge|drop|prune|wipe|terminate|uninstall|"
    r"flush\w*|truncate|erase|"
    r"nuke|teardown|tear-down|clean|cleanup|clobber|recycle|restore|revoke|reboot|"
    r"shutdown|evict|drain|deregister|"
    r"autoremove|force-delete|kill|obliterate|reset-db|detach|expire|factory-reset|rmi|rmp|rb|"
    r"delete-\w+)(?:[-_:.]|$)|"
    r"[\w:-]+[-_:](?:delete|destroy|remove|purge|drop|prune|wipe|terminate|restore|nuke|"
    r"teardown|clean|reset)$"
)


_DESTROY_SCRIPT = re.compile(
    r"(?:^|[-_./])(?:restore|delete|remove|destroy|purge|drop|wipe|prune|nuke|"
    r"teardown|uninstall|clean(?:up)?|"
    r"truncate|failover|kill|recover-from-backup|factory-reset)",
    re.IGNORECASE,
)


BACKUP = re.compile(
    r"backup|\bbak\b|\.bak|dump|snapshot|\.orig\b|\.old\b|known-good", re.IGNORECASE
)


DESTRUCTIVE_CODE = re.compile(
    r"rmtree|\bunlink|os\.remove|\.rmdir|rm\s+-|FileUtils\.rm|deleteMany|deleteOne|"
    r"delete_all|destroy_all|"
    r"\.drop\w*\(|\.remove\(|flush(?:all|db)|DROP\s|DELETE\s+FROM|TRUNCATE\s|"
    r"\.delete\(|mkfs|shutdown|reboot|"
    r"os\.kill|truncate\(|destroy\b|killpg",
    re.IGNORECASE,
)


_ASKS = ("--version", "--help")


def judge(call: Call) -> Effect:
    """The effect of one program with its arguments."""
    name = call.words[0]
    plain = name.removeprefix("\\").rpartition("/")[2]
    if call.words[-1] in _ASKS and len(call.words) > 1 and all(word in _ASKS for word in call.args):
        return read(f"{plain} prints its {call.args[0].removeprefix('--')}")
    rule = RULES.get(plain)
    if rule is None and "/" in name and not re.match(r"/(?:usr/(?:local/)?)?s?bin/", name):
        return script_file(call, name)
    if rule:
        return _more(rule(call), plain, call)
    if plain == "man" and call.has("-P", "--pager", "-H"):
        return change("man runs the pager it is told")
    if plain in READ_ONLY and (how := _writes(plain, call)):
        return change(f"{plain} {how} changes something")
    if plain in READ_ONLY:
        return read(f"{plain} only reads", _waits_by_name(plain, call))
    if plain in _EDITORS:
        return change(f"{plain} edits a file", Waits.EDITOR)
    if plain in _TUI:
        return change(f"{plain} takes over the screen", Waits.TUI)
    return _more(by_verb(call, plain), plain, call)


def _more(effect: Effect, name: str, call: Call) -> Effect:
    """The effect, raised where a flag makes a reading call write or run something."""
    how = _writes(name, call) if effect.risk is Risk.READ else ""
    if not how:
        return effect
    return replace(effect, risk=Risk.CHANGE, because=f"{name} {how} changes something")


_WRITES = {
    "yq": names_of("-i --inplace --in-place"),
    "ss": names_of("-K --kill"),
    "tcpdump": names_of("-z"),
    "rg": names_of("--pre --hostname-bin"),
    "bat": names_of("--pager"),
    "smartctl": names_of("-t --test -s --smart -X --abort -o --offlineauto -S --saveauto --set"),
    "arp": names_of("-d --delete -s --set -f --file"),
    "ngrep": names_of("-K"),
    "hash": names_of("-p"),
    "bind": names_of("-x"),
    "mapfile": names_of("-C"),
    "readarray": names_of("-C"),
    "mysqldump": names_of("--flush-logs --delete-master-logs --delete-source-logs"),
    "helm": names_of("--output-dir --post-renderer"),
    "rpm": names_of("--pipe"),
    "wget": names_of("--use-askpass"),
    "curl": names_of("--remote-name-all -Q --quote --postquote --prequote -K --config"),
    "hwclock": names_of("-w --systohc -s --hctosys --set --adjust"),
    "journalctl": names_of(
        "--sync --relinquish-var --smart-relinquish-var --update-catalog --setup-keys"
    ),
}
"""Flags with which a program that else only reads writes, ends or runs something."""
_FILES = {
    "pg_dump": names_of("-f --file"),
    "pg_dumpall": names_of("-f --file"),
    "mysqldump": names_of("-r --result-file -T --tab --log-error"),
    "tcpdump": names_of("-w"),
    "tshark": names_of("-w"),
    "less": names_of("-o -O --log-file --LOG-FILE"),
    "tree": names_of("-o"),
    "diff": names_of("--output"),
    "nmap": names_of("-oN -oX -oG -oS -oA"),
    "iconv": names_of("-o --output"),
    "ncdu": names_of("-o"),
    "sar": names_of("-o"),
    "ngrep": names_of("-O"),
    "dmidecode": names_of("--dump-bin"),
    "git": names_of("--output"),
    "gpg": names_of("-o --output"),
    "psql": names_of("-o --output -L --log-file"),
    "mysql": names_of("--tee"),
    "mariadb": names_of("--tee"),
    "sqlite3": names_of("-init"),
    "journalctl": names_of("--cursor-file"),
    "wget": names_of("-o --output-file -a --append-output --save-cookies"),
    "curl": names_of(
        "-D --dump-header -c --cookie-jar --trace --trace-ascii --stderr --libcurl --etag-save "
        "--hsts --alt-svc"
    ),
}
"""Flags that name a file to be written, which may be a copy of output."""
_SETS = re.compile(
    r"set-|terminate-|kill-|(?:un)?lock-|enable-|disable-|flush-|ntp-"
    r"|(?:activate|attach|revert|hostname|chassis|icon-name|deployment|location)\Z"
)


_JCMD = re.compile(
    r"GC\.run|VM\.set_flag|JFR\.(?:start|stop|dump|configure)|ManagementAgent\.st"
    r"|Compiler\.directives_(?:add|remove|clear)|JVMTI\."
)


def _writes(name: str, call: Call) -> str:
    """The word by which a program that else only reads does more; empty where there is none."""
    for flag in sorted(_WRITES.get(name, ())):
        if call.has(flag):
            return flag
    for flag in sorted(_FILES.get(name, ())):
        if (file := call.value(flag)) and not is_capture(file):
            return flag
    if name in ("timedatectl", "loginctl", "hostnamectl"):
        words = call.positional()
        verb = words[0] if words else ""
        shows = name == "hostnamectl" and len(words) < 2
        return verb if _SETS.match(verb) and not shows else ""
    if name == "less":
        return next((word for word in call.args if re.match(r"\+{1,2}[!|]", word)), "")
    if name == "jcmd":
        words = call.positional()
        if words[1:2] == ("GC.heap_dump",) and not is_capture(words[-1]):
            return words[1]
        return next((word for word in call.args if _JCMD.match(word)), "")
    if name == "jmap":
        dump = re.search(r"-dump:\S*file=([^,\s]+)", " ".join(call.args))
        return "-dump" if dump and not is_capture(dump[1]) else ""
    if name in ("uniq", "xxd"):
        words = call.positional(names_of("-f -s -w" if name == "uniq" else "-c -g -l -o -s"))
        return words[1] if len(words) > 1 and not is_capture(words[1]) else ""
    return ""


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
        ends = call.value("-c") or call.has("-r") or (call.has("-G") and call.has("-W"))
        return None if ends else Waits.STREAM
    if name in ("vmstat", "iostat", "mpstat", "pidstat", "sar", "free"):
        numbers = [word for word in call.args if word.isdigit()]
        if name == "free":
            return Waits.STREAM if call.has("-s") and not call.has("-c") else None
        return Waits.STREAM if len(numbers) == 1 else None
    if name == "yes" or (name == "sleep" and "infinity" in call.args):
        return Waits.STREAM
    return None


def script_file(call: Call, name: str) -> Effect:
    loses = _DESTROY_SCRIPT.search(name) or any(_loses(word) for word in call.args[:2])
    if (loses or _LOSING_FLAGS & set(call.args)) and not _only_tries(call):
        return destroy(f"the name of {name} says that it deletes or overwrites")
    return change(f"{name} is a script that cockpit cannot look into")


def by_verb(call: Call, name: str) -> Effect:
    """A program with sub-commands that we only know by their names."""
    words = [word for word in call.positional() if "=" not in word and "/" not in word][:4]
    leads = _leading(call) if name in _NESTED else words[:3]
    reads = name in _UNKNOWN_READERS and _reading(words, [*words[:3], *leads])
    follows = Waits.STREAM if _goes_on(call, name, words) else None
    for number, word in enumerate([*words[:3], *leads[3:]]):
        if _loses(word) and not (reads and words[number + 1 : number + 2] == [reads]):
            if _only_tries(call):
                return change(f"{name} {word} only tries")
            return destroy(f"{name} {word} deletes or overwrites")
    if _LOSING_FLAGS & set(call.args) and not _only_tries(call):
        return destroy(f"{name} {min(_LOSING_FLAGS & set(call.args))} deletes or overwrites")
    if any(word in ("ssh", "console", "shell", "dbshell", "rsh", "attach") for word in words):
        return change(f"{name} opens a session", None if call.piped else Waits.TTY)
    if "login" in words[:3]:
        given = call.piped or call.has(
            "-p", "--password", "--password-stdin", "--token", "--with-token", "--access-token"
        )
        return change(f"{name} logs in", None if given else Waits.LOGIN)
    if reads:
        return read(f"{name} {reads} only reads", follows)
    if name in _UNKNOWN_READERS:
        return change(f"{name} {' '.join(words[:2])}".strip() + " may change something", follows)
    if name.endswith((".sh", ".py", ".rb", ".pl", ".ps1")) or _DESTROY_SCRIPT.search(name):
        return script_file(call, name)
    return change(f"cockpit does not know what {name} does", follows)


def _loses(word: str) -> bool:
    return bool(_DESTROY_VERBS.match(word)) and word.split("-")[0] not in _READ_VERBS


def _only_tries(call: Call) -> bool:
    given = call.value("--dry-run", "--dryrun")
    tries = call.has("--dry-run", "--dryrun", "--noop", "--what-if", "--whatif")
    return tries and given not in ("no", "false", "none")


def _leading(call: Call) -> list[str]:
    """The words before the first flag: a group, its groups, and the verb."""
    out: list[str] = []
    for word in call.args:
        if word.startswith("-") and out:
            break
        if not word.startswith("-") and "=" not in word and "/" not in word:
            out.append(word)
    return out[:6]


def _reading(words: list[str], before: list[str]) -> str:
    """The word that says that the call only reads, unless one says that it writes."""
    verb = next((word for word in words if {word, word.split("-")[0]} & _READ_VERBS), "")
    return "" if any(word.split("-")[0] in _WRITE_VERBS for word in before) else verb


def _goes_on(call: Call, name: str, words: list[str]) -> bool:
    if call.has("--follow") or "--watch" in call.args:
        return True
    logs = bool({"log", "logs", "tail", "events", "observe"} & set(words))
    if logs and ({"-f", "-w"} & set(call.args) or (name == "heroku" and call.has("-t", "--tail"))):
        return True
    if name == "pm2" and logs and not call.has("--nostream"):
        return True
    if (
        name in ("wrangler", "railway", "fly", "flyctl")
        and logs
        and not call.has("-n", "--no-tail")
    ):
        return name != "railway" or len(words) < 2
    ends = {words[0], words[-1]} if words and name not in _NESTED else set(words[-1:])
    return bool(ends & {"serve", "runserver", "tunnel", "port-forward", "monitor"})


_NESTED = names_of("aws gcloud az doctl oci ibmcloud hcloud linode-cli openstack eksctl")
"""Programs whose verb stands after one to four words for what it is done to."""

_LOSING_FLAGS = names_of("--delete --purge --drop --destroy --wipe --prune --force-delete")

_WRITE_VERBS = names_of(
    "set create update apply put patch add enable disable start stop restart scale run exec import "
    "install upgrade deploy rollback write edit label annotate cordon uncordon taint migrate"
)


_UNKNOWN_READERS = names_of(
    "aws gcloud az doctl heroku flyctl fly gh glab helm terraform tofu vault "
    "consul nomad etcdctl argocd istioctl "
    "linkerd flux cilium talosctl eksctl velero kustomize pip pip3 npm yarn pnpm "
    "cargo go gem composer "
    "apt apt-get apt-cache yum dnf apk zypper pacman brew snap dpkg-query "
    "rabbitmqctl rabbitmq-diagnostics "
    "supervisorctl pm2 nginx haproxy rclone restic borg mc gsutil bq stripe "
    "supabase vercel wrangler promtool "
    "amtool logcli influx ansible virsh pct qm lxc multipass minikube kind k3s "
    "crictl ctr nerdctl skopeo "
    "nmcli networkctl resolvectl firewall-cmd ufw fail2ban-client zfs zpool btrfs "
    "lvs vgs pvs mdadm "
    "loginctl puppet salt chef-client gitlab-ctl gitlab-rake keytool certbot "
    "mysqladmin make just task"
)


def is_capture(place: str) -> bool:
    """Whether a file to be written is only a copy of output kept for later."""
    if place in ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "-", "&1", "&2"):
        return True
    if re.match(r"(?:/tmp|/var/tmp|\$\{?TMPDIR\}?)/", place):
        return not re.search(r"\.(?:sock|pid|db|sqlite)$", place)
    if "/" in place.removeprefix("./") or ".." in place:
        return False  # in a folder it may be one that a service has open, or reads
    return bool(
        re.search(
            r"\.(?:log|txt|out|err|csv|tsv|json|html|ya?ml\.dump|prom|pcap|trace|prof)$", place
        )
    )


def short(call: Call) -> str:
    name = call.words[0].rpartition("/")[2].removeprefix("\\")
    flags = [word for word in call.args[:2] if word.startswith("-")]
    return " ".join([name, *flags])
