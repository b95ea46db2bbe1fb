"""A stub store in a process of its own, seen from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]


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
    argv = [sys.executable, "-m", "tests.benchmarks.stub", "--attached"]
    argv += ["--objects", str(objects), "--size", str(size_bytes)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
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
