"""``./dev test``: the layers of tests.

One piece more than there are cores runs at a time, for most of them wait for servers and for processes that
they start; the longest begin first, each with servers of its own, and what one prints is shown when it has
ended. The end-to-end tests come last and alone: Airflow's timing is part of what they look at.

Tests marked ``long`` (rounds of faults, more seeds and pairs of what a shorter test shows already) run
only when asked for. The continuous integration runs an eighth of them, another one with another commit: the
share of a test depends on its file alone, so that all shares together are all tests, and what goes on from
one another stays together.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO

from sandbox.paths import REPO

LAYERS = ("unit", "contract", "plugins", "dags", "integration", "e2e")
AT_ONCE = min(4, (os.cpu_count() or 2) + 1)
"""Each takes one to two gigabytes of memory, its servers included."""
_LOOK_EVERY = 0.2
LIMIT_SECONDS = 3300.0
"""A piece that takes longer hangs where no test's own limit ends it, as at its end: it is ended, and tells
what each of its threads was at."""
_INTERRUPTED = 2


@dataclass(frozen=True)
class Piece:
    """A part of the tests that one process runs.

    :param without: folders below its own that are pieces themselves.
    """

    folder: str
    without: tuple[str, ...] = ()

    def command(self, arguments: Sequence[str] = ()) -> list[str]:
        """Return the command that runs it, or only what the arguments name of it."""
        own = f"tests/{self.folder}"
        if any(each.startswith(f"{own}/") for each in arguments):
            return [sys.executable, "-m", "pytest", *arguments]
        ignored = (f"--ignore=tests/{each}" for each in self.without)
        return [sys.executable, "-m", "pytest", own, *ignored, *arguments]


# Parts of the integration layer that take minutes each. The rest of it shares one sandbox.
_PARTS = (
    "integration/tables",
    "integration/registry",
    "integration/cutover",
    "integration/streams",
    "integration/models",
    "integration/infra",
    "integration/features",
    "integration/objects",
    "integration/inventory",
)
# The longest first, and what takes least at last: so all end at about the same time.
BESIDE_EACH_OTHER = (
    Piece("unit"),
    Piece("integration", _PARTS),
    *(Piece(part) for part in _PARTS),
    *(Piece(layer) for layer in ("plugins", "contract", "dags")),
)
ALONE = Piece("e2e")
_NOT_LONG = ("-m", "not long")
SHARE_VARIABLE = "HEAVYLIFT_TEST_SHARE"
"""Tells pytest's processes which share of the long tests they run; see tests/conftest.py."""


@dataclass(frozen=True)
class Share:
    """The ``number``-th of ``of`` shares of the long tests, from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Return the share that ``K/N`` means.

        :raises ValueError: it means none.
        """
        number, _, of = text.partition("/")
        share = cls(int(number), int(of))
        if not 1 <= share.number <= share.of:
            raise ValueError(text)
        return share

    def has(self, test: str) -> bool:
        """Tell whether the test of this id is in the share, with all others of its file.

        By the upper bits of the sum: the lower ones put three of the longest end-to-end files in one eighth.
        """
        return zlib.crc32(test.partition("::")[0].encode()) * self.of >> 32 == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class Result:
    """How a piece ended.

    :param cpu: seconds of processors that it took, with all that it started and waited for. A busy machine
        makes ``seconds`` longer, but hardly this.
    """

    status: int
    seconds: float
    cpu: float = 0.0


def main(layer: str | None, arguments: Sequence[str], *, long: bool, share: Share | None = None) -> int:
    """Run one layer or all; return 0 if every test passed.

    A piece without tests counts as failed: silence is no proof.

    :param long: run the tests marked ``long``, too; with ``share`` this share of them.
    """
    os.environ.pop(SHARE_VARIABLE, None)
    if share is not None:
        os.environ[SHARE_VARIABLE] = str(share)
    arguments = arguments if long or share else (*_NOT_LONG, *arguments)
    if layer is not None:
        results = {layer: _run(Piece(layer), arguments)}
    else:
        results = _run_all(arguments)
        print()
        for name, result in results.items():
            word = "passed" if result.status == 0 else "FAILED"
            print(f"  {word:<7} {result.seconds:6.0f} s  {result.cpu:6.0f} s of CPU  {name}")
    if share is not None:
        print(f"\nShare {share} of the long tests was run: ./dev test --all runs all of them.")
    elif not long:
        print("\nThe long tests (deselected above) were not run: ./dev test --all runs them, too.")
    statuses = {result.status for result in results.values()}
    if _INTERRUPTED in statuses:
        return 3
    return 1 if any(statuses) else 0


def _run_all(arguments: Sequence[str]) -> dict[str, Result]:
    results = _run_beside(BESIDE_EACH_OTHER, arguments)
    if not any(result.status == _INTERRUPTED for result in results.values()):
        results[ALONE.folder] = _run(ALONE, arguments)
    return results


def _run(piece: Piece, arguments: Sequence[str]) -> Result:
    began, before = time.monotonic(), _cpu_of_the_ended()
    print(f"\n--- {piece.folder}", flush=True)
    status = subprocess.run(piece.command(arguments), cwd=REPO, check=False).returncode
    return Result(status, time.monotonic() - began, _cpu_of_the_ended() - before)


def _cpu_of_the_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run_beside(
    pieces: Iterable[Piece], arguments: Sequence[str], limit: float = LIMIT_SECONDS
) -> dict[str, Result]:
    """Run pieces, some at a time; after one that was interrupted no other is begun."""
    waiting, running, results = list(pieces), list[_Running](), dict[str, Result]()
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                running.append(_Running.start(waiting.pop(0), arguments))
            time.sleep(_LOOK_EVERY)
            for one in running:
                one.end_if_late(limit)
            for one in [each for each in running if each.has_ended()]:
                running.remove(one)
                results[one.piece.folder] = one.ended()
                if one.process.returncode == _INTERRUPTED:
                    waiting.clear()
    finally:
        for one in running:
            one.stop()
    return results


@dataclass
class _Running:
    """A piece that runs; what it prints is kept until it has ended."""

    piece: Piece
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    began: float = field(default_factory=time.monotonic)
    cpu: float = 0.0

    @classmethod
    def start(cls, piece: Piece, arguments: Sequence[str]) -> _Running:
        """Start it."""
        print(f"--- {piece.folder}: running", flush=True)
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the piece has ended
        process = subprocess.Popen(
            piece.command(arguments),
            cwd=REPO,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        return cls(piece, process, output)

    def end_if_late(self, seconds: float) -> None:
        """End it where it has run for longer; Python writes down what its threads are at."""
        if time.monotonic() - self.began > seconds and self.process.poll() is None:
            print(f"--- {self.piece.folder}: ended after {seconds:.0f} s", flush=True)
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()

    def has_ended(self) -> bool:
        """Tell whether it has ended, and note what it took: asking is what adds it to those that ended."""
        before = _cpu_of_the_ended()
        if self.process.poll() is None:
            return False
        self.cpu = _cpu_of_the_ended() - before
        return True

    def ended(self) -> Result:
        """Show what was printed, and tell how it ended."""
        print(f"\n--- {self.piece.folder}", flush=True)
        with self.output:
            self.output.seek(0)
            sys.stdout.write(self.output.read().decode(errors="replace"))
        sys.stdout.flush()
        return Result(self.process.returncode, time.monotonic() - self.began, self.cpu)

    def stop(self) -> None:
        """End it if it still runs; it takes its servers with it."""
        with self.output:
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait()
