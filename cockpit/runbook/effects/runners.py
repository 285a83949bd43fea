"""Programs of a project that run other programs: bundle exec, uv run, npx, npm scripts."""

from __future__ import annotations

from msgspec.structs import replace

from cockpit.runbook.effects.call import Call, Effect, change, read, rule
from cockpit.runbook.effects.names import by_verb
from cockpit.runbook.model import Risk, Waits
from cockpit.runbook.programs import names_of

_VALUED = names_of(
    "-n --name -p --python --with --env-file -e --env -c --config --project --directory --extra "
    "--group --package --profile --region -f --file --prefix -C --cwd -F --filter -w --workspace"
)
_ENDLESS = names_of("dev start serve watch preview storybook develop")
"""Scripts of a package that run until they are stopped, by the custom of nearly all packages."""


@rule(
    "bundle poetry uv pipenv pdm rye hatch mise op doppler infisical aws-vault chamber dotenvx "
    "conda mamba gds"
)
def _runner(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    args = call.args
    at = next((n for n, word in enumerate(args) if word in ("exec", "run", "x")), None)
    if "--" in args and (at is not None or name == "gds"):
        inner = args[args.index("--") + 1 :]
    elif at is None:
        return by_verb(call, name)
    else:
        rest = replace(call, words=(name, *args[at + 1 :]))
        inner = rest.after(_VALUED, 1 if name in ("aws-vault", "chamber") else 0)
    return call.argv(inner) if inner else by_verb(call, name)


@rule("npx bunx uvx pipx dlx")
def _fetched(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    inner = call.after(_VALUED)
    if name == "pipx":
        if inner[:1] != ("run",):
            return by_verb(call, name)
        inner = inner[1:]
    if not inner:
        return read(f"{name} prints its help")
    program = inner[0].rpartition("@")[0] or inner[0]
    return change(f"{name} fetches and runs {inner[0]}").and_(call.argv((program, *inner[1:])))


@rule("envdir direnv chpst setuser gosu su-exec tini dumb-init")
def _in_place(call: Call) -> Effect:
    """Runs the rest of its words after one of its own: a folder, a user."""
    name = call.words[0].rpartition("/")[2]
    if name == "direnv" and call.args[:1] != ("exec",):
        return by_verb(call, name)
    count = {"direnv": 2, "tini": 0, "dumb-init": 0, "chpst": 0}.get(name, 1)
    inner = call.after(frozenset({"-u", "-U", "-e", "-n"}), count)
    return call.argv(inner) if inner else read(f"{name} alone does nothing")


@rule("npm yarn pnpm bun make just task rake mvn gradle composer")
def _scripts(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name in ("npm", "yarn", "pnpm", "bun") and call.args[:1] in (("exec",), ("dlx",)):
        rest = replace(call, words=(name, *call.args[1:]))
        inner = rest.after(_VALUED)
        return call.argv(inner) if inner else by_verb(call, name)
    if call.words[0].startswith("make") and call.has("-n", "--dry-run"):
        return read("make -n only shows")
    effect = by_verb(call, name)
    words = [word for word in call.positional(_VALUED) if word not in ("run", "run-script")]
    script = words[0] if words else ""
    if name in ("npm", "yarn", "pnpm", "bun"):
        if script.split(":")[0] in _ENDLESS and not script.endswith((":stop", ":check", ":build")):
            return replace(effect, waits=effect.waits or Waits.STREAM)
        if script == "init" and not call.has("-y", "--yes") and not call.piped:
            return replace(effect, waits=Waits.PROMPT)
        if script == "prune":
            return change(f"{name} prune removes packages that nothing names")
    elif script in ("dev", "serve", "watch"):
        return replace(effect, waits=effect.waits or Waits.STREAM)
    if effect.risk is Risk.READ and (
        name in ("make", "just", "task", "rake") or "run" in call.args
    ):
        return replace(effect, risk=Risk.CHANGE, because=f"{name} runs what its file says")
    return effect


@rule("next vite nuxt nuxi astro remix gatsby")
def _site(call: Call) -> Effect:
    """The tools of web pages: each builds, or serves until it is stopped."""
    name = call.words[0].rpartition("/")[2]
    verb = next((word for word in call.args if not word.startswith("-")), "")
    if call.has("--help", "--version", "-v"):
        return read(f"{name} prints its help")
    serves = verb in _ENDLESS or (not verb and name == "vite")
    return change(f"{name} runs what is built", Waits.STREAM if serves else None)
