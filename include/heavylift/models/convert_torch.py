"""Converts modules and exported programs of PyTorch to ONNX; loaded by ``converter.py`` beside it."""

from __future__ import annotations

import contextlib
import inspect
import io
from typing import Any

_ROWS = 4
"""Rows to trace with: one alone might be taken for a constant."""
_NAMES = {"input_names": ["inputs"], "output_names": ["answer"]}
_MOST_BYTES = 2**31 - 2**20


def convert(model: Any, raw: Any, table: Any) -> tuple[Any, dict[str, Any]]:
    """Return the ONNX form of a model of PyTorch; nothing, with the reason, where there is none."""
    program = _program(model)
    of = "ExportedProgram" if program is not None else type(raw).__name__
    if program is None:
        raw.eval()
    given = () if program is not None else (_rows(table),)
    first = ""
    for dynamo in (True, False):
        if program is not None and not dynamo:
            continue
        try:
            made = _export(raw if program is None else program, given, dynamo=dynamo)
        except Exception as error:  # noqa: BLE001 - each exporter has errors of its own
            first = first or f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            continue
        if made.ByteSize() > _MOST_BYTES:
            return None, {"missing": [f"room for {made.ByteSize():,} bytes in one file of ONNX"]}
        return made, {"missing": [], "of": of, "precision": _bits(raw)}
    return None, {"missing": [f"torch.onnx: {first}"]}


def _program(model: Any) -> Any:
    """Return the exported program that a model was loaded from; None where it is a module."""
    program = getattr(model, "program", None)
    if program is not None:
        return program
    path = getattr(model, "exported", None)
    if path is None:
        return None
    import torch

    return torch.export.load(path)


def _rows(table: Any) -> Any:
    """Return some rows as the model's own wrapper hands them over: a table's numbers with 32 bits."""
    import numpy
    import torch

    values = numpy.asarray(table)
    if hasattr(table, "columns"):
        values = values.astype("float32")
    values = values[:_ROWS] if len(values) >= _ROWS else numpy.repeat(values[:1], _ROWS, axis=0)
    return torch.from_numpy(numpy.ascontiguousarray(values))


def _export(what: Any, given: tuple[Any, ...], *, dynamo: bool) -> Any:
    import torch

    options: dict[str, Any] = dict(_NAMES)
    known = inspect.signature(torch.onnx.export).parameters
    if not dynamo:
        import onnx

        options["dynamic_axes"] = {"inputs": {0: "rows"}, "answer": {0: "rows"}}
        if "dynamo" in known:
            options["dynamo"] = False
        written = io.BytesIO()
        with _quiet():
            torch.onnx.export(what, given, written, **options)
        return onnx.load_from_string(written.getvalue())
    if given:
        options["dynamic_shapes"] = ({0: torch.export.Dim.DYNAMIC},)
    with _quiet():
        return torch.onnx.export(what, given, dynamo=True, **options).model_proto


def _quiet() -> Any:
    """Keep what the exporter prints of its progress out of what the process says when it fails."""
    return contextlib.redirect_stdout(io.StringIO())


def _bits(raw: Any) -> int:
    kinds = {each.dtype.itemsize for each in raw.parameters() if each.dtype.is_floating_point}
    return 8 * max(kinds, default=4)
