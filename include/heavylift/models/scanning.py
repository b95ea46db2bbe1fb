"""Looks at every file of a model without loading any: what it is, and what it would do to its loader.

A file's kind is read off its content, never off its name, since whoever loads it goes by neither. What is
not understood from beginning to end is unscanned, and blocks.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from heavylift.models import archives
from heavylift.models.beside import SAVED_MODEL, read_beside
from heavylift.models.flavors import module_problems
from heavylift.models.gguf import gguf_problems
from heavylift.models.hdf5 import MAGIC, hdf5_behind, look_into_hdf5
from heavylift.models.hub_files import hub_problems
from heavylift.models.inert import MAGICS, is_safetensors, names_pickled_types, npy_end, npy_holds_objects
from heavylift.models.looking import Look, Trust, judge_names, judge_program, leads_out
from heavylift.models.onnx_graph import read_onnx
from heavylift.models.opcodes import PickleProgram, read_program
from heavylift.models.sentencepiece import is_sentencepiece
from heavylift.models.tensorflow_graph import is_saved_model, saved_model_problems
from heavylift.models.ubjson import ubjson_problem

TEXT_LIMIT = 256 * 2**20
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


_UNREAD = (
    (b"7z\xbc\xaf\x27\x1c", "7z archive"), (b"Rar!", "RAR archive"),
    (b"\x04\x22\x4d\x18", "LZ4"), (b"\x28\xb5\x2f\xfd", "Zstandard"), (b"ZF0x", "old joblib"),
    (b"SQLite format 3\0", "SQLite"), (b"Obj\x01", "Avro"), (b"ORC", "ORC"), (b"RIFF", "RIFF"),
)  # fmt: skip
"""First bytes of what is told by its name, and not understood."""
_PICKLED_NAMES = re.compile(r".*\.(?:pkl|pickle|joblib|dill|cloudpickle|pt|pth|ckpt)\Z", re.IGNORECASE)
_MODEL_NAMES = re.compile(
    r".*\.(?:pkl|pickle|joblib|pt|pth|pt2|ckpt|onnx|skops|safetensors|cbm|ubj|h5|keras|pb)\Z", re.IGNORECASE
)
_POINTER = "version https://git-lfs.github.com/spec/"
_YAML_NAMES = re.compile(r"(?:.*/)?(?:MLmodel|[^/]*\.ya?ml)\Z", re.IGNORECASE)
_YAML_OBJECT = re.compile(r"!!python/|tag:yaml\.org,2002:|!<tag:yaml|^%TAG|![\w!/.-]*%", re.MULTILINE)
"""Tags of Python's objects, and whatever may stand for the beginning of one."""


def look_at_files(folder: Path, names: Iterable[str], trust: Trust) -> list[Look]:
    """Look at the files ``names`` below ``folder``."""
    looks = []
    for name in names:
        path = folder / name
        with path.open("rb") as stream:
            looks.append(look_at(stream, path.stat().st_size, name, trust))
    read_beside(looks)
    return looks


def look_at(stream: BinaryIO, size: int, name: str, trust: Trust, depth: int = 0) -> Look:
    """Look at one file; ``depth`` counts the archives around it."""
    head = stream.read(512)
    stream.seek(0)
    look = _by_beginning(stream, size, head, name, trust, depth)
    for behind in (archives.zip_behind(stream, head, name, trust, depth), hdf5_behind(stream, head, name)):
        if behind is not None:
            look.understood = look.understood and behind.understood
            look.suspicions += behind.suspicions
    if not look.kind.endswith("pickle"):
        _as_pickle(look, stream, size, trust)
    return look


def _as_pickle(look: Look, stream: BinaryIO, size: int, trust: Trust) -> None:
    """Note what a file of another kind would do to whoever takes it for a pickle.

    The first bytes of some formats are opcodes that pass by what follows: ``GGUF``, ``CBM1``, the length
    that a header of safetensors begins with.
    """
    stream.seek(0)
    # An id that a loader is to look up, which is what "P" asks for, ends every loader that has no such ids.
    if stream.read(1) in {b"", b"P"}:
        return
    stream.seek(0)
    program = read_program(stream, size)
    if program.acts:
        judge_names(look, program.names, trust, "read as a pickle, it")


def _by_beginning(stream: BinaryIO, size: int, head: bytes, name: str, trust: Trust, depth: int) -> Look:
    if head[:4] in _COMPILED_MAGICS or _COMPILED_NAMES.match(name):
        look = Look(name, "compiled", understood=False)
        look.add("compiled-artifact", "it is compiled for one accelerator and one version of its runtime")
        return look
    if head.startswith(_NATIVE_MAGICS):
        look = Look(name, "native code", understood=False)
        look.add("native-code", "it is machine code that a loader may run")
        return look
    if head.startswith(MAGIC):
        return look_into_hdf5(stream, size, name, trust)
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
            look = Look(name, kind, understood=True)
            if kind in {"parquet", "arrow"} and names_pickled_types(stream):
                look.add("malicious-code", "it has types of Arrow that old readers unpickle")
            return _noted(look, gguf_problems(stream)) if kind == "gguf" else look
    # "{" begins no opcode of a pickle, so that what begins so can be nothing but JSON or UBJSON.
    if head[:1] == b"{" and head[1:2] in {b"L", b"l", b"I", b"U", b"i", b"$", b"#"}:
        problem = ubjson_problem(stream, size)
        look = Look(name, "ubjson", understood=not problem)
        return _noted(
            look, [("unscanned-file", f"it cannot be read to its end ({problem})")] if problem else []
        )
    if is_safetensors(stream, size):
        return Look(name, "safetensors", understood=True)
    if is_sentencepiece(stream, size):
        return Look(name, "sentencepiece", understood=True)
    return _onnx(stream, size, name) or _saved_model(stream, size, name)


def _saved_model(stream: BinaryIO, size: int, name: str) -> Look | None:
    if not is_saved_model(stream, size):
        return None
    return _noted(Look(name, SAVED_MODEL, understood=True), saved_model_problems(stream, size))


def _noted(look: Look, problems: Iterable[tuple[str, str]]) -> Look:
    for rule, detail in dict.fromkeys(problems):
        look.understood &= rule != "unscanned-file"
        look.add(rule, detail)
    return look


def _onnx(stream: BinaryIO, size: int, name: str) -> Look | None:
    graph = read_onnx(stream, size)
    if graph is None:
        return None
    look = Look(name, "onnx", understood=True, tensors_in=graph.files)
    if graph.domains:
        look.add("custom-operators", f"it needs operators of {', '.join(sorted(graph.domains))}")
    for file in graph.files:
        # By a name that begins so ONNX Runtime takes an offset for an address in its memory.
        if leads_out(file) or "://" in file or file.startswith("*"):
            look.add("path-outside", f"tensors of it lie in {file[:200]!r}")
    return look


def _array(stream: BinaryIO, size: int, name: str, trust: Trust) -> Look:
    objects = npy_holds_objects(stream)
    look = Look(name, "numpy array", understood=objects is not None)
    if objects is False and npy_end(stream) != size:
        look.understood = False
        look.add("unscanned-file", "something follows the end of its array, or a part of it is missing")
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
    # Any text may begin with a few bytes that are opcodes. It counts where they name a global that could be
    # one and call it, be it that the file ends in rubbish: by then the call has been made.
    if old.acts or (old.programs and old.names and not old.problem):
        look = Look(name, "pickle", understood=True)
        judge_program(look, old, trust)
        return look
    text = _text(stream, size)
    whole = bool(old.programs) and not old.problem and not old.rest
    if whole and (text is None or _PICKLED_NAMES.match(name)):
        return Look(name, "pickle", understood=True)
    if text is None:
        return Look(name, _called(head), understood=False)
    look = Look(name, "text", understood=True)
    if text.startswith(_POINTER):
        look.understood = False
        look.add(
            "unscanned-file", "it is a pointer of Git LFS, and not the file itself: fetch it by git lfs pull"
        )
    elif not text and _MODEL_NAMES.match(name):
        look.add("file-absent", "it is empty: nothing of the model is in it")
    elif _PICKLED_NAMES.match(name):
        look.understood = False
        look.add("unscanned-file", "it is called like a pickle, and is a text")
    if _YAML_NAMES.match(name) and _YAML_OBJECT.search(text):
        look.add("malicious-code", "it has tags that make objects of Python in loaders of YAML")
    if _CODE_NAMES.match(name) or text.startswith("#!"):
        look.kind = "code"
        look.add("custom-code", "it is source code that runs when the model is loaded")
    return _noted(look, chain(hub_problems(name, text), module_problems(name, text)))


def _called(head: bytes) -> str:
    return next((kind for magic, kind in _UNREAD if head.startswith(magic)), "unknown")


def _text(stream: BinaryIO, size: int) -> str | None:
    if size > TEXT_LIMIT:
        return None
    stream.seek(0)
    try:
        text = io.TextIOWrapper(io.BytesIO(stream.read()), "utf-8", newline="").read()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
