"""Makes models of ONNX whose answers hold noise: run by a process of its own, with the folder as argument.

Below ``normal`` (noise is added to each answer) and ``dropout`` (inputs are left out by chance) lie ``model``
and ``copy``, which are the same, and three others: ``retrained``, ``rounded``, ``swapped`` (two inputs).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COLUMNS = 4


def _normal() -> tuple[list[Any], list[Any]]:
    return [
        helper.make_node("MatMul", ["x", "w"], ["clean"]),
        helper.make_node("RandomNormalLike", ["clean"], ["chance"], scale=0.01),
        helper.make_node("Add", ["clean", "chance"], ["y"]),
    ], []


def _dropout() -> tuple[list[Any], list[Any]]:
    return [
        helper.make_node("Dropout", ["x", "ratio", "training"], ["kept"]),
        helper.make_node("MatMul", ["kept", "w"], ["y"]),
    ], [
        numpy_helper.from_array(np.array(0.05, "float32"), "ratio"),
        numpy_helper.from_array(np.array(True), "training"),
    ]


def main(folder: Path) -> None:
    """Make everything below ``folder``."""
    generator = np.random.default_rng(7)
    weights = generator.normal(size=COLUMNS)
    others = {
        "model": weights,
        "copy": weights,
        "retrained": weights + 0.05 * generator.normal(size=COLUMNS),
        "rounded": np.round(weights, 1),
        "swapped": weights[[1, 0, 2, 3]],
    }
    asked = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, COLUMNS])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    for kind, parts in (("normal", _normal()), ("dropout", _dropout())):
        (folder / kind).mkdir()
        for name, values in others.items():
            kept = numpy_helper.from_array(values.astype("float32").reshape(-1, 1), "w")
            graph = helper.make_graph(parts[0], "noisy", [asked], [answer], [kept, *parts[1]])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
            onnx.checker.check_model(model)
            onnx.save(model, folder / kind / f"{name}.onnx")
    np.save(folder / "golden.npy", generator.normal(size=(1000, COLUMNS)).astype("float32"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
