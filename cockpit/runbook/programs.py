"""Names of programs: how a line that is a command is told from one that is output or prose."""

from __future__ import annotations

import re


def names_of(text: str) -> frozenset[str]:
    """The words of a text, as a set of names."""
    return frozenset(text.split())


SHELLS = names_of("sh bash dash zsh ksh ash fish csh tcsh")

KNOWN = SHELLS | names_of(
    """
    . : [ [[ ( { ! alias ansible ansible-playbook apk apt apt-get aptitude ar arp at awk aws az
    base64 basename bc bg brctl break btrfs bunzip2 bundle bunx bzip2 cal case cat caddy cargo
    cargo-nextest cd celery certbot chage chattr chgrp chmod chown chroot chronyc cilium clear
    cmp comm composer consul conntrack containerd continue corepack cp crictl crontab cryptsetup
    csplit ctr curl cut cypher-shell date dbus-send dd declare deno df dhclient diff dig dir
    dirname disown django-admin dmesg dnf do docker docker-compose doctl done dotnet dpkg
    dpkg-reconfigure drush du dropdb createdb createuser echo ed egrep emacs env esxcli etcdctl
    ethtool eval exec exit expand export expr false fdisk fg fgrep file find findmnt
    firewall-cmd flask flock flux flyctl fold for free fsck fstrim ftp function fuser gcc gcloud
    gdb gem getent getfacl gh git gitlab-ctl gitlab-rails gitlab-rake glab go gpasswd gpg gradle
    grep groupadd groups gsutil gulp gunicorn gunzip gzip halt haproxy hash hdfs head helm
    heroku hexdump history host hostname hostnamectl htop http httpie hwclock iconv id if
    ifconfig ifdown iftop ifup influx initctl insmod install invoke-rc.d ionice iostat iotop ip
    ip6tables ipcs ipcrm iperf iperf3 ipmitool iptables ipvsadm istioctl iw java javac jcmd jmap
    jobs join jps jq jstack jstat journalctl k9s k3s kafkacat kcat kill killall kind kinit klist
    knife ksql kubeadm kubectl kubectx kubens kustomize last lastlog launchctl ldapsearch
    ldconfig ldd less let linkerd ln local locale locate logger login loginctl logout logrotate
    losetup ls lsattr lsblk lscpu lsmod lsof lspci lsusb ltrace lvcreate lvdisplay lvextend
    lvremove lvresize lvs lxc lz4 mail mailq make man mapfile mc md5sum mdadm memcached microk8s
    minikube mix mkdir mkfifo mkfs mknod mkswap mktemp modprobe mongo mongod mongodump
    mongoexport mongoimport mongorestore mongosh mongostat mongotop more mosquitto_pub
    mosquitto_sub mount mtr multipass mv mvn mysql mysqladmin mysqlbinlog mysqlcheck mysqld
    mysqldump mysqlimport nano nc ncat ncdu needs-restarting netcat netplan netstat networkctl
    newgrp newrelic nft nginx ngrep nice nmap nmcli node nohup nomad npm npx nproc nsenter
    nslookup ntpdate ntpq numactl nvidia-smi oc od openssl osqueryi packer pacman parallel
    parted passwd paste patch patroni patronictl perf perl pg_basebackup pg_ctl pg_ctlcluster
    pg_dump pg_dumpall pg_isready pg_lsclusters pg_restore pg_rewind pgbench pgbouncer pgrep php
    pidof pidstat ping ping6 pip pip3 pipenv pipx pkill pm2 pmap pnpm podman podman-compose
    poetry popd postconf postfix postqueue postsuper poweroff print printenv printf prlimit
    prometheus promtool protoc ps psql pstree pt-query-digest pulumi puppet pushd pv pvcreate
    pvdisplay pvs pwd py-spy pydoc pytest python python2 python3 R rabbitmq-diagnostics
    rabbitmq-plugins rabbitmqadmin rabbitmqctl rails rake rclone read readlink readonly realpath
    reboot redis-benchmark redis-cli redis-server rename renice repadmin reset resize2fs
    resolvectl restic return rm rmdir rmmod rndc rosa route rpm rsync ruby runuser rustc rustup
    salt salt-call sar scp screen script scutil sdiff sed semanage seq service sestatus set
    setenforce setfacl setsid sftp sha1sum sha256sum sha512sum shasum shift shopt shred shutdown
    skopeo sleep slabtop smartctl snap snmpwalk socat sort source split spark-submit sqlcmd
    sqlite3 sqlplus squeue ss ssh ssh-add ssh-agent ssh-copy-id ssh-keygen ssh-keyscan sshfs
    sshpass stat stern strace strings stripe su sudo sudoedit supabase supervisorctl suspend
    swapoff swapon swift sync sysbench sysctl sysdig systemctl systemd-analyze systemd-cgls
    systemd-cgtop systemd-resolve systemd-run tac tail talosctl tar tc tcpdump tcptraceroute tee
    telnet terraform terragrunt test then tig time timedatectl timeout tmux top touch tofu tr
    traceroute tracepath trap tree true truncate tshark tsc type udevadm ufw ulimit umask umount
    uname unalias uniq unlink unset until unzip update-ca-certificates update-grub uptime
    useradd userdel usermod uv uvicorn uvx vacuumdb vagrant valgrind varnishadm varnishlog
    varnishstat vault vboxmanage vcgencmd vercel vgdisplay vgs vi view vim virsh virtctl visudo
    vmstat vtysh w wait wall watch wc wget whatis where whereis which while who whoami whois
    wipefs wrangler write wrk wscat xargs xfs_repair xxd xz yarn yes yq yum zcat zfs zgrep zip
    zipinfo zkCli.sh zpool zstd zypper
    """
)

_ENGLISH = names_of(
    "at case cat continue clear cut date do done echo exit file find flux for free "
    "function go head "
    "history host id if install invoke join last less let local login mail make man more mount "
    "node patch paste perl ping poetry print read rename reset return route script screen service "
    "set shift sort source split stat stripe suspend swift sync test then time top touch trap tree "
    "true false type until vault view wait wall watch where which while who write yes"
)
"""Programs that are also words of prose: a line needs more than the name to count as a command."""

_EVIDENCE = re.compile(
    r"\s-{1,2}\w|[|$=\"'`;]|\s[.~]?/\w|://|\w/\w|\.\w{1,4}\b|&&|\s>|<\w|\d|\w[-_]\w|\s\w+\s*$"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=(?:\"[^\"]*\"|'[^']*'|\$\([^)]*\)|[^\s\"'$]|\$)*")
_PATH = re.compile(r"(?:\.{1,2}|~|\$\w+|\$\{\w+\})?/[\w@.$ {}+-]*[\w@.$ {}+/-]*\Z")
_NOT_A_PROGRAM = re.compile(
    r"[^\x00-\x7f]|[\d\])}|+*=•\-,;&%?^\"'<>]|#|\.{2,3}(?:\s|$)|\{\"|\{$|\[[^\s\[]|"
    r"\w[\w.-]*:(?:\s|$)|@"
    r"|(?!R\b)[A-Z][\w./\[\]()-]*(?:[\s:,.]|$)|\.\s*$|\w+\(\s*\w*\)?\s*$|\w+\([^)\s]|\w+\[|\w+,\s"
)
_SENTENCE = re.compile(r"^[a-z]+(?: [a-z']+){5,}[.?!:]?$")
_FUNCTION = re.compile(r"(?:function\s+)?[\w-]+\s*\(\)\s*\{?")


def program(command: str) -> str:
    """The first word that names a program, without its folder; assignments are skipped."""
    rest = command.strip()
    while (
        (match := _ASSIGNMENT.match(rest))
        and match.end() < len(rest)
        and rest[match.end()] in " \t"
    ):
        rest = rest[match.end() :].lstrip()
    word = rest.split(None, 1)[0] if rest else ""
    return word.lstrip("\\(").rpartition("/")[2].rstrip(";") if word != "/" else ""


def is_assignment(command: str) -> bool:
    """Whether the command only sets variables."""
    match = _ASSIGNMENT.match(command.strip())
    return bool(match) and match is not None and not command.strip()[match.end() :].strip()


def plausible(command: str) -> bool:
    """Whether a line of a fence that says it is shell can be a command, and is not output."""
    text = command.strip()
    if text in ("", ".", "..", ":") or len(text) > 20_000:
        return False
    if re.match(r"[A-Za-z_]\w*\+?=", text) or _FUNCTION.match(text):
        return True
    if text.startswith(("[ ", "[[ ", "{ ", "! ", ": ", ". ", "<", '"$', "((")):
        return not text.startswith("<") or bool(re.match(r"<[\w -]+>\s+\S", text))
    if program(text) in KNOWN:
        return program(text) not in _ENGLISH or not _SENTENCE.match(text)
    return not _NOT_A_PROGRAM.match(text) and not _SENTENCE.match(text)


def certain(command: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether a line of which nothing says that it is shell is a command nevertheless.

    also: names of programs that shell fences of the same file use.
    """
    text = command.strip()
    if not plausible(text):
        return False
    first = text.split(None, 1)[0]
    name = program(text)
    if re.match(r"(?:\./|~/|\.\./)[\w.-]", first) or first.endswith((".sh", ".py")):
        return True
    if first.startswith("/") and _PATH.match(first):
        return bool(re.search(r"/s?bin/", first)) or (name in KNOWN and " " in text)
    if name in _ENGLISH:
        return (
            " " in text and bool(_EVIDENCE.search(text[len(first) :])) and not _SENTENCE.match(text)
        )
    if name in KNOWN or name in also:
        return True
    return is_assignment(text) and "$(" in text


def new(command: str) -> bool:
    """Whether a line looks like a call of a program that we do not know: words and a flag."""
    words = command.split()
    return (
        3 <= len(words) <= 40
        and bool(re.fullmatch(r"[a-z][a-z0-9_]*(?:-[a-z0-9]+)*", words[0]))
        and any(re.match(r"-{1,2}[A-Za-z]", word) for word in words[1:])
        and plausible(command)
        and not _SENTENCE.match(command)
    )
