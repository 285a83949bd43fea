"""What is given on the command line: looked up, and where it is wrong, said plainly."""

from __future__ import annotations

import getpass
import os
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
    known = folders(paths.incidents())
    found = [folder for folder in known if folder.name.startswith(name)]
    exact = [folder for folder in found if folder.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        names = ", ".join(folder.name for folder in found)
        raise Mistake(f"{name} may be any of {names}. Write more of the name.")
    raise Mistake(f"There is no incident {name} in {paths.incidents()}. See: cockpit incident list")
