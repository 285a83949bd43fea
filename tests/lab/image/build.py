"""The kamiyo image as a tar, made from files of this machine: nothing is pulled."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = Path("/usr/bin/python3")
PROGRAMS = (PYTHON, Path("/usr/bin/sqlite3"), Path("/usr/bin/curl"))
BUSYBOX = Path("/usr/bin/busybox") if Path("/usr/bin/busybox").exists() else Path("/bin/busybox")
NOT_NEEDED = re.compile(
    r"/(test|tests|idlelib|tkinter|lib2to3|ensurepip|distutils|turtledemo|pydoc_data|config-[^/]*)(/|$)"
)
SCRIPTS = ("kamiyo.py", "aggregator.py", "world.py")
CHANGES = ("WORKDIR /app", 'CMD ["python3", "/app/kamiyo.py"]', "EXPOSE 8000")


def cache_dir() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cockpit-lab"


def image_tar() -> Path:
    """The tar to `docker import`, from the cache where this recipe was built before."""
    recipe = hashlib.sha256()
    for file in (*(HERE / name for name in SCRIPTS), HERE / "build.py"):
        recipe.update(file.read_bytes())
    for program in (*PROGRAMS, BUSYBOX):
        recipe.update(f"{program.resolve()} {program.stat().st_mtime_ns}".encode())
    tar = cache_dir() / f"kamiyo-{recipe.hexdigest()[:16]}.tar"
    if not tar.exists():
        tar.parent.mkdir(parents=True, exist_ok=True)
        for stale in tar.parent.glob("kamiyo-*.tar"):
            stale.unlink(missing_ok=True)
        partial = tar.with_suffix(f".{os.getpid()}")
        _build(partial)
        partial.replace(tar)
    return tar


def _build(target: Path) -> None:
    where = "import sys, sysconfig; print(sysconfig.get_path('stdlib'))"
    found = subprocess.run([PYTHON, "-c", where], check=True, capture_output=True, text=True)
    stdlib = Path(found.stdout.strip())
    extensions = sorted((stdlib / "lib-dynload").glob("*.so"))
    with tarfile.open(target, "w") as tar:
        for folder in ("bin", "lib", "lib64", "usr/bin", "app/data", "etc", "root", "tmp", "var"):
            _add_folder(tar, folder, 0o1777 if folder == "tmp" else 0o755)
        for library in sorted(_libraries([*PROGRAMS, *extensions])):
            _add_file(tar, Path(library).resolve(), library)
        for program in PROGRAMS:
            _add_file(tar, program.resolve(), f"/usr/bin/{program.name}")
        tar.add(stdlib, str(stdlib).lstrip("/"), filter=_keep)
        _add_file(tar, BUSYBOX, "/bin/busybox")
        applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
        for applet in applets.stdout.split():
            if applet != "busybox":
                _add_link(tar, f"bin/{applet}", "/bin/busybox")
        _add_text(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        _add_text(tar, "etc/group", "root:x:0:\n")
        _add_text(tar, "etc/nsswitch.conf", "hosts: files dns\n")
        for name in SCRIPTS:
            _add_file(tar, HERE / name, f"/app/{name}")


def _libraries(binaries: list[Path]) -> set[str]:
    listed = subprocess.run(
        ["ldd", *map(str, binaries)], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"(/\S+\.so\S*) \(0x", listed.stdout))


def _keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    # Debian's sitecustomize and similar links point into /etc: dead links do no harm here.
    return None if NOT_NEEDED.search("/" + member.name) else member


def _add_file(tar: tarfile.TarFile, source: Path, name: str) -> None:
    member = tar.gettarinfo(str(source), name.lstrip("/"))
    member.uid = member.gid = 0
    member.mode = 0o755
    with source.open("rb") as stream:
        tar.addfile(member, stream)


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, mode
    tar.addfile(member)


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    tar.addfile(member)


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    member = tarfile.TarInfo(name)
    data = text.encode()
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, BytesIO(data))


if __name__ == "__main__":
    sys.stdout.write(f"{image_tar()}\n")
