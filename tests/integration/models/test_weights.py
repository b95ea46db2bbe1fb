"""Files that the safetensors package itself has written are read as it means them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heavylift.environments import Solver
from heavylift.models.looking import Trust
from heavylift.models.scanning import look_at_files
from heavylift.models.tensors import read_tensors

MAKER = """
import sys
import numpy
from safetensors.numpy import save_file
numbers = numpy.arange(12, dtype="float32")
save_file(
    {
        "layer.weight": numbers.reshape(3, 4),
        "layer.bias": numbers[:3].astype("float16"),
        "steps": numpy.array(7, dtype="int64"),
        "none": numpy.zeros((0, 4), dtype="uint8"),
    },
    sys.argv[1],
    metadata={"format": "np", "tied": "layer.weight"},
)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    solver, python = Solver(), ".".join(map(str, sys.version_info[:2]))
    interpreter = solver.build(solver.solve(["safetensors==0.8.0", "numpy"], python), python)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    subprocess.run([str(interpreter), "-I", "-c", MAKER, str(path)], check=True, capture_output=True)
    return path


def test_every_tensor_is_read_bit_by_bit(written: Path) -> None:
    file = read_tensors(written)
    numbers = np.arange(12, dtype="float32")
    expected = {
        "layer.weight": ("F32", (3, 4), numbers.tobytes()),
        "layer.bias": ("F16", (3,), numbers[:3].astype("float16").tobytes()),
        "steps": ("I64", (), np.array(7, dtype="int64").tobytes()),
        "none": ("U8", (0, 4), b""),
    }
    assert dict(file.tensors) == {
        name: (name, kind, shape, hashlib.sha256(body).hexdigest())
        for name, (kind, shape, body) in expected.items()
    }
    assert dict(file.same) == {"tied": "layer.weight"}


def test_the_scan_knows_it_and_nothing_behind_it(written: Path) -> None:
    [look] = look_at_files(written.parent, [written.name], Trust())
    assert (look.kind, look.understood, look.suspicions) == ("safetensors", True, [])
    longer = written.with_name("longer.safetensors")
    longer.write_bytes(written.read_bytes() + b"\x80\x04N.")
    [look] = look_at_files(longer.parent, [longer.name], Trust())
    assert not look.understood
