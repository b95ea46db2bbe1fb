"""Converts one model to ONNX, in the model's own environment with the converters beside it.

Started as a file by that environment's interpreter, like ``worker.py``, whose commands it has as well.
The file that it writes is data: whoever started it looks at it before anybody uses it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from typing import Any

_SPEC = importlib.util.spec_from_file_location(
    "heavylift_model_worker", os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
)
if _SPEC is None or _SPEC.loader is None:
    raise ImportError("worker.py is not beside this file")
worker: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(worker)

_FRAMES = frozenset({"Pipeline", "ColumnTransformer", "FeatureUnion"})
_ONE_INPUT = "inputs"
_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""The newest that all of the converters write."""
COLUMNS = "heavylift.columns"
_PACKAGES = ("skl2onnx", "onnxmltools", "onnxscript", "onnx", "onnxruntime", "safetensors", "scikit-learn",
             "xgboost", "lightgbm", "torch", "numpy", "pandas")  # fmt: skip
_BOOSTERS = ("xgboost.core.Booster", "lightgbm.basic.Booster")


class Converter(worker.Worker):  # type: ignore[misc]
    """A worker that converts the model that it holds."""

    def convert(self, command: dict[str, Any]) -> dict[str, Any]:
        """Write the model as ONNX, or tell which of its operators have no converter."""
        raw = worker.raw_of(self.model)
        if hasattr(raw, "state_dict") and hasattr(raw, "named_parameters"):
            return self._by_another("convert_torch", command["path"])
        if _full_name(type(raw)) in _BOOSTERS:
            return self._by_another("convert_boosters", command["path"])
        _add_boosters()
        missing = _without_converter(raw)
        if missing:
            return {"missing": missing}
        names = getattr(self.model, "names", None)
        table = self.table[names] if names and hasattr(self.table, "columns") else self.table
        made, precision = _precise(raw, table)
        _name_answers(made)
        _write(made, table, command["path"])
        return {"missing": [], "precision": precision, "packages": _packages(), "of": type(raw).__name__}

    def _by_another(self, name: str, path: str) -> dict[str, Any]:
        """Convert by the program beside this one that knows the framework."""
        names = getattr(self.model, "names", None)
        table = self.table[names] if names and hasattr(self.table, "columns") else self.table
        made, told = worker.beside(name).convert(self.model, worker.raw_of(self.model), table)
        if told["missing"]:
            return dict(told)
        _write(made, table, path)
        return {"precision": 32, **told, "packages": _packages()}

    def weights(self, command: dict[str, Any]) -> dict[str, Any]:
        """Write the model's weights as safetensors, or tell what of them is no tensor."""
        told = worker.beside("convert_weights").write(self.model, command["path"])
        return {**told, "packages": _packages()}

    def tensors(self, _command: dict[str, Any]) -> dict[str, Any]:
        """Tell the digest of each of the model's tensors."""
        return {"tensors": worker.beside("convert_weights").digests(self.model)}


def _write(made: Any, table: Any, path: str) -> None:
    """Write an ONNX model, with the columns of the table that it takes."""
    if hasattr(table, "columns"):
        entry = made.metadata_props.add()
        entry.key, entry.value = COLUMNS, json.dumps([str(name) for name in table.columns])
    with open(path, "wb") as file:
        file.write(made.SerializeToString())


def _add_boosters() -> None:
    """Make the converters of XGBoost and LightGBM known, where those are installed."""
    import skl2onnx
    from skl2onnx.common import shape_calculator

    classes = shape_calculator.calculate_linear_classifier_output_shapes
    numbers = shape_calculator.calculate_linear_regressor_output_shapes
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for package, kinds in (
        ("xgboost", (("XGBClassifier", classes), ("XGBRegressor", numbers))),
        ("lightgbm", (("LGBMClassifier", classes), ("LGBMRegressor", numbers))),
    ):
        if importlib.util.find_spec(package) is None or importlib.util.find_spec("onnxmltools") is None:
            continue
        framework = importlib.import_module(package)
        home = "onnxmltools.convert." + package + ".operator_converters."
        module, act = (
            ("XGBoost", "convert_xgboost") if package == "xgboost" else ("LightGbm", "convert_lightgbm")
        )
        convert = getattr(importlib.import_module(home + module), act)
        for kind, shapes in kinds:
            skl2onnx.update_registered_converter(
                getattr(framework, kind), package + kind, shapes, convert,
                options=options if kind.endswith("Classifier") else None,
            )  # fmt: skip


def _without_converter(raw: Any) -> list[str]:
    """Return the classes among a model's parts that no converter is known for."""
    from skl2onnx import supported_converters
    from skl2onnx._supported_operators import sklearn_operator_name_map

    known = set(sklearn_operator_name_map)
    aliases = set(supported_converters())
    found = {
        _full_name(each)
        for each in _parts(raw)
        if each not in known and each.__name__ not in _FRAMES and "Sklearn" + each.__name__ not in aliases
    }
    return sorted(found)


def _parts(raw: Any) -> set[Any]:
    """Return the classes of a model and of the estimators that it is made of."""
    found = {type(raw)}
    ask = getattr(raw, "get_params", None)
    inner = list(ask(deep=True).values()) if ask is not None else []
    for each in inner:
        # A transformer may be the word "passthrough"; kernels and alike are no estimators.
        if hasattr(each, "fit") and not isinstance(each, type):
            found.add(type(each))
    return found


def _full_name(kind: Any) -> str:
    return str(kind.__module__) + "." + str(kind.__qualname__)


def _precise(raw: Any, table: Any) -> tuple[Any, int]:
    """Convert with 64 bits, and where the runtime has no such operator, with 32."""
    import onnxruntime

    first: Exception | None = None
    for bits in (64, 32):
        try:
            made = _convert(raw, table, bits)
            onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        except Exception as error:
            if first is not None:
                raise
            first = error
        else:
            return made, bits
    raise RuntimeError("no precision was tried")


def _convert(raw: Any, table: Any, bits: int) -> Any:
    import skl2onnx

    booster = getattr(raw, "get_booster", None)
    if booster is not None:
        # Its converter knows columns by number only.
        booster().feature_names = None
    options = {"zipmap": False} if hasattr(raw, "predict_proba") else None
    return skl2onnx.to_onnx(
        raw, initial_types=_inputs(raw, table, bits), options=options, target_opset=_OPSETS
    )


def _inputs(raw: Any, table: Any, bits: int) -> list[tuple[str, Any]]:
    """Return the inputs: all columns as one where they are numbers, else each by its name."""
    from skl2onnx.common import data_types as kinds

    number = kinds.DoubleTensorType if bits == 64 else kinds.FloatTensorType
    if not hasattr(table, "columns"):
        return [(_ONE_INPUT, number([None, *table.shape[1:]]))]
    plain = all(table[name].dtype.kind in "biuf" for name in table.columns)
    if plain and "ColumnTransformer" not in {each.__name__ for each in _parts(raw)}:
        return [(_ONE_INPUT, number([None, len(table.columns)]))]
    made = []
    for name in table.columns:
        kind = table[name].dtype.kind
        which = number if kind == "f" else kinds.Int64TensorType if kind in "iu" else kinds.StringTensorType
        made.append((str(name), (kinds.BooleanTensorType if kind == "b" else which)([None, 1])))
    return made


def _name_answers(made: Any) -> None:
    """Call the outputs as the comparison does: what is answered, and the scores of the classes."""
    new = dict(zip((each.name for each in made.graph.output), ("answer", "probabilities")))  # noqa: B905
    for node in made.graph.node:
        for names in (node.input, node.output):
            for number, name in enumerate(names):
                names[number] = new.get(name, name)
    for output in made.graph.output:
        output.name = new.get(output.name, output.name)


def _packages() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    worker.main(Converter())
