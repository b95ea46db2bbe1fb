"""Where joblib and the scanner could see different bytes: what stands for an array is told for certain."""

from __future__ import annotations

import io
import struct
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from heavylift.models.looking import Look, Trust
from heavylift.models.scanning import look_at


def look(data: bytes) -> Look:
    return look_at(io.BytesIO(data), len(data), "model.joblib", Trust())


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


PLACE = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
FIVE_BYTES = (
    b"cnumpy\ndtype\n" + text("V5") + b"\x89\x88\x87R(K\x03" + text("|") + b"NNNJ\x05\0\0\0K\x01K\0tb"
)
ATTRIBUTES = (
    text("subclass") + b"cnumpy\nndarray\n" + text("shape") + b"K\x01\x85" + text("order") + text("C")
    + text("dtype") + FIVE_BYTES + text("allow_mmap") + b"\x89"
)  # fmt: skip
STATE = b"}(" + ATTRIBUTES + b"u"
ACT = b"cposix\nsystem\n" + text("true") + b"\x85R."
HIDDEN = b"B" + struct.pack("<I", len(ACT)) + ACT + b"."
"""Five bytes that joblib takes for the array, and what it would do next: for pickle, one long value."""

DISGUISED = {
    "an object of another class": (
        b"cargparse\nNamespace\n)\x81(" + STATE + b"}(" + text("__class__") + PLACE + b"utb"
    ),
    "made by a function of pandas": (
        b"cpandas.core.indexes.base\n_new_Index\n(" + PLACE + b"}tR" + STATE + b"b"
    ),
    "made by a function of scikit-learn": (
        b"csklearn.neighbors._kd_tree\nnewObj\n(" + PLACE + b"tR" + STATE + b"b"
    ),
    "handed over in a list": (
        b"cpandas.core.indexes.base\n_new_Index\ncbuiltins\ntuple\n](" + PLACE + b"}e\x85RR" + STATE + b"b"
    ),
    "handed through a function": (
        b"ctorch.jit._pickle\nrestore_type_tag\n(" + PLACE + b")\x81" + text("x") + b"tR" + STATE + b"b"
    ),
    "twice": PLACE + b")\x812" + STATE + b"b",
    "from the memo, filled": PLACE + b")\x81q\0" + STATE + b"bHHHHH0h\0" + STATE + b"b",
    "with what its state does not tell": (
        PLACE + b"(cnumpy\nndarray\nK\x01\x85" + text("C") + FIVE_BYTES + b"tR" + STATE + b"b"
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", DISGUISED)
def test_what_may_stand_for_an_array_blocks(how: str) -> None:
    found = look(b"\x80\x02" + DISGUISED[how] + HIDDEN)
    assert {each.rule for each in found.suspicions} & {"damaged-pickle", "malicious-code"}
    assert not found.understood


def test_an_array_in_its_place_is_stepped_over() -> None:
    found = look(b"\x80\x02" + PLACE + b")\x81" + STATE + b"bHELLO.")
    # Only pickle, which knows no such places, would read the array's bytes as opcodes.
    assert (found.understood, found.suspicions) == (True, [])


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(20, random_state=0),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
    ],
)
def test_models_that_joblib_writes_pass(model: Any, protocol: int) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4))
    model.fit(rows, rows[:, 0] > 0)
    written = io.BytesIO()
    joblib.dump({"model": model, "texts": np.array(["a", "b"], dtype=object)}, written, protocol=protocol)
    found = look(written.getvalue())
    assert (found.understood, found.suspicions) == (True, [])
