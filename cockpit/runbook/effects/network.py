"""Programs that talk to other machines."""

from __future__ import annotations

import re

from cockpit.runbook.effects.call import Call, Effect, change, destroy, read, rule
from cockpit.runbook.effects.names import is_capture
from cockpit.runbook.model import Waits


@rule("curl wget http https xh httpie")
def _http(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    method = (call.value("-X", "--request", "--method") or "").strip("'\"").upper()
    if name in ("http", "https", "xh", "httpie"):
        method = next(
            (
                word
                for word in call.args
                if word in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
            ),
            "GET",
        )
    elif not method and (
        any(
            word.startswith(("--data", "--form", "--json", "--post-", "--upload-file", "--body-"))
            for word in call.args
        )
        or (name == "curl" and call.has("-d", "-F", "-T") and not call.has("-G", "--get"))
    ):
        method = "POST"
    if method == "DELETE":
        return destroy(f"{name} sends a DELETE request")
    if method and method not in ("GET", "HEAD", "OPTIONS"):
        words = " ".join(call.positional()).lower()
        if re.search(
            r"/_?(?:delete|destroy|purge|drop|flush|shutdown|restore|cleanup|delete_by_query)\b",
            words,
        ):
            return destroy(f"{name} asks a service to delete")
        return change(f"{name} sends a {method} request")
    out = call.value("-o", "--output") if name == "curl" else call.value("-O", "--output-document")
    if name == "curl" and not out:
        out = _bundled(call)
    if out and out != "-" and not is_capture(out):
        return change(f"{name} writes {out}")
    if name == "wget" and not out and not call.has("--spider"):
        return change("wget writes a file")
    if name == "curl" and call.has("-O", "--remote-name") and not out:
        return change("curl -O writes a file")
    return read(
        f"{name} only asks",
        Waits.STREAM if name == "curl" and call.has("-N", "--no-buffer") else None,
    )


def _bundled(call: Call) -> str | None:
    """The file of `curl -so FILE`."""
    for word, after in zip(call.args, call.args[1:], strict=False):
        if re.fullmatch(r"-[aBfgGiIjJklLMnNOpqRsSvZ0-9#]+o", word):
            return after
    return None


@rule("telnet ftp sftp nc ncat netcat socat")
def _connect(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    if name in ("nc", "ncat", "netcat"):
        if call.has("-e", "-c"):
            return change(f"{name} connects a program to the network")
        if call.has("-l"):
            return read(f"{name} -l listens", Waits.STREAM)
        if call.piped and not call.silent and not call.has("-z"):
            return change(f"{name} sends what it is given")
        return read(
            f"{name} opens a connection", None if call.has("-z") or call.piped else Waits.TTY
        )
    if name == "socat":
        return change("socat connects two places", None if call.piped else Waits.STREAM)
    if name == "telnet" and call.piped and not call.silent:
        return change("telnet sends what it is given")
    waits = None if call.piped or (name == "sftp" and call.has("-b")) else Waits.TTY
    return (read if name == "telnet" else change)(f"{name} opens a session", waits)
