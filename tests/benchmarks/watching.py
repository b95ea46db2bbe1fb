"""The peak memory of a process and of all that it starts, as the kernel counts it (VmHWM)."""

from __future__ import annotations

import threading
from pathlib import Path

_EVERY_SECONDS = 0.1
_PROC = Path("/proc")


class MemoryWatch(threading.Thread):
    """Looks at the descendants of a process until told to stop.

    For tools of several processes: of these the launcher's ``ru_maxrss``, which is exact to the
    end of one, tells only the largest. The high-water marks of processes that live at the same
    time are added up; they need not have been high at the same moment, so a tool of several
    processes is never shown smaller than it was.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak_kib = 0

    def run(self) -> None:
        """Look every tenth of a second."""
        while True:
            self.peak_kib = max(self.peak_kib, sum(map(high_water_kib, tree(self._pid)[1:])))
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


def high_water_kib(pid: int) -> int:
    """Return a process's own peak so far, 0 when it is gone."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
