"""What is given on the command line: looked up, and where it is wrong, said plainly."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit import paths

if TYPE_CHECKING:
    from cockpit.config import Config

BAD_INPUT = 2


class Mistake(click.ClickException):
    """Something that the person can mend: said plainly, exit status 2."""

    exit_code = BAD_INPUT

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


with_config = click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
with_new_file = click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="A new file to write; else printed."
)


def put(text: str, output: Path | None) -> None:
    """Prints a document, or writes it to a file that is not there yet. Raises Mistake."""
    from cockpit.incident.markdown_file import write_new

    if output is None:
        click.echo(text, nl=False)
    elif output.exists():
        raise Mistake(f"{output} is there already, and people write in these. Name another file.")
    elif failed := write_new(output, text):
        raise Mistake(failed)
    else:
        click.echo(f"Saved to {output}")


def folded(text: str, indent: int) -> str:
    """A line, broken between words where the terminal is narrower; as it is where there is none.

    indent: what stands before the first word, and in as many cells before those that follow.
    """
    import shutil
    import sys
    import textwrap

    if not sys.stdout.isatty():
        return text
    width = max(shutil.get_terminal_size().columns - indent, 20)
    lines = textwrap.wrap(text[indent:], width, break_long_words=False, break_on_hyphens=False)
    return text[:indent] + f"\n{' ' * indent}".join(lines)


def load_config(explicit: Path | None) -> Config:
    """The configuration; --config may stand before the name of a command or after it.

    Raises Mistake.
    """
    from cockpit.config import ConfigError, load

    try:
        return load(explicit or click.get_current_context().find_root().params["config"])
    except ConfigError as error:
        raise Mistake(str(error)) from None


def who() -> str:
    """Who is at the keyboard: their login name, else the number of the user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def folder_of(name: str) -> Path:
    """The folder of an incident: given as such, by its name, or by the beginning of its name.

    Raises Mistake.
    """
    from cockpit.incident.summary import folders

    if Path(name).is_dir():
        return Path(name)
    known = {folder.name: folder for folder in folders(paths.incidents())}
    found = meant(name, known)
    if found is None:
        raise Mistake(
            f"There is no incident {name} in {paths.incidents()}. See: cockpit incident list"
        )
    return known[found]


def meant(name: str, known: Iterable[str]) -> str | None:
    """Which of the known names a name is, or begins; None where none.

    Raises Mistake where it may be several.
    """
    found = [one for one in known if one.startswith(name)]
    if name in found:
        return name
    if len(found) > 1:
        raise Mistake(f"{name} may be any of {', '.join(found)}. Write more of the name.")
    return found[0] if found else None
