"""cockpit.yaml is read as it was meant, and every mistake in it is told with its line and mend."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit import config
from cockpit.config import Config, ConfigError, Host, Service


@pytest.fixture(autouse=True)
def no_file_but_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COCKPIT_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def read(text: str | bytes) -> Config:
    Path("cockpit.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load()


def mistakes(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).split("\n") == list(caught.value.mistakes)
    return list(caught.value.mistakes)


def test_without_a_file_the_defaults_hold() -> None:
    assert config.load() == Config()
    assert Config().timezone == "UTC"
    assert Config().path is None


def test_no_file_means_no_yaml_import(tmp_path: Path) -> None:
    code = (
        "import sys, cockpit.config; cockpit.config.load(); "
        "print(sorted({'yaml', 'zoneinfo', 'difflib'} & set(sys.modules)))"
    )
    root = Path(config.__file__).parent.parent
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[]\n"


def test_everything_that_can_be_said() -> None:
    here = Path.cwd()
    assert read("""\
hosts:
  prod-1:
    ssh: prod-1.example.net
    user: ops
    port: 2222
    workdir: /srv/shop front
    docker: unix:///run/docker.sock
    labels: [prod, eu]
  prod-2: deploy@10.0.0.7
  prod-3:
  prod-4: {ssh: ann@h4, user: bob}
services:
  shop: {containers: [web, db], host: prod-1, health: "https://shop.example.net:8443/health"}
  mail: {containers: postfix}
runbooks: [runbooks, /usr/share/runbooks]
handbook: docs/ON_CALL.md
keymap: {note: ctrl+n, containers: "1,f1", repaint: 5}
theme: ansi-dark
timezone: Europe/Berlin
ssh_config: ssh/config
""") == Config(
        hosts={
            "prod-1": Host(
                ssh="prod-1.example.net",
                user="ops",
                port=2222,
                workdir="/srv/shop front",
                docker="unix:///run/docker.sock",
                labels=("prod", "eu"),
            ),
            "prod-2": Host(ssh="10.0.0.7", user="deploy"),
            "prod-3": Host(),
            "prod-4": Host(ssh="h4", user="bob"),
        },
        services={
            "shop": Service(("web", "db"), "prod-1", "https://shop.example.net:8443/health"),
            "mail": Service(("postfix",)),
        },
        runbooks=(here / "runbooks", Path("/usr/share/runbooks")),
        handbook=here / "docs/ON_CALL.md",
        keymap={"note": "ctrl+n", "containers": "1,f1", "repaint": "5"},
        theme="ansi-dark",
        timezone="Europe/Berlin",
        ssh_config=here / "ssh/config",
        path=here / "cockpit.yaml",
    )


def test_every_field_of_every_struct_says_what_it_is() -> None:
    source = Path(config.__file__).read_text()
    for struct in (Host, Service, Config):
        body = source.split(f"class {struct.__name__}(")[1].split("\n\n\n")[0]
        for field in struct.__struct_fields__:
            assert re.search(rf'^    {field}: .*\n    """\w', body, re.M), (struct, field)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "\ufeff", "hosts:\nrunbooks:\n"])
def test_a_file_that_says_nothing_gives_the_defaults(text: str) -> None:
    assert read(text) == Config(path=Path.cwd() / "cockpit.yaml")


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theme: nord\n")
        return path

    user = write(tmp_path / "user" / "cockpit" / "cockpit.yaml")
    assert config.load().path == user
    here = write(tmp_path / "here" / "cockpit.yaml")
    assert config.load().path == here
    named = write(tmp_path / "named.yaml")
    monkeypatch.setenv("COCKPIT_CONFIG", str(named))
    assert config.load().path == named
    explicit = write(tmp_path / "explicit.yaml")
    assert config.load(explicit).path == explicit


def test_relative_to_the_file_and_not_to_the_working_directory(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "c.yaml"
    file.parent.mkdir()
    file.write_text("runbooks: books\nhandbook: ~/ON_CALL.md\n")
    loaded = config.load(Path("../elsewhere/c.yaml"))
    assert [path.resolve() for path in loaded.runbooks] == [file.parent / "books"]
    assert loaded.handbook == Path.home() / "ON_CALL.md"


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: is not there; write it"):
        config.load(tmp_path / "gone.yaml")
    monkeypatch.setenv("COCKPIT_CONFIG", str(tmp_path / "lost.yaml"))
    with pytest.raises(ConfigError, match=r"lost\.yaml: is not there \(\$COCKPIT_CONFIG names it"):
        config.load()


def test_a_link_to_nothing_is_not_passed_over_in_silence() -> None:
    Path("cockpit.yaml").symlink_to("gone.yaml")
    with pytest.raises(ConfigError, match=r"^cockpit\.yaml: is not there"):
        config.load()


def test_a_directory() -> None:
    Path("cockpit.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"^cockpit\.yaml: is a directory; name the file in it"):
        config.load()


def test_a_file_that_cannot_be_read() -> None:
    # The kernel refuses this one to root as well.
    with pytest.raises(ConfigError, match="/proc/self/mem: cannot be read: Input/output error; "):
        config.load(Path("/proc/self/mem"))


def test_a_file_that_is_far_too_large() -> None:
    assert mistakes(b"#" * (2 << 20)) == [
        "cockpit.yaml: is larger than 1 MiB; is it the right file?"
    ]


ONE = [
    (
        "hosts:\n  prod-1:\n    port: 22a\n",
        '3: hosts.prod-1.port is "22a"; it must be a whole number from 1 to 65535',
    ),
    (
        "hosts: {p: {port: 0}}",
        '1: hosts.p.port is "0"; it must be a whole number from 1 to 65535',
    ),
    (
        "hosts: {p: {port: 65536}}",
        '1: hosts.p.port is "65536"; it must be a whole number from 1 to 65535',
    ),
    (
        "hosts: {p: {port: ２２}}",
        '1: hosts.p.port is "２２"; it must be a whole number from 1 to 65535',
    ),
    ("hosts:\n  p: {usr: ops}\n", "2: hosts.p.usr is not known; did you mean user?"),
    ("host: {}\n", "1: host is not known; did you mean hosts?"),
    (
        "zzz: 1\n",
        "1: zzz is not known; known here: hosts, services, runbooks, handbook, contacts, outbox, "
        "thresholds, keymap, theme, "
        "timezone, ssh_config",
    ),
    (
        "path: x\n",
        "1: path is not known; known here: hosts, services, runbooks, handbook, contacts, outbox, "
        "thresholds, keymap, theme, "
        "timezone, ssh_config",
    ),
    ("hosts: [a, b]\n", "1: hosts is a list; it must hold lines of the form key: value"),
    ("- a\n", "1: the file must hold lines of the form key: value"),
    ("just words\n", "1: the file must hold lines of the form key: value"),
    ("hosts:\n  p: [a]\n", "2: hosts.p is a list; it must hold lines of the form key: value"),
    ("hosts: {p: {user: [a]}}", "1: hosts.p.user is a list; it must be one value"),
    ("hosts: {p: {user: yes}}", '1: hosts.p.user is yes; if it is text, write "yes"'),
    (
        "hosts: {p: -oProxyCommand=x}",
        '1: hosts.p is "-oProxyCommand=x"; it must be one word that does not begin with -',
    ),
    (
        "hosts: {p: {user: a b}}",
        '1: hosts.p.user is "a b"; it must be one word that does not begin with -',
    ),
    (
        'hosts: {"-p": x}',
        '1: hosts has the name "-p"; it must be one word that does not begin with -',
    ),
    ("? [a]\n: b\n", "1: the file has a list as a key; it must be text"),
    ('hosts: {p: {workdir: "a\\nb"}}', '1: hosts.p.workdir is "a␤b"; it must be text on one line'),
    (
        "hosts: {p: {docker: ssh://p}}",
        '1: hosts.p.docker is "ssh://p"; it must be the socket as that host sees it, such as '
        "/var/run/docker.sock: cockpit reaches the host over its own SSH connection",
    ),
    (
        "runbooks: {a: b}",
        "1: runbooks holds keys; it must be a list, one entry a line: - entry",
    ),
    ("runbooks: [[a]]", "1: runbooks[1] is a list; it must be one value"),
    ('handbook: ""', '1: handbook is ""; it must be a path'),
    (
        "handbook: ~nobody-of-that-name/x",
        '1: handbook is "~nobody-of-that-name/x"; there is no such user, or no home directory; '
        "write it in full",
    ),
    (
        "timezone: Europe/Berln",
        '1: timezone is "Europe/Berln"; it must be a time zone such as Europe/Berlin',
    ),
    (
        "timezone: ../../etc/passwd",
        '1: timezone is "../../etc/passwd"; it must be a time zone such as UTC or Europe/Berlin',
    ),
    (
        "keymap:\n  note: i\n  ack: i\n",
        "3: keymap.ack is i, the key of keymap.note (line 2); change one",
    ),
    (
        "keymap:\n  note: 'j,i'\n  ack: 'k,j'\n",
        "3: keymap.ack is j, the key of keymap.note (line 2); change one",
    ),
    ("theme: a\ntheme: b\n", "2: theme stands here again (first in line 1); keep one"),
    (
        "hosts:\n  a: x\n  b: y\n  a: z\n",
        "4: hosts.a stands here again (first in line 2); keep one",
    ),
    ("hosts:\n\ta: b\n", "2: a tab stands here; YAML is indented with blanks only"),
    ("a: 1\n---\nb: 2\n", "2: a second document begins here (---); keep one"),
    ("theme: x\nhandbook: a\x01b\n", "2: a control character (U+0001) stands here; remove it"),
    (b"theme: x\nhandbook: \xe4.md\n", "2: byte 0xe4 is not UTF-8; save the file as UTF-8"),
]


@pytest.mark.parametrize(("text", "said"), ONE, ids=range(len(ONE)))
def test_a_mistake_says_line_trouble_and_mend(text: str | bytes, said: str) -> None:
    assert mistakes(text) == [f"cockpit.yaml:{said}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("hosts: {a: b\n", 2),
        ("hosts:\n  a: b: c\n", 2),
        ('theme: "x\n', 2),
        ("theme: @x\n", 1),
        ("theme: *x\n", 1),
        ("hosts:\n  a: 1\n b: 2\n", 3),
        ("%YAML 9.0\n---\ntheme: x\n", 1),
    ],
)
def test_what_is_not_yaml_names_the_line(text: str, line: int) -> None:
    (said,) = mistakes(text)
    assert said.startswith(f"cockpit.yaml:{line}: this is not YAML: ")
    assert said.endswith(
        "; check the quotes, colons and indentation of this line and the one above"
    )


def test_nesting_without_end_is_refused() -> None:
    (said,) = mistakes("a: " + "[" * 5000)
    assert said == "cockpit.yaml: is nested too deeply; it holds names, lists and text"


def test_an_alias_of_itself_ends() -> None:
    assert mistakes("hosts: &a {p: *a}\n") == [
        "cockpit.yaml:1: hosts.p.p is not known; known here: "
        "ssh, user, port, workdir, docker, labels, transport"
    ]


@pytest.mark.parametrize(
    "url", ["shop/health", "ftp://shop/", "http://", "http://a b/", "http://h:99999/", "http://h:0"]
)
def test_a_health_url_is_http(url: str) -> None:
    assert mistakes(f'services: {{s: {{health: "{url}"}}}}') == [
        f'cockpit.yaml:1: services.s.health is "{url}"; '
        "it must be a URL such as http://127.0.0.1:8000/health"
    ]


@pytest.mark.parametrize("docker", ["/var/run/docker.sock", "unix:///x", "tcp://10.0.0.1:2376"])
def test_docker_addresses(docker: str) -> None:
    assert read(f"hosts: {{p: {{docker: '{docker}'}}}}").hosts["p"].docker == docker


@pytest.mark.parametrize(
    "docker", ["docker.sock", "unix://x/y", "unix:", "tcp://h", "tcp://h:x", "tcp://:1", "npipe://"]
)
def test_not_docker_addresses(docker: str) -> None:
    assert mistakes(f"hosts: {{p: {{docker: '{docker}'}}}}") == [
        f'cockpit.yaml:1: hosts.p.docker is "{docker}"; '
        "it must be /path/to/docker.sock, unix:///path, or tcp://host:port"
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("hosts: {p: {password: hunter2}}", "hosts.p.password"),
        ("api_token: hunter2", "api_token"),
        ("services: {s: {health: 'http://me:hunter2@h/'}}", "services.s.health"),
        ("hosts: {p: {docker: 'tcp://me:hunter2@h:1'}}", "hosts.p.docker"),
    ],
)
def test_secrets_are_refused_and_not_repeated(text: str, where: str) -> None:
    (said,) = mistakes(text)
    assert said.startswith(f"cockpit.yaml:1: {where}: secrets never stand in cockpit.yaml; ")
    assert "hunter2" not in said


def test_a_host_may_be_called_after_a_token() -> None:
    assert read("hosts: {token-service: 10.0.0.1}").hosts == {"token-service": Host("10.0.0.1")}


def test_all_mistakes_at_once_in_the_order_of_lines() -> None:
    said = mistakes("hosts:\n  a: {port: x}\n  b: {usr: y}\ntimezone: Mars\nhosts: {}\n")
    assert [line.split(":")[1] for line in said] == ["2", "3", "4", "5"]


def test_a_hostile_file_cannot_steer_the_terminal_through_its_mistakes() -> None:
    (said,) = mistakes('"\\e]52;c;eA==\\a\\u202e": 1\n')
    assert "\x1b" not in said and "\u202e" not in said and "␛" in said
