"""Making a finished file visible under its name in one step, or not at all."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from heavylift.platforms.local.folders import remove_empty_folder
from heavylift.platforms.local.names import is_own_name, own_name

_RENAME_NOREPLACE = 1
_NO_UNNAMED_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})
_NO_NOREPLACE = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})


@dataclass(slots=True)
class Draft:
    """A file being written, not yet visible as an object.

    :param name: its hidden name in ``folder``; None while it has no name at all.
    """

    folder: int
    file: int
    name: str | None

    def publish(self, name: str, *, create_only: bool) -> None:
        """Make the draft durable and visible as ``name``.

        :raises FileExistsError: ``create_only`` and the name is taken; nothing was touched.
        :raises IsADirectoryError: a folder has the name, with something in it.
        """
        os.fsync(self.file)
        instead_of_empty_folder(self.folder, name, lambda: self._show(name, create_only=create_only))
        os.fsync(self.folder)

    def _show(self, name: str, *, create_only: bool) -> None:
        if self.name is None and create_only:
            with _folder_is_no_file(self.folder, name):
                self._link(name)
            return
        if self.name is None:
            hidden = own_name("tmp")
            self._link(hidden)
            self.name = hidden
        rename(self.folder, self.name, self.folder, name, create_only=create_only)
        self.name = None

    def _link(self, name: str) -> None:
        # linkat(2) through /proc is the documented way to name an O_TMPFILE file; it never replaces.
        os.link(f"/proc/self/fd/{self.file}", name, dst_dir_fd=self.folder, follow_symlinks=True)

    def discard(self) -> None:
        """Close the draft and remove its hidden name, if it still has one."""
        os.close(self.file)
        if self.name is not None:
            os.unlink(self.name, dir_fd=self.folder)


@contextmanager
def draft_in(folder: int) -> Iterator[Draft]:
    """Open a draft in ``folder``; unless published it is gone at the end of the block.

    Where the file system can (``O_TMPFILE``), it has no name, so a killed writer leaves nothing.
    """
    draft = _open_draft(folder)
    try:
        # The lock tells cleaners that the writer lives; it goes with the process.
        fcntl.flock(draft.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield draft
    finally:
        draft.discard()


def clean_drafts(folder: int, *, older_than_seconds: float = 60.0) -> int:
    """Remove drafts in ``folder`` whose writers were killed; return how many.

    :param older_than_seconds: spares a file that was just made and is not locked yet.
    """
    limit = time.time() - older_than_seconds
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_own_name(entry.name) and entry.name.endswith(".tmp")]
    return sum(_clean_draft(folder, name, limit) for name in names)


def _clean_draft(folder: int, name: str, limit: float) -> bool:
    try:
        file = open_to_write(name, folder)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_mtime > limit:
            return False
        os.unlink(name, dir_fd=folder)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(file)
    return True


def open_to_write(name: str, folder: int, more: int = 0) -> int:
    """Open one of our own files to read and write, also one that a killed writer has left read-only.

    :param more: further flags.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | more
    try:
        return os.open(name, flags, 0o666, dir_fd=folder)
    except PermissionError:
        _let_write(name, folder)
        return os.open(name, flags, 0o666, dir_fd=folder)


def _let_write(name: str, folder: int) -> None:
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(name, 0o600, dir_fd=folder, follow_symlinks=False)
        return
    file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{file}", 0o600)
    finally:
        os.close(file)


def _open_draft(folder: int) -> Draft:
    unnamed = getattr(os, "O_TMPFILE", 0)
    if unnamed and os.path.isdir("/proc/self/fd"):
        try:
            return Draft(folder, os.open(".", unnamed | os.O_RDWR, 0o666, dir_fd=folder), None)
        except OSError as error:
            if error.errno not in _NO_UNNAMED_FILES:
                raise
    name = own_name("tmp")
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
    return Draft(folder, file, name)


@contextmanager
def _folder_is_no_file(folder: int, name: str) -> Iterator[None]:
    """Tell a folder that has the wanted name from a file that has it."""
    try:
        yield
    except FileExistsError as error:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name) from error
        raise


def instead_of_empty_folder(folder: int, name: str, show: Callable[[], None]) -> None:
    """Make a file visible, also where a folder that holds nothing has its name.

    What was deleted leaves its folders behind: without this no file could ever have the name of one.

    :raises IsADirectoryError: something is in the folder; nothing was touched.
    """
    try:
        show()
    except IsADirectoryError:
        if not remove_empty_folder(folder, name):
            raise
        show()


def rename(source_folder: int, source: str, folder: int, name: str, *, create_only: bool) -> None:
    """Rename, replacing nothing when ``create_only``.

    :raises FileExistsError: ``create_only`` and ``name`` is taken.
    """
    if not create_only:
        os.rename(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)
        return
    with _folder_is_no_file(folder, name):
        if not _rename_noreplace(source_folder, source, folder, name):
            # NFS and macOS: a hard link replaces nothing either.
            os.link(source, name, src_dir_fd=source_folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(source, dir_fd=source_folder)


def _rename_noreplace(source_folder: int, source: str, folder: int, name: str) -> bool:
    """Rename with renameat2(2); False where the system or file system does not offer it."""
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(source_folder, os.fsencode(source), folder, os.fsencode(name), _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_NOREPLACE:
        return False
    raise OSError(number, os.strerror(number), name)


@functools.cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]
