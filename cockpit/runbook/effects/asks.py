"""Programs that ask before they go on, or that serve and stream until they are stopped."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cockpit.runbook.effects.call import Call, Effect, change, destroy, read, rule
from cockpit.runbook.effects.names import by_verb
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import names_of

_KNIFE_VALUED = names_of(
    "-a -C -x -i -p -c -t -P --attribute --concurrency --user --ssh-user --ssh-port --identity-file"
)
_LISTS = re.compile(r"-[kK]|--(?:list|fingerprint|verify|version|check|print|with-colons|export)")


@rule("openssl")
def _openssl(call: Call) -> Effect:
    verb = call.args[0] if call.args else ""
    if {"-sess_out", "-keylogfile", "-writerand", "-engine"} & set(call.args):
        return change(f"openssl {verb} writes a file or loads code")
    if verb == "s_server":
        return change("openssl s_server serves until it is stopped", Waits.STREAM)
    if verb in ("ca", "rehash"):
        return change(f"openssl {verb} writes files")
    if verb == "s_client":
        return read("openssl s_client opens a connection", None if call.piped else Waits.TTY)
    if not verb:
        return read("opens openssl", Waits.TTY)
    waits = None
    known = {"-subj", "-config", "-batch", "-in", "-verify", "-help"} & set(call.args)
    if verb == "req" and not known and not call.piped:
        waits = Waits.PROMPT
    if {"-out", "-keyout", "-CAcreateserial"} & set(call.args):
        return change(f"openssl {verb} writes a file", waits)
    return read(f"openssl {verb} only shows", waits)


@rule("gpg gpg2")
def _gpg(call: Call) -> Effect:
    flags = [word for word in call.args if word.startswith("-")]
    if any(word.startswith("--delete") for word in flags):
        return destroy("gpg deletes keys", None if call.has("--batch", "--yes") else Waits.CONFIRM)
    if any(re.match(r"--(?:full-)?gen(?:erate)?-key|--edit-key|--change-pass", it) for it in flags):
        return change("gpg makes or changes keys", None if call.has("--batch") else Waits.PROMPT)
    if any(_LISTS.match(word) for word in flags):
        return read("gpg only shows")
    if call.has("-d", "--decrypt") and not call.has("-o", "--output"):
        return read("gpg decrypts to the output")
    return change("gpg writes keys or files")


@rule("patronictl gitlab-patronictl")
def _patronictl(call: Call) -> Effect:
    words = call.positional(frozenset({"-c", "-d", "-k", "--config-file", "--dcs-url"}))
    verb = words[0] if words else ""
    if verb in (
        "list",
        "topology",
        "history",
        "show-config",
        "version",
        "dsn",
        "query",
        "scaffold",
    ):
        follows = Waits.STREAM if call.has("-w", "-W", "--watch") else None
        return read(f"patronictl {verb} only reads", follows)
    if verb == "edit-config":
        given = call.has("-s", "-p", "--set", "--pg", "--apply", "--replace")
        asks = Waits.CONFIRM if given else Waits.EDITOR
        return change("patronictl edit-config", None if call.has("--force") else asks)
    asks_first = None if call.has("--force") or call.piped else Waits.CONFIRM
    if verb in ("reinit", "remove"):
        return destroy(f"patronictl {verb} throws a member's data away", asks_first)
    if verb in ("failover", "switchover", "restart", "reload", "flush"):
        return change(f"patronictl {verb} interrupts the database", asks_first)
    return change(f"patronictl {verb} changes the cluster")


@rule("ssh-copy-id mysql_secure_installation certbot add-apt-repository dpkg-reconfigure lvremove")
def _asks(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    sure = call.piped or call.has(
        "-y", "-n", "--yes", "--non-interactive", "-q", "-f", "--force", "--agree-tos"
    )
    if name == "certbot" and set(call.args[:1]) & {"certificates", "show_account", "plugins"}:
        return read("certbot only shows")
    if name == "certbot" and "renew" in call.args:
        return change("certbot renews certificates")
    if name == "lvremove":
        return destroy("lvremove destroys data", None if sure else Waits.CONFIRM)
    waits = {"add-apt-repository": Waits.CONFIRM, "dpkg-reconfigure": Waits.TUI}
    effect = change(f"{name} changes accounts, keys or settings")
    return effect if sure else replace(effect, waits=waits.get(name, Waits.PROMPT))


@rule("ansible-vault knife virsh")
def _edits(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional(_KNIFE_VALUED)
    if name == "knife" and words[:1] == ("ssh",):
        inner = " ".join(words[2:])
        return call.script(inner) if inner else change("knife ssh opens a shell", Waits.TTY)
    if "edit" in words[:3] or (name == "ansible-vault" and words[:1] == ("create",)):
        return change(f"{name} opens an editor", Waits.EDITOR)
    if name == "ansible-vault" and words[:1] == ("view",):
        return read("ansible-vault shows a file", Waits.PAGER)
    return by_verb(call, name)


@rule("uvicorn gunicorn hypercorn daphne flask celery puma unicorn nodemon vite next nuxt hugo")
def _serves(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = set(call.positional())
    away = call.has("-D", "--daemon", "--detach", "-b") or "multi" in words
    if name == "celery" and words & {"inspect", "status", "report", "events"}:
        return read("celery only reads")
    if name == "celery" and "purge" in words:
        asks = None if call.has("-f", "--force") else Waits.CONFIRM
        return destroy("celery purge throws waiting tasks away", asks)
    verbs = {
        "flask": {"run"},
        "celery": {"worker", "beat", "flower"},
        "next": {"dev", "start"},
        "nuxt": {"dev", "start", "preview"},
        "hugo": {"server", "serve"},
    }.get(name)
    if away or (verbs and not words & verbs) or "build" in words:
        return by_verb(call, name)
    return change(f"{name} serves until it is stopped", Waits.STREAM)


@rule("stern kubetail multitail inotifywait mosquitto_sub dstat sshuttle ngrok cloudflared")
def _streams(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name == "cloudflared" and not {"run", "--url"} & set(call.args):
        return by_verb(call, name)
    if name == "inotifywait" and not call.has("-m", "--monitor"):
        return read("inotifywait waits for one event", Waits.STREAM)
    ends = (name == "stern" and call.has("--no-follow")) or (
        name == "dstat" and len([word for word in call.args if word.isdigit()]) > 1
    )
    effect = change if name in ("sshuttle", "ngrok", "cloudflared") else read
    return effect(f"{name} goes on until it is stopped", None if ends else Waits.STREAM)


@rule("rabbitmqctl rabbitmq-diagnostics nodetool mdadm zfs kafka-topics kafka-topics.sh")
def _stores(call: Call) -> Effect:
    """Stores whose words for losing data are their own."""
    name = call.words[0].rpartition("/")[2]
    loses = {
        "rabbitmqctl": {"reset", "force_reset", "forget_cluster_node"},
        "nodetool": {
            "removenode",
            "decommission",
            "assassinate",
            "clearsnapshot",
            "garbagecollect",
        },
        "mdadm": {"--zero-superblock"},
        "zfs": {"rollback", "destroy", "receive", "recv"},
    }.get(name, {"--delete"})
    if found := loses & set(call.args):
        return destroy(f"{name} {min(found)} loses data")
    reads = {"status", "tpstats", "info", "ring", "describecluster", "netstats", "compactionstats"}
    if name == "nodetool" and set(call.args) & reads:
        return read("nodetool only reads")
    if name.startswith("kafka-topics") and call.has("--list", "--describe"):
        return read("kafka-topics only reads")
    if name == "mdadm" and call.has("--detail", "--examine", "-D", "-E", "--query"):
        return read("mdadm only shows")
    effect = by_verb(call, name)
    return effect if effect.risk is not Risk.CHANGE else change(f"{name} may change something")


@rule(
    "kafka-console-consumer kafka-console-consumer.sh kafka-console-producer "
    "kafka-console-producer.sh mongostat mongotop kcat kafkacat"
)
def _queues(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if "producer" in name or (name in ("kcat", "kafkacat") and call.has("-P")):
        return change(f"{name} sends what it is given", None if call.piped else Waits.TTY)
    ends = call.has("--max-messages", "--timeout-ms", "-e", "-L", "-n", "--rowcount", "-c")
    return read(f"{name} shows what comes", None if ends else Waits.STREAM)
