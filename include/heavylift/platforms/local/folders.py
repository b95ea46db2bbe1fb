"""Folders below a root, opened one name at a time so that no path can lead out of it.

Each name is opened relative to the folder before it with ``O_NOFOLLOW``: a symbolic link,
planted at any time, makes an error and never a way out.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def open_folder(root: str, names: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """Open the folder ``names`` below ``root`` and yield its descriptor.

    :param create: make missing folders below the root, durably; the root itself must exist.
    :raises OSError: ``ENOENT`` missing, ``ENOTDIR``/``ELOOP`` a file or link on the way.
    """
    folder = os.open(root, _FOLDER)
    try:
        for name in names:
            inner = _step(folder, name, create=create)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _step(folder: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)
    except FileExistsError:
        # Another writer made it meanwhile; opening it tells whether it is a folder.
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def remove_empty_folder(folder: int, name: str) -> bool:
    """Remove the folder ``name`` if there is nothing in it but folders as empty; tell whether it has gone."""
    if not _is_empty(folder, name):
        return False
    try:
        _remove(folder, name)
    except OSError as error:
        # Somebody puts something there at this moment, or something is mounted there: it is theirs.
        if error.errno in _NOT_EMPTY:
            return False
        raise
    return True


def _is_empty(folder: int, name: str) -> bool:
    with _opened(folder, name) as inner, os.scandir(inner) as entries:
        return all(entry.is_dir(follow_symlinks=False) and _is_empty(inner, entry.name) for entry in entries)


def _remove(folder: int, name: str) -> None:
    with _opened(folder, name) as inner:
        for each in os.listdir(inner):
            _remove(inner, each)
    os.rmdir(name, dir_fd=folder)


@contextmanager
def _opened(folder: int, name: str) -> Iterator[int]:
    inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        yield inner
    finally:
        os.close(inner)
