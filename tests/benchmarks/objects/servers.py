"""The real servers of the lanes, and sources that are filled once."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sandbox import records
from sandbox.servers.mlflow import WORKERS
from sandbox.stack import Stack
from tests.benchmarks.objects.filling import fill
from tests.benchmarks.objects.loads import Load

REPOSITORY = Path(__file__).parents[3]

Say = Callable[[str], None]

_LOOK_SECONDS, _RESTING, _DEADLINE = 2.0, 0.05, 300.0


@dataclass
class Bench:
    """What the lanes of one call share: a folder, the servers that run, and sources that are filled.

    :param folder: thrown away at the end.
    """

    folder: Path
    say: Say
    _stack: Stack | None = None
    _filled: dict[str, Path] = field(default_factory=dict)

    def stack(self, *names: str) -> Stack:
        """Return the sandbox with these servers running."""
        if self._stack is None:
            self._stack = Stack.start(self.folder / "sandbox", list(names))
        else:
            self._stack.ensure(*names)
        return self._stack

    def server_cpu(self, *names: str) -> float:
        """Return the processor time that running servers have taken so far, in seconds."""
        times = [each.cpu_times() for each in self._processes(*names)]
        return sum(each.user + each.system for each in times)

    def rest(self, *names: str) -> None:
        """Wait until running servers, and what they have started, do nothing more."""
        until_at_rest(self._processes(*names))

    def _processes(self, *names: str) -> list[psutil.Process]:
        found = [records.read(self.stack(*names).state_dir, name) for name in names]
        return [psutil.Process(record.process.pid) for record in found if record is not None]

    def source(self, load: Load) -> tuple[str, Path]:
        """Return the bucket of ``aws_source`` that holds a load, and the file that lists it."""
        bucket = f"bench-{load.name}"
        if bucket not in self._filled:
            self.say(f"  filling the source: {load.text()}")
            self._filled[bucket] = fill(self.stack("aws_source").env, load, bucket, self.folder)
        return bucket, self._filled[bucket]

    def stop(self) -> None:
        """Stop the servers."""
        if self._stack is not None:
            self._stack.stop()


def until_at_rest(servers: Sequence[psutil.Process]) -> None:
    """Wait until servers and their children take no processor time: all of them have begun.

    :raises TimeoutError: they go on and on.
    """
    before, until = -1.0, time.monotonic() + _DEADLINE
    while (now := sum(_used(each) for each in servers)) - before > _RESTING * _LOOK_SECONDS:
        if time.monotonic() > until:
            raise TimeoutError(f"servers that do not come to rest within {_DEADLINE:g} s")
        before = now
        time.sleep(_LOOK_SECONDS)


def _used(server: psutil.Process) -> float:
    times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
    return sum(each.user + each.system for each in times)


@contextmanager
def bench(say: Say) -> Iterator[Bench]:
    """Lend a bench; its servers and data are gone afterwards."""
    # The memory backend becomes slower with each object.
    os.environ.setdefault("HEAVYLIFT_SANDBOX_GCS_BACKEND", "filesystem")
    # As MLflow itself starts a server.
    os.environ.setdefault(WORKERS, "4")
    with tempfile.TemporaryDirectory(prefix="heavylift-bench-") as folder:
        # Servers may run as another user.
        Path(folder).chmod(0o711)
        (Path(folder) / "sandbox").mkdir(mode=0o711)
        lent = Bench(Path(folder), say)
        try:
            yield lent
        finally:
            lent.stop()
