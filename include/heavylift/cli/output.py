"""What a command prints and how it exits; the same for every command.

- Without ``--json`` a result is text on standard output.
- With ``--json`` standard output gets exactly one JSON document, whatever happens; everything
  else that is printed goes to standard error.
- The exit status is one of :class:`ExitStatus`.

A command ends with :func:`finish` and lets errors of :mod:`heavylift.errors` rise;
:mod:`heavylift.cli.run` renders them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn, TextIO

import typer

from heavylift.cli.plain import plain, printable


class ExitStatus(IntEnum):
    """What an exit status of ``heavylift`` means."""

    DONE = 0
    """Done and proved."""
    FAILED = 1
    """Ran, but something failed or differs; the output says what."""
    REFUSED = 2
    """The command, the spec or the credentials are wrong; nothing was touched."""
    INTERRUPTED = 3
    """Interrupted; safe to run again."""


@dataclass
class Session:
    """One run of the command line."""

    stdout: TextIO
    as_json: bool
    printed: bool = False
    touched: bool = False


_SESSION: ContextVar[Session | None] = ContextVar("heavylift_cli_session", default=None)


@contextmanager
def session(*, as_json: bool) -> Iterator[Session]:
    """Guard standard output for one run of a command.

    :param as_json: standard output is kept for the one document.
    """
    current = Session(sys.stdout, as_json)
    token = _SESSION.set(current)
    try:
        if as_json:
            with redirect_stdout(sys.stderr):
                yield current
        else:
            yield current
    finally:
        _SESSION.reset(token)


def mark_touched() -> None:
    """Note that from here on the command changes something, so that no later error says otherwise.

    Commands call it before their first write; an error then exits 1, never 2.
    """
    current = _SESSION.get()
    if current is not None:
        current.touched = True


def emit(document: Mapping[str, Any], *, text: str, as_json: bool) -> None:
    """Print a command's result, once.

    :param document: the result as data; paths, dates, enumerations, dataclasses and pydantic
        models become JSON by themselves.
    :param text: the result for people.
    :param as_json: which of the two is printed.
    """
    current = _SESSION.get()
    stream = current.stdout if current else sys.stdout
    rendered = json.dumps(plain(document), indent=2, allow_nan=False) if as_json else printable(text)
    stream.write(rendered.rstrip("\n") + "\n")
    stream.flush()
    if current is not None:
        current.printed = True


def finish(
    document: Mapping[str, Any], *, text: str, as_json: bool, status: ExitStatus = ExitStatus.DONE
) -> NoReturn:
    """Print a command's result and end it with ``status``.

    The document gets the key ``exit_status``.

    :raises typer.Exit: always.
    """
    emit({**document, "exit_status": int(status)}, text=text, as_json=as_json)
    raise typer.Exit(int(status))


def note(message: str) -> None:
    """Print a line of progress or advice, on standard error."""
    sys.stderr.write(printable(message) + "\n")
    sys.stderr.flush()
