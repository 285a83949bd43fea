"""What ssh runs to ask for a passphrase or a code: it passes the question on to cockpit.

Run by path, with nothing but Python: `python askpass.py PROMPT`, with the socket in COCKPIT_ASK.
"""

import json
import os
import socket
import sys


def main() -> int:
    """Prints the answer for ssh to read; 1 where there is none."""
    question = {"prompt": " ".join(sys.argv[1:]), "hint": os.environ.get("SSH_ASKPASS_PROMPT", "")}
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.environ["COCKPIT_ASK"])
            sock.sendall(json.dumps(question).encode() + b"\n")
            with sock.makefile("rb") as file:
                answer = json.loads(file.readline() or b"null")
    except (OSError, KeyError, ValueError):
        return 1
    if answer is None:
        return 1
    sys.stdout.write(f"{answer}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
