"""``./dev test``: the layers of tests, cheapest first."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from sandbox.paths import REPO

LAYERS = ("unit", "contract", "plugins", "dags", "integration", "e2e")
_INTERRUPTED = 2


def main(layer: str | None, arguments: Sequence[str]) -> int:
    """Run one layer or all, each in a process of its own; return 0 if every test passed.

    A layer without tests counts as failed: silence is no proof.
    """
    results: dict[str, tuple[int, float]] = {}
    for name in [layer] if layer else LAYERS:
        began = time.monotonic()
        print(f"\n--- {name}", flush=True)
        argv = [sys.executable, "-m", "pytest", f"tests/{name}", *arguments]
        status = subprocess.run(argv, cwd=REPO, check=False).returncode
        results[name] = (status, time.monotonic() - began)
        if status == _INTERRUPTED:
            break
    if layer is None:
        print()
        for name, (status, seconds) in results.items():
            print(f"  {'passed' if status == 0 else 'FAILED':<7} {seconds:6.0f} s  {name}")
    statuses = {status for status, _ in results.values()}
    if _INTERRUPTED in statuses:
        return 3
    return 1 if any(statuses) else 0
