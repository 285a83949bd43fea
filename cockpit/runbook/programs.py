"""Names of programs: how a line that is a command is told from one that is output or prose."""

from __future__ import annotations

import re
from functools import lru_cache

from cockpit.runbook import output


def names_of(text: str) -> frozenset[str]:
    """The words of a text, as a set of names."""
    return frozenset(text.split())


SHELLS = names_of("sh bash dash zsh ksh ash fish csh tcsh")

KNOWN = SHELLS | names_of(
    """
    ! ( . : [ [[ { acme.sh adb age-keygen alembic alias amtool ansible ansible-galaxy
    ansible-playbook ansible-vault apache2ctl apachectl apk apt apt-cache apt-get apt-key aptitude
    aptly ar argo argocd arp arping asdf at awk aws aws-vault az azcopy bandit barman base64
    basename bat bats bbcp bc bg blkid blockdev bluetoothctl borg borgmatic bpftrace bq brctl break
    brew btrfs buildah bun bundle bunx bunzip2 bzip2 caddy cal cargo cargo-nextest case cat cd
    celery ceph ceph-volume cephadm certbot certutil chage chattr chef-client chgrp chmod chown
    chronyc chroot cilium clear clickhouse-client cloudflared cmp cockroach codesign comm composer
    conda conntrack consul containerd continue corepack corosync-quorumtool cosign cp cqlsh crane
    createdb createrepo createuser crictl crm crm_mon crontab cryptsetup csplit ctop ctr curl curlie
    cut cypher-shell date dbmate dbus-send dd debugfs declare delv deno df dhclient diff dig dir
    dirname disown dive django-admin dmesg dmidecode dmsetup dnf do docker docker-compose
    docker-machine docker-sync doctl dokku done doppler dotenv dotnet dpkg dpkg-query
    dpkg-reconfigure drbdadm dropdb drush du dumpe2fs e2fsck ebtables echo ed egrep eksctl
    elasticdump emacs env esxcli etcdctl etcdutl ethtool eval exec exit expand export exportfs expr
    fail2ban-client false fdisk ffmpeg ffprobe fg fgrep file filebeat find findmnt fio firebase
    firewall-cmd flake8 flask flock fluentd flux fly flyctl flyway fold for free fsck fstrim ftp
    function fuser gcc gcloud gdb gem getent getfacl gh git gitlab-backup gitlab-ctl gitlab-psql
    gitlab-rails gitlab-rake gitlab-redis-cli gitleaks glab gluster go goaccess goss gpasswd gpg
    gradle grafana-cli grep groupadd groups grpcurl gsutil gulp gunicorn gunzip gzip hadolint halt
    haproxy hash hcloud hdfs hdparm head helm heroku hexdump hey history host hostname hostnamectl
    hping3 htop http httpie hwclock iconv id if ifconfig ifdown ifstat iftop ifup infisical influx
    initctl insmod install invoke-rc.d inxi ionice iostat iotop ip ip6tables ipcalc ipcrm ipcs iperf
    iperf3 ipmitool ipset iptables iptables-restore iptables-save ipvsadm iscsiadm istioctl iw java
    javac jcmd jfrog jmap jobs join journalctl jps jq jsonnet jstack jstat k k3s k6 k9s
    kafka-configs kafka-consumer-groups kafka-topics kafkacat kapp kcat keepalived keytool kill
    killall kind kinit klist knife kops kpt krew ksql kubeadm kubectl kubectx kubens kubeseal
    kubeval kustomize last lastlog launchctl lazydocker ldapsearch ldconfig ldd less let limactl
    linkerd linode-cli liquibase litestream ln local locale locate locust logcli logger login
    loginctl logout logrotate lokitool losetup ls lsattr lsblk lscpu lshw lsmod lsof lspci lsusb
    ltrace lvcreate lvdisplay lvextend lvremove lvresize lvs lxc lxd lz4 mail mailq make man mapfile
    mc md5sum mdadm memcached microk8s mimirtool minikube minio mix mkcert mkdir mkfifo mkfs mknod
    mkswap mktemp modprobe mongo mongod mongodump mongoexport mongoimport mongorestore mongosh
    mongostat mongotop monit more mosh mosquitto_pub mosquitto_sub mount mount.nfs mtr multipass mv
    mvn mypy mysql mysql_upgrade mysqladmin mysqlbinlog mysqlcheck mysqld mysqldump mysqldumpslow
    mysqlimport mysqlshow nano nats nc ncat ncdu needs-restarting nerdctl netcat netlify netplan
    netstat networkctl newgrp newrelic nfsstat nft nginx ngrep nice nmap nmcli node nodetool nohup
    nomad nping npm nproc npx nsenter nslookup ntpdate ntpq numactl nvidia-smi nvme nx oc occ oci
    ocm od odf openssl openvpn oras osqueryi ovn-appctl ovn-nbctl ovn-sbctl ovs-appctl ovs-dpctl
    ovs-ofctl ovs-vsctl packer pacman parallel parted passwd paste patch patroni patronictl pcs pct
    perf perl pg_archivecleanup pg_basebackup pg_controldata pg_ctl pg_ctlcluster pg_dump pg_dumpall
    pg_isready pg_lsclusters pg_receivewal pg_resetwal pg_restore pg_rewind pg_upgrade pg_waldump
    pgbackrest pgbadger pgbench pgbouncer pgrep php pidof pidstat ping ping6 pip pip-audit
    pip-compile pip3 pipdeptree pipenv pipx pkill pm2 pmap pnpm podman podman-compose poetry popd
    postconf postfix postqueue postsuper poweroff pre-commit print printenv printf prisma prlimit
    prometheus promtool protoc ps pscp psql pstree pt-query-digest pulumi puppet pushd pv pvcreate
    pvdisplay pveam pvecm pvesh pvesm pveversion pvs pwd pwgen pwsh py-spy pydoc pyenv pytest python
    python2 python3 qemu-img qm quota quotacheck R rabbitmq-diagnostics rabbitmq-plugins
    rabbitmq-queues rabbitmq-upgrade rabbitmqadmin rabbitmqctl rados rails railway rake rbd rbenv
    rclone read readlink readonly realpath reboot redis-benchmark redis-check-aof redis-check-rdb
    redis-cli redis-server rename renice repadmin repquota reset resize2fs resolvectl restic return
    rm rmdir rmmod rndc rosa route rpm rsnapshot rsync ruby ruff runuser rustc rustup s3cmd salt
    salt-call salt-key sam sar scp screen script scutil sdiff sed semanage semgrep sendmail sensors
    sentry-cli seq serverless service sestatus set setenforce setfacl setsid sftp sha1sum sha256sum
    sha512sum shasum shift shopt showmount shred shutdown skaffold skopeo slabtop sleep sls smartctl
    smbclient smbstatus snap snapper snmpwalk snyk socat solana sops sort source spark-submit split
    sqlcmd sqlite3 sqlplus squeue ss ssh ssh-add ssh-agent ssh-copy-id ssh-keygen ssh-keyscan sshfs
    sshpass sshuttle sslscan stat stern strace stress stress-ng strings stripe su sudo sudoedit
    supabase supervisorctl suspend swaks swanctl swapoff swapon swift sync sysbench sysctl sysdig
    systemctl systemd-analyze systemd-cgls systemd-cgtop systemd-delta systemd-resolve systemd-run
    systemd-tmpfiles tac tail tailscale talhelper talosctl tar tc tcpdump tcptraceroute tctl tee
    telnet terraform terragrunt test testssl.sh tfenv tflint thanos then tig time timedatectl
    timeout timeshift tkn tmux tofu top touch tr tracepath traceroute trap tree trino trivy true
    truncate tsc tsh tshark tune2fs turbo twine type udevadm ufw ulimit umask umount unalias uname
    unattended-upgrade unattended-upgrades uniq unlink unset until unzip update-ca-certificates
    update-grub upower uptime useradd userdel usermod uv uvicorn uvx vacuumdb vagrant valgrind
    valkey-cli varnishadm varnishlog varnishreload varnishstat vault vboxmanage vcgencmd velero
    vercel vgdisplay vgs vi view vim virsh virt-customize virtctl visudo vmstat vmtoolsd vtctl vtysh
    w wait wal-e wal-g wall watch wc wg wg-quick wget whatis where whereis which while who whoami
    whois wipefs wp wrangler write wrk wscat xargs xcrun xfs_repair xtrabackup xxd xz yamllint yarn
    yes yq yt-dlp yum zcat zdb zfs zgrep zip zipinfo zkCli.sh zookeeper-shell zpool zramctl zstd
    zypper
    """
)

_ENGLISH = names_of(
    "at bat bun case cat conda continue clear cut date do done echo exit file find fly flux for "
    "free function go head hey "
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
_VERSION = re.compile(r"-?\d[\d.]*\Z")
_LACKING = re.compile(
    r"(?:sudo\s+)?(?:"
    r"(?:kubectl|oc|k)(?:\s+(?:describe|logs|exec|delete|apply|edit|scale|cordon|drain|patch|label"
    r"|annotate|cp|port-forward|debug|rollout(?:\s+\w+)?|create|set|attach|expose)(?:\s+-\w+)*)?"
    r"|(?:docker|podman)(?:\s+(?:exec|logs|restart|stop|start|rm|rmi|inspect|run|kill|tag|cp|attach"
    r"|rename|wait|top|port|commit|save|load|update)(?:\s+-\w+)*)?"
    r"|kill(?:\s+-\w+)?|(?:pkill|killall)(?:\s+-\d+)?"
    r"|git(?:\s+(?:revert|checkout|cherry-pick|merge|rebase|clone|add|rm|mv|tag\s+-d))?"
    r"|systemctl(?:\s+(?:start|stop|restart|reload|enable|disable|status|is-active|kill|mask|cat))?"
    r"|service|aws(?:\s+[\w-]+){0,2}|gcloud|az|helm(?:\s+(?:rollback|upgrade|install|uninstall))?"
    r"|terraform(?:\s+import)?|awk|sed|grep|egrep|zgrep|xargs|tee|cut|tr|curl|wget|ssh|scp|rsync"
    r"|dig|nslookup|ping|traceroute|mtr|chmod|chown|cp|mv|rm(?:\s+-\w+)?|mkdir|touch|ln|cat|tail"
    r"(?:\s+-[fF])?|head|less|more|vi|vim|nano|echo(?:\s+-\w+)?|find|tar|gzip|gunzip|unzip|jq|yq"
    r"|strace|lsof\s+-[ip]|openssl|nc|ncat|telnet|sudo|su|npm(?:\s+run)?|pip|python3?|node"
    r"|source|export|unset|set|test|time|watch|nohup|timeout|sleep|wait|read|screen\s+-r"
    r"|apt|apt-get|yum|dnf|brew|snap)"
)
_SETS = re.compile(r"[A-Za-z_]\w*\+?=")
_TAKES_OUTPUT = re.compile(r"[A-Za-z_]\w*\+?=\"?\$\(\s*[\w./-]")
_FUNCTION = re.compile(r"(?:function\s+)?[\w-]+\s*\(\)\s*\{?")


def program(command: str) -> str:
    """The first word that names a program, without its folder; assignments are skipped."""
    rest = command.strip()
    while (
        "=" in rest
        and (match := _ASSIGNMENT.match(rest))
        and match.end() < len(rest)
        and rest[match.end()] in " \t"
    ):
        rest = rest[match.end() :].lstrip()
    word = rest.split(None, 1)[0] if rest else ""
    name = word.lstrip("\\(").rpartition("/")[2].rstrip(";") if word != "/" else ""
    if name[-1:].isdigit() and name not in KNOWN:
        return _VERSION.sub("", name)
    return name


def is_assignment(command: str) -> bool:
    """Whether the command only sets variables."""
    match = _ASSIGNMENT.match(command.strip())
    return bool(match) and match is not None and not command.strip()[match.end() :].strip()


@lru_cache(maxsize=2048)
def plausible(command: str) -> bool:
    """Whether a line of a fence that says it is shell can be a command, and is not output."""
    text = command.strip()
    if text in ("", ".", "..", ":") or len(text) > 20_000:
        return False
    if ("=" in text and _SETS.match(text)) or ("(" in text and _FUNCTION.match(text)):
        return True
    if not text[0].isalnum() and text.startswith(
        ("[ ", "[[ ", "{ ", "! ", ": ", ". ", "<", '"$', "((")
    ):
        return not text.startswith("<") or bool(re.match(r"(?:<[\w -]+>|< \S+)\s+\S", text))
    if (name := program(text)) in KNOWN:
        return not (name in _ENGLISH and (_SENTENCE.match(text) or output.is_row(text)))
    if _NOT_A_PROGRAM.match(text) or _SENTENCE.match(text):
        return False
    return not output.is_row(text)


@lru_cache(maxsize=2048)
def certain(command: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether a line of which nothing says that it is shell is a command nevertheless.

    also: names of programs that shell fences of the same file use.
    """
    text = command.strip()
    if not plausible(text):
        return False
    first = text.split(None, 1)[0]
    if "://" in first and "=" not in first:
        return False
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
    return bool(_TAKES_OUTPUT.match(text)) or (is_assignment(text) and "$(" in text)


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


def is_file(word: str) -> bool:
    """Whether one word names a file of the project rather than a call: `app/main.py`, `dump/`."""
    return word.endswith("/") or bool(
        re.fullmatch(r"(?!\./|/|~)[\w./:-]+\.(?:py|sh|js|ts|rb|pl|go|sql)", word)
    )


def lacks_argument(command: str) -> bool:
    """Whether a call in a sentence is only the name of one: `kubectl logs`, `kill -9`, `awk`."""
    return bool(_LACKING.fullmatch(command.strip()))
