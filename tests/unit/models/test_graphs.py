"""Graphs of ONNX and TensorFlow are read without either: files that they reach for, operators that act."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from heavylift.models.layout import read_layout
from heavylift.models.looking import Look, Trust
from heavylift.models.scanning import look_at, look_at_files


def part(number: int, *content: bytes | str) -> bytes:
    """Return a field of protobuf that holds a text or a message."""
    data = b"".join(each.encode() if isinstance(each, str) else each for each in content)
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def look(data: bytes, name: str) -> Look:
    return look_at(io.BytesIO(data), len(data), name, Trust())


def rules(found: Look) -> set[str]:
    return {each.rule for each in found.suspicions}


def onnx(location: str, *, nested: bool = False, domain: str = "") -> bytes:
    tensor = part(13, part(1, "location"), part(2, location))
    graph = part(5, tensor) if not nested else part(1, part(5, part(6, part(1, part(5, part(5, tensor))))))
    return b"\x08\x09" + part(7, graph) + part(8, part(1, domain))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("w.data", set()), ("../../etc/passwd", {"path-outside"}), ("/etc/passwd", {"path-outside"}),
        ("a/../../b", {"path-outside"}), ("https://x/y", {"path-outside"}),
    ],
)  # fmt: skip
def test_tensors_of_onnx_lie_beside_it(location: str, nested: bool, found: set[str]) -> None:
    seen = look(onnx(location, nested=nested), "m.onnx")
    assert (seen.kind, rules(seen), seen.tensors_in) == ("onnx", found, (location,))
    assert rules(look(onnx("w", domain="mine"), "m.onnx")) == {"custom-operators"}


@pytest.mark.parametrize(
    "entry",
    [
        part(2, "../x") + part(1, "location"),
        part(1, "offset") + part(2, "../x") + part(1, "location"),
        part(1, "location") + part(2, "w") + part(2, "../x"),
        # ONNX Runtime takes the offset for an address in its own memory.
        part(1, "location") + part(2, "*/_ORT_MEM_ADDR_/*"),
    ],
)
def test_a_place_of_tensors_is_found_however_it_is_written(entry: bytes) -> None:
    graph = part(7, part(5, part(13, part(1, "offset"), part(2, "0")) + part(13, entry)))
    assert "path-outside" in rules(look(b"\x08\x09" + graph + part(8, part(1, "")), "m.onnx"))


def test_a_file_of_tensors_is_understood_where_a_graph_names_it(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(onnx("w.data"))
    (tmp_path / "w.data").write_bytes(b"\xff\0\xfe" * 9)
    (tmp_path / "other.data").write_bytes(b"\xff\0\xfe" * 9)
    names = ("m.onnx", "other.data", "w.data")
    seen = {each.path: each.understood for each in look_at_files(tmp_path, names, Trust())}
    assert seen == {"m.onnx": True, "other.data": False, "w.data": True}
    assert read_layout(tmp_path, names).form == "onnx"
    [alone] = look_at_files(tmp_path, ("m.onnx",), Trust())
    assert rules(alone) == {"file-absent"}


def node(name: str, operator: str, first: str = "", function: str = "") -> bytes:
    called = part(5, part(1, "f"), part(2, part(10, part(1, function)))) if function else b""
    return part(1, name) + part(2, operator) + (part(3, first) if first else b"") + called


def function(name: str, *operators: str, calls: str = "") -> bytes:
    inner = [part(3, node(each, each)) for each in operators]
    inner += [part(3, node("call", "PartitionedCall", "x", calls))] if calls else []
    return part(1, part(1, part(1, name)), *inner)


CALL = "StatefulPartitionedCall"


def saved(
    *more: bytes,
    operators: tuple[str, ...] = ("MatMul", "AddV2"),
    calls: str = "",
    place: str = "Placeholder",
    restoring: tuple[str, ...] = ("RestoreV2",),
    nodes: tuple[bytes, ...] = (),
) -> bytes:
    """Return a SavedModel as TensorFlow writes them: a function, one that saves and one that restores."""
    functions = part(
        2,
        function("serve", *operators, calls=calls),
        function("save", "ShardedFilename", "SaveV2", "MergeV2Checkpoints"),
        function("restore", *restoring),
    )
    graph = [
        node("saver_filename", place), node("x", "Placeholder"), node(CALL, CALL, "x", "serve"),
        node(f"{CALL}_1", CALL, "saver_filename", "save"),
        node(f"{CALL}_2", CALL, "saver_filename:0", "restore"),
        *nodes,
    ]  # fmt: skip
    saver = part(3, part(1, "saver_filename:0"), part(2, f"{CALL}_1:0"), part(3, f"{CALL}_2"))
    return b"\x08\x01" + part(2, part(2, *(part(1, each) for each in graph), functions), saver, *more)


def test_a_saved_model_that_computes_passes() -> None:
    found = look(saved(), "saved_model.pb")
    assert (found.kind, found.understood, found.suspicions) == ("SavedModel", True, [])


@pytest.mark.parametrize(
    ("graph", "rule"),
    [
        (saved(operators=("WriteFile",)), "malicious-code"),
        (saved(operators=("ReadFile",)), "malicious-code"),
        (saved(operators=("EagerPyFunc",)), "malicious-code"),
        (saved(operators=("PyFuncStateless",)), "malicious-code"),
        (saved(operators=("PrintV2",)), "malicious-code"),
        (saved(operators=("MineOfMine",)), "unscanned-file"),
        (saved(operators=("InitializeTableFromTextFileV2",)), "unscanned-file"),
        (saved(nodes=(node("w", "WriteFile"),)), "malicious-code"),
        (saved(nodes=(node("w", "SaveV2"),)), "unscanned-file"),
        # Saving and restoring that is asked for elsewhere than in the saver's own place.
        (saved(operators=("SaveV2",)), "malicious-code"),
        (saved(calls="save"), "malicious-code"),
        (saved(operators=("restore",)), "malicious-code"),
        (saved(nodes=(node("w", CALL, "x", "save"),)), "malicious-code"),
        (saved(nodes=(node("w", "save", "x"),)), "malicious-code"),
        (saved(place="Const"), "malicious-code"),
        (saved(restoring=("RestoreV2", "SaveV2")), "malicious-code"),
        (saved(part(6, part(2, "../../etc/passwd"))), "path-outside"),
        (saved(part(7, b'..{"class_name": "Lambda", "config": {}}')), "malicious-code"),
        (saved(part(7, b'..{"class_name": "\\u004cambda"}')), "malicious-code"),
    ],
)
def test_a_saved_model_that_does_more_blocks(graph: bytes, rule: str) -> None:
    found = look(graph, "saved_model.pb")
    assert rules(found) == {rule}
    assert found.understood == (rule != "unscanned-file")


def test_a_saved_model_that_is_cut_is_not_understood() -> None:
    for data in (saved()[:-3], b"\x08\x01" + part(2, b"\xff"), saved() + b"\xff"):
        assert not look(data, "saved_model.pb").understood


def test_the_parts_of_a_saved_model_are_understood_beside_it(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    for name in ("variables/variables.index", "variables/variables.data-00000-of-00001", "variables/else"):
        (tmp_path / name).write_bytes(b"\0\xff\xfe" * 9)
    (tmp_path / "saved_model.pb").write_bytes(saved())
    names = tuple(sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()))
    seen = {each.path for each in look_at_files(tmp_path, names, Trust()) if not each.understood}
    assert seen == {"variables/else"}
    layout = read_layout(tmp_path, names, ("tensorflow==2.21.0",))
    assert (layout.form, layout.flavors) == ("savedmodel", ("tensorflow",))
