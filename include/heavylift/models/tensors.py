"""Reads safetensors files as data, and holds them against the tensors of the model that they were made of."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heavylift.evidence.model_records import ComparedTensor

_CHUNK = 2**22
Told = tuple[str, str, tuple[int, ...], str]
"""Name, kind, shape and SHA-256 of a tensor."""


@dataclass(frozen=True)
class TensorFile:
    """What a safetensors file holds.

    :param tensors: by name.
    :param same: further names → the tensor that stands for them.
    """

    tensors: Mapping[str, Told]
    same: Mapping[str, str]


def read_tensors(path: Path) -> TensorFile:
    """Read a safetensors file from beginning to end; that it is one was looked at before.

    :raises ValueError: it is none.
    """
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
        told = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            stream.seek(8 + length + begin)
            found = hashlib.sha256()
            left = end - begin
            while left:
                chunk = stream.read(min(left, _CHUNK))
                if not chunk:
                    raise ValueError(f"{name} ends early")
                found.update(chunk)
                left -= len(chunk)
            told[name] = (name, str(entry["dtype"]), tuple(entry["shape"]), found.hexdigest())
    same = {
        str(name): str(first)
        for name, first in header.get("__metadata__", {}).items()
        if first in told and name not in told
    }
    return TensorFile(told, same)


def compare_tensors(source: Sequence[Told], file: TensorFile) -> list[ComparedTensor]:
    """Hold each tensor of the source against the file's, and name those that are the file's alone."""
    compared = []
    for name, kind, shape, sha256 in source:
        there = file.tensors.get(file.same.get(name, name))
        compared.append(
            ComparedTensor(
                name=name,
                kind=kind,
                shape=shape,
                sha256=sha256,
                there=there[3] if there else "",
                same_as=file.same.get(name, ""),
                equal=there is not None and there[1:] == (kind, shape, sha256),
            )
        )
    known = {name for name, *_rest in source}
    for name, kind, shape, sha256 in file.tensors.values():
        if name not in known:
            compared.append(
                ComparedTensor(name=name, kind=kind, shape=shape, sha256="", there=sha256, equal=False)
            )
    return compared
