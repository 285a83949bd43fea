"""What a database client, git or a package manager would do."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cockpit.runbook.effects.call import Call, Effect, change, destroy, read, rule
from cockpit.runbook.effects.names import BACKUP, DESTRUCTIVE_CODE, by_verb
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import names_of

_SQL_NOISE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_SQL_LOSES = re.compile(
    r"\b(?:DELETE|DROP|TRUNCATE)\b|\bREPLACE\s+INTO\b|\bRESET\s+(?:MASTER|SLAVE)\b", re.IGNORECASE
)
_SQL_WRITES = re.compile(
    r"\b(?:INSERT|UPDATE|ALTER|CREATE|GRANT|REVOKE|MERGE|UPSERT|VACUUM|REINDEX|"
    r"CLUSTER|COPY|LOAD|CALL|DO|KILL|FLUSH|"
    r"LOCK|ATTACH|DETACH|RENAME|REFRESH|IMPORT|EXECUTE|PREPARE|OPTIMIZE|REPAIR|"
    r"PURGE|OUTFILE|DUMPFILE)\b"
    r"|\bSET\s+(?:GLOBAL|PERSIST|PASSWORD)|\bINTO\s+\w|\bpg_(?:terminate|"
    r"cancel)_backend|\bpg_reload_conf|\bpg_promote"
    r"|\bnextval|\bsetval|\blo_(?:import|unlink|export|put|from_bytea)|\bpg_(?:file_write|rotate_logfile|switch_wal|"
    r"drop_replication_slot|create_\w+|stat_reset\w*|wal_replay_(?:pause|resume))|\bdblink_exec|\bset_config|load_extension|writefile",
    re.IGNORECASE,
)
_SQL_READS = re.compile(
    r"\s*(?:SELECT|SHOW|DESCRIBE|DESC|EXPLAIN|PRAGMA|WITH|VALUES|TABLE|USE|BEGIN|"
    r"COMMIT|ROLLBACK|ANALYZE|STATUS|HELP|SET)\b",
    re.IGNORECASE,
)
_DOT_READS = names_of(
    ".dump .tables .schema .databases .dbinfo .indexes .indices .headers .header "
    ".mode .width .quit .exit .help .show "
    ".stats .timer .explain .fullschema .sha3sum .lint .timeout .nullvalue "
    ".separator .print .bail .echo .changes .eqp"
)


def sql(text: str) -> Effect:
    """What the statements in a text do; unknown ones change."""
    effect = read("the SQL only reads")
    bare = _SQL_NOISE.sub(" '' ", text)
    if _SQL_LOSES.search(bare):
        return destroy(f"the SQL says {(_SQL_LOSES.search(bare) or [''])[0].upper()}")
    for statement in re.split(r";|\n(?=\s*[.\\])", bare):
        words = statement.split()
        if not words:
            continue
        if words[0].startswith("."):
            if words[0] in (".restore", ".clone"):
                effect = effect.and_(destroy(f"{words[0]} puts other data over what is there"))
            elif words[0] not in _DOT_READS:
                effect = effect.and_(change(f"{words[0]} writes a file or runs something"))
        elif words[0].startswith("\\"):
            if re.match(r"\\(?:!|i|ir|o|(?i:copy)|g|gexec|w|e)(?![a-z])", words[0]):
                effect = effect.and_(change(f"{words[0]} writes or runs something"))
        elif found := re.search(r"\\(?:gx?\s+\S|gexec|copy\b|[wo]\s|ir?\s|!)", statement):
            effect = effect.and_(change(f"{found[0].strip()} writes or runs something"))
        elif found := _SQL_WRITES.search(statement):
            effect = effect.and_(change(f"the SQL says {found[0].upper()}"))
        elif words[0].upper() == "PRAGMA":
            if "=" in statement or re.search(
                r"wal_checkpoint|optimize|incremental_vacuum", statement
            ):
                effect = effect.and_(change("the PRAGMA sets something"))
        elif not _SQL_READS.match(statement) and not re.match(r"\s*''", statement):
            effect = effect.and_(change("cockpit does not know this SQL"))
    return effect


def _client(call: Call, text: str | None, session: str) -> Effect:
    """A client with a statement, or with none: a session, or what comes through the pipe."""
    if text is not None:
        return sql(text)
    if call.piped:
        return change(f"{session} runs what it is given")
    return change(f"opens {session}; what you type there is not checked", Waits.TTY)


_PSQL = names_of(
    "-h -p -U -d -f -c -v -o -F -P -R -T -L --host --port --username --dbname "
    "--command --file --set"
)
_MYSQL = names_of(
    "-h -P -u -D -e -S --host --port --user --database --execute --socket --default-character-set"
)


@rule("psql gitlab-psql mysql mariadb clickhouse-client cqlsh cockroach")
def _sql_client(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name in ("psql", "gitlab-psql"):
        texts = _all(call, "-c", "--command")
        if call.has("-l", "--list"):
            return read("psql -l lists databases")
        file = call.value("-f", "--file")
    else:
        texts = _all(call, "-e", "--execute", "--query", "-q")
        file = None
    if file:
        if BACKUP.search(file):
            return destroy(f"{name} puts a backup over what is there now")
        return change(f"{name} runs the file {file}")
    effect = _client(call, ";\n".join(texts) if texts else None, name)
    asks = (name in ("mysql", "mariadb") and ("-p" in call.args or "--password" in call.args)) or (
        name == "psql" and call.has("-W", "--password")
    )
    return replace(effect, waits=effect.waits or Waits.PROMPT) if asks else effect


def _all(call: Call, *flags: str) -> list[str]:
    out: list[str] = []
    for number, word in enumerate(call.args):
        for flag in flags:
            if (
                word == flag
                or (re.fullmatch(r"-[A-Za-z]+", word) and len(flag) == 2 and word.endswith(flag[1]))
            ) and number + 1 < len(call.args):
                out.append(call.args[number + 1])
            elif flag.startswith("--") and word.startswith(f"{flag}="):
                out.append(word[len(flag) + 1 :])
            elif len(flag) == 2 and word.startswith(flag) and len(word) > 2 and " " in word:
                out.append(word[2:])
    return list(dict.fromkeys(out))


@rule("sqlite3")
def _sqlite(call: Call) -> Effect:
    words = call.positional(names_of("-separator -nullvalue -newline -init -cmd -maxsize"))
    texts = [*words[1:], *_all(call, "-cmd", "--cmd")]
    return _client(call, "\n".join(texts) if texts else None, "sqlite3")


@rule("redis-cli valkey-cli")
def _redis(call: Call) -> Effect:
    words = call.positional(names_of("-h -p -a -n -u -s -i -r --user --pass"))
    if not words:
        if call.has("--stat", "--latency", "--latency-history"):
            return read("redis-cli measures", Waits.STREAM)
        if call.has("--bigkeys", "--memkeys", "--hotkeys", "--scan", "--rdb"):
            return read("redis-cli only reads")
        return _client(call, None, "redis-cli")
    verb = words[0].upper()
    second = words[1].upper() if len(words) > 1 else ""
    if verb in (
        "FLUSHALL",
        "FLUSHDB",
        "DEL",
        "UNLINK",
        "SHUTDOWN",
        "XTRIM",
        "LTRIM",
        "EVAL",
        "FAILOVER",
    ) or second in ("FLUSH", "RESET", "DELUSER", "KILL"):
        return destroy(f"redis-cli {verb} deletes or ends")
    if verb in ("MONITOR", "SUBSCRIBE", "PSUBSCRIBE"):
        return read(f"redis-cli {verb} listens", Waits.STREAM)
    reads = [
        "PING",
        "INFO",
        "GET",
        "MGET",
        "KEYS",
        "SCAN",
        "TTL",
        "PTTL",
        "TYPE",
        "EXISTS",
        "DBSIZE",
        "LLEN",
        "LRANGE",
        "LINDEX",
        "HGET",
        "HGETALL",
        "HKEYS",
        "HLEN",
        "SMEMBERS",
        "SCARD",
        "ZRANGE",
        "ZCARD",
        "ZSCORE",
        "STRLEN",
        "TIME",
        "LASTSAVE",
        "ROLE",
        "COMMAND",
        "XLEN",
        "XRANGE",
        "XINFO",
        "OBJECT",
        "ECHO",
        "LATENCY",
        "HMGET",
    ]
    if verb in reads or (
        verb in ("CONFIG", "CLIENT", "SLOWLOG", "MEMORY", "CLUSTER", "SENTINEL", "ACL")
        and second
        in (
            "GET",
            "LIST",
            "USAGE",
            "STATS",
            "DOCTOR",
            "INFO",
            "NODES",
            "LEN",
            "MASTERS",
            "SLOTS",
            "WHOAMI",
            "REPLICAS",
        )
    ):
        return read(f"redis-cli {verb} only reads")
    return change(f"redis-cli {verb} changes data or settings")


@rule("mongo mongosh")
def _mongo(call: Call) -> Effect:
    text = call.value("--eval")
    if text is None:
        if [word for word in call.positional() if word.endswith(".js")]:
            return change("mongo runs a script")
        return _client(call, None, call.words[0])
    if DESTRUCTIVE_CODE.search(text):
        return destroy("the mongo program deletes")
    if re.search(
        r"insert|update|replace|create|save|set\w*\(|rs\.(?:step|reconf|add|init)|kill|"
        r"fsync|compact",
        text,
        re.IGNORECASE,
    ):
        return change("the mongo program writes")
    return read("the mongo program only reads")


@rule(
    "mysqladmin createdb createuser pg_ctl pg_ctlcluster pg_basebackup mongodump "
    "mongoexport vacuumdb reindexdb"
)
def _admin(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional(_MYSQL | _PSQL)
    if name == "mysqladmin":
        verb = next((word for word in words), "")
        if verb in ("drop", "shutdown", "kill", "flush-logs"):
            return destroy(f"mysqladmin {verb}")
        if verb in (
            "status",
            "processlist",
            "ping",
            "extended-status",
            "variables",
            "version",
            "proc",
        ):
            return read(f"mysqladmin {verb} only reads")
    if name in ("mongodump", "mongoexport", "pg_basebackup"):
        asks = Waits.PROMPT if name == "pg_basebackup" and call.has("-W", "--password") else None
        return change(f"{name} writes a backup", asks)
    if name.startswith("pg_ctl") and "status" in words:
        return read("pg_ctl status only reads")
    return change(f"{name} changes the database server")


_GIT_READ = names_of(
    "status log diff show blame rev-parse ls-files ls-tree ls-remote fsck describe "
    "shortlog grep cat-file reflog "
    "whatchanged rev-list name-rev merge-base count-objects var help version "
    "show-ref for-each-ref range-diff cherry"
)


_GIT_RUNS = re.compile(
    r"(?:alias|pager|filter|credential|difftool|mergetool)\.|diff\.(?:external|.+\.)"
    r"|core\.(?:pager|fsmonitor|editor|sshcommand|hookspath|gitproxy)",
    re.IGNORECASE,
)


@rule("git")
def _git(call: Call) -> Effect:
    args = list(call.args)
    while args and args[0].startswith("-"):
        if args[0] == "-c" and _GIT_RUNS.match("".join(args[1:2])):
            return change("git -c names a program that it runs")
        del args[: 2 if args[0] in ("-C", "-c", "--git-dir", "--work-tree") else 1]
    if not args:
        return read("git prints its help")
    verb = args[0]
    sub = replace(call, words=tuple(args))
    words = sub.positional(frozenset({"-m", "-n"}))
    first = words[0] if words else ""
    if (verb == "grep" and any(w.startswith(("-O", "--open-files")) for w in args)) or (
        verb == "ls-remote" and sub.has("--upload-pack", "--exec")
    ):
        return change(f"git {verb} runs the program that it is told")
    if verb in _GIT_READ and first not in ("expire", "delete"):
        return read(f"git {verb} only reads")
    loses = (
        (verb == "reset" and sub.has("--hard"))
        or verb in ("clean", "filter-branch", "filter-repo", "prune")
        or (verb == "rm" and not sub.has("--cached"))
        or (verb == "restore" and (not sub.has("--staged", "-S") or sub.has("--worktree", "-W")))
        or (verb == "gc" and sub.has("--prune"))
        or (
            verb == "push"
            and (
                sub.has("-f", "--force", "--delete", "-d", "--mirror", "--force-with-lease")
                or any(w.startswith(("+", ":")) for w in words)
            )
        )
        or (
            verb == "branch"
            and (sub.has("-D", "-M") or (sub.has("-d", "--delete") and sub.has("-f", "--force")))
        )
        or (verb == "update-ref" and sub.has("-d"))
        or (verb == "checkout" and ("--" in args or "." in words or sub.has("-f", "--force")))
        or (verb == "stash" and first in ("drop", "clear"))
        or (verb == "tag" and sub.has("-d", "--delete"))
        or (verb == "reflog" and first in ("expire", "delete"))
        or (verb == "worktree" and first == "remove")
    )
    if loses:
        return destroy(f"git {verb} throws work away")
    if verb in (
        "branch",
        "tag",
        "remote",
        "stash",
        "config",
        "worktree",
        "submodule",
        "bisect",
        "notes",
    ):
        lists = (
            not words
            or first in ("list", "show", "get-url", "-v", "status", "log")
            or sub.has("--list", "-l", "--get", "--show-current", "--contains")
        )
        if lists and not (verb == "stash" and not words):
            return read(f"git {verb} lists")
    if verb == "commit" and not sub.has("-m", "-F", "--message", "--no-edit", "-C"):
        return change("git commit opens an editor", Waits.EDITOR)
    if verb == "revert" and not sub.has("--no-edit", "-n", "--no-commit", "--abort", "--quit"):
        return change("git revert opens an editor", Waits.EDITOR)
    if verb == "rebase" and sub.has("-i", "--interactive"):
        return change("git rebase -i opens an editor", Waits.EDITOR)
    if verb == "add" and sub.has("-p", "-i"):
        return change("git add -p asks", Waits.PROMPT)
    return change(f"git {verb} changes the repository")


@rule("apt apt-get yum dnf apk zypper pacman brew aptitude snap")
def _packages(call: Call) -> Effect:
    effect = by_verb(call, call.words[0].rpartition("/")[2])
    words = call.positional()
    asks = not call.has("-y", "--yes", "--assume-yes", "-q", "--noconfirm") and not call.piped
    asking = words[:1] and words[0] in (
        "install",
        "remove",
        "purge",
        "upgrade",
        "dist-upgrade",
        "full-upgrade",
        "autoremove",
        "update",
        "erase",
    )
    if words[:1] == ("update",) and "apt" in call.words[0]:
        return change("fetches package lists")
    if asking and asks and call.words[0] not in ("brew", "apk", "snap"):
        return replace(effect, waits=Waits.CONFIRM)
    return effect


@rule("dpkg rpm")
def _package_files(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name == "rpm":
        if call.has("-q", "-V", "--query", "--verify") or any(
            w.startswith("-q") for w in call.args
        ):
            return read("rpm -q only reads")
        return destroy("rpm -e removes a package") if call.has("-e") else change("rpm installs")
    if call.has("-l", "-L", "-s", "-S", "--list", "--status"):
        return read("dpkg only reads")
    return (
        destroy("dpkg removes a package")
        if call.has("-r", "-P", "--purge")
        else change("dpkg installs")
    )


@rule("terraform tofu terragrunt pulumi tf")
def _terraform(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional()
    verb = words[0] if words else ""
    sure = any(w.startswith(("-auto-approve", "--auto-approve", "--yes", "-y")) for w in call.args)
    asks = None if sure or call.piped else Waits.CONFIRM
    if verb == "destroy" or call.has("-destroy"):
        return destroy(f"{name} destroy removes resources", asks)
    if verb in ("apply", "up"):
        planned = name != "pulumi" and len(words) > 1  # a saved plan is applied without asking
        asks = None if planned else asks
        if any(word.startswith(("-replace", "--replace")) for word in call.args):
            return destroy(f"{name} {verb} -replace destroys a resource and makes it anew", asks)
        return change(f"{name} {verb} changes resources", asks)
    if verb == "force-unlock":
        return change(f"{name} force-unlock", None if call.has("-force") else Waits.CONFIRM)
    return by_verb(call, name)


@rule("stripe")
def _stripe(call: Call) -> Effect:
    words = call.positional()
    verb = words[0] if words else ""
    if verb == "login":
        return change("stripe login", Waits.LOGIN if not call.has("-i") else Waits.PROMPT)
    if verb == "listen" or words[:2] == ("logs", "tail"):
        return read(f"stripe {verb} listens", Waits.STREAM)
    return by_verb(call, "stripe")


@rule(
    "aws gcloud az heroku gh flyctl fly doctl vercel firebase netlify supabase wrangler railway "
    "argocd velero flux istioctl pip pip3 oci hcloud"
)
def _cloud(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional(
        names_of("--profile --region --project --output --query --resource-group -g -a --app")
    )
    if words in (("configure",), ("configure", "sso")):
        return change(f"{name} logs in", Waits.LOGIN)
    if name == "aws" and words[:1] == ("s3",) and call.has("--delete"):
        return destroy("aws s3 sync --delete removes objects")
    if words[:2] in (("compute", "ssh"), ("ssm", "start-session"), ("ecs", "execute-command")):
        inner = call.value("--command")
        tty = None if inner and not call.has("--interactive") else Waits.TTY
        return replace(call.script(inner) if inner else change(f"{name} opens a shell"), waits=tty)
    if any(word in ("ssh", "connect") for word in words[:3]):
        return change(f"{name} opens a session", None if call.piped else Waits.TTY)
    effect = by_verb(call, name)
    return replace(effect, waits=effect.waits or _asks_first(call, name, effect.risk))


def _asks_first(call: Call, name: str, risk: Risk) -> Waits | None:
    """Whether a client asks before it deletes."""
    sure = call.has(
        "-y",
        "--yes",
        "-q",
        "--quiet",
        "-f",
        "--force",
        "-s",
        "--silent",
        "--confirm",
        "--assumeyes",
    )
    deletes = any(re.match("delete|remove|uninstall|destroy", word) for word in call.args)
    silent = name in ("aws", "heroku", "wrangler", "vercel")
    if risk is not Risk.DESTROY or not deletes or silent or sure or call.piped:
        return None
    return Waits.CONFIRM
