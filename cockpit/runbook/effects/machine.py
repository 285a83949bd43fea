"""Programs that work on the machine: processes, services, disks, network settings, accounts."""

from __future__ import annotations

import re

from cockpit.runbook.effects.call import Call, Effect, change, destroy, read, rule
from cockpit.runbook.effects.names import short
from cockpit.runbook.model import Waits
from cockpit.runbook.programs import names_of


@rule("kill pkill killall xkill skill fuser")
def _kill(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name == "fuser":
        return destroy("fuser -k kills processes") if call.has("-k") else read("fuser only looks")
    text = " ".join(call.args).upper()
    if {"-l", "-L", "--list"} & set(call.args) or re.search(r"(?:^|\s)-0(?:\s|$)", text):
        return read(f"{name} only asks")
    if re.search(r"-(?:S |N )?(?:9|KILL|SIGKILL)\b|--SIGNAL[= ](?:9|KILL|SIGKILL)", text):
        return destroy(f"{name} -9 kills without a chance to save")
    return change(f"{name} stops a process")


@rule("reboot shutdown halt poweroff telinit init")
def _power(call: Call) -> Effect:
    if call.has("-c") and call.words[0].endswith("shutdown"):
        return change("cancels a shutdown")
    return destroy(f"{short(call)} takes the whole machine down")


@rule(
    "mkfs mkswap fdisk sfdisk gdisk parted lvremove vgremove pvremove userdel groupdel deluser "
    "dropdb dropuser pg_resetwal pg_rewind pg_archivecleanup pg_restore "
    "mongorestore mysqlimport cryptsetup "
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
    if name == "pg_archivecleanup":
        dry = call.has("-n", "--dry-run")
        return read("pg_archivecleanup -n lists") if dry else destroy("deletes archived WAL")
    if name in ("pg_restore",) and call.has("-l", "--list"):
        return read("pg_restore -l lists a dump")
    if name in ("pg_restore", "mongorestore", "mysqlimport"):
        return destroy(f"{name} puts a backup over what is there now")
    return destroy(f"{name} destroys data", Waits.TTY if name in ("fdisk", "gdisk") else None)


_SYSTEMCTL_READ = names_of(
    "status show cat is-active is-enabled is-failed list-units list-unit-files "
    "list-timers list-jobs "
    "list-sockets list-dependencies get-default help show-environment is-system-running"
)


@rule("systemctl service rc-service initctl launchctl supervisorctl")
def _systemctl(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional(names_of("-H -M -t -p -n -o -s --host --machine --type --property"))
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


@rule("journalctl")
def _journalctl(call: Call) -> Effect:
    if any(word.startswith(("--vacuum", "--rotate", "--flush")) for word in call.args):
        return destroy("journalctl throws old logs away")
    return read("journalctl only reads", Waits.STREAM if call.has("-f", "--follow") else None)


@rule("dmesg")
def _dmesg(call: Call) -> Effect:
    if call.has("-C", "-c", "--clear", "--read-clear"):
        return destroy("dmesg -C throws the kernel log away")
    if {"-n", "-D", "-E"} & set(call.args) or any(w.startswith("--console-") for w in call.args):
        return change("dmesg sets what the kernel prints on the console")
    return read("dmesg only reads", Waits.STREAM if call.has("-w", "--follow") else None)


@rule("crontab")
def _crontab(call: Call) -> Effect:
    if call.has("-r"):
        return destroy("crontab -r deletes all jobs")
    if call.has("-e"):
        return change("crontab -e edits the jobs", Waits.EDITOR)
    return read("crontab -l lists jobs") if call.has("-l") else change("crontab replaces the jobs")


@rule("iptables ip6tables nft ipset ebtables")
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


@rule(
    "ip ifconfig route tc ethtool sysctl date hostname mount umount swapon swapoff "
    "swap losetup modprobe rmmod insmod locale-gen ulimit hwclock setenforce "
    "getenforce sestatus sync"
)
def _settings(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    words = call.positional()
    if name == "ip" and words[:2] == ("netns", "exec"):
        return call.argv(call.args[call.args.index("exec") + 2 :])
    if name == "ip" and {"-b", "-batch"} & set(call.args):
        return change("ip -batch runs the commands in a file")
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
        told = call.positional(names_of("-d --date -r --reference -f --file"))
        new = any(re.fullmatch(r"\d{4,12}(?:\.\d\d)?", word) for word in told)
        sets = call.has("-s", "--set") or (new and not call.has("-j"))
        return change("date sets the clock") if sets else read("date only shows")
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
    return change(f"{short(call)} changes the machine")


@rule("passwd chpasswd ssh-keygen htpasswd useradd adduser usermod groupadd chage kinit vipw")
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
