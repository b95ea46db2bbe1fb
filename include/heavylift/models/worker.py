"""Runs one model in its own environment and answers questions about it.

Started as a file by the model's interpreter, with the model's libraries and none of Heavylift's: commands
come as lines of JSON on standard input, answers go the same way, tables lie in files. Whatever the model
prints goes to standard error. Written for Python 3.8 and newer.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import resource
import sys
import time
import traceback
from typing import Any


class Worker:
    """Holds the model and the inputs between commands."""

    def __init__(self) -> None:
        self.model: Any = None
        self.table: Any = None
        self.notes: list[str] = []
        self.singles: dict[int, Any] = {}

    def hello(self, _command: dict[str, Any]) -> dict[str, Any]:
        """Tell where this runs."""
        return {
            "python": ".".join(map(str, sys.version_info[:3])),
            "isolation": os.environ.get("HEAVYLIFT_ISOLATION", "none"),
        }

    def load(self, command: dict[str, Any]) -> dict[str, Any]:
        """Load the model."""
        began = time.perf_counter()
        self.model = _LOADERS[command["form"]](command["path"])
        if command.get("weights"):
            beside("worker_torch").refill(raw_of(self.model), command["weights"])
        return {"seconds": time.perf_counter() - began}

    def inputs(self, command: dict[str, Any]) -> dict[str, Any]:
        """Take the inputs from a file."""
        self.table = _read_table(command["path"], command["columns"])
        self.singles = {}
        return {"rows": len(self.table)}

    def predict(self, command: dict[str, Any]) -> dict[str, Any]:
        """Answer all rows at once, and write the answers into a file."""
        import numpy

        self.notes = []
        began = time.perf_counter()
        answered = self._asked(self.table)
        seconds = time.perf_counter() - began
        told = beside("worker_answers")
        columns = told.columns_of(answered, "answer", len(self.table))
        if not any(name.startswith(told.SCORES) for name in columns):
            columns.update(self._scores(told.scores_of))
        columns = {name: told.plain(values) for name, values in columns.items()}
        numpy.savez(command["path"], **{str(n): values for n, values in enumerate(columns.values())})
        return {"columns": list(columns), "seconds": seconds, "notes": self.notes}

    def _asked(self, table: Any) -> Any:
        """Ask the model. Where it has split itself meanwhile, only the first of the two goes on from here."""
        own = os.getpid()
        answered = self.model.predict(table)
        if os.getpid() != own:
            os._exit(0)
        return answered

    def _scores(self, columns: Any) -> dict[str, Any]:
        """Return the probabilities of classes, where the model tells any."""
        ask = getattr(self.model, "scores", None)
        if ask is None:
            return {}
        try:
            return dict(columns(ask(self.table)))
        except Exception as error:  # noqa: BLE001 - the model's own code may raise anything
            self.notes.append(f"it told no probabilities: {type(error).__name__}: {str(error)[:200]}")
            return {}

    def time(self, command: dict[str, Any]) -> dict[str, Any]:
        """Answer rows one at a time; return how long each took, in nanoseconds."""
        durations = []
        for number in command["rows"]:
            if number not in self.singles:
                self.singles[number] = _one(self.table, number)
            single = self.singles[number]
            began = time.perf_counter_ns()
            self._asked(single)
            durations.append(time.perf_counter_ns() - began)
        return {"nanoseconds": durations}

    def usage(self, _command: dict[str, Any]) -> dict[str, Any]:
        """Tell the most memory that this process has held."""
        return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


class _Plain:
    """A model that was a file by itself, an object with ``predict``."""

    def __init__(self, model: Any) -> None:
        self.raw = model

    def predict(self, table: Any) -> Any:
        return self.raw.predict(table)

    def scores(self, table: Any) -> Any:
        ask = getattr(self.raw, "predict_proba", None)
        return None if ask is None else ask(table)


class _Mlflow:
    """A model as MLflow keeps it."""

    def __init__(self, path: str) -> None:
        import mlflow.pyfunc

        self.model = mlflow.pyfunc.load_model(path)
        exported = os.path.join(path, "data", "model.pt2")
        self.exported = exported if os.path.exists(exported) else None
        schema = self.model.metadata.get_input_schema()
        self.names: list[str] | None = (
            list(schema.input_names()) if schema and schema.has_input_names() else None
        )

    def predict(self, table: Any) -> Any:
        return self.model.predict(table)

    def scores(self, table: Any) -> Any:
        raw = self.model.get_raw_model() if hasattr(self.model, "get_raw_model") else None
        ask = getattr(raw, "predict_proba", None)
        if ask is None:
            return None
        return ask(table[self.names] if self.names and hasattr(table, "columns") else table)


class _Onnx:
    """A model of ONNX, run by its own runtime."""

    def __init__(self, path: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        told = self.session.get_modelmeta().custom_metadata_map.get(_ONNX_COLUMNS)
        self.names: list[str] | None = json.loads(told) if told else None

    def predict(self, table: Any) -> Any:
        import numpy

        wanted = self.session.get_inputs()
        if self.names and hasattr(table, "columns"):
            table = table[self.names]
        if len(wanted) == 1:
            values = numpy.asarray(table)
            fed = {wanted[0].name: values.astype(_ONNX_TYPES.get(wanted[0].type, values.dtype))}
        else:
            fed = {
                each.name: numpy.asarray(table[each.name])
                .reshape(-1, 1)
                .astype(_ONNX_TYPES.get(each.type, "O"))
                for each in wanted
            }
        answers = self.session.run(None, fed)
        named = zip((each.name for each in self.session.get_outputs()), answers)  # noqa: B905 - Python 3.8
        return {name: _flat(answer) for name, answer in named}


class _XgBooster:
    """A booster of XGBoost's own format."""

    def __init__(self, path: str) -> None:
        import xgboost

        self.raw = xgboost.Booster(model_file=path)

    def predict(self, table: Any) -> Any:
        import xgboost

        return self.raw.predict(xgboost.DMatrix(table))


class _LightBooster:
    """A booster of LightGBM's own format."""

    def __init__(self, path: str) -> None:
        import lightgbm

        self.raw = lightgbm.Booster(model_file=path)

    def predict(self, table: Any) -> Any:
        return self.raw.predict(table)


class _CatBooster:
    """A model of CatBoost's own format."""

    def __init__(self, path: str) -> None:
        import catboost

        self.raw = catboost.CatBoost()
        self.raw.load_model(path, format="cbm")

    def predict(self, table: Any) -> Any:
        return self.raw.predict(table)


class _SavedModel:
    """A model as TensorFlow keeps it, by the signature that it is served with."""

    def __init__(self, path: str) -> None:
        import tensorflow

        self.held = tensorflow.saved_model.load(path)
        serve = self.held.signatures
        named = "serving_default" if "serving_default" in serve else next(iter(serve), None)
        if named is None:
            raise TypeError("it has no signature that it could be asked by")
        self.serve = serve[named]
        self.wanted = self.serve.structured_input_signature[1]

    def predict(self, table: Any) -> Any:
        import numpy
        import tensorflow

        if len(self.wanted) == 1:
            given = dict.fromkeys(self.wanted, numpy.asarray(table))
        else:
            given = {name: numpy.asarray(table[name]) for name in self.wanted}
        fed = {}
        for name, spec in self.wanted.items():
            values = given[name].astype(spec.dtype.as_numpy_dtype)
            flat = spec.shape.rank is not None and values.ndim < spec.shape.rank
            fed[name] = tensorflow.constant(values.reshape(-1, 1) if flat else values)
        answers = self.serve(**fed)
        return {str(name): _flat(answers[name].numpy()) for name in sorted(answers)}


def raw_of(model: Any) -> Any:
    """Return the object of the framework that a model is."""
    inner = getattr(model, "raw", None)
    if inner is not None:
        return inner
    held = getattr(model, "model", None)
    ask = getattr(held, "get_raw_model", None)
    if ask is None:
        raise TypeError(f"a model of the form {type(model).__name__} is converted already, or cannot be")
    return ask()


def beside(name: str) -> Any:
    """Return the module of a file beside this one."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
    spec = importlib.util.spec_from_file_location("heavylift_model_" + name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py is not beside this file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_ONNX_COLUMNS = "heavylift.columns"
"""Which columns a converted model takes, in the file's own metadata."""


def _flat(answer: Any) -> Any:
    """Return one number a row as a row of numbers."""
    return answer[:, 0] if getattr(answer, "ndim", 0) == 2 and answer.shape[1] == 1 else answer


_ONNX_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(bool)": "bool",
}  # fmt: skip


def _unpickled(path: str) -> Any:
    import joblib

    return _Plain(joblib.load(path))


def _unskopsed(path: str) -> Any:
    import skops.io

    # Its types were read and judged before this process was started.
    return _Plain(skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path)))


_LOADERS: dict[str, Any] = {
    "mlflow": _Mlflow, "onnx": _Onnx, "pickle": _unpickled, "skops": _unskopsed, "xgboost": _XgBooster,
    "lightgbm": _LightBooster,
    "catboost": _CatBooster, "savedmodel": _SavedModel,
    "torchscript": lambda path: beside("worker_torch").Script(path),
    "exported": lambda path: beside("worker_torch").Exported(path),
    "torch": lambda path: beside("worker_torch").Weights(path),
    "keras": lambda path: beside("worker_keras").Whole(path),
}  # fmt: skip


_UNPACKED: dict[str, Any] = {"text": str, "nested": json.loads, "bytes": base64.b64decode}
"""Kind of a column that is kept as texts → what makes a value of one."""


def _read_table(path: str, columns: list[dict[str, Any]]) -> Any:
    import numpy
    import pandas  # type: ignore[import-untyped]

    with numpy.load(path, allow_pickle=False) as kept:
        if columns and columns[0]["kind"] == "tensor":
            return kept["0"]
        made = {}
        for number, column in enumerate(columns):
            values = kept[str(number)]
            if column["kind"] in _UNPACKED:
                unpack, packed = _UNPACKED[column["kind"]], values
                values = numpy.empty(len(packed), dtype=object)
                for row, gone in enumerate(kept[f"missing-{number}"]):
                    values[row] = None if gone else unpack(str(packed[row]))
            made[column["name"]] = values
    return pandas.DataFrame(made)


def _one(table: Any, number: int) -> Any:
    return (
        table.iloc[[number]].reset_index(drop=True) if hasattr(table, "iloc") else table[number : number + 1]
    )


def _answer(worker: Worker, line: str) -> tuple[dict[str, Any], bool]:
    command = json.loads(line)
    if command["do"] == "end":
        return {}, False
    try:
        return {"ok": getattr(worker, command["do"])(command)}, True
    except BaseException as error:  # noqa: BLE001 - everything that a model does wrong is told
        traceback.print_exc()
        said = f"{type(error).__name__}: {str(error)[:1000]}"
        return {"error": said}, not isinstance(error, (KeyboardInterrupt, SystemExit))


def main(worker: Worker) -> None:
    """Answer commands until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(2, 1)
    # A model that asks a person something finds nobody, and must not take a command for the answer.
    nobody = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nobody, 0)
    os.close(nobody)
    going = True
    while going:
        line = commands.readline()
        if not line:
            return
        answer, going = _answer(worker, line)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(Worker())
