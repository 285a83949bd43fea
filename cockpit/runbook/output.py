"""What in a block of shell is no command: rows of output, configuration, queries of a monitor."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_ROW = re.compile(
    r"[-dlbcps](?:[r-][w-][xsStT-]){3}[.+@]?\s"  # ls -l
    r"|total \d+\s*\Z"
    r"|\((?:\d+|[A-Z])\)\s"  # a menu
    r"|\(*(?:sum|avg|min|max|count|topk|bottomk|quantile|stddev|group|increase|rate|irate|label_replace"
    r"|histogram_quantile|absent|scalar|vector|time)\s*(?:(?:by|without)\s*)?\("
    r"|(?:and|or|unless)(?:\s+(?:on|ignoring)\s*\(.*)?\Z"  # PromQL
    r"|\w[\w.-]*\s+:?=(?:\s|\Z)"  # a setting
    r"|\w[\w.:-]*\{\w+\s*[=!]~?[\s\"]"  # a metric
    r"|ssh-(?:rsa|ed25519) AAAA|https?://|```|`[^`]*`\Z|(?:Ctrl|Cmd|Alt)\+|[\w.-]+:\d+\]"
    r"|(?:import|from) [\w.]+(?: import .*)?\Z|[a-z_]\w*(?:\.\w+)+\("  # Python
    r"|(?:select|update|insert|delete)\s.*\b(?:from|set|into)\s"  # SQL
    r"|.*\w(?:\s\{|;)\Z"  # nginx and its like
)
_GAPS = re.compile(r"\S(?: {2,}|\t+)(?=\S)")
_FLAG = re.compile(r"\s-{1,2}[A-Za-z]")
_CALL = re.compile(r"\s-{1,2}[A-Za-z]|[|<>&`]|\$\(")
_CONFIG_NAME = re.compile(
    r"(?:(?:file|in|edit|add to|save as|contents? of)\b[\s:]*)?`?[~\w./-]*"
    r"(?:\.(?:conf|cnf|cfg|ini|env|ya?ml|toml|json|properties|service|timer|rules)|\.env[\w.-]*"
    r"|/etc/[\w./-]+|crontab|Dockerfile|Caddyfile)`?(?:\s*\(.*\))?:?\s*\Z",
    re.IGNORECASE,
)
_SETTING = re.compile(r"(?P<name>[A-Z_][A-Z0-9_]*)=(?!\()(?![^'\"]*\$\()[^`]*\Z", re.DOTALL)


def is_row(text: str) -> bool:
    """Whether a line that starts with no known program is a row of output, a setting or a query."""
    if _ROW.match(text):
        return True
    return not _FLAG.search(text) and len(_GAPS.findall(text.split("#")[0].rstrip())) > 1


def is_environment(commands: Sequence[str], used: Collection[str]) -> bool:
    """Whether all lines only give constants to names in capitals: an env file, not a script.

    used: variables that the file reads somewhere; one of those is set to be read.
    """
    for command in commands:
        match = _SETTING.match(command)
        if not match or match["name"] in used or " " in _unquoted(command):
            return False
    return bool(commands)


def _unquoted(text: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"|<[^<>]*>|\[[^\[\]]*\]", "", text).strip()


def is_configuration(commands: Sequence[str], comments: Sequence[str]) -> bool:
    """Whether lines of which none is surely a command are settings, such as `port 6379`.

    They are where each names another thing and none looks like a call, or where the first comment
    is the name of a file of settings.
    """
    if is_named_as_one(comments):
        return True
    if len(commands) < 3 or any(_CALL.search(command) for command in commands):
        return False
    words = [command.split() for command in commands]
    firsts = {word[0] for word in words}
    several = len(firsts) > len(words) * 0.6 and len(firsts) > 2
    return several and all(2 <= len(word) <= 5 for word in words)


def is_named_as_one(comments: Sequence[str]) -> bool:
    """Whether the first comment of a block is the name of a file of settings."""
    return bool(comments and _CONFIG_NAME.match(comments[0].strip()))
