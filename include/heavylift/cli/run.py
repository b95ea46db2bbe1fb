"""Runs the command line: standard output guarded, errors rendered, exit status chosen."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any

import typer
from typer.main import get_command

from heavylift.cli.output import ExitStatus, Session, emit, note, session
from heavylift.cli.render import render_error
from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    NotFoundError,
    SpecError,
    UnsupportedError,
)

_REFUSALS = (SpecError, ConnectionConfigError, CredentialError, NotFoundError, UnsupportedError)
_INTERRUPTED_BY_TYPER = 130


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run ``app`` with ``arguments`` and return the exit status; never raises.

    :param arguments: without the program's name.
    """
    with session(as_json=_wants_json(arguments)) as current:
        try:
            # Not app() itself, which would replace the process's hook for unhandled errors.
            command = get_command(app)
            result = command(list(arguments), prog_name="heavylift", standalone_mode=False)
            status = _status_of_result(result)
        except (KeyboardInterrupt, typer.Abort):
            status = ExitStatus.INTERRUPTED
        except BrokenPipeError:
            return _reader_has_gone()
        except HeavyliftError as error:
            return _failed(current, error)
        except typer.TyperException as error:
            return _misused(current, error)
        except Exception:  # noqa: BLE001  (see _broke)
            return _broke(current)
        return _ended(current, status)


def status_of(error: HeavyliftError, *, touched: bool) -> ExitStatus:
    """Return the exit status for ``error``.

    :param touched: the command had begun to change something.
    """
    return ExitStatus.REFUSED if isinstance(error, _REFUSALS) and not touched else ExitStatus.FAILED


def stop_on_sigterm() -> None:
    """Let SIGTERM end the command as Ctrl-C does: cleanly, with exit status 3."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # By way of SIGINT, because a running event loop has its own handler for that one.
        signal.raise_signal(signal.SIGINT)

    # Shells let background jobs ignore SIGINT; that must not make SIGTERM deaf as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, interrupt)


def _wants_json(arguments: Sequence[str]) -> bool:
    # Looked up by hand: the answer is needed for usage errors, before anything is parsed.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _status_of_result(result: Any) -> ExitStatus:
    if result == _INTERRUPTED_BY_TYPER:
        return ExitStatus.INTERRUPTED
    if isinstance(result, int) and result in set(ExitStatus):
        return ExitStatus(result)
    return ExitStatus.DONE if result is None else ExitStatus.FAILED


def _ended(current: Session, status: ExitStatus) -> int:
    if status is ExitStatus.INTERRUPTED:
        note("interrupted; it is safe to run the same command again")
    if current.as_json and not current.printed:
        emit({"exit_status": int(status)}, text="", as_json=True)
    return int(status)


def _failed(current: Session, error: HeavyliftError) -> int:
    status = status_of(error, touched=current.touched)
    note(render_error(error))
    _emit_error(current, error.attrs(), status)
    return int(status)


def _misused(current: Session, error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    if context is None:
        usage, command = "", "heavylift"
    else:
        usage, command = context.get_usage().removeprefix("Usage:").strip(), context.command_path
    # The prefix is pydantic's, of whose words nobody asked to know.
    said = error.format_message().replace("Value error, ", "").strip().rstrip(".")
    mistake = SpecError(
        "reading the command line",
        got=said or "no command",
        expected=usage or "a command of heavylift",
        state="nothing was touched",
        remedy=f"see {command} --help",
        code="9775",
    )
    if said:
        # Without a command the help was printed, which says it all.
        note(render_error(mistake))
    _emit_error(current, {**mistake.attrs(), "type": "UsageError"}, ExitStatus.REFUSED)
    return int(ExitStatus.REFUSED)


def _broke(current: Session) -> int:
    # The one place that catches everything: a defect of ours must not look like a crash of
    # the shell's, and the promise of one JSON document must hold for it too.
    note(traceback.format_exc())
    defect = HeavyliftError(
        "running the command",
        got="an error that nobody foresaw; the lines above tell where",
        state="unknown beyond what the command has printed",
        remedy="report it as a defect of Heavylift, with the lines above",
        code="2199",
    )
    note(render_error(defect))
    _emit_error(current, defect.attrs(), ExitStatus.FAILED)
    return int(ExitStatus.FAILED)


def _emit_error(current: Session, parts: dict[str, Any], status: ExitStatus) -> None:
    if current.as_json and not current.printed:
        emit({"error": parts, "exit_status": int(status)}, text="", as_json=True)


def _reader_has_gone() -> int:
    # Python flushes standard output once more at its end, which would complain again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(ExitStatus.FAILED)
