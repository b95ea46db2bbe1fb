"""The files that Envoy watches: read whole, replaced atomically, by one process at a time.

Envoy reads a file again when another one is moved onto it. What a crash leaves is the old file or the new
one, and Envoy reads it again when it starts: the split outlives Envoy.
"""

from __future__ import annotations

import glob
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from heavylift.errors import HeavyliftError, IntegrityError, NotFoundError, TransientError

Document = dict[str, Any]
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


def write_document(path: Path, document: Document, within: Path | None = None) -> None:
    """Replace a file by a document: a reader sees the old one or the new one, and so does who starts later.

    To be called by the holder of the file's lock: what a killed one has left half-written is removed.

    :param within: the holder's folder, see :func:`heavylift.cutover.traffic.envoy_lock.alone`.
    :raises TransientError: it could not be written, or a later turn has taken the lock; the file is as
        it was, or as that one has made it.
    """
    try:
        _replace(path, _text(path, document), within or path.parent)
    except OSError as error:
        if within is not None and not within.exists() and path.parent.exists():
            raise _taken_over(path) from None
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


def _taken_over(path: Path) -> TransientError:
    return TransientError(
        f"writing {path}",
        got="a process that stood still, from which a later turn has taken the file's lock",
        expected="a change that takes milliseconds",
        state="this process changed nothing; the file is as the later turn wants it",
        remedy="nothing, where a later cutover or rollback has begun; else run this again",
        code="9425",
    )


def _replace(path: Path, text: str, within: Path) -> None:
    mode = path.stat().st_mode & 0o777
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_NEW}"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=within, prefix=f".{path.name}.", suffix=_NEW)
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
