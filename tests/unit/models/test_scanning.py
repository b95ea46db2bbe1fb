"""Every file is looked at without being loaded: what acts is found, what is not understood blocks."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest

from heavylift.models.looking import Look, Trust
from heavylift.models.scanning import look_at
from tests.unit.models.pickles import HARMLESS, SYSTEM, WICKED, calling, skops, zipped

NOBODY = Trust()


def look(data: bytes, name: str = "model.pkl", trust: Trust = NOBODY) -> Look:
    return look_at(io.BytesIO(data), len(data), name, trust)


def rules(found: Look) -> set[str]:
    return {each.rule for each in found.suspicions}


@pytest.mark.parametrize("what", WICKED)
@pytest.mark.parametrize("name", ["model.pkl", "notes.txt", "weights.bin", "schema"])
def test_what_acts_on_its_loader_is_found_whatever_its_name(what: str, name: str) -> None:
    assert "malicious-code" in rules(look(WICKED[what], name))


@pytest.mark.parametrize("what", HARMLESS)
def test_what_holds_data_only_passes(what: str) -> None:
    found = look(HARMLESS[what])
    assert (found.kind, found.understood, found.suspicions) == ("pickle", True, [])


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress, lambda data: zipped(inner=data)]
)
def test_packing_hides_nothing(pack: object) -> None:
    assert callable(pack)
    assert "malicious-code" in rules(look(pack(SYSTEM), "model.joblib"))
    assert "malicious-code" in rules(look(pack(pack(SYSTEM)), "model.joblib"))


def test_an_archive_behind_another_file_is_looked_into() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
    found = look(picture + zipped(inner=SYSTEM), "model.skops")
    assert (found.kind, rules(found)) == ("png", {"malicious-code"})
    assert rules(look(picture, "model.png")) == set()


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_cannot_be_expanded_is_not_understood(packing: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        archive.writestr("weights.bin", bytes(range(256)) * 40)
    data = bytearray(made.getvalue())
    for at in range(60, len(data) - 120):
        data[at] ^= 0x5A
    assert not look(bytes(data), "model.zip").understood


def test_an_archive_that_is_encrypted_or_packed_in_an_unknown_way_is_not_understood() -> None:
    sound = zipped(weights=b"\x00" * 16)
    for name, flags, method in (("encrypted", 1, 0), ("unknown", 0, 97)):
        data = bytearray(sound)
        for at, start in ((0, 6), (sound.index(b"PK\x01\x02"), 8)):
            data[at + start] |= flags
            data[at + start + 2] = method
        assert not look(bytes(data), "model.zip").understood, name


def test_what_is_packed_too_often_is_not_understood() -> None:
    data = SYSTEM
    for _ in range(6):
        data = gzip.compress(data)
    assert not look(data).understood


def test_a_torch_archive_is_looked_into() -> None:
    wicked = zipped(archive__data_dot_pkl=SYSTEM, archive__data__0=b"\x00" * 16, archive__version=b"3\n")
    assert "malicious-code" in rules(look(wicked, "model.pt"))
    sound = zipped(
        archive__data_dot_pkl=calling("collections", "OrderedDict"),
        archive__data__0=b"\x9f" * 16,
        archive__version=b"3\n",
    )
    found = look(sound, "model.pt")
    assert (found.kind, found.understood, rules(found)) == ("torch archive", True, set())


def test_an_array_of_objects_is_a_pickle() -> None:
    made = io.BytesIO()
    np.save(made, np.arange(5.0))
    assert look(made.getvalue(), "a.npy").understood
    # Whatever numpy's reader takes for objects is followed by a pickle.
    for kind in ("|O", "O8", "<O8", "object", [("a", "<O8")], [("a", [("b", "O8")])]):
        text = repr({"descr": kind, "fortran_order": False, "shape": (1,)}).encode().ljust(118) + SYSTEM
        assert "malicious-code" in rules(look(b"\x93NUMPY\x01\x00\x76\x00" + text, "a.npy")), kind
    for sound in (
        np.zeros(2, "f8,(2,)i4"),
        np.array(["x"]),
        np.array(["2026-01-01"], "M8[ns]"),
        np.ones(2) > 0,
    ):
        made = io.BytesIO()
        np.save(made, sound)
        found = look(made.getvalue(), "a.npy")
        assert (found.understood, found.suspicions) == (True, [])


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([("sklearn.linear_model._logistic", "LogisticRegression"), ("builtins", "str")], set()),
        ([("sklearn.tree._tree", "Tree")], set()),
        ([("os", "system")], {"malicious-code"}),
        ([("builtins", "eval")], {"malicious-code"}),
        ([("mine.code", "Model")], {"unknown-global"}),
    ],
)
def test_skops_files_are_judged_by_their_types(types: list[tuple[str, str]], expected: set[str]) -> None:
    found = look(skops(*types), "model.skops")
    assert (found.kind, rules(found)) == ("skops", expected)


@pytest.mark.parametrize(
    "node",
    [
        # The first version of the protocol imports what the content names, not what the node does.
        {"__loader__": "FunctionNode", "content": {"module_path": "os", "function": "system"}},
        {"__loader__": "MethodNode", "content": {"obj": {}, "func": "__globals__"}},
    ],
)
def test_what_skops_imports_by_a_content_is_judged(node: dict[str, Any]) -> None:
    schema = {"protocol": 0, "__class__": "log", "__module__": "numpy", **node}
    assert "malicious-code" in rules(look(zipped(schema_dot_json=json.dumps(schema).encode()), "m.skops"))


def test_an_unknown_name_needs_a_person_and_a_known_danger_is_not_to_be_had() -> None:
    unknown = calling("mine.model", "Scorer")
    assert rules(look(unknown)) == {"unknown-global"}
    assert not rules(look(unknown, trust=Trust(frozenset({"mine.model.Scorer"}))))
    assert "malicious-code" in rules(look(SYSTEM, trust=Trust(frozenset({"posix.system"}))))


def safetensors(extra: bytes = b"") -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 8 + extra


@pytest.mark.parametrize(
    ("data", "name", "kind", "understood"),
    [
        (safetensors(), "w.safetensors", "safetensors", True),
        (safetensors(SYSTEM), "w.safetensors", "unknown", False),
        (b"PAR1....PAR1", "x.parquet", "parquet", True),
        (b"{L\0\0\0\0\0\0\0\7learner[$l#L\0\0\0\0\0\0\0\1\0\0\0\5}", "model.ubj", "ubjson", True),
        (b'{"a": 1}', "x.json", "text", True),
        (b"", "empty", "text", True),
        (b"\x00\x01\x02\x03" * 50, "weights.dat", "unknown", False),
    ],
)
def test_formats_are_told_by_their_content(data: bytes, name: str, kind: str, understood: bool) -> None:
    found = look(data, name)
    assert (found.kind, found.understood, found.suspicions) == (kind, understood, [])


@pytest.mark.parametrize(
    ("data", "name", "rule"),
    [
        (b"\x7fELF\x02", "libmodel.so", "native-code"),
        (b"ftrt\x00\x01", "model.bin", "compiled-artifact"),
        (b"\x00\x01", "model.plan", "compiled-artifact"),
        (b"\x01\x02", "model.neff", "compiled-artifact"),
        (b"x = 1\n", "code/model.py", "custom-code"),
        (b"#!/bin/sh\n", "run", "custom-code"),
        (b"\x80\x04\x95\x00", "model.pkl", "damaged-pickle"),
    ],
)
def test_what_is_more_than_data_is_named(data: bytes, name: str, rule: str) -> None:
    assert rule in rules(look(data, name))


@pytest.mark.parametrize(
    "text", ["Read me.\n", "name: x\ncats\nare\nR\n", "c,d\n1,2\n", "(see above)\n", "import duties\n"]
)
def test_plain_text_is_no_pickle(text: str) -> None:
    found = look(text.encode(), "README.txt")
    assert (found.kind, found.suspicions) == ("text", [])


def test_arrays_that_joblib_writes_between_opcodes_are_stepped_over(tmp_path: object) -> None:
    import joblib

    made = io.BytesIO()
    # Bytes that are opcodes, and end a pickle, lie in the arrays.
    joblib.dump(
        {"a": np.frombuffer(b"cos\nsystem\n." * 8, np.uint8), "b": np.arange(40.0).reshape(5, 8), "c": "end"},
        made,
    )
    found = look(made.getvalue(), "model.joblib")
    assert (found.kind, found.understood, found.suspicions) == ("pickle", True, [])


def test_objects_in_an_array_of_joblib_are_looked_at() -> None:
    import joblib

    made = io.BytesIO()
    joblib.dump(np.array([{1, 2}, "x"], dtype=object), made)
    assert look(made.getvalue()).suspicions == []
    poisoned = made.getvalue()[: made.getvalue().index(b"\x80", 1)] + SYSTEM
    assert "malicious-code" in rules(look(poisoned))


def test_models_of_scikit_learn_pass_as_pickles() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = np.random.default_rng(1).normal(size=(30, 3)), [0, 1] * 15
    for model in (
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(n_estimators=3, random_state=0),
    ):
        found = look(pickle.dumps(model.fit(rows, labels)))
        assert (found.kind, found.understood, found.suspicions) == ("pickle", True, [])


def test_tables_with_texts_pass_and_arrow_s_other_names_do_not() -> None:
    import pandas as pd

    table = pd.DataFrame({"k": pd.array(["x", "y"], dtype=pd.StringDtype("pyarrow")), "n": [1.0, 2.0]})
    data = pickle.dumps(table)
    assert b"_restore_array" in data
    found = look(data)
    assert (found.kind, found.understood, found.suspicions) == ("pickle", True, [])
    for name in ("_reconstruct_record_batch", "PythonFile", "memory_map", "foreign_buffer"):
        assert rules(look(calling("pyarrow.lib", name, "x"))) == {"unknown-global"}, name


def of_torch(program: bytes, **members: bytes) -> bytes:
    return zipped(**{"archive/data.pkl": program, **members})


def naming(*names: tuple[str, str]) -> bytes:
    """Return a pickle of protocol 2 that names globals and calls each with nothing."""
    return b"\x80\x02" + b"".join(f"c{module}\n{name}\n)R0".encode() for module, name in names) + b"N."


def test_layers_of_pytorch_are_data_and_what_is_beside_them_is_not() -> None:
    layers = naming(("torch.nn.modules.linear", "Linear"), ("torch.nn.functional", "gelu"))
    found = look(of_torch(layers), "model.pth")
    assert (found.kind, found.understood, found.suspicions) == ("torch archive", True, [])
    for name in (("torch.nn.modules.utils", "_load"), ("torch.nn.utils.prune", "custom"), ("mine", "Net")):
        assert rules(look(of_torch(naming(name)), "model.pth")) == {"unknown-global"}
    assert "malicious-code" in rules(look(of_torch(naming(("torch.hub", "load"))), "model.pth"))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (b"def forward(self, x: Tensor) -> Tensor:\n  return torch.relu(ops.prim.data(x))\n", set()),
        (
            b'class N(Module):\n  w : Tensor\n  n : Final[int] = 3\n  __annotations__["0"] = __torch__.x\n',
            set(),
        ),
        (b"y = ops.neuron.forward_v2([x])\n", {"custom-operators", "compiled-artifact"}),
        (b"e : __torch__.torch.classes.tensorrt.Engine\n", {"custom-operators", "compiled-artifact"}),
        (b"y = ops.mine.act(x)\n", {"custom-operators"}),
        (b'y = torch.from_file("/etc/passwd", True, 9)\n', {"malicious-code"}),
        (b'ops.aten.save(x, "/tmp/x")\n', {"malicious-code"}),
        (b'y = "/tmp/x".from_file(True, 9)\n', {"malicious-code"}),
        (b'# a remark\ry = torch.from_file("/x")\n', {"malicious-code", "unscanned-file"}),
        (b"y = ^Act()(x)\n", {"malicious-code", "unscanned-file"}),
        (b"import os\n", {"unscanned-file"}),
        (b"y = lambda: 1\n", {"unscanned-file"}),
        (b"y = (\n", {"unscanned-file"}),
        (b"y = 1\n" * 2_000_000, {"unscanned-file"}),
    ],
)
def test_torchscript_computes_or_is_told(code: bytes, found: set[str]) -> None:
    named = naming(("__torch__.net", "Net"), ("torch.jit._pickle", "build_intlist"))
    members = {"archive/code/net.py": code, "archive/constants.pkl": named}
    seen = look(of_torch(named, **members, **{"archive/constants/0": b"\xff\0\xff"}), "model.pt")
    assert (seen.kind, rules(seen)) == ("TorchScript", found)
    assert seen.understood == ("unscanned-file" not in found)


@pytest.mark.parametrize(
    "name",
    [
        ("lightgbm.basic", "NamedTemporaryFile"), ("sklearn.callback._transport", "Client"),
        ("sklearn.metrics._ranking", "partial"), ("xgboost.sklearn", "ThreadPoolExecutor"),
        ("sklearn.utils.parallel", "Parallel"), ("sklearn.base", "ABCMeta"),
        # Both evaluate texts of theirs when they are loaded.
        ("scipy.stats._distn_infrastructure", "rv_continuous_frozen"),
        ("statsmodels.base.data", "PandasData"),
    ],
)  # fmt: skip
def test_what_a_library_has_imported_or_evaluates_is_not_known(name: tuple[str, str]) -> None:
    assert rules(look(naming(name))) == {"unknown-global"}


@pytest.mark.parametrize(
    "name",
    [
        "pandas.DataFrame", "pandas.Index", "pandas.arrays.DatetimeArray", "pandas.CategoricalDtype",
        "pandas._libs.tslibs.timestamps._unpickle_timestamp", "numpy.number", "pathlib.PosixPath",
        "sklearn.compose._column_transformer.make_column_selector", "argparse.Namespace",
        "torch._utils._rebuild_tensor_v3", "torch.float8_e4m3fn", "types.SimpleNamespace",
    ],
)  # fmt: skip
def test_what_models_keep_of_other_libraries_passes(name: str) -> None:
    module, _, last = name.rpartition(".")
    assert rules(look(calling(module, last))) == set()


@pytest.mark.parametrize(
    "name", ["pandas.read_pickle", "pandas.eval", "pandas.arrays.os", "torch.storage._load_from_bytes"]
)
def test_other_names_of_those_libraries_block(name: str) -> None:
    module, _, last = name.rpartition(".")
    assert rules(look(calling(module, last, "x"))) & {"unknown-global", "malicious-code"}


class Made:
    """What is pickled as a call, with a state that the result is given."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


def kind(of: str, *state: Any) -> Made:
    return Made(np.dtype, (of, False, True), (3, "|", *state))


SCALAR, OBJECTS, ADDRESS = np._core.multiarray.scalar, np.dtype("O"), b"A" * 8


@pytest.mark.parametrize(
    "made",
    [
        Made(np.ndarray, ((1,), OBJECTS, ADDRESS)),
        Made(SCALAR, (kind("V8", None, ("a",), {"a": (OBJECTS, 0)}, 8, 1, 0), ADDRESS)),
        Made(SCALAR, (kind("O8", None, None, None, -1, -1, 0), ADDRESS)),
        kind("V16", (OBJECTS, (2,)), None, None, 16, 8, 0),
        # A type that another call gives back is one as well.
        Made(SCALAR, (OBJECTS, np.dtype("V8")), (3, "|", None, ("a",), {"a": (OBJECTS, 0)}, 8, 1, 0)),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_bytes_that_numpy_would_take_for_addresses_are_malicious(made: Made, protocol: int) -> None:
    assert "malicious-code" in rules(look(pickle.dumps(made, protocol)))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_types_as_numpy_keeps_them_pass(protocol: int) -> None:
    of_objects = np.array([(1, "x", 2)], [("a", "f8"), ("b", "O"), ("c", "i4", (2,))])
    for array in (of_objects, np.zeros(2, "f8,i4"), np.array(["2026-01-01"], "M8[D]"), np.array([None])):
        assert rules(look(pickle.dumps(array, protocol))) == set()


@pytest.mark.parametrize(
    "header",
    [
        '{"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 4]}}',
        '{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "U8", "shape": [1], "data_offsets": [3, 4]}}',
        '{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "U8", "shape": [2],'
        ' "data_offsets": [2, 4]}}',
        '{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}, "a": {"dtype": "F32", "shape": [1],'
        ' "data_offsets": [0, 4]}}',
        '{"__metadata__": {"x": {}}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
        '{"a": 4}',
    ],
)
def test_a_header_of_safetensors_that_leaves_something_out_is_not_understood(header: str) -> None:
    found = look(len(header).to_bytes(8, "little") + header.encode() + b"\0\0\0\0", "m.safetensors")
    assert not found.understood


@pytest.mark.parametrize("kind", ["<f8", ">i4", "|b1", "<U5", [("a", "<f8"), ("b", "<i4", (2,))]])
@pytest.mark.parametrize("shape", [(), (0,), (3, 2)])
def test_what_follows_an_array_of_numbers_is_not_passed_by(kind: Any, shape: tuple[int, ...]) -> None:
    kept = io.BytesIO()
    np.save(kept, np.zeros(shape, kind))
    assert look(kept.getvalue(), "a.npy").understood
    assert not look(kept.getvalue() + SYSTEM, "a.npy").understood
