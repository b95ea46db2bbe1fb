"""The peak memory of a process and of all that it starts, as the kernel counts it (VmHWM, Pss)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

_EVERY_SECONDS = 0.1
_PROC = Path("/proc")


class MemoryWatch(threading.Thread):
    """Looks at the descendants of a process until told to stop.

    For tools of several processes: of these the launcher's ``ru_maxrss``, which is exact to the
    end of one, tells only the largest. Of processes that live at the same time the proportional
    set sizes are added up: a forked process shares most of its parent's pages, and each of those
    is in memory, and counted, once. Of a single process it is the high-water mark.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak_kib = 0

    def run(self) -> None:
        """Look every tenth of a second."""
        while True:
            self.peak_kib = max(self.peak_kib, held_kib(tree(self._pid)[1:]))
            if self._ended.wait(_EVERY_SECONDS):
                return

    def stop(self) -> int:
        """Return the peak in KiB; 0 where the system has no ``/proc``."""
        self._ended.set()
        self.join()
        return self.peak_kib


def tree(pid: int) -> list[int]:
    """Return a process and its descendants that are alive now."""
    found = [pid]
    for parent in found:
        for task in _children_files(parent):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                # Gone since it was listed, which is how processes end.
                continue
    return found


def _children_files(pid: int) -> list[Path]:
    try:
        return [task / "children" for task in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def held_kib(pids: Sequence[int]) -> int:
    """Return what one process has held at most, or what several hold together now."""
    if len(pids) == 1:
        return _field(pids[0], "status", "VmHWM:")
    return sum(_field(pid, "smaps_rollup", "Pss:") for pid in pids)


def _field(pid: int, file: str, name: str) -> int:
    try:
        lines = (_PROC / str(pid) / file).read_text().splitlines()
    except OSError:
        return 0  # gone since it was listed
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
