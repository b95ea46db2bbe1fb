"""Looks at every file of a model without loading any: what it is, and what it would do to its loader.

A file's kind is read off its content, never off its name, since whoever loads it goes by neither. What is
not understood from beginning to end is unscanned, and blocks.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from heavylift.models import archives
from heavylift.models.inert import MAGICS, is_safetensors, npy_holds_objects, onnx_domains
from heavylift.models.looking import Look, Trust, judge_program
from heavylift.models.opcodes import PickleProgram, read_program

TEXT_LIMIT = 256 * 2**20
_MODULE = re.compile(r"[A-Za-z_][\w.]*\Z")
_COMPILED_NAMES = re.compile(
    r".*\.(?:neff|neuron|engine|trt|plan|mlu|om|hef|tflite_edgetpu)\Z", re.IGNORECASE
)
_COMPILED_MAGICS = (b"ftrt", b"ptrt", b"NEFF")
_NATIVE_MAGICS = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
_CODE_NAMES = re.compile(r".*\.(?:py|pyw|ipynb|sh|bash|r|js|pl|rb|lua)\Z", re.IGNORECASE)


def look_at_files(folder: Path, names: Iterable[str], trust: Trust) -> list[Look]:
    """Look at the files ``names`` below ``folder``."""
    looks = []
    for name in names:
        path = folder / name
        with path.open("rb") as stream:
            looks.append(look_at(stream, path.stat().st_size, name, trust))
    return looks


def look_at(stream: BinaryIO, size: int, name: str, trust: Trust, depth: int = 0) -> Look:
    """Look at one file; ``depth`` counts the archives around it."""
    head = stream.read(512)
    stream.seek(0)
    look = _by_beginning(stream, size, head, name, trust, depth)
    behind = archives.zip_behind(stream, head, name, trust, depth)
    if behind is not None:
        look.understood = look.understood and behind.understood
        look.suspicions += behind.suspicions
    return look


def _by_beginning(stream: BinaryIO, size: int, head: bytes, name: str, trust: Trust, depth: int) -> Look:
    if head[:4] in _COMPILED_MAGICS or _COMPILED_NAMES.match(name):
        look = Look(name, "compiled", understood=False)
        look.add("compiled-artifact", "it is compiled for one accelerator and one version of its runtime")
        return look
    if head.startswith(_NATIVE_MAGICS):
        look = Look(name, "native code", understood=False)
        look.add("native-code", "it is machine code that a loader may run")
        return look
    packed = archives.look_into(stream, size, head, name, trust, depth)
    if packed is not None:
        return packed
    data = _as_data(stream, size, head, name, trust)
    if data is not None:
        return data
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05", b"\x00", b"\x01"}:
        return _pickle(stream, size, name, trust)
    return _plain(stream, size, head, name, trust)


def _as_data(stream: BinaryIO, size: int, head: bytes, name: str, trust: Trust) -> Look | None:
    """Look at a file of a known binary format, or return None where it is none."""
    if head.startswith(b"\x93NUMPY"):
        return _array(stream, size, name, trust)
    for magic, kind in MAGICS:
        if head.startswith(magic):
            return Look(name, kind, understood=True)
    # "{" begins no opcode of a pickle, so that what begins so can be nothing but JSON or UBJSON.
    if head[:1] == b"{" and head[1:2] in {b"L", b"l", b"I", b"U", b"i", b"$", b"#"}:
        return Look(name, "ubjson", understood=True)
    if is_safetensors(stream, size):
        return Look(name, "safetensors", understood=True)
    domains = onnx_domains(stream, size)
    stream.seek(0)
    if domains is None:
        return None
    look = Look(name, "onnx", understood=True)
    if domains:
        look.add("custom-operators", f"it needs operators of {', '.join(sorted(set(domains)))}")
    return look


def _array(stream: BinaryIO, size: int, name: str, trust: Trust) -> Look:
    objects = npy_holds_objects(stream)
    look = Look(name, "numpy array", understood=objects is not None)
    if objects:
        judge_program(look, read_program(stream, size), trust)
    return look


def _pickle(stream: BinaryIO, size: int, name: str, trust: Trust) -> Look:
    look = Look(name, "pickle", understood=True)
    stream.seek(0)
    judge_program(look, read_program(stream, size), trust)
    return look


def _plain(stream: BinaryIO, size: int, head: bytes, name: str, trust: Trust) -> Look:
    """Look at what is text, or else a pickle of an old protocol, or else not understood."""
    stream.seek(0)
    old = read_program(stream, size) if size else PickleProgram()
    if _is_old_pickle(old):
        look = Look(name, "pickle", understood=True)
        judge_program(look, old, trust)
        return look
    text = _text(stream, size)
    if text is None:
        return Look(name, "unknown", understood=False)
    look = Look(name, "text", understood=True)
    if _CODE_NAMES.match(name) or text.startswith("#!"):
        look.kind = "code"
        look.add("custom-code", "it is source code that runs when the model is loaded")
    return look


def _is_old_pickle(program: PickleProgram) -> bool:
    """Tell whether a file without a pickle's first byte would do something as one.

    Any text may begin with a few bytes that are opcodes. It counts where they name a global that could be
    one and call it, be it that the file ends in rubbish: by then the call has been made.
    """
    return any(_MODULE.match(each.module) for each in program.names) and bool(program.calls)


def _text(stream: BinaryIO, size: int) -> str | None:
    if size > TEXT_LIMIT:
        return None
    stream.seek(0)
    try:
        text = io.TextIOWrapper(io.BytesIO(stream.read()), "utf-8", newline="").read()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
