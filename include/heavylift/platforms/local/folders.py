"""Folders below a root, opened one name at a time so that no path can lead out of it.

Each name is opened relative to the folder before it with ``O_NOFOLLOW``: a symbolic link,
planted at any time, makes an error and never a way out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
