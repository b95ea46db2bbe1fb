"""``./dev test``: the layers of tests, cheapest first.

The integration tests mostly wait for servers and for processes that they start, so they run
beside the layers that need a processor; what they print is shown when these have ended. The
end-to-end tests come last and alone: Airflow's timing is part of what they look at.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from sandbox.paths import REPO

LAYERS = ("unit", "contract", "plugins", "dags", "integration", "e2e")
BESIDE = "integration"
_INTERRUPTED = 2


@dataclass(frozen=True)
class Result:
    """How one layer ended."""

    status: int
    seconds: float


def main(layer: str | None, arguments: Sequence[str]) -> int:
    """Run one layer or all, each in a process of its own; return 0 if every test passed.

    A layer without tests counts as failed: silence is no proof.
    """
    if layer is not None:
        results = {layer: _run(layer, arguments)}
    else:
        results = _run_all(arguments)
        print()
        for name in (name for name in LAYERS if name in results):
            result = results[name]
            word = "passed" if result.status == 0 else "FAILED"
            print(f"  {word:<7} {result.seconds:6.0f} s  {name}")
    statuses = {result.status for result in results.values()}
    if _INTERRUPTED in statuses:
        return 3
    return 1 if any(statuses) else 0


def _run_all(arguments: Sequence[str]) -> dict[str, Result]:
    results: dict[str, Result] = {}
    with tempfile.TemporaryFile() as output:
        beside = _Beside(arguments, output)
        try:
            for name in (name for name in LAYERS[:-1] if name != BESIDE):
                results[name] = _run(name, arguments)
                if results[name].status == _INTERRUPTED:
                    return results
            results[BESIDE] = beside.wait()
        finally:
            beside.stop()
    if results[BESIDE].status != _INTERRUPTED:
        results[LAYERS[-1]] = _run(LAYERS[-1], arguments)
    return results


def _run(name: str, arguments: Sequence[str]) -> Result:
    began = time.monotonic()
    print(f"\n--- {name}", flush=True)
    status = subprocess.run(_command(name, arguments), cwd=REPO, check=False).returncode
    return Result(status, time.monotonic() - began)


def _command(name: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", f"tests/{name}", *arguments]


class _Beside:
    """A layer that runs while others do; what it prints is kept until it has ended."""

    def __init__(self, arguments: Sequence[str], output: IO[bytes]) -> None:
        self._output = output
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            _command(BESIDE, arguments), cwd=REPO, stdout=output, stderr=subprocess.STDOUT
        )

    def wait(self) -> Result:
        """Wait for the end, and show what was printed."""
        print(f"\n--- {BESIDE} (began beside the others)", flush=True)
        status = self._process.wait()
        seconds = time.monotonic() - self._began
        self._output.seek(0)
        sys.stdout.write(self._output.read().decode(errors="replace"))
        sys.stdout.flush()
        return Result(status, seconds)

    def stop(self) -> None:
        """End the layer if it still runs; it takes its servers with it."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
