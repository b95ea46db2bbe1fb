"""A Typer app whose commands are imported when they are used."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_name, get_group

from heavylift import __version__

_PACKAGE = "heavylift.cli"


@dataclass(frozen=True)
class Subcommand:
    """A command and the module ``heavylift.cli.<name>`` that holds it.

    :param help: one line for ``heavylift --help``, which imports no command.
    :param single: the module's app is one command, not a group of commands.
    """

    name: str
    help: str
    single: bool = False

    @property
    def module(self) -> str:
        """The module's full name."""
        return f"{_PACKAGE}.{self.name}"

    def load(self, arguments: Sequence[str] = ()) -> Any:
        """Import the command; it is a Click command.

        :param arguments: what follows the command's name. Of a group only the command that they call
            is made, where they name one.
        """
        group = get_group(_called(import_module(self.module).app, arguments))
        command = next(iter(group.commands.values())) if self.single else group
        command.name = self.name
        command.help = command.help or self.help
        return command


def _called(app: typer.Typer, arguments: Sequence[str]) -> typer.Typer:
    """Return ``app`` with the one command that ``arguments`` call, or all of it."""
    called = [
        info
        for info in app.registered_commands
        if info.callback and (info.name or get_command_name(info.callback.__name__)) in arguments[:1]
    ]
    if not called:
        return app
    narrowed = copy(app)
    narrowed.registered_commands = called
    return narrowed


class _LazyGroup(TyperGroup):
    """Puts the real command in the place of its stand-in as soon as it is called."""

    subcommands: Mapping[str, Subcommand] = {}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        subcommand = self.subcommands.get(args[0])
        if subcommand is not None:
            self.commands[args[0]] = subcommand.load(args[1:])
        return super().resolve_command(ctx, args)


def lazy_app(subcommands: Iterable[Subcommand]) -> typer.Typer:
    """Return the app with those of ``subcommands`` whose module exists."""
    there = {entry.name: entry for entry in subcommands if find_spec(entry.module) is not None}
    app = typer.Typer(
        name="heavylift",
        cls=type("LazyGroup", (_LazyGroup,), {"subcommands": there}),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Move AI workloads between clouds, with evidence at every step.",
        epilog="Exit status: 0 done and proved; 1 something failed or differs; "
        "2 refused, nothing touched; 3 interrupted, safe to run again.",
    )
    app.callback()(_root)
    for subcommand in there.values():
        app.command(subcommand.name, help=subcommand.help)(_stand_in)
    return app


def _stand_in() -> None:
    """Stands in the help for a command that is not imported yet; never runs."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"heavylift {__version__}")
        raise typer.Exit(0)


def _root(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log each step, on standard error.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
