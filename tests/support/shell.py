"""The command line in a process of its own for each command, without Python's start and imports each time.

A server process imports once what commands need, and forks for each of them. What a command does, how it
is killed, and how it ends is as with ``python -m heavylift``; only its first half second is saved. That the
command starts by itself, too, is for the tests to show that start one with :mod:`subprocess`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_IMPORTED = (
    "heavylift.cli",
    "heavylift.cli.run",
    "heavylift.objects.api",
    "heavylift.objects.appliances.api",
    "heavylift.platforms.aws.s3",
    "heavylift.platforms.gcp.gcs",
    "heavylift.platforms.azure.blob",
    "heavylift.platforms.local.posix",
    "duckdb",
)
_PRINTED = ("output", "errors")


@dataclass(frozen=True)
class Command:
    """A command that runs, or has run.

    :param folder: where what it prints is kept until it has ended.
    """

    process: ForkServerProcess
    folder: Path

    @property
    def pid(self) -> int:
        """The process to send signals to."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative after a signal; None while it runs."""
        return self.process.exitcode

    def end(self) -> tuple[int, str, str]:
        """Wait for the end, and return once the exit status and what was printed: output and errors."""
        self.process.join()
        printed = [(self.folder / name).read_text() for name in _PRINTED]
        shutil.rmtree(self.folder)
        status = self.process.exitcode
        assert status is not None
        return status, printed[0], printed[1]

    async def ended(self) -> tuple[int, str, str]:
        """Like :meth:`end`, while the event loop goes on."""
        return await asyncio.to_thread(self.end)


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
    """Start ``heavylift`` with these arguments, in this environment and no other."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    folder = Path(tempfile.mkdtemp(prefix="heavylift-shell-"))
    for name in _PRINTED:
        (folder / name).touch(mode=0o600)
    process = context.Process(target=_run, args=(tuple(arguments), dict(environment), folder))
    process.start()
    return Command(process, folder)


def _run(arguments: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
    from heavylift.__main__ import main

    for number, name in enumerate(_PRINTED, start=1):
        file = os.open(folder / name, os.O_WRONLY)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["heavylift", *arguments]
    main()
