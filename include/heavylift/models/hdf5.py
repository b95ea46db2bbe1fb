"""Looks into files of HDF5, as Keras and others keep weights: by HDF5's own library, shut off.

Numbers do nothing to whoever loads them. What HDF5 can do beyond holding some is refused: links and arrays
that read other files, filters that are machine code, objects that a loader unpickles. The texts in it are
judged here, Keras' configuration among them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from heavylift.models.keras_config import judge_config
from heavylift.models.looking import Look, Trust, judge_names
from heavylift.models.opcodes import read_program
from heavylift.models.sessions import Limits

MAGIC = b"\x89HDF\r\n\x1a\n"
_HERE = Path(__file__).parent
_LIMITS = Limits(memory_bytes=4 * 2**30, cpu_seconds=600, seconds=900.0, file_bytes=512 * 2**20)
_MOST_BYTES = 16 * 2**30
_CONFIGS = frozenset({"model_config", "training_config"})
_LONGEST_SEARCH = 40
_ENDS = {0: (24, 40), 1: (28, 44), 2: (12, 28), 3: (12, 28)}
"""Version of a superblock → where the file's base and its end are told."""


def hdf5_behind(stream: BinaryIO, head: bytes, name: str) -> Look | None:
    """Note a file of HDF5 that another stands before: its readers look for it at 512, 1024, 2048, …"""
    if head.startswith(MAGIC):
        return None
    at = 512
    for _ in range(_LONGEST_SEARCH):
        stream.seek(at)
        found = stream.read(len(MAGIC))
        if found == MAGIC:
            look = Look(name, "HDF5", understood=False)
            look.add("unscanned-file", f"HDF5 begins at its byte {at}, behind something else")
            return look
        if not found:
            break
        at *= 2
    return None


def look_into_hdf5(stream: BinaryIO, size: int, name: str, trust: Trust) -> Look:
    """Look at all that lies in a file of HDF5."""
    look = Look(name, "HDF5", understood=True)
    end = _told_end(stream)
    if end is None:
        _add(look, "unscanned-file", "its first block cannot be read")
        return look
    if end != size:
        _add(look, "unscanned-file", f"it should end at byte {end}, and has {size}")
        return look
    with tempfile.TemporaryDirectory(prefix="heavylift-hdf5-") as scratch:
        found = _read(_on_disk(stream, size, Path(scratch)), Path(scratch), look)
    for rule, detail in found.get("problems", ()):
        _add(look, str(rule), str(detail))
    for place, attribute, text in found.get("texts", ()):
        _judge_text(look, f"{place}@{attribute}" if attribute else place, attribute, text, trust)
    return look


def _add(look: Look, rule: str, detail: str) -> None:
    look.understood &= rule != "unscanned-file"
    look.add(rule, detail)


def _told_end(stream: BinaryIO) -> int | None:
    """Return where the file ends by its own word; None where that cannot be read."""
    stream.seek(0)
    head = stream.read(128)
    if len(head) < 52 or head[8] not in _ENDS:
        return None
    width = head[13] if head[8] < 2 else head[9]
    base, end = (struct.unpack_from("<Q", head, at)[0] for at in _ENDS[head[8]])
    return int(end) if width == 8 and base == 0 else None


def _on_disk(stream: BinaryIO, size: int, scratch: Path) -> Path:
    """Return a file with the bytes of ``stream``: itself where it is one."""
    if isinstance(stream, io.BufferedReader) and isinstance(stream.name, (str, os.PathLike)):
        return Path(stream.name).resolve()
    if size > _MOST_BYTES:
        raise OSError(f"more than {_MOST_BYTES} bytes")
    path = scratch / "file.h5"
    stream.seek(0)
    with path.open("wb") as made:
        shutil.copyfileobj(stream, made, 2**20)
    return path


def _read(path: Path, scratch: Path, look: Look) -> Mapping[str, Any]:
    """Have the file read; what keeps it from being read is noted, and blocks."""
    answer = scratch / "found.json"
    limits = {"parent": os.getpid(), "resources": _LIMITS.resources}
    argv = [
        sys.executable, "-I", str(_HERE / "launcher.py"), json.dumps(limits),
        sys.executable, "-IB", str(_HERE / "hdf5_reader.py"), str(path), str(answer),
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 - our own launcher, no shell
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=scratch,
        env=_environment(scratch), start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=_LIMITS.seconds)
    except subprocess.TimeoutExpired:
        _add(look, "unscanned-file", f"HDF5's library came to no end within {_LIMITS.seconds:.0f} s")
        return {}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0 or not answer.is_file():
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        _add(look, "unscanned-file", f"HDF5's library cannot read it ({last[:200]})")
        return {}
    return dict(json.loads(answer.read_text("ascii")))


def _environment(scratch: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "HDF5_USE_FILE_LOCKING": "FALSE",
        # No plugin is looked for, wherever the library was built to look.
        "HDF5_PLUGIN_PRELOAD": "::",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _judge_text(look: Look, where: str, attribute: str, text: str, trust: Trust) -> None:
    content = text.encode("utf-8", "surrogateescape")
    if text.lstrip()[:1] in {"{", "["} or attribute in _CONFIGS:
        judge_config(look, content, trust, where, demanded=attribute in _CONFIGS)
        if attribute == "model_config":
            look.kind = "Keras in HDF5"
    program = read_program(io.BytesIO(content), len(content))
    if program.acts:
        judge_names(look, program.names, trust, f"read as a pickle, its text {where[:200]!r}")
