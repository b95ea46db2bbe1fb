"""A folder that runs full: a small disk of its own where one can be mounted, else a limit on files' sizes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LIMITED = (
    "import os, resource, sys;"
    "most = int(sys.argv[1]);"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most));"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass
class SmallDisk:
    """A folder with little room.

    :param mounted: it is a disk of its own; else only processes started by ``command`` are limited.
    """

    folder: Path
    size_bytes: int
    mounted: bool
    full: bool = True

    def command(self, *arguments: str) -> list[str]:
        """Return a command line that meets the limit."""
        if self.mounted or not self.full:
            return [*arguments]
        return [sys.executable, "-c", _LIMITED, str(self.size_bytes), *arguments]

    def grow(self, size_bytes: int) -> None:
        """Make room."""
        self.full = False
        if self.mounted:
            options = f"remount,size={size_bytes}"
            subprocess.run(["mount", "-o", options, str(self.folder)], check=True, capture_output=True)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Make ``folder`` a small disk for the length of the block.

    A file that is larger than RLIMIT_FSIZE fails with EFBIG, one for which a disk has no room with ENOSPC.
    """
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "heavylift-test", str(folder)]
    try:
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield SmallDisk(folder, size_bytes, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True, capture_output=True)
