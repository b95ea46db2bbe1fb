"""The machine that measures, as a record."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from heavylift.evidence.baseline_records import Machine


def this_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """Return the fingerprint of the machine that this runs on; no name or address of it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        cores=usable,
        cpu=_cpu(cpuinfo),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        architecture=platform.machine(),
    )


def _cpu(cpuinfo: Path) -> str:
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or "unknown"
