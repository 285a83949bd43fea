"""Programs that work on files."""

from __future__ import annotations

import re

from cockpit.runbook.effects.call import Call, Effect, change, destroy, read, rule
from cockpit.runbook.effects.names import BACKUP, is_capture, short
from cockpit.runbook.model import Waits
from cockpit.runbook.programs import names_of


@rule("rm rmdir unlink shred wipefs srm")
def _rm(call: Call) -> Effect:
    waits = Waits.CONFIRM if call.has("-i", "-I") and not call.piped else None
    return destroy(f"{short(call)} deletes", waits)


@rule("mv cp install scp rsync ln")
def _copy(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2].removeprefix("\\")
    if name == "rsync" and any(word.startswith(("--del", "--remove-source")) for word in call.args):
        return destroy("rsync --delete removes files at the destination")
    if name == "rsync" and call.has("-n", "--dry-run"):
        return read("rsync only shows what it would copy")
    places = call.positional(names_of("-e -S -m -o -g -t -p -i -P -F --rsh --exclude --include"))
    if len(places) > 1 and places[-1] != "/dev/null":
        sources = " ".join(places[:-1])
        if name in ("cp", "mv", "scp") and BACKUP.search(sources) and not BACKUP.search(places[-1]):
            return destroy(f"{name} puts a backup over what is there now")
    if places and places[-1] == "/dev/null":
        return (
            destroy(f"{name} throws the file away") if name == "mv" else read("copies to nowhere")
        )
    asks = name in ("mv", "cp") and call.has("-i") and not call.piped
    return change(f"{name} writes files", Waits.CONFIRM if asks else None)


@rule("dd")
def _dd(call: Call) -> Effect:
    out = next((word[3:] for word in call.args if word.startswith("of=")), "")
    if not out or out == "/dev/null":
        return read("dd only reads")
    return destroy(f"dd overwrites {out}")


@rule("truncate")
def _truncate(call: Call) -> Effect:
    return destroy("truncate cuts a file")


@rule("tee")
def _tee(call: Call) -> Effect:
    files = [word for word in call.positional() if not is_capture(word)]
    return change(f"tee writes {files[0]}") if files else read("tee keeps a copy of the output")


@rule("find fd")
def _find(call: Call) -> Effect:
    effect = read("find only looks")
    args = call.args
    for number, word in enumerate(args):
        if word == "-delete":
            effect = effect.and_(destroy("find -delete deletes what it finds"))
        elif word in ("-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"):
            stop = next(
                (n for n in range(number + 1, len(args)) if args[n] in (";", "+", "\\;")), len(args)
            )
            if number + 1 < stop:
                effect = effect.and_(call.argv(args[number + 1 : stop]))
            if word.startswith("-ok"):
                effect = effect.and_(read("", Waits.CONFIRM))
        elif word.startswith(("--exec=", "--exec-batch=")):
            effect = effect.and_(call.argv((word.partition("=")[2], *args[number + 1 :])))
        elif word.startswith("-fprint") or word == "-fls":
            effect = effect.and_(change("find writes a file"))
    return effect


_SED_RUNS = re.compile(r"(?:^|[;{}/\d$])\s*[gpIM\d]*(?:[wW]\s+\S|e(?:\s|$))")
_SED_WRITES = re.compile(
    r"(?:^|[;{}])(?:[\s\d,$!]*|\s*/(?:\\.|[^/\\\n])*/[\s!]*)"
    r"(?:[wW]\s*/|s([/|#,:@!])(?:\\.|(?!\1)[^\\])*\1(?:\\.|(?!\1)[^\\])*\1[gpIiMm\d]*[we])"
)
"""A `w` command before a path, and the flags `w` and `e` of `s`."""


@rule("sed")
def _sed(call: Call) -> Effect:
    if any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in call.args):
        return change("sed -i edits files in place")
    if call.has("-f", "--file"):
        return change("sed runs a program from a file that cockpit does not read")
    given = [re.match(r"(?:-[nrEsuz]*e|--expression=)(.+)", word, re.DOTALL) for word in call.args]
    programs = [word for word in call.args if not word.startswith("-")][:2]
    programs += [found[1] for found in given if found]
    if any(_SED_RUNS.search(it) or _SED_WRITES.search(it) for it in programs):
        return change("the sed program runs a command or writes a file")
    return read("sed only filters")


@rule("sort")
def _sort(call: Call) -> Effect:
    if any(word.startswith("--comp") for word in call.args):
        return change("sort runs the program that it is told")
    return (
        change("sort -o writes a file") if call.has("-o", "--output") else read("sort only reads")
    )


_TAR_RUNS = re.compile(r"--(?:checkpoint-a|to-c|info-s|new-volume-s|rsh-c|rmt-c)", re.IGNORECASE)
_COMPRESSORS = names_of(
    "gzip gunzip pigz unpigz bzip2 bunzip2 pbzip2 lbzip2 xz unxz pixz lzma lzip lzop lz4 zstd "
    "unzstd zstdmt brotli compress"
)


def _told(call: Call, letters: str) -> bool:
    """Whether tar is told a program to run that is no compressor."""
    if call.has("-F") or "F" in letters or any(_TAR_RUNS.match(word) for word in call.args):
        return True
    program = call.value("-I", "--use-compress-program")
    if program is None:
        return "I" in letters or any(word.startswith("--use-c") for word in call.args)
    words = program.split()
    return (
        not words
        or words[0].rpartition("/")[2] not in _COMPRESSORS
        or bool(re.search(r"[;|&`$]", program))
    )


@rule("tar bsdtar unzip gunzip gzip bzip2 bunzip2 xz unxz zstd zip cpio 7z")
def _archive(call: Call) -> Effect:
    name = call.words[0].rpartition("/")[2]
    mode = call.args[0] if call.args else ""
    if name in ("tar", "bsdtar"):
        letters = mode.lstrip("-") if re.fullmatch(r"-?[A-Za-z]+", mode) else ""
        if call.has("-t", "--list") or "t" in letters:
            if _told(call, letters):
                return change("tar runs the program that it is told")
            return read("tar lists an archive")
        if call.has("-x", "--extract") or "x" in letters:
            if BACKUP.search(" ".join(call.args)):
                return destroy("tar puts a backup over what is there now")
            return change("tar unpacks files, over those that are there")
        return change("tar writes an archive")
    if name == "unzip" and call.has("-l", "-t", "-p"):
        return read("unzip lists an archive")
    if call.has("-c", "--stdout", "-t", "-l") and name != "cpio":
        return read(f"{name} writes to the output only")
    if name in ("gunzip", "bunzip2", "unxz") and call.piped:
        return read(f"{name} only unpacks its input")
    return change(f"{name} writes files")


@rule("chmod chown chgrp touch mkdir mkfifo setfacl chattr ln patch split csplit mknod")
def _writes(call: Call) -> Effect:
    return change(f"{short(call)} changes files")
