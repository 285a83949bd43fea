"""What has to be filled in, and values that try to be more than values."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cockpit.runbook.placeholders import Missing, assigned, fill, find, neutral

FOUND = {
    "kill <PID>": ["<PID>"],
    "oc get pvc <pvc_name> -n <namespace>": ["<pvc_name>", "<namespace>"],
    "mysql -h <db-host> -D <database name>": ["<db-host>", "<database name>"],
    "query > <output file e.g. output.csv>": ["<output file e.g. output.csv>"],
    "git clone https://example.net/[your-org]/app": ["[your-org]"],
    "login --user YOUR_USERNAME": ["YOUR_USERNAME"],
    "ssh $SSH_USER@$SERVER_HOST": ["$SSH_USER", "$SERVER_HOST"],
    "psql -U ${DB_USER}": ["${DB_USER}"],
    "tar -tf backup-YYYYMMDD.tar.gz": ["YYYYMMDD"],
    "connect RELAYIP:25": ["RELAYIP"],
    "kubectl logs web-xxxxx-yyyyy": ["xxxxx-yyyyy"],
    "curl http://api/v1/items/{item-id}/tags": ["{item-id}"],
    "cat <<EOF\n<host name> <HOST>\nEOF": ["<host name>", "<HOST>"],
    "export TOKEN=REPLACE_WITH_TOKEN": ["REPLACE_WITH_TOKEN"],
    "curl -H PASTE-KEY-HERE x": ["PASTE-KEY-HERE"],
    "grep '<PID>' '<PID>'": ["<PID>"],
    "cat <<EOF\n$WHO\nEOF": ["$WHO"],
    "docker exec -e X=$X app": ["$X"],
    "rm <p>": ["<p>"],
    "cd /path/to/shop && ls": ["/path/to/shop"],
    "tar -xf '/path/to/dump.tar.gz'": ["/path/to/dump.tar.gz"],
    "restart <pod|deployment> db": ["<pod|deployment>"],
    "restart <имя-сервиса>": ["<имя-сервиса>"],
    "D=/x rm -rf $D/*": ["$D"],
    "D=$D/x; ls": ["$D"],
}
NOT_FOUND = [
    "docker ps --format '{{.Names}}'",
    "sort < in > out",
    "sort <in>out",
    "sort <in|tee>out",
    "sort <in | uniq >out",
    "D=/x; rm -rf $D/*",
    "cmd 2>&1",
    "diff <(a) <(b)",
    "cat <<EOF\nx\nEOF",
    "cat <<'EOF'\n$WHO\nEOF",
    "cat <<< word",
    "echo $HOME $PATH $USER $1 $? $$ $# $@ $(date)",
    "awk '{print $NF}' x",
    "X=1; echo pre $X",
    "export DIR=/x && ls $DIR",
    "for f in a b; do echo $f; done",
    "while read -r line; do echo $line; done",
    "echo ${X:-default} ${Y:=z}",
    r"echo \$X",
    "ls [a-z]* [0-9].log",
    "[ -f x ] && echo y",
    "jq '.items[0].spec[\"a\"]'",
    "mktemp /tmp/x.XXXXXX",
    "grep '<title>' index.html",
    "echo $ENVIRONMENT_NAME",
    "grep DB_HOST .env",
    "ls # <comment>",
    "git commit -m 'docs: mend [skip ci]'",
    'echo "[DRY RUN] would do it"',
    "git commit -m 'x <someone@example.net>'",
    "cat > a.rs <<'EOF'\nfn f() -> Result<Vec<u8>, Error> {}\nmap: Map<String, Item>\nEOF",
    "cat > a.toml <<EOF\n[server.main-pool]\nEOF",
    "cat > a.md <<EOF\nSee [the guide](guide.md).\nEOF",
    "grep -rn 'TODO\\|FIXME\\|XXX' src",
    "find . -exec ls {} +",
    "curl http://api/{a,b}",
    "mktemp /tmp/x.xxxxxx",
    "ls /srv/path/to/x /path/top",
]


@pytest.mark.parametrize(("command", "texts"), FOUND.items())
def test_a_gap_is_found(command: str, texts: list[str]) -> None:
    assert [gap.text for gap in find(command)] == texts


@pytest.mark.parametrize("command", NOT_FOUND)
def test_shell_that_looks_like_a_gap_is_left_alone(command: str) -> None:
    assert find(command) == ()


def test_a_variable_that_an_earlier_command_set_is_not_asked_for() -> None:
    assert find("kubectl -n $NAMESPACE get pods", known={"NAMESPACE"}) == ()
    assert assigned('export NAMESPACE="$(kubectl get ns)"') == {"NAMESPACE"}


def test_without_a_value_nothing_comes_out() -> None:
    with pytest.raises(Missing, match="<PID>"):
        fill("kill <PID>", {})


def test_a_value_that_an_inner_shell_would_read_again_must_be_plain() -> None:
    assert fill("sh -c 'ls <dir>'", {"dir": "/var/log"}) == "sh -c 'ls /var/log'"
    for value in ("x; rm -rf /", "$(id)", "a b"):
        with pytest.raises(Missing, match="second shell"):
            fill("ssh web 'ls <dir>'", {"dir": value})


@pytest.mark.parametrize(
    "command",
    [
        "echo `ls <x>`",
        'echo "`ls "<x>"`"',
        "cat <<EOF\n$(ls <x>)\nEOF",
        'echo "${A:-<x>}"',
        "printf %s $'<x>'",
        "printf %s \\<x>",
    ],
)
def test_a_value_where_quoting_once_is_not_enough_must_be_plain(command: str) -> None:
    assert fill(command, {"x": "/var/log"}) == command.replace("<x>", "/var/log")
    for value in ("a`id`b", "$(id)", "it's"):
        with pytest.raises(Missing, match="read twice"):
            fill(command, {"x": value})


def test_neutral_keeps_the_length_and_the_name() -> None:
    command = "cp backups/<BACKUP_FILE> x"
    assert neutral(command) == "cp backups/_BACKUP_FILE_ x"


@pytest.mark.parametrize(
    "frame", ["<x>", "'<x>'", '"<x>"', "$X_VALUE", '"${X_VALUE}"', "pre<x>post"]
)
@settings(max_examples=40, deadline=None)
@given(
    value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
)
def test_any_value_reaches_the_program_as_it_is(frame: str, value: str) -> None:
    command = fill(f"printf %s {frame}", {"x": value, "X_VALUE": value})
    shown = subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout
    around = ("pre", "post") if frame.startswith("pre") else ("", "")
    assert shown == f"{around[0]}{value}{around[1]}".encode()


def test_a_value_in_a_here_document_is_not_expanded() -> None:
    command = fill("cat <<EOF\n<x>\nEOF", {"x": "$(id) `id` \\ $HOME"})
    shown = subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout
    assert shown == b"$(id) `id` \\ $HOME\n"
    with pytest.raises(Missing, match="one line"):
        fill("cat <<EOF\n<x>\nEOF", {"x": "a\nEOF\nrm -rf /"})


def test_an_unquoted_value_is_one_word() -> None:
    assert shlex.split(fill("rm <file>", {"file": "a b; reboot"})) == ["rm", "a b; reboot"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*"<>[]$'\"`\\(){}# \n", "<x>", "$X", "YOUR_X", "<<E\n", "${", "a"]),
        max_size=30,
    )
)
def test_no_command_makes_it_raise(pieces: list[str]) -> None:
    command = "".join(pieces)
    find(command)
    assert len(neutral(command)) == len(command)


FRAMES = [
    "printf %s <x>",
    "printf %s 'pre <x>'",
    'printf %s "<x> post"',
    'printf %s "$(printf %s <x>)"',
    'printf %s "$(printf %s "<x>")"',
    'v=<x>; printf %s "$v"',
    'v="$X_VALUE"; printf %s "$v"',
    'printf %s "say \\"<x>\\""',
    "printf %s a\\ <x>",
    'printf %s "`printf %s <x>`"',
    "printf %s $'it\\'s <x>'",
    'printf %s "${NOT_SET:-<x>}"',
    'for i in <x>; do printf %s "$i"; done',
    'case <x> in *) printf %s "<x>";; esac',
    "printf %s [your-x] # <x>",
    "(printf %s YOUR_X)",
]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("frame", FRAMES)
@settings(max_examples=12, deadline=None)
@given(value=st.text("a b'\"$`\\;|&<>(){}[]*?!#~=\n", max_size=6))
@example(value="'; exit 9; '")
@example(value="$(exit 9)`exit 9`")
@example(value="\\")
def test_a_value_is_one_literal_wherever_it_stands_or_it_is_refused(
    shell: str, frame: str, value: str
) -> None:
    if "$'" in frame:
        shell = "bash"  # the standard shell has no $'…'
    names = ("x", "your-x", "YOUR_X", "X_VALUE")
    try:
        command = fill(frame, dict.fromkeys(names, value))
    except Missing:
        assert not value or re.search("[^A-Za-z0-9_@%+=:,./-]", value)
        return
    plain = fill(frame, dict.fromkeys(names, "qq"))
    shown, expected = (
        subprocess.run([shell, "-c", text], capture_output=True, check=True).stdout.decode()
        for text in (command, plain)
    )
    assert shown.rstrip("\n") == expected.replace("qq", value).rstrip("\n")


@pytest.mark.parametrize(
    "command",
    [
        "bash <<EOF\nls <dir>\nEOF",
        "sh -s <<'EOF'\nls <dir>\nEOF",
        'echo "ls <dir>" | sudo bash',
        "trap 'rm <dir>' EXIT",
        "tmux new -d 'tail <dir>'",
        "ansible all -m shell -a 'ls <dir>'",
        "env -S 'ls <dir>'",
    ],
)
def test_what_any_second_shell_reads_must_be_plain(command: str) -> None:
    assert "/srv" in fill(command, {"dir": "/srv"})
    with pytest.raises(Missing, match="second shell"):
        fill(command, {"dir": "x; reboot"})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([*"<>[]$'\"`\\(){}# \n", "<x>", "$X", "YOUR_X", "<<E\n", "${", "a", "$'"]),
        max_size=20,
    )
)
def test_what_is_filled_in_has_no_gap_left(pieces: list[str]) -> None:
    command = "".join(pieces)
    gaps = find(command)
    try:
        filled = fill(command, {gap.name: "v" for gap in gaps})
    except Missing:
        return
    assert not [gap for gap in find(filled) if gap.text.startswith("<") and gap in gaps]


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("ls /srv/dumps/NEWEST_DATE/db.sql", ["NEWEST_DATE"]),
        ("cat /opt/APP_DATA/x && ls /srv/OLD_DATES/", []),
    ],
)
def test_a_directory_in_capitals_named_like_a_value_is_a_gap(
    command: str, names: list[str]
) -> None:
    assert [gap.name for gap in find(command)] == names
