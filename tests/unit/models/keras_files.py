"""Files of Keras made by hand, in the form that Keras itself writes them (3.15 and tf_keras 2.21)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np


def layer(kind: str, module: str = "keras.layers", /, **config: Any) -> dict[str, Any]:
    """Return one layer of a configuration."""
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a model of ``layers``, as a ``.keras`` file has it."""
    first = layer("InputLayer", batch_shape=[None, 4], dtype="float32", name="input")
    policy = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "sequential", "dtype": policy, "layers": [first, *layers]},
        "registered_name": None,
        "build_config": {"input_shape": [None, 4]},
        "compile_config": {
            "optimizer": layer("Adam", "keras.optimizers", learning_rate=0.001),
            "loss": "mse",
            "metrics": ["accuracy"],
        },
    }


DENSE = layer(
    "Dense", units=3, activation="relu", kernel_initializer=layer("GlorotUniform", "keras.initializers")
)


def weights() -> bytes:
    """Return weights as Keras 3 keeps them."""

    def fill(file: h5py.File) -> None:
        file.create_dataset("layers/dense/vars/0", data=np.ones((4, 3), "f4"))
        file["layers/dense/vars"].attrs["name"] = "dense"
        rounded = file.create_dataset("layers/dense/vars/1", data=np.zeros(3, "V2"))
        rounded.attrs["dtype"] = "bfloat16"

    return hdf5(fill)


def hdf5(fill: Callable[[h5py.File], object], **options: Any) -> bytes:
    """Return a file of HDF5 that ``fill`` has written."""
    made = io.BytesIO()
    with h5py.File(made, "w", **options) as file:
        fill(file)
    return made.getvalue()


def whole(config: Any, **attributes: Any) -> bytes:
    """Return a model as HDF5, with its configuration as an attribute."""

    def fill(file: h5py.File) -> None:
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = config if isinstance(config, (str, bytes)) else json.dumps(config)
        for name, value in attributes.items():
            file.attrs[name] = value
        file.create_dataset("model_weights/dense/kernel", data=np.ones((4, 3), "f4"))
        file["model_weights/dense"].attrs["weight_names"] = ["dense/kernel", "dense/bias"]

    return hdf5(fill)


def archive(config: Any, members: Mapping[str, bytes] | None = None) -> bytes:
    """Return a ``.keras`` file."""
    told = {"keras_version": "3.15.1", "date_saved": "2026-11-01@00:00:00"}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("metadata.json", json.dumps(told))
        packed.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        packed.writestr("model.weights.h5", weights())
        for name, content in (members or {}).items():
            packed.writestr(name, content)
    return made.getvalue()


def _external_link(file: h5py.File) -> None:
    file["other"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft_link(file: h5py.File) -> None:
    file["other"] = h5py.SoftLink("/x")


def _external_storage(file: h5py.File) -> None:
    file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def _plugin(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    # Optional: the library writes such an array although it does not have the plugin.
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plan)


def _references(file: h5py.File) -> None:
    file.attrs.create("x", file.ref, dtype=h5py.ref_dtype)


def _ragged(file: h5py.File) -> None:
    file.create_dataset("x", (2,), h5py.vlen_dtype("i4"))


def _table(file: h5py.File) -> None:
    file.attrs["PYTABLES_FORMAT_VERSION"] = "2.1"


def _frame(file: h5py.File) -> None:
    file.create_group("df").attrs["CLASS"] = "GROUP"


STRANGE: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "a link into another file": (_external_link, "path-outside"),
    "a link by name": (_soft_link, "unscanned-file"),
    "numbers in another file": (_external_storage, "path-outside"),
    "a virtual array": (_virtual, "path-outside"),
    "a plugin": (_plugin, "unscanned-file"),
    "an array that is empty space": (
        lambda file: file.create_dataset("x", (2**33,), "f4"), "unscanned-file",
    ),
    "references": (_references, "unscanned-file"),
    "opaque bytes": (lambda file: file.create_dataset("x", data=np.zeros(3, "V9")), "unscanned-file"),
    "lists of any length": (_ragged, "unscanned-file"),
    "a type by itself": (lambda file: file.__setitem__("kind", np.dtype("f4")), "unscanned-file"),
    "PyTables": (_table, "unscanned-file"),
    "pandas": (_frame, "unscanned-file"),
}  # fmt: skip
"""What a file of HDF5 does beyond holding numbers → how it is made, and the rule that blocks it."""
