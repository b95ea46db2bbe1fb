"""The files that Envoy watches: read whole, replaced atomically, by one process at a time.

Envoy reads a file again when another one is moved onto it. What a crash leaves is the old file or the new
one, and Envoy reads it again when it starts: the split outlives Envoy.
"""

from __future__ import annotations

import asyncio
import fcntl
import glob
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from heavylift.errors import ConflictError, HeavyliftError, IntegrityError, NotFoundError, TransientError

Document = dict[str, Any]
_LOCK_SECONDS = 20.0
_POLL = 0.02
_NEW = ".new"


def read_document(path: Path) -> Document:
    """Return the discovery answer that a file holds, JSON or YAML.

    :raises NotFoundError: there is no such file, or it can't be read.
    :raises IntegrityError: it is no discovery answer.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise NotFoundError(
            f"reading {path}",
            got=type(error).__name__,
            expected="the file that Envoy watches",
            state="nothing was changed",
            remedy="correct config_dir, file or route of the connection, or the rights on the folder",
            code="8728",
        ) from None
    except UnicodeDecodeError:
        raise _damaged(path, "bytes that are no UTF-8") from None
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Document:
    import yaml

    try:
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise _damaged(path, f"{type(error).__name__} while parsing it") from None
    resources = found.get("resources") if isinstance(found, dict) else None
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        raise _damaged(path, "no list of resources")
    return dict(found)


def _damaged(path: Path, got: str) -> HeavyliftError:
    return IntegrityError(
        f"reading {path}",
        got=got,
        expected="a DiscoveryResponse with its resources",
        state="nothing was changed; Envoy goes on with what it read last, but could not start with this file",
        remedy="write the file anew from your own template, or from a backup",
        code="8729",
    )


def write_document(path: Path, document: Document) -> None:
    """Replace a file by a document: a reader sees the old one or the new one, and so does who starts later.

    To be called by the holder of the file's lock: what a killed one has left half-written is removed.

    :raises TransientError: it could not be written; the old file is there.
    """
    try:
        _replace(path, _text(path, document))
    except OSError as error:
        raise TransientError(
            f"writing {path}",
            got=error.strerror or type(error).__name__,
            expected="a folder that can be written to",
            state="the file is as it was, and so is what Envoy does",
            remedy="mend the folder's rights or the full disk",
            code="8730",
        ) from None


def _text(path: Path, document: Document) -> str:
    import yaml

    if path.suffix == ".json":
        return json.dumps(document, indent=1) + "\n"
    return str(yaml.safe_dump(document, sort_keys=False))


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_NEW}"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_NEW)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@asynccontextmanager
async def alone(path: Path, seconds: float = _LOCK_SECONDS) -> AsyncIterator[None]:
    """Hold the lock of a file against other processes; the kernel frees it when its holder dies.

    :raises TransientError: it can't be opened.
    :raises ConflictError: another process holds it all the time.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise TransientError(
            f"locking {path}",
            got=error.strerror or type(error).__name__,
            expected="a folder that can be written to",
            state="nothing was changed",
            remedy="correct config_dir of the connection, or the rights on the folder",
            code="8731",
        ) from None
    try:
        await _locked(handle, path, seconds)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


async def _locked(handle: int, path: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                break
        await asyncio.sleep(_POLL)
    holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
    raise ConflictError(
        f"locking {path}",
        got=f"process {holder} on the machine that changes it, for more than {seconds:g} s",
        expected="changes that take milliseconds",
        state="nothing was changed",
        remedy=f"look at process {holder}; where it hangs, end it (kill -9 {holder}) and run this again",
        code="8732",
    )
