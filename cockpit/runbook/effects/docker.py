"""What a docker, compose or kubectl command would do, and to which containers."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cockpit.runbook.effects.call import RULES, Call, Effect, change, destroy, read
from cockpit.runbook.effects.names import BACKUP
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import names_of

_GLOBAL = names_of(
    "-H --host --context -c --config -l --log-level --tlscacert --tlscert --tlskey "
    "--url --connection --identity"  # of Podman
)
_COMPOSE_GLOBAL = names_of(
    "-f --file -p --project-name --profile --env-file --project-directory --ansi "
    "--progress --parallel"
)
_VALUED = names_of(
    "-t --time --timeout -s --signal -n --tail --since --until -f --filter "
    "--format -e --env -u --user -w "
    "--workdir --name --network --net -p --publish -v --volume --mount "
    "--entrypoint --env-file -l --label "
    "--ip -h --hostname --platform --restart --memory -m --cpus --add-host --dns --gpus --shm-size "
    "--log-driver --log-opt --ulimit --cap-add --cap-drop --device --pull --scale --detach-keys "
    "--exit-code-from --index --link --volumes-from --security-opt --tmpfs --pid "
    "--ipc --userns --cgroupns"
)
_READ = names_of(
    "ps logs inspect images stats top version info port diff events history search "
    "wait ls df config "
    "list context-show show df tree services tasks convert volumes"
)
_GROUPS = names_of(
    "container image volume network system service stack node swarm secret config "
    "context builder buildx plugin "
    "manifest trust checkpoint"
)
_LOSES = names_of("rm rmi prune remove leave delete")
_STOP_VALUED = names_of("-t --time --timeout -s --signal --pull --scale --exit-code-from")
_STOPS = names_of("restart stop kill rm pause update")


def docker(call: Call) -> Effect:
    """docker, podman, nerdctl and their compose."""
    words = _skip(call.args, _GLOBAL)
    if not words:
        return read("docker prints its help")
    if words[0] in ("compose", "stack-compose"):
        return _compose(call, words[1:])
    verb, rest = words[0], words[1:]
    group = ""
    if verb in _GROUPS and rest and not rest[0].startswith("-"):
        group, verb, rest = verb, rest[0], rest[1:]
    sub = replace(call, words=(verb, *rest))
    what = f"docker {group} {verb}".replace("  ", " ")
    if verb in ("exec", "run", "create"):
        return _inside(sub, verb)
    if verb == "prune":
        asks = not sub.has("-f", "--force") and not call.piped
        return destroy(f"{what} deletes what is not in use", Waits.CONFIRM if asks else None)
    if verb in _LOSES:
        return _on(
            destroy(f"{what} deletes"), sub if group in ("", "container") and verb == "rm" else None
        )
    if verb == "kill" and _milder(sub):
        return _on(change("docker kill sends a container a signal"), sub)
    if verb == "kill":
        return _on(destroy("docker kill ends a container without a chance to save"), sub)
    if verb == "attach":
        return change("attaches to a container", Waits.TTY)
    if verb == "login":
        given = sub.has("-p", "--password", "--password-stdin")
        return change("docker login stores a password", None if given else Waits.LOGIN)
    if verb in _READ and group not in ("builder",):
        return read(f"{what} only reads", _follows(verb, sub))
    if group == "system" and verb == "reset":
        return destroy(f"{what} deletes all containers, images and volumes")
    if verb == "start" and sub.has("-a", "-i", "--attach", "--interactive"):
        return change("docker start stays attached", Waits.TTY)
    if verb in _STOPS:
        return _on(change(f"{what} interrupts a container"), sub)
    if verb == "cp":
        places = sub.positional(frozenset({"-a", "-L"}))
        if len(places) == 2 and ":" in places[1] and BACKUP.search(places[0]):
            return destroy("docker cp puts a backup over what is there now")
    if verb == "rollback" or (verb == "load"):
        return change(f"{what} changes what runs")
    return change(f"{what} changes something")


def _skip(args: Sequence[str], valued: frozenset[str]) -> tuple[str, ...]:
    i = 0
    while i < len(args) and args[i].startswith("-"):
        i += 2 if args[i] in valued else 1
    return tuple(args[i:])


def _follows(verb: str, call: Call) -> Waits | None:
    if verb == "logs":
        return Waits.STREAM if call.has("-f", "--follow") else None
    if verb == "stats":
        return None if call.has("--no-stream") else Waits.STREAM
    if verb == "events":
        return None if call.has("--until") else Waits.STREAM
    return None


def _milder(call: Call) -> bool:
    """Whether kill is told to send something else than SIGKILL."""
    signal = (call.value("-s", "--signal") or "KILL").upper().removeprefix("SIG")
    return signal not in ("KILL", "9")


def _names(call: Call) -> tuple[str, ...]:
    found = call.positional(_STOP_VALUED)
    return tuple("*" if word.startswith(("$", "`")) else word for word in found)


def _on(effect: Effect, call: Call | None) -> Effect:
    return replace(effect, containers=_names(call)) if call else effect


def _inside(call: Call, verb: str) -> Effect:
    """exec and run: what is started in the container."""
    rest = call.after(_VALUED, 1)
    call = _without(call, rest)
    tty = call.has("-t", "--tty") or "-it" in call.args or "-ti" in call.args
    keeps_input = call.has("-i", "--interactive")
    inner = _entry(call, rest)
    effect = (
        read("docker exec runs it in a container")
        if verb == "exec"
        else change("docker run starts a container")
    )
    effect = effect.and_(inner) if verb == "exec" or inner.risk is Risk.DESTROY else effect
    waits = inner.waits
    if waits in (Waits.TTY, Waits.PROMPT) and not (tty or keeps_input) and verb == "exec":
        waits = None
    if tty and not call.piped and waits is None:
        waits = Waits.TTY
    if call.has("-d", "--detach"):
        waits = None
    return Effect(effect.risk, effect.because, waits, inner.containers)


def _without(call: Call, rest: tuple[str, ...]) -> Call:
    """The call without what it starts, whose flags are not its own."""
    return replace(call, words=call.words[: len(call.words) - len(rest)])


def _entry(call: Call, rest: tuple[str, ...]) -> Effect:
    effect = read("starts what the image says")
    if entry := call.value("--entrypoint"):
        return effect.and_(call.script(entry)).and_(call.argv((*entry.split(), *rest)))
    if rest and rest[0].startswith("-"):
        return effect
    return effect.and_(call.argv(rest)) if rest else effect


def _compose(call: Call, args: Sequence[str]) -> Effect:
    words = _skip(args, _COMPOSE_GLOBAL)
    if not words:
        return read("docker compose prints its help")
    verb = words[0]
    sub = replace(call, words=words)
    what = f"docker compose {verb}"
    if verb in ("exec", "run"):
        return _compose_inside(sub, verb)
    if verb in (
        "config",
        "convert",
        "version",
        "ls",
        "ps",
        "logs",
        "images",
        "top",
        "port",
        "events",
        "stats",
        "volumes",
    ):
        follows = verb in ("logs", "events", "stats") and (
            sub.has("-f", "--follow") or verb != "logs"
        )
        return read(
            f"{what} only reads", Waits.STREAM if follows and not sub.has("--no-stream") else None
        )
    services = _names(sub) or ("*",)
    if verb == "down":
        return replace(
            destroy("docker compose down stops and removes containers"), containers=services
        )
    if verb == "rm":
        asks = not sub.has("-f", "--force") and not call.piped
        return replace(
            destroy("docker compose rm removes containers", Waits.CONFIRM if asks else None),
            containers=services,
        )
    if verb == "kill" and _milder(sub):
        return replace(change("docker compose kill sends a signal"), containers=services)
    if verb == "kill":
        return replace(
            destroy("docker compose kill ends containers without a chance to save"),
            containers=services,
        )
    if verb in ("restart", "stop", "pause"):
        return replace(change(f"{what} interrupts a service"), containers=services)
    if verb == "up":
        ends = ("--abort-on-container-exit", "--exit-code-from", "--abort-on-container-failure")
        waits = None
        if not sub.has("-d", "--detach", "--wait", "--no-start", *ends):
            waits = Waits.STREAM
        again = sub.has("--force-recreate", "--build", "-V", "--renew-anon-volumes")
        effect = change("docker compose up creates or recreates containers", waits)
        if sub.has("-V", "--renew-anon-volumes"):
            effect = destroy("docker compose up -V throws anonymous volumes away", waits)
        return replace(effect, containers=services) if again else effect
    if verb in ("watch", "attach"):
        return change(f"{what} stays attached", Waits.STREAM)
    return change(f"{what} changes containers or images")


def _compose_inside(call: Call, verb: str) -> Effect:
    rest = call.after(_VALUED, 1)
    call = _without(call, rest)
    inner = _entry(call, rest)
    effect = read("docker compose exec runs it in a container")
    if verb == "run":
        effect = change("docker compose run starts a container")
    effect = effect.and_(inner)
    waits = None if call.has("-T", "-d", "--detach", "--no-TTY") else inner.waits
    return Effect(effect.risk, effect.because, waits, inner.containers)


_KUBE_VALUED = names_of(
    "-n --namespace --context --cluster --kubeconfig -l --selector -o --output -c "
    "--container -f --filename "
    "--field-selector --tail --since --user --sort-by -p --patch --type --image "
    "--as -s --server --timeout"
)
_KUBE_READ = names_of(
    "get describe logs top explain version cluster-info api-resources api-versions "
    "events wait diff whoami "
    "status projects options completion kustomize"
)


def kubectl(call: Call) -> Effect:
    """kubectl, oc."""
    name = call.words[0].rpartition("/")[2]
    args, behind = _divide(call.args)
    call = replace(call, words=(name, *args))
    words = call.positional(_KUBE_VALUED)
    if not words:
        return read(f"{name} prints its help")
    verb, second = words[0], words[1] if len(words) > 1 else ""
    if verb in ("exec", "rsh"):
        tty = call.has("-t", "--tty") or "-it" in args or verb == "rsh"
        inner = (
            call.argv(behind or words[2:])
            if behind or len(words) > 2
            else read("opens a shell in a pod")
        )
        waits = inner.waits if call.has("-i", "--stdin") or inner.waits is Waits.STREAM else None
        return Effect(inner.risk, inner.because, Waits.TTY if tty and not call.piped else waits)
    if verb == "debug":
        return change(f"{name} debug starts a pod", Waits.TTY)
    if verb in ("run",):
        inner = call.argv(behind) if behind else read("starts a pod")
        return change(f"{name} run starts a pod", Waits.TTY if call.has("-t", "-i") else None).and_(
            inner
        )
    if call.value("--dry-run") in ("client", "server"):
        return read(f"{name} {verb} --dry-run only shows what it would do")
    if verb == "apply" and call.has("--prune"):
        return destroy(f"{name} apply --prune deletes what is not in the files")
    if verb == "delete" or (verb == "adm" and second == "drain") or verb == "drain":
        return destroy(f"{name} {verb} removes what runs")
    if verb == "replace" and call.has("--force"):
        return destroy(f"{name} replace --force deletes first")
    if verb in ("edit",):
        return change(f"{name} edit edits an object", Waits.EDITOR)
    if verb == "login":
        return change(f"{name} login", Waits.LOGIN if not call.has("--token", "-p", "-u") else None)
    if verb in ("port-forward", "proxy", "attach"):
        return (read if verb != "attach" else change)(f"{name} {verb} stays open", Waits.STREAM)
    if verb in _KUBE_READ and verb != "kustomize":
        follows = (verb == "logs" and (call.has("--follow") or "-f" in args)) or call.has(
            "-w", "--watch"
        )
        return read(f"{name} {verb} only reads", Waits.STREAM if follows else None)
    if verb in ("rollout", "config", "auth", "adm", "image"):
        if second in (
            "status",
            "history",
            "view",
            "get-contexts",
            "current-context",
            "get-clusters",
            "can-i",
            "top",
            "whoami",
        ):
            return read(f"{name} {verb} {second} only reads")
        if second.startswith(("delete", "remove", "prune")):
            return destroy(f"{name} {verb} {second} deletes")
    return change(f"{name} {verb} changes the cluster")


def _divide(args: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "--" in args:
        at = args.index("--")
        return args[:at], args[at + 1 :]
    return args, ()


for _name in ("docker", "podman", "nerdctl"):
    RULES[_name] = docker
for _name in ("docker-compose", "podman-compose"):
    RULES[_name] = lambda call: _compose(call, call.args)
for _name in ("kubectl", "oc", "k"):
    RULES[_name] = kubectl
