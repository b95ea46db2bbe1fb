"""The real servers of the lanes, and sources that are filled once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sandbox import records
from sandbox.stack import Stack
from tests.benchmarks.objects.filling import fill
from tests.benchmarks.objects.loads import Load

REPOSITORY = Path(__file__).parents[3]

Say = Callable[[str], None]


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
        found = [records.read(self.stack(*names).state_dir, name) for name in names]
        times = [psutil.Process(record.process.pid).cpu_times() for record in found if record is not None]
        return sum(each.user + each.system for each in times)

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


@contextmanager
def bench(say: Say) -> Iterator[Bench]:
    """Lend a bench; its servers and data are gone afterwards."""
    # The memory backend becomes slower with each object.
    os.environ.setdefault("HEAVYLIFT_SANDBOX_GCS_BACKEND", "filesystem")
    with tempfile.TemporaryDirectory(prefix="heavylift-bench-") as folder:
        # Servers may run as another user.
        Path(folder).chmod(0o711)
        (Path(folder) / "sandbox").mkdir(mode=0o711)
        lent = Bench(Path(folder), say)
        try:
            yield lent
        finally:
            lent.stop()
