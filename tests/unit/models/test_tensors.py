"""A file of tensors is held against the model's, bit by bit."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest

from heavylift.models.tensors import compare_tensors, read_tensors

ONE, TWO = b"\x00\x00\x80\x3f" * 2, b"\x01"


def written(
    path: Path, tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str] | None = None
) -> Path:
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    content = b""
    for name, (kind, shape, body) in tensors.items():
        end = len(content) + len(body)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(content), end]}
        content += body
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def told(name: str, kind: str, shape: tuple[int, ...], body: bytes) -> tuple[str, str, tuple[int, ...], str]:
    return name, kind, shape, hashlib.sha256(body).hexdigest()


SOURCE = [told("a", "F32", (2,), ONE), told("b", "BOOL", (1,), TWO), told("tied", "F32", (2,), ONE)]
HELD = {"a": ("F32", [2], ONE), "b": ("BOOL", [1], TWO)}


def test_tensors_that_are_one_are_held_once(tmp_path: Path) -> None:
    file = read_tensors(written(tmp_path / "w", HELD, {"format": "pt", "tied": "a"}))
    compared = compare_tensors(SOURCE, file)
    assert [(each.name, each.same_as, each.equal) for each in compared] == [
        ("a", "", True),
        ("b", "", True),
        ("tied", "a", True),
    ]


@pytest.mark.parametrize(
    ("held", "metadata", "differing"),
    [
        (HELD, {}, ["tied"]),
        (HELD | {"b": ("BOOL", [1], b"\x00")}, {"tied": "a"}, ["b"]),
        (HELD | {"a": ("F32", [2, 1], ONE)}, {"tied": "a"}, ["a", "tied"]),
        (HELD | {"a": ("I32", [2], ONE)}, {"tied": "a"}, ["a", "tied"]),
        (HELD | {"c": ("BOOL", [1], TWO)}, {"tied": "a"}, ["c"]),
        ({"a": HELD["a"]}, {"tied": "a"}, ["b"]),
        ({"b": HELD["b"]}, {"tied": "a"}, ["a", "tied"]),
    ],
)
def test_each_difference_is_named(
    tmp_path: Path,
    held: dict[str, tuple[str, list[int], bytes]],
    metadata: dict[str, str],
    differing: list[str],
) -> None:
    compared = compare_tensors(SOURCE, read_tensors(written(tmp_path / "w", held, metadata)))
    assert [each.name for each in compared if not each.equal] == differing


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "w", HELD)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="ends early"):
        read_tensors(path)
