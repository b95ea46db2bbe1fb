"""Models of Keras in their own process: loaded without code, and asked.

Loaded by worker.py in the model's environment; written for Python 3.8 and newer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from typing import Any

_FEW = 32


class Whole:
    """A model as Keras keeps it: ``.keras``, or HDF5 with its configuration."""

    def __init__(self, path: str) -> None:
        keras = _library(_version(path))
        # What it was trained with says nothing of its answers, and may need functions that are not there.
        self.raw = keras.models.load_model(path, compile=False, safe_mode=True)

    def predict(self, table: Any) -> Any:
        """Answer all rows of a table or an array."""
        import numpy

        names = [str(each.name).split(":")[0] for each in self.raw.inputs]
        kinds = [getattr(each.dtype, "name", each.dtype) for each in self.raw.inputs]
        if len(names) == 1:
            given: Any = numpy.asarray(table)
            if kinds[0] != "string":
                given = given.astype(kinds[0])
        else:
            pairs = zip(names, kinds)  # noqa: B905 - Python 3.8
            given = {name: numpy.asarray(table[name]).reshape(-1, 1).astype(kind) for name, kind in pairs}
        if len(table) <= _FEW:
            # What predict prepares for many rows takes far longer than a few rows do.
            answers = self.raw.predict_on_batch(given)
        else:
            answers = self.raw.predict(given, verbose=0)
        if isinstance(answers, (list, tuple)):
            told = getattr(self.raw, "output_names", None) or [str(n) for n in range(len(answers))]
            return dict(zip(told, answers))  # noqa: B905 - Python 3.8
        return answers


def _version(path: str) -> str:
    """Return the version of Keras that has written a file; empty where it does not say so."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("metadata.json")).get("keras_version", ""))
    import h5py

    with h5py.File(path, "r") as file:
        told = file.attrs.get("keras_version", "")
    return told.decode() if isinstance(told, bytes) else str(told)


def _library(version: str) -> Any:
    """Return Keras, or what goes on under the name tf_keras where the second Keras has written the model."""
    there = [name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)]
    if there:
        os.environ.setdefault("KERAS_BACKEND", there[0])
    if version.startswith("2.") and importlib.util.find_spec("tf_keras"):
        return importlib.import_module("tf_keras")
    return importlib.import_module("keras")
