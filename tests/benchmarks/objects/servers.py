"""The servers of the lanes: the sandbox's real ones, and the stub store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Stub:
    """A running stub store, seen from outside."""

    url: str

    def env(self) -> dict[str, str]:
        """Return the connections ``aws_source`` and ``aws_target``, both of them the stub."""
        connection = {
            "conn_type": "aws",
            "login": "stub",
            "password": "stub",
            "extra": {"endpoint_url": self.url, "region_name": "us-east-1"},
        }
        text = json.dumps(connection)
        return {"AIRFLOW_CONN_AWS_SOURCE": text, "AIRFLOW_CONN_AWS_TARGET": text}

    def report(self) -> dict[str, Any]:
        """Return what the stub has counted."""
        with urllib.request.urlopen(f"{self.url}/_counts") as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def create(self, bucket: str) -> None:
        """Make a bucket."""
        self._send("PUT", bucket)

    def remove(self, bucket: str) -> None:
        """Forget a bucket with what is in it."""
        self._send("DELETE", bucket)

    def _send(self, method: str, bucket: str) -> None:
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{bucket}", method=method)):
            return


@contextmanager
def stub(objects: int, size_bytes: int) -> Iterator[Stub]:
    """Run a stub store in a process of its own."""
    argv = [
        sys.executable,
        "-m",
        "tests.benchmarks.stub",
        "--objects",
        str(objects),
        "--size",
        str(size_bytes),
    ]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError("the stub store did not start; its own message is above")
            yield Stub(url)
        finally:
            process.terminate()


def did(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    """Return what a stub was asked between two reports, by kind, and its own processor time."""
    kinds = {*before["counts"], *after["counts"]}
    counts = {kind: after["counts"].get(kind, 0) - before["counts"].get(kind, 0) for kind in kinds}
    return {"server_cpu": round(after["cpu_seconds"] - before["cpu_seconds"], 2), **counts}
