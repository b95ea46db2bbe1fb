"""The lock of a file that Envoy watches: one process at a time, and a later turn of a switch above all.

The kernel frees the lock when its holder dies, but not when its holder stands still: a process that was
stopped, or whose disk hangs. A later turn must not wait for it, for writers stand before a closed door
meanwhile. So it takes the lock away: each holder writes from a folder of its own, and whoever takes over
removes that folder first. What the earlier holder still does when it wakes fails, and changes nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import ConflictError, TransientError

LOCK_SECONDS = 20.0
STILL_SECONDS = 1.0
"""After which a holder with a lower epoch counts as standing still: a change takes milliseconds."""
_POLL = 0.02
_MARK = 200
_ABANDONED_SECONDS = 600.0


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as its file says.

    :param folder: the one from which it writes.
    """

    process: str = "unknown"
    epoch: int = 0
    folder: str = ""

    @classmethod
    def read(cls, handle: int) -> Holder:
        """Read it from the lock's file; what nobody wrote is nobody."""
        words = os.pread(handle, _MARK, 0).decode(errors="replace").split()
        if len(words) < 3 or not words[1].isdecimal():
            return cls(words[0] if words else "unknown")
        return cls(words[0], int(words[1]), words[2])

    def write(self, handle: int) -> None:
        """Write it into the lock's file."""
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{self.process} {self.epoch} {self.folder}\n".encode(), 0)


@asynccontextmanager
async def alone(path: Path, seconds: float = LOCK_SECONDS, *, epoch: int = 0) -> AsyncIterator[Path]:
    """Hold the lock of a file against other processes; yields the folder from which it is to be written.

    :param epoch: of the turn that this is done in: a holder with a lower one is not waited for longer than
        :data:`STILL_SECONDS`.
    :raises TransientError: it can't be opened.
    :raises ConflictError: another process, of no earlier turn, holds it all the time.
    """
    folder = path.with_name(f".{path.name}.turn-{secrets.token_hex(8)}")
    mine = Holder(str(os.getpid()), epoch, folder.name)
    with _opening(path):
        folder.mkdir(mode=0o755)
    try:
        handle = await _held(path, mine, seconds)
        try:
            _clear(path, folder)
            yield folder
        finally:
            os.close(handle)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _held(path: Path, mine: Holder, seconds: float) -> int:
    """Return a handle that holds the lock."""
    end, seen = time.monotonic() + seconds, _Seen()
    while True:
        handle = _open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            before = Holder.read(handle)
            # Whoever takes the lock away reads this, before and after: it is written first of all.
            mine.write(handle)
            if _is_there(path, handle):
                # The kernel has freed the lock: who held it is done, or was killed and left its folder.
                _shut_out(path, before)
                return handle
        except BlockingIOError:
            holder = Holder.read(handle)
            if seen.still(holder) and holder.epoch < mine.epoch:
                _take_over(path, handle, holder)
            elif time.monotonic() > end:
                os.close(handle)
                raise _busy(path, holder, seconds) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        await asyncio.sleep(_POLL)


class _Seen:
    """For how long the same holder has been seen."""

    def __init__(self) -> None:
        self._holder, self._since = Holder(), time.monotonic()

    def still(self, holder: Holder) -> bool:
        if holder != self._holder:
            self._holder, self._since = holder, time.monotonic()
        return time.monotonic() - self._since > STILL_SECONDS


def _take_over(path: Path, handle: int, holder: Holder) -> None:
    """Take the lock away from a holder that stands still, unless it has moved on, or somebody did it."""
    with _guarded(path) as guarded:
        if not guarded or not _is_there(path, handle) or Holder.read(handle) != holder:
            return
        _lock_of(path).unlink()
        # Whoever got the old lock until just now has written its name before it looked whether it is there.
        for each in {holder, Holder.read(handle)}:
            _shut_out(path, each)


def _shut_out(path: Path, holder: Holder) -> None:
    """Let nothing more come from a holder's folder: it is moved away first, so that no path leads there."""
    if not holder.folder.startswith(f".{path.name}.turn-"):
        return
    folder = path.with_name(holder.folder)
    gone = folder.with_name(f"{folder.name}.over")
    with suppress(FileNotFoundError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _clear(path: Path, own: Path) -> None:
    """Remove the folders that killed processes have left; to be called by the lock's holder."""
    for left in path.parent.iterdir():
        if not left.name.startswith(f".{path.name}.turn-") or left == own:
            continue
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _guarded(path: Path) -> Iterator[bool]:
    """Let one process at a time take a lock away; False where another one is at it."""
    with _opening(path):
        guard = os.open(
            path.with_name(f".{path.name}.lock.over"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(guard)


def _is_there(path: Path, handle: int) -> bool:
    """Tell whether a lock is the one that others take, too."""
    try:
        return os.stat(_lock_of(path)).st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _open(path: Path) -> int:
    with _opening(path):
        return os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransientError(
            f"locking {path}",
            got=error.strerror or type(error).__name__,
            expected="a folder that can be written to",
            state="nothing was changed",
            remedy="correct config_dir of the connection, or the rights on the folder",
            code="8731",
        ) from None


def _busy(path: Path, holder: Holder, seconds: float) -> ConflictError:
    return ConflictError(
        f"locking {path}",
        got=f"process {holder.process} on the machine that changes it, for more than {seconds:g} s",
        expected="changes that take milliseconds",
        state="nothing was changed",
        remedy=f"look at process {holder.process}; where it hangs, end it (kill -9 {holder.process}) and run"
        " this again",
        code="8732",
    )
