"""What commands would do, with everything that people hide a deletion behind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.runbook import plain, shell
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.shell import judge

DESTROYS = [
    "rm -rf /tmp/x",
    "\\rm -rf x",
    "'r'm -rf x",
    "r\\m -rf x",
    "command rm x",
    "/bin/rm -f x",
    "sudo rm x",
    "sudo -u root -- rm x",
    "env FOO=1 rm x",
    "FOO=1 rm x",
    "echo $(rm -rf x)",
    'echo "`rm x`"',
    'echo "$(docker ps -q | xargs docker rm -f)"',
    'eval "rm -rf x"',
    "sh -c 'rm -rf x'",
    'bash -lc "rm -rf x"',
    "bash -c \"bash -c 'rm -rf x'\"",
    'sudo sh -c "rm x"',
    "ssh host rm -rf x",
    "ssh -p 22 user@host 'rm -rf x'",
    'ssh host "sudo docker compose down"',
    "ssh -t host -- docker system prune -af",
    "docker exec c rm -rf /data",
    "docker exec -it c sh -c 'rm -rf /data'",
    'docker compose exec -T c psql -c "DROP TABLE x"',
    "docker run --rm -v /:/h alpine rm -rf /h/data",
    "kubectl exec pod -- rm -rf /x",
    "kubectl -n prod delete pod x",
    "find . -name x -delete",
    "find . -exec rm {} \\;",
    "find . -type f -print0 | xargs -0 rm",
    "ls | xargs -I{} rm {}",
    "bash <<EOF\nrm -rf x\nEOF",
    "cat <<'EOF' | bash\nrm -rf x\nEOF",
    'bash <<< "rm -rf x"',
    'echo "rm -rf x" | sh',
    "printf 'rm -rf x' | sudo bash",
    "psql db <<EOF\nDROP TABLE x;\nEOF",
    'echo "DELETE FROM x" | sqlite3 db',
    'sqlite3 db "DELETE FROM users;"',
    "mysql -e 'TRUNCATE x'",
    'mysql -uroot -psecret db -e "drop database x"',
    "psql db < backup.sql",
    "f() { rm -rf /; }; f",
    "ls() { rm -rf /; }; ls",
    "alias ls='rm -rf /'",
    "trap 'rm -rf /' EXIT",
    "if true; then rm x; fi",
    "for i in a b; do docker rm $i; done",
    'while read f; do rm "$f"; done < list',
    "true && rm x",
    "false || rm x",
    "ls; rm x",
    "rm x",
    "(rm x)",
    "{ rm x; }",
    "time rm x",
    "nohup rm -rf x &",
    "timeout 5 rm x",
    "nice -n 10 rm x",
    "awk 'BEGIN{system(\"rm -rf x\")}'",
    "python -c \"import shutil; shutil.rmtree('x')\"",
    "perl -e 'unlink \"x\"'",
    "kill -9 1",
    "kill -KILL 1",
    "kill -s KILL 1",
    "kill -s 9 1",
    "pkill -9 x",
    "dd if=/dev/zero of=/dev/sda",
    "mkfs.ext4 /dev/sda1",
    "sudo mkfs -t ext4 /dev/sda",
    "reboot",
    "sudo shutdown -r now",
    "systemctl reboot",
    "docker compose down",
    "docker compose -f x.yml down -v",
    "docker-compose down",
    "docker system prune",
    "docker volume rm x",
    "docker image prune -a",
    "docker kill x",
    "git reset --hard",
    "git clean -fd",
    "git push --force",
    "git checkout -- .",
    "curl -X DELETE http://x",
    "curl -XDELETE http://x",
    "curl --request DELETE http://x",
    "curl -sS -X DELETE http://x",
    "redis-cli FLUSHALL",
    "redis-cli -h x flushdb",
    ": > data.db",
    "> app.log",
    "cat /dev/null > /var/log/x.log",
    "truncate -s 0 x",
    "crontab -r",
    "terraform destroy",
    "aws s3 rm s3://x --recursive",
    "aws ec2 terminate-instances --instance-ids i",
    "gcloud compute instances delete x",
    "helm uninstall x",
    "rsync -a --delete a/ b/",
    "su -c 'rm x'",
    'su - postgres -c "dropdb x"',
    'sudo -iu postgres psql -c "DROP DATABASE x"',
    "xargs -a list rm",
    "watch rm x",
    "$'rm' -rf x",
    "$'\\x72m' x",
    '"rm" -rf x',
    "cp backups/x.db data/x.db",
    "pg_restore -d x y",
    "journalctl --vacuum-time=1d",
    "iptables -F",
    "mv x /dev/null",
    "rm",
    "dropdb x",
    "echo hi > /dev/sda",
    "busybox rm x",
    "sudo rm -v x",
    "sudo -n rm -l x",
    "command rm -v x",
    "ssh h rm -V",
    "docker exec c rm -f x",
    "docker rm -f a b",
    "env rm x",
    "xargs -r rm",
    "git -C x reset --hard",
    "sudo --user=root rm x",
    "sudo -E env PATH=x rm y",
    "sudo -- rm x",
    "nice rm x",
    "stdbuf -oL rm x",
    "flock /tmp/l rm x",
    'flock /tmp/l -c "rm x"',
    "chroot /host rm x",
    'watch -n1 "rm x"',
    "strace -f rm x",
    'find / -name "*.log" -exec sh -c "rm {}" \\;',
    'kubectl exec -it p -- sh -c "rm x"',
    'docker run --rm -it --entrypoint sh alpine -c "rm -rf /x"',
    "docker compose run --rm web rm -rf /x",
    "docker -H ssh://x rm y",
    "docker --context prod compose down",
    "DOCKER_HOST=x docker rm y",
    'xargs sh -c "rm x"',
    "exec rm x",
    "! rm x",
    "[ -f x ] && rm x",
    "case x in x) rm y;; esac",
    "coproc rm x",
    "cat <(rm x)",
    "echo ${X:-$(rm x)}",
    'echo "${X:=`rm x`}"',
    "cat <<EOF\n$(rm x)\nEOF",
    "echo $((1+$(rm x)))",
    "ls;rm x",
    "ls || rm x",
    "ls |rm x",
    "ls\\\n-l;rm x",
    "rm\\\n -rf x",
    "systemctl kill -s KILL x",
    'docker compose -f a -f b exec -T db psql -U x -c "DELETE FROM y WHERE id=1"',
    'mysql <<< "drop table x"',
    "su -c \"psql -c 'DROP TABLE x'\" postgres",
    'tmux new -d "rm x"',
    "screen -dm rm x",
    'script -c "rm x" /dev/null',
    'docker exec c mysql -e "SELECT 1; DROP TABLE x"',
    "time -p rm x",
    'printf "%s" "$(rm x)"',
    "declare X=$(rm x)",
    "X=`rm x`",
    'export X="$(rm x)"',
    "local X=$(rm x)",
    'test -n "$(rm x)"',
    "[[ -n $(rm x) ]]",
    "ls > $(rm x)",
    "for i in $(rm x); do :; done",
    "docker inspect $(docker rm x)",
    "docker compose ps\nrm x",
    "ls & rm x",
    "x=1 rm y",
]
"""Each loses something, however it is wrapped."""

READS = [
    "docker ps",
    "docker ps -a | grep kamiyo",
    "docker logs x --tail=10",
    "docker compose ps",
    "docker inspect --format '{{.State.Status}}' x",
    "docker stats --no-stream",
    'docker exec kamiyo sqlite3 /app/data/kamiyo.db "SELECT COUNT(*) FROM exploits;"',
    'docker exec kamiyo sqlite3 /app/data/kamiyo.db "PRAGMA integrity_check;"',
    "docker exec kamiyo env | grep X",
    "docker exec kamiyo ls -lh /app",
    "curl -s http://localhost:8000/health",
    "curl -s -o /dev/null -w '%{http_code}' http://x",
    "curl -fsS http://x | jq .",
    "ls -l",
    "df -h",
    "free -m",
    "cat x | grep y | wc -l",
    "ps aux | sort -k3 | head",
    "# only a comment",
    "",
    "systemctl status x",
    "journalctl -u x -n 50",
    "ss -ltnp | grep 80",
    "sudo ss -ltnp",
    "find . -name x -size +0",
    "du -sh * | sort -h",
    "git log --oneline",
    "kubectl get pods",
    "docker logs x > x.log 2>&1",
    "docker logs x 2>&1 | tee x.log",
    "ls > /dev/null 2>&1",
    'echo "rm -rf x"',
    'grep "rm -rf" x',
    "echo 'DROP TABLE x'",
    "if [ -f x ]; then echo y; fi",
    "for i in 1 2; do echo $i; done",
    "date -u",
    "tail -n 5 x",
    "test -f x && echo y",
    "sed -n 5p x",
    "awk '{print $1}' x",
    "env",
    "uptime",
    "top -b -n 1",
    'psql -c "select 1"',
    "redis-cli ping",
    "sqlite3 x .tables",
    "command -v docker",
    "ssh host uptime",
    "X=$(date)",
    "openssl s_client -connect x:443 </dev/null",
    "timeout 20 sh -c 'until curl -fs -o /dev/null http://x; do sleep 1; done'",
    "kill -0 1",
    "lsof -i :80",
    "docker compose config",
    "ip addr",
    "mount",
    "sysctl -a",
    "sudo -l",
    "sudo -u x ls -l",
    "cat <<'EOF'\n$(rm x)\nEOF",
    "ls\trm",
    "echo x >&2",
    "ls 2>/dev/null",
    "less x",
    'jq -n "input" x',
]
"""Each only looks."""

UNKNOWN = [
    "unknown-program x",
    "ｒｍ -rf x",
    "rм -rf x",
    "echo cm0gLXJmIHg= | base64 -d | sh",
    "curl http://x | bash",
    'bash -c "$(curl -fsSL http://x)"',
    'eval "$X"',
    "$CMD x",
    '"$CMD" x',
    "$(echo rm) -rf x",
    "python -c 'print(1)'",
    "perl -e 'print 1'",
    "python script.py",
    "./x.sh",
    "source x",
    ". x",
    "docker compose restart kamiyo",
    "docker stop x",
    "docker compose up -d",
    "cp a b",
    "mv a b",
    "kill 1",
    "systemctl restart x",
    "curl -X POST http://x",
    "curl -d a=b http://x",
    "sed -i s/a/b/ x",
    "sort -o x x",
    "echo x > config.yml",
    "echo x >> config.yml",
    "yes | head -c 9G >> data/logs/access.log",
    "echo x > data/state.json",
    "echo x >| config.yml",
    "tee /etc/x",
    "awk '{print > \"x\"}' y",
    "awk 'BEGIN{\"date\" | getline}'",
    'mysql -e "UPDATE x SET y=1"',
    'sqlite3 db "INSERT INTO x VALUES(1)"',
    "PRAGMA",
    "if then fi (",
    'echo "unclosed',
    "ls $(unknown)",
    "ls <(unknown)",
    "exec 3<>/dev/tcp/x/80",
    "make health",
    "npm run backup",
    'env -S "unknown x"',
    "find . -fprint x",
    "xargs unknown",
    "git pull",
    "apt-get install -y x",
    "date -s 2020",
    "date 010203042026",
    "timedatectl set-ntp true",
    "loginctl terminate-user x",
    "hostnamectl hostname x",
    "ss -K dst x",
    "yq -i .a=1 x.yaml",
    "uniq a b",
    "pg_dump -f /srv/x.sql db",
    "tcpdump -w /etc/x",
    "tcpdump -G 1 -z rm -w /tmp/x.pcap",
    "ip netns exec a unknown x",
    'git -c core.fsmonitor="rm x" status',
    "sysctl -w a=b",
    "hostname x",
    "psql -f x.sql",
    "vim x",
    "ln -s a b",
    "chmod 777 x",
    "a=rm; $a x",
    "echo x &> y.conf",
    "systemctl kill x",
    "echo rm x | at now",
    "crontab x",
    'vim -c ":!rm x"',
    'sed "s/a/b/e" x',
    "sed 'w out' x",
    'sed -n "/a/w out" x',
    "sort x -o y",
    'git -c alias.x="!rm y" x',
    "tar cf /dev/null --checkpoint-action=exec=rm x",
    'man -P "rm x" y',
    'ssh -o ProxyCommand="rm x" h',
    'zip x y -T -TT "rm x"',
    "curl file:///x -o /etc/passwd",
    'rsync -e "rm x" a b',
]
"""None may ever count as read."""

WAITS: dict[str, Waits | None] = {
    "docker logs -f x": Waits.STREAM,
    "docker logs -f x | head -5": None,
    "docker stats": Waits.STREAM,
    "docker stats --no-stream": None,
    "tail -f x": Waits.STREAM,
    "tail -F x | grep y": Waits.STREAM,
    "watch df": Waits.STREAM,
    "ping x": Waits.STREAM,
    "ping -c 3 x": None,
    "sqlite3 x": Waits.TTY,
    "docker exec -it c bash": Waits.TTY,
    "docker exec c sqlite3 /x": None,
    "docker compose exec c sh": Waits.TTY,
    "docker compose exec -T c sh": None,
    "psql": Waits.TTY,
    "mysql -u root -p": Waits.TTY,
    "less x": Waits.PAGER,
    "vim x": Waits.EDITOR,
    "top": Waits.TUI,
    "htop": Waits.TUI,
    "stripe login": Waits.LOGIN,
    "docker login": Waits.LOGIN,
    "ssh h": Waits.TTY,
    "ssh h uptime": None,
    "ssh -t h top": Waits.TUI,
    "journalctl -f": Waits.STREAM,
    "kubectl logs -f x": Waits.STREAM,
    "kubectl exec -it x -- sh": Waits.TTY,
    "sudo -i": Waits.TTY,
    "su - x": Waits.TTY,
    "read x": Waits.PROMPT,
    "docker system prune": Waits.CONFIRM,
    "docker system prune -f": None,
    "yes | apt install x": None,
    "apt-get install x": Waits.CONFIRM,
    "docker compose up": Waits.STREAM,
    "docker compose up -d": None,
    "docker compose logs -f --tail=5 x": Waits.STREAM,
    "while true; do date; sleep 1; done": Waits.STREAM,
    "man x": Waits.PAGER,
    "crontab -e": Waits.EDITOR,
    "git commit": Waits.EDITOR,
    "python3": Waits.TTY,
    "python3 x.py": None,
    "bash": Waits.TTY,
    "echo x | bash": None,
    "tcpdump -i eth0": Waits.STREAM,
    "vmstat 1": Waits.STREAM,
    "vmstat 1 5": None,
    "iostat -x 1": Waits.STREAM,
    "stripe listen --forward-to x": Waits.STREAM,
    "docker attach x": Waits.TTY,
    "docker events": Waits.STREAM,
    "kubectl get pods -w": Waits.STREAM,
    "kubectl port-forward x 1:1": Waits.STREAM,
    "docker run -it alpine sh": Waits.TTY,
    "sudo docker exec -ti x sh": Waits.TTY,
    "timeout 5 tail -f x": None,
    "nohup tail -f x &": None,
    "sqlite3 x < y.sql": None,
    "passwd": Waits.PROMPT,
    "terraform apply": Waits.CONFIRM,
    "rm -i x": Waits.CONFIRM,
    "gcloud auth login": Waits.LOGIN,
    "aws configure": Waits.LOGIN,
    "nc -l 80": Waits.STREAM,
    'mysql x -p -e "select 1"': Waits.PROMPT,
    "docker-compose logs -f": Waits.STREAM,
    "dmesg -w": Waits.STREAM,
    "curl -N http://x": Waits.STREAM,
    "journalctl -fu x": Waits.STREAM,
    "docker logs --follow --tail 10 x": Waits.STREAM,
    "systemctl edit x": Waits.EDITOR,
    "kubectl edit x": Waits.EDITOR,
}

CONTAINERS = {
    "docker compose restart kamiyo": ("kamiyo",),
    "docker stop $(docker ps -q)": ("*",),
    "docker rm -f a b": ("a", "b"),
    "docker compose down": ("*",),
    "docker compose -f x.yml -p y stop api web": ("api", "web"),
    "docker compose stop -t 10 api": ("api",),
    "ssh h docker restart x": ("x",),
    "docker restart -t 5 x": ("x",),
    "docker ps -q | xargs docker stop": ("*",),
    "sudo docker kill --signal=HUP nginx": ("nginx",),
    "bash -c 'docker stop x'": ("x",),
    "docker container restart x": ("x",),
    "docker compose up -d --force-recreate kamiyo": ("kamiyo",),
    "docker compose up -d": (),
    "docker logs x": (),
}


@pytest.mark.parametrize("command", DESTROYS)
def test_a_deletion_is_seen_through_any_wrapping(command: str) -> None:
    assert judge(command).risk is Risk.DESTROY


@pytest.mark.parametrize("command", READS)
def test_a_look_needs_no_gate(command: str) -> None:
    assert judge(command).risk is Risk.READ


@pytest.mark.parametrize("command", UNKNOWN)
def test_what_is_not_known_to_read_is_never_read(command: str) -> None:
    assert judge(command).risk is not Risk.READ


@pytest.mark.parametrize(("command", "waits"), WAITS.items())
def test_who_waits_for_whom(command: str, waits: Waits | None) -> None:
    assert judge(command).waits is waits


@pytest.mark.parametrize(("command", "names"), CONTAINERS.items())
def test_the_containers_that_a_command_interrupts(command: str, names: tuple[str, ...]) -> None:
    assert judge(command).containers == names


def test_the_reason_is_in_plain_words() -> None:
    verdict = judge("sudo docker compose down")
    assert verdict.because == "docker compose down stops and removes containers"


def test_what_cannot_be_parsed_says_so() -> None:
    assert "could not be parsed" in judge("if then fi (").because


def test_the_reason_cannot_steer_a_terminal() -> None:
    assert "\x1b" not in judge("./\x1b]52;c;x\x07.sh").because


def test_a_placeholder_is_no_redirection() -> None:
    assert judge("docker logs <container-name> --tail=5").risk is Risk.READ


def test_variables_that_a_command_sets_are_named() -> None:
    assert judge("export A=1; B=$(date)").assigns == {"A", "B"}


_PIECES = st.lists(
    st.sampled_from(
        [
            *"\"'`$(){}|&;<>#\\ \n=!-",
            "$(",
            "<<EOF\n",
            "EOF\n",
            "if ",
            "rm ",
            "ls ",
            "sh -c ",
            "é",
            "\ud800",
            "\0",
        ]
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(_PIECES)
def test_no_command_makes_it_raise(pieces: list[str]) -> None:
    assert judge("".join(pieces)).because


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["rm -rf x", "docker compose down", "mkfs /dev/sda"]))
def test_whatever_stands_on_the_line_before_hides_nothing(before: str, command: str) -> None:
    quiet = "".join(letter for letter in before if letter.isalnum() or letter in " .,:=-/")
    assert judge(f"echo '{quiet}'\n{command}").risk is Risk.DESTROY


@pytest.mark.parametrize(
    "command",
    [
        "sudo ls",
        "ls | sudo tee /etc/x",
        "sudo -u postgres psql -c 'select 1'",
        "x=$(sudo cat /etc/shadow)",
        "sh -c 'sudo ls'",
        "for i in 1 2; do sudo ls $i; done",
        "timeout 5 sudo tail -f /var/log/syslog",
        "watch sudo ls",
        "find . -exec sudo rm {} \\;",
        "ls | xargs sudo rm",
        "echo 'ls' | sudo sh",
        "doas reboot",
        "sudo -v",
        "sudo -i",
        "sudo -e /etc/hosts",
        "sudo tail -f x | head",
        "time sudo -E docker ps",
        "sudo -S ls",
        "/usr/bin/sudo ls",
    ],
)
def test_sudo_that_may_ask_is_seen(command: str) -> None:
    assert judge(command).sudo


@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "sudo -n ls",
        "sudo -k",
        "cat pw | sudo -S ls",
        "ssh web sudo ls",
        "docker exec app sudo ls",
        "echo sudo ls",
        "grep sudo /etc/group",
    ],
)
def test_sudo_that_cannot_ask_here_is_not(command: str) -> None:
    assert not judge(command).sudo


PROGRAMS = [
    *("ls", "rm", "echo", "printf", "head", "yes", "sh", "bash", "sudo", "xargs", "docker", "psql"),
    *("tail", "./restore.sh", "/bin/rm", "kill", "time", "watch", "test", ".", ":", "[", "if"),
    *("X=1", "export", "'rm'", '"psql"', "1"),
]
ARGUMENTS = [
    *PROGRAMS,
    *(
        "-f",
        "-rf",
        "-9",
        "--x=1",
        "$X",
        "pre${X}post",
        '"$X y"',
        "'a b'",
        '"a b"',
        "''",
        "pre'a'\"b\"",
        "*.log",
        "~/x",
        "%s",
        "@",
    ),
    *(
        "'a\nb'",
        "'DROP TABLE x'",
        '"rm -rf x"',
        "-c",
        "compose",
        "down",
        "exec",
        "e:f",
        "=",
        "\\$x",
    ),
]
REDIRECTIONS = [
    "",
    "",
    "",
    " 2>/dev/null",
    " >/dev/null 2>&1",
    " &>/dev/null",
    " > out.log",
    " < in",
]
BETWEEN = [" | ", " | ", " && ", " || ", "; ", "\n", " |\n", " \\\n | ", " & "]


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """A few commands of known words, with all that may stand between them."""
    out: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        words = [draw(st.sampled_from(PROGRAMS)), *draw(st.lists(st.sampled_from(ARGUMENTS)))]
        out += [draw(st.sampled_from([" ", "  ", " \\\n "])).join(words)]
        out += [draw(st.sampled_from(REDIRECTIONS)), draw(st.sampled_from(BETWEEN))]
    return "".join(out[:-1])


def misread(command: str) -> bool:
    """Whether the grammar reads `a | b | c && d` as a pipe into `c && d`, which it is not."""
    root = shell._parser().parse(command.encode()).root_node
    return any(
        node.type == "list" and node.parent is not None and node.parent.type == "pipeline"
        for node in shell._all(root)
    )


@settings(max_examples=300, deadline=None)
@given(scripts())
def test_what_is_split_without_a_parser_is_judged_as_with_it(command: str) -> None:
    pipelines = plain.split(command)
    if pipelines is not None and not misread(command):
        assert shell._plainly(pipelines, 0) == shell._parsed(command, 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("docker ps -a", [[["docker", "ps", "-a"]]]),
        ("a 'b c' \"d\"e | f; g", [[["a", "b c", "de"], ["f"]], [["g"]]]),
        ("a \\\n  b 2>/dev/null", [[["a", "b"]]]),
    ],
)
def test_plain_commands_are_split(command: str, words: list[list[list[str]]]) -> None:
    found = plain.split(command)
    assert found is not None
    assert [[part for part, _ in pipeline] for pipeline in found] == words


@pytest.mark.parametrize(
    "command",
    [
        *(
            "",
            " ",
            "a ${b:-c}",
            "a `b`",
            "a > b",
            "a < b",
            "a &",
            "(a)",
            "{ a; }",
            "! a",
            "a # b",
            "X=1 a",
        ),
        *(
            "if a; then b; fi",
            "a 'b",
            'a "b$(c)"',
            "a {b,c}",
            "a |",
            "a &&",
            "; a",
            "a ;; b",
            "a || | b",
        ),
        *("export A=1", "a\\ b", "a [b]", "a 2>/dev/null b", "a |& b"),
    ],
)
def test_what_needs_a_grammar_is_not(command: str) -> None:
    assert plain.split(command) is None


@pytest.mark.parametrize(
    "command",
    [
        "aws s3 rb s3://bucket --force",
        "az network nsg rule delete -g web --nsg-name n -n ssh",
        "gcloud compute instance-groups managed delete web",
        "rake db:drop",
        "rails db:reset",
        "bundle exec rake geo:db:drop",
        "uv run python -c \"import shutil; shutil.rmtree('x')\"",
        "poetry run ./manage.py flush",
        "knife ssh role:db 'sudo rm -rf /var/lib/data'",
        "aws-vault exec prod -- aws s3 rm s3://b/k",
        "kafka-topics.sh --bootstrap-server b:9092 --delete --topic t",
        "restore-db.sh",
        "argocd app sync web --prune",
        "kubectl apply --prune -f all.yaml -l app=web",
        "terraform apply -replace=aws_instance.web",
        "patronictl reinit main db-2",
        "docker exec db pg_archivecleanup /archive 000000010000003700000010",
        "pnpm exec rimraf dist && npm exec -- rm -rf dist",
        "rabbitmqctl reset",
        "nodetool removenode 1234",
        "zfs rollback tank/data@monday",
        "podman system reset",
        "gpg --delete-secret-keys ops",
        "celery -A app purge -f",
        "crictl rmi --prune",
        "curl -X POST http://es:9200/_snapshot/s/1/_restore",
        "git gc --prune=now",
    ],
)
def test_losing_is_seen_behind_groups_runners_and_flags(command: str) -> None:
    assert judge(command).risk is Risk.DESTROY


@pytest.mark.parametrize(
    ("command", "risk"),
    [
        ("az network traffic-manager endpoint update -n a --weight 0", Risk.CHANGE),
        ("psql -c \"\\COPY t FROM 'x.csv'\"", Risk.CHANGE),
        ("openssl req -new -newkey rsa:2048 -keyout k -out c -subj /CN=x", Risk.CHANGE),
        ("openssl x509 -in c -noout -dates", Risk.READ),
        ("git branch -d done", Risk.CHANGE),
        ("git restore --staged x", Risk.CHANGE),
        ("git rm --cached x", Risk.CHANGE),
        ("./restore.sh --dry-run latest", Risk.CHANGE),
        ("./restore.sh --dry-run=no latest", Risk.DESTROY),
        ("velero restore describe monday", Risk.READ),
        ("velero restore create --from-backup monday", Risk.DESTROY),
        ("kubectl delete pod x --dry-run=client", Risk.READ),
        ("kubectl delete pod x --dry-run=none", Risk.DESTROY),
        ("npm prune", Risk.CHANGE),
        ("gds aws prod -- kubectl get pods", Risk.READ),
        ("bundle exec rails runner x.rb", Risk.CHANGE),
        ("mc ls local/bucket", Risk.READ),
        ("echo 1 > /tmp/flag", Risk.CHANGE),
        ("printf 'a b' > notes.txt", Risk.CHANGE),
        ("cat > /tmp/job.sh <<'EOF'\nls\nEOF", Risk.CHANGE),
        ("echo started > run.log", Risk.READ),
        ("echo started >> /tmp/notes.txt", Risk.READ),
        ("ps aux > /tmp/ps.txt", Risk.READ),
        ("ps aux | grep x > /tmp/ps.txt", Risk.READ),
    ],
)
def test_what_only_looks_like_more_or_less(command: str, risk: Risk) -> None:
    assert judge(command).risk is risk


@pytest.mark.parametrize(
    ("command", "waits"),
    [
        ("helm upgrade web ./web -f values.yaml", None),
        ("gh workflow run x.yml -f env=prod", None),
        ("scanner -r src -f json -o out.json", None),
        ("toolkit apps logs web -f", Waits.STREAM),
        ("npm run dev", Waits.STREAM),
        ("npm run build", None),
        ("npm run dev:stop", None),
        ("uvicorn app:app --port 1", Waits.STREAM),
        ("gunicorn -D app:app", None),
        ("ollama serve", Waits.STREAM),
        ("consul monitor", Waits.STREAM),
        ("az monitor metrics list", None),
        ("docker start -ai box", Waits.TTY),
        ("docker compose up --abort-on-container-exit", None),
        ("git revert abc", Waits.EDITOR),
        ("git revert --no-edit abc", None),
        ("mv -i a b", Waits.CONFIRM),
        ("pip uninstall x", Waits.CONFIRM),
        ("pip uninstall -y x", None),
        ("gcloud compute instances delete web", Waits.CONFIRM),
        ("gcloud compute instances delete web --quiet", None),
        ("patronictl switchover main", Waits.CONFIRM),
        ("patronictl switchover --force main", None),
        ("patronictl list", None),
        ("pg_basebackup -h db -D /new -W", Waits.PROMPT),
        ("pg_basebackup -h db -D /new", None),
        ("pnpm exec next start -p 3000", Waits.STREAM),
        ("npm exec -- vite build", None),
        ("npx astro dev", Waits.STREAM),
        ("terraform apply", Waits.CONFIRM),
        ("terraform apply plan.out", None),
        ("terraform force-unlock 1", Waits.CONFIRM),
        ("argocd login a --username u --password p", None),
        ("gcloud auth application-default login", Waits.LOGIN),
        ("echo 'select 1' | railway connect db", None),
        ("timeout 1 telnet db 5432", None),
        ("tcpdump -r x.pcap", None),
        ("tcpdump -i eth0 -c 10", None),
        ("tcpdump -i eth0", Waits.STREAM),
        ("openssl req -new -key k -out c", Waits.PROMPT),
        ("ssh-copy-id web", Waits.PROMPT),
        ("ansible-vault edit x", Waits.EDITOR),
        ("kafka-console-consumer --topic t", Waits.STREAM),
        ("echo x | socat - UNIX-CONNECT:/run/s", None),
        ("gcloud compute ssh web --command 'df -h'", None),
    ],
)
def test_what_waits_and_what_only_looks_so(command: str, waits: Waits | None) -> None:
    assert judge(command).waits is waits


WRITES_BY_A_FLAG = [
    "strace -o /etc/x ls",
    "strace -o '|sh' ls",
    "strace -p 1 -o /etc/x",
    "strace -e inject=open:error=EIO ls",
    "time -o /etc/x ls",
    "/usr/bin/time --output=/etc/x ls",
    "ionice -c3 -p 1",
    "script -c ls /etc/x",
    "sort --compress-program=evil x",
    "sort x -uo /etc/x",
    "fd --exec=touch",
    "tar -I evil -tf x",
    "tar --use-compress-program evil -tf x",
    "tar tf x --to-command=evil",
    "tar tf x --checkpoint-action=exec=evil",
    "tar -tf x -F evil",
    "tar -tf x --info-script=evil",
    "echo x | nc h 80",
    "echo x | timeout 3 ncat h 80",
    "nc h 80 < /etc/x",
    "echo x | telnet h 80",
    "ls </dev/null | nc h 80",
    "cat x | { true; nc h 80; }",
    "echo | nc h 80 <<< x",
    "echo x > /dev/tcp/h/80",
    "gawk -o/etc/x 1 x",
    "gawk '{print |& \"/inet/tcp/0/h/80\"}' x",
    "sed -n w/etc/x x",
    "sed s/a/b/gw/etc/x x",
    "sed -ew/etc/x x",
    "sed '--expression=1e id' x",
    "sed -f x y",
    "less -O /etc/x y",
    "less '+!evil' x",
    "git log --output=/etc/x",
    "git grep -Oevil x",
    "git ls-remote --upload-pack=evil h",
    "curl -so /etc/x http://h",
    "curl -D /etc/x http://h",
    "curl -K x",
    "curl -Q 'DELE x' ftp://h",
    "curl --trace-ascii /etc/x http://h",
    "wget --spider -o /etc/x http://h",
    "journalctl --cursor-file=/etc/x",
    "dmesg -n 1",
    "ip -batch x",
    "openssl s_client -connect h:1 -sess_out x",
    "openssl s_server -accept 80",
    "mysqldump -T /etc x",
    "mysqldump --flush-logs x",
    "psql -o /etc/x -c 'select 1'",
    "psql -c 'select 1 \\g /etc/x'",
    "psql -c 'select 1 \\gexec'",
    "psql -c \"select lo_export(1, '/etc/x')\"",
    "sqlite3 -init x y .tables",
    "python -m json.tool x /etc/y",
    "nmap -oN /etc/x h",
    "xxd -r x /etc/y",
    "iconv -o /etc/x y",
    "rg --pre evil x",
    "smartctl -t long /dev/sda",
    "jcmd 1 GC.run",
    "jcmd 1 GC.heap_dump /etc/x",
    "jmap -dump:file=/etc/x 1",
    "arp -d h",
    "hwclock -w",
    "gpg --export -o /etc/x",
    "rpm -qa --pipe evil",
    "helm template x --output-dir /etc",
]
READS_ALL_THE_SAME = [
    "strace -o /tmp/x ls",
    "time ls -o",
    "nc -vz h 80",
    "echo x | nc -vzw5 h 80",
    "nc -w 3 h 22 < /dev/null",
    "echo | nc -w 3 h 22",
    "echo quit | telnet h 25",
    "cat < /dev/tcp/h/22",
    "tar -I 'zstd -d' -tf x",
    "tar -tzvf x",
    "sed -n '/we are/p' web.log",
    "sed -n 's/where/here/p' x",
    "sed '/^#/d;s/a/b/g' x",
    "awk -F: '{print $1}' x",
    "curl -so /dev/null -D - http://h",
    "curl -sSfLo /tmp/x http://h",
    "psql -c 'select 1 \\gx'",
    "less +F x",
    "nmap -oN /tmp/x h",
    "git log --oneline",
    "jcmd 1 GC.class_histogram",
    "jmap -dump:live,file=/tmp/x 1",
    "smartctl -a /dev/sda",
    "python -m json.tool x",
]


def test_a_reader_that_is_told_to_write_to_send_or_to_run_something_changes() -> None:
    assert [it for it in WRITES_BY_A_FLAG if judge(it).risk is Risk.READ] == []


def test_a_reader_beside_them_still_only_reads() -> None:
    assert [it for it in READS_ALL_THE_SAME if judge(it).risk is not Risk.READ] == []
