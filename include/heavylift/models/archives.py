"""Looks into archives and compressed files: whatever lies in them is looked at as if it lay outside."""

from __future__ import annotations

import bz2
import json
import lzma
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import IO, Any, BinaryIO, cast

from heavylift.models.exported import graph_problems, is_exported, raw_tensors
from heavylift.models.keras_config import judge_config
from heavylift.models.looking import MOST_NAMED, Look, Trust, judge_names, leads_out
from heavylift.models.opcodes import Global
from heavylift.models.tarballs import is_tar, look_into_tar
from heavylift.models.torchscript import CONSTANTS, MOST_TEXT, PROGRAM, script_problems

MAX_DEPTH = 4
MAX_EXPANDED_BYTES = 16 * 2**30
_IN_MEMORY = 16 * 2**20
_CHUNK = 2**20
_MAX_JSON = 256 * 2**20
_TENSOR = re.compile(r"(?:[^/]+/)?data/\d+\Z")
_SCRIPT_TENSOR = re.compile(r"(?:[^/]+/)?(?:data|constants|traced_inputs)/\d+\Z")
_OF_KERAS = re.compile(
    r"(?:config|metadata)\.json\Z|model(?:_\d+)?\.weights\.(?:h5|npz|json)\Z|assets/[^\\]+\Z"
)
_PROGRAM, _TORCH, _SCRIPT, _KERAS = "exported program", "torch archive", "TorchScript", "Keras archive"
_SKOPS_LOADERS = frozenset(
    {
        "BytearrayNode", "BytesNode", "CachedNode", "ConstructorFromReduceNode", "DTypeNode",
        "DefaultDictNode", "DictNode", "FunctionNode", "JsonNode", "ListNode", "LossNode",
        "MaskedArrayNode", "MethodNode", "NdArrayNode", "ObjectNode", "OperatorFuncNode",
        "PartialNode", "QuantileForestNode", "RandomGeneratorNode", "RandomStateNode", "SetNode",
        "SliceNode", "SparseMatrixNode", "TreeNode", "TupleNode", "TypeNode",
        "_DictWithDeprecatedKeysNode",
    }
)  # fmt: skip


class _TooLargeError(Exception):
    """What lies in an archive is larger than is looked at."""


_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, _TooLargeError)
"""What compressed data raise that cannot be expanded; all of it means: not looked at, which blocks."""


def look_into(stream: BinaryIO, size: int, head: bytes, name: str, trust: Trust, depth: int) -> Look | None:
    """Look into an archive or a compressed file; None where it is neither."""
    if depth >= MAX_DEPTH and (head[:4] == b"PK\x03\x04" or _opener(head) is not None):
        return _nested(name)
    if head[:4] == b"PK\x03\x04":
        return _zip(stream, name, trust, depth)
    if is_tar(head):
        return _nested(name) if depth >= MAX_DEPTH else look_into_tar(stream, size, name, trust, depth)
    opener = _opener(head)
    return _compressed(opener, stream, name, trust, depth) if opener else None


def _nested(name: str) -> Look:
    look = Look(name, "nested archive", understood=False)
    look.add("unscanned-file", f"more than {MAX_DEPTH} archives lie within each other")
    return look


def zip_behind(stream: BinaryIO, head: bytes, name: str, trust: Trust, depth: int) -> Look | None:
    """Look into a zip archive that another file stands before: its readers begin at the end, as skops' do."""
    if head[:4] == b"PK\x03\x04":
        return None
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            if not archive.infolist():
                return None
    except (*_DAMAGED, zipfile.BadZipFile, RuntimeError, ValueError):
        # Whoever reads zip archives does not take it for one either.
        return None
    if depth >= MAX_DEPTH:
        return _nested(name)
    return _zip(stream, name, trust, depth)


def _opener(head: bytes) -> Callable[[BinaryIO], Iterator[bytes]] | None:
    if head[:2] == b"\x1f\x8b":
        return partial(_inflate, window=31)
    if head[:3] == b"BZh":
        return partial(_expand, make=bz2.BZ2Decompressor)
    if head[:6] == b"\xfd7zXZ\x00" or head[:3] == b"\x5d\x00\x00":
        return partial(_expand, make=lzma.LZMADecompressor)
    if head[:1] == b"\x78" and head[1:2] in {b"\x01", b"\x5e", b"\x9c", b"\xda"}:
        return partial(_inflate, window=15)
    return None


def _chunks(opened: Any) -> Iterator[bytes]:
    while chunk := opened.read(_CHUNK):
        yield chunk


def _expand(stream: BinaryIO, make: Callable[[], Any]) -> Iterator[bytes]:
    """Expand one stream after the other; what follows the last and is none is not passed by."""
    packed, expander = b"", make()
    while packed or (packed := stream.read(_CHUNK)) or not expander.eof:
        if expander.eof:
            expander = make()
        if not packed and expander.needs_input:
            raise EOFError("it ends early")
        yield expander.decompress(packed, _CHUNK)
        while not expander.eof and not expander.needs_input:
            yield expander.decompress(b"", _CHUNK)
        packed = expander.unused_data if expander.eof else b""


def _inflate(stream: BinaryIO, window: int) -> Iterator[bytes]:
    """Inflate one stream after the other, since joblib's loader does, and gzip's."""
    packed, inflater = b"", zlib.decompressobj(window)
    while packed or (packed := stream.read(_CHUNK)):
        if inflater.eof:
            inflater = zlib.decompressobj(window)
        yield inflater.decompress(packed, _CHUNK)
        packed = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    yield inflater.flush()
    if not inflater.eof:
        raise EOFError("it ends early")


def _compressed(
    opener: Callable[[BinaryIO], Iterator[bytes]], stream: BinaryIO, name: str, trust: Trust, depth: int
) -> Look | None:
    from heavylift.models.scanning import look_at

    stream.seek(0)
    chunks = opener(stream)
    try:
        first = next(chunks)
    except zlib.error:
        # Not one byte comes out for anybody: "x^2" begins a text.
        return None
    except _DAMAGED as error:
        return _unreadable(name, "compressed file", error)
    try:
        with _spooled(chain((first,), chunks)) as inner:
            look = look_at(inner, _size(inner), name, trust, depth + 1)
    except _DAMAGED as error:
        return _unreadable(name, "compressed file", error)
    look.kind = f"compressed {look.kind}"
    return look


def _zip(stream: BinaryIO, name: str, trust: Trust, depth: int) -> Look:
    try:
        with zipfile.ZipFile(stream) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if sum(each.file_size for each in members) > MAX_EXPANDED_BYTES:
                raise _TooLargeError(f"more than {MAX_EXPANDED_BYTES} bytes")
            return _members(archive, members, name, trust, depth)
    except (*_DAMAGED, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        # RuntimeError: it is encrypted, or packed by a method that this Python does not know.
        return _unreadable(name, "zip archive", error)


def _members(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str, trust: Trust, depth: int
) -> Look:
    from heavylift.models.scanning import look_at

    names = {each.filename for each in members}
    kind = _kind_of(names)
    look = Look(name, kind, understood=True)
    if len(names) != len(members):
        # Which of the two a loader takes, only that loader knows.
        look.understood = False
        look.add("unscanned-file", "two of its members have one name")
    raw = _bare(archive, members, kind)
    for member in members:
        if leads_out(member.filename):
            look.add("path-outside", f"its member {member.filename[:200]!r} would be unpacked elsewhere")
        if member.filename in raw:
            continue
        if kind == _SCRIPT and PROGRAM.match(member.filename):
            _program(archive, member, look)
            continue
        with archive.open(member) as opened, _spooled(_chunks(opened)) as inner:
            inside = look_at(inner, _size(inner), f"{name}!{member.filename}", trust, depth + 1)
        look.understood &= inside.understood
        look.suspicions += inside.suspicions
        if not inside.understood and not inside.suspicions:
            look.add("unscanned-file", f"its member {member.filename} is not understood ({inside.kind})")
    _by_kind(archive, members, look, trust)
    return look


def _by_kind(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], look: Look, trust: Trust) -> None:
    """Read what the members of an archive mean together."""
    names = {each.filename for each in members}
    if look.kind == _PROGRAM:
        _graphs(archive, members, look)
    elif look.kind == _SCRIPT:
        _compiled(archive, members, look)
    elif look.kind == _KERAS:
        for strange in sorted(each for each in names if not _OF_KERAS.match(each))[:MOST_NAMED]:
            look.understood = False
            look.add("unscanned-file", f"its member {strange[:200]!r} is none that Keras writes")
    for told in sorted({"schema.json", "config.json"} & names):
        if archive.getinfo(told).file_size > _MAX_JSON:
            look.understood = False
            look.add("unscanned-file", f"its member {told} is too long to be read")
            return
    if "schema.json" in names:
        _skops(archive, look, trust)
    if "config.json" in names:
        demanded = look.kind == _KERAS
        judge_config(look, archive.read("config.json"), trust, "config.json", demanded=demanded)


def _kind_of(names: set[str]) -> str:
    if is_exported(names):
        return _PROGRAM
    if any(each.endswith("data.pkl") for each in names):
        script = any(CONSTANTS.match(each) for each in names) and any(PROGRAM.match(each) for each in names)
        return _SCRIPT if script else _TORCH
    if "schema.json" in names:
        return "skops"
    return _KERAS if {"config.json", "metadata.json"} <= names else "zip archive"


def _bare(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], kind: str) -> set[str]:
    """Return the members that the archive's loader reads as the bytes of tensors."""
    if kind == _PROGRAM:
        return _raw_of_program(archive, members)
    tensors = {_TORCH: _TENSOR, _SCRIPT: _SCRIPT_TENSOR}.get(kind)
    return {each.filename for each in members if tensors and tensors.search(each.filename)}


def _program(archive: zipfile.ZipFile, member: zipfile.ZipInfo, look: Look) -> None:
    """Read one text of a program of TorchScript."""
    with archive.open(member) as opened:
        content = opened.read(MOST_TEXT + 1)
    for rule, detail in script_problems(content):
        look.understood &= rule != "unscanned-file"
        look.add(rule, f"its member {member.filename}: {detail}")


_ACCELERATORS = (
    (re.compile(rb"\bops\.neuron\w*\.|torch\.classes\.neuron"), "AWS Neuron"),
    (re.compile(rb"torch\.classes\.tensorrt\.|\bops\.tensorrt\."), "TensorRT"),
)
"""What TorchScript calls where a compiler has put a program for one accelerator into it."""


def _compiled(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], look: Look) -> None:
    """Note where a program of TorchScript holds one that was compiled for an accelerator."""
    for member in members:
        if "/code/" not in member.filename or not member.filename.endswith(".py"):
            continue
        with archive.open(member) as opened:
            text = opened.read(_MAX_JSON)
        for pattern, name in _ACCELERATORS:
            if pattern.search(text):
                look.add("compiled-artifact", f"its member {member.filename} is compiled for {name}")


def _raw_of_program(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> set[str]:
    """Return the members of an exported program that its loader reads as bytes of tensors."""
    told = [each for each in members if each.filename.endswith("_config.json")]
    return raw_tensors({each.filename: archive.read(each) for each in told if each.file_size <= _MAX_JSON})


def _graphs(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], look: Look) -> None:
    """Note what the graphs of an exported program would have their loader do."""
    for member in members:
        if not member.filename.endswith(".json") or member.filename.endswith("_config.json"):
            continue
        if member.file_size > _MAX_JSON:
            look.understood = False
            look.add("unscanned-file", f"its member {member.filename} is too long to be read")
            continue
        for rule, detail in dict.fromkeys(graph_problems(archive.read(member))):
            look.understood &= rule != "unscanned-file"
            look.add(rule, detail)


def _skops(archive: zipfile.ZipFile, look: Look, trust: Trust) -> None:
    """Read the types that a skops file makes objects of."""
    try:
        schema = json.loads(archive.read("schema.json"))
    except (ValueError, RecursionError):
        look.understood = False
        look.add("unscanned-file", "its schema.json cannot be read")
        return
    names: list[Global] = []
    loaders: set[str] = set()
    try:
        for node in _nodes(schema):
            names += _named(node)
            loaders.add(str(node.get("__loader__", "")))
    except RecursionError:
        look.understood = False
    judge_names(look, names, trust, "the file")
    strange = sorted(loader for loader in loaders - _SKOPS_LOADERS if loader)
    if strange:
        look.understood = False
        look.add("unscanned-file", f"nodes of kinds that are not known: {', '.join(strange[:8])}")


_MARKS = frozenset({"__class__", "__loader__", "module_path"})
"""What the parts of a skops file have whose loader imports something, in any version of its protocol."""


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if not _MARKS.isdisjoint(item):
                yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _named(node: dict[str, Any]) -> Iterator[Global]:
    if "module_path" in node:
        yield Global(str(node["module_path"]), str(node.get("function")))
    content = node.get("content")
    method = str(content.get("func", "")) if isinstance(content, dict) else ""
    if node.get("__loader__") == "MethodNode" and method.startswith("_"):
        # A way through attributes: to globals, to subclasses.
        yield Global(str(node.get("__module__")), f"{node.get('__class__')}.{method}")
    kind, module = node.get("__class__"), node.get("__module__")
    # A node without a class points to one that was read before.
    if kind is not None and (module, kind) != ("builtins", "NoneType"):
        yield Global(str(module), str(kind))


def _spooled(chunks: Iterator[bytes]) -> BinaryIO:
    """Return what ``chunks`` are, to be read and sought in; on disk where it is large."""
    made: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    total = 0
    try:
        for chunk in chunks:
            total += len(chunk)
            if total > MAX_EXPANDED_BYTES:
                raise _TooLargeError(f"more than {MAX_EXPANDED_BYTES} bytes")
            made.write(chunk)
    except BaseException:
        made.close()
        raise
    made.seek(0)
    return cast("BinaryIO", made)


def _size(stream: BinaryIO) -> int:
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


def _unreadable(name: str, kind: str, error: Exception) -> Look:
    look = Look(name, kind, understood=False)
    look.add("unscanned-file", f"the {kind} cannot be read ({type(error).__name__}: {str(error)[:100]})")
    return look
