"""Reads what MLmodel has its loaders do: which files they read, and whose code they import."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heavylift.models.looking import leads_out

_LOADERS = re.compile(
    r"mlflow\.(?:sklearn|xgboost|lightgbm|catboost|pytorch|tensorflow|keras|onnx|statsmodels|prophet|pmdarima"
    r"|spacy|spark|transformers|sentence_transformers|diffusers|h2o|paddle|johnsnowlabs|shap|openai|langchain"
    r"|llama_index|dspy|diviner|fastai|gluon|mleap|promptflow|prompt\.promptlab_model"
    r"|pyfunc\.model|pyfunc\.loaders\.(?:chat_agent|chat_model|code_model|responses_agent))"
)
"""Modules of MLflow that load models."""
_BY_NAMES = re.compile(r"mlflow\.(?:langchain|llama_index|promptflow|h2o)")
"""Modules of MLflow that import, or start, what the model's texts name: what comes of that is not judged."""
_CLASSES = re.compile(
    r"(?:xgboost|lightgbm)(?:\.[a-z_]+)*\.[A-Z]\w*|org\.apache\.spark\.ml(?:\.\w+)+", re.ASCII
)
"""What flavors may name as their ``model_class``, which MLflow imports and calls."""
_PICKLERS = frozenset({"mlflow.pytorch.pickle_module", "pickle", "cloudpickle", "dill"})
_PICKLER_FILES = re.compile(r"(?:.*/)?pickle_module_info\.txt\Z")
_FETCHED = {"transformers": ("source_model_name", "model_binary"), "diffusers": ("base_model", "")}
"""Flavor → the key of what is fetched when it is loaded, and that of a copy in its place."""
_KERAS = re.compile(r"keras|tf_keras|tensorflow\.keras|(?:tf_)?keras\.api(?:\._v\d)?(?:\.keras)?")
_KERAS_FILES = re.compile(r"(?:.*/)?keras_module\.txt\Z")
_PATHS = ("data", "pickled_model", "model_path", "python_model", "model_data", "xgb_model", "lgb_model",
          "serialized_explainer", "adapter_weights")  # fmt: skip
"""Keys of flavors that name a file or a folder of the model."""
_LIKE_PATHS = re.compile(r"(?!name_or_)(?:\w+_)?(?:path|file|dir|binary|conda|virtualenv)\Z")
"""Other keys that do: not those that only tell where something came from, such as ``uri``."""
_BARE_NAMES = frozenset({"model_code_path"})
"""Keys whose folders MLflow cuts off: the file beside MLmodel is what it reads."""
_CODE = ("code", "model_code_path")
_RUNTIME = ("providers", "onnx_session_options")
"""Keys by which MLflow sets ONNX Runtime up: execution providers with options, and entries of a session."""
_OPENS = re.compile(
    r"lib|path|file|folder|dir|plugin|cache|dump|profil|context|backend|initializer", re.IGNORECASE
)
"""Options of ONNX Runtime whose names tell that it would load a library by them, read a file or write one."""
_OFF = frozenset({"", "0", "none", "false"})
_URL = re.compile(r"[A-Za-z][\w+.-]*://")
_MOST = 200
Problem = tuple[str, str]
"""A rule, and what was found."""


def flavor_problems(flavors: Mapping[Any, Any], names: Sequence[str]) -> Iterator[Problem]:
    """Yield rule and detail of what a loader would be told beyond reading the model's own files.

    :param names: the model's files.
    """
    for flavor, told in flavors.items():
        if not isinstance(told, dict):
            continue
        yield from _code_problems(str(flavor), told)
        for key, value in _texts(told):
            named = key not in _BARE_NAMES and (key in _PATHS or _LIKE_PATHS.match(key))
            if named and (_URL.match(value) or leads_out(value)):
                yield "path-outside", f"{flavor}.{key} names {value[:_MOST]!r}"
        yield from _absent(str(flavor), told, names)


def module_problems(name: str, text: str) -> Iterator[Problem]:
    """Yield what is wrong with a file that names a module by which MLflow loads a model."""
    if _PICKLER_FILES.match(name) and text.strip() not in _PICKLERS:
        yield "custom-code", f"it has its loader import {text.strip()[:_MOST]!r}, which is no pickle module"
    if _KERAS_FILES.match(name) and not _KERAS.fullmatch(text.strip()):
        yield "custom-code", f"it has its loader import {text.strip()[:_MOST]!r}, which is none of Keras'"


def _code_problems(flavor: str, told: Mapping[Any, Any]) -> Iterator[Problem]:
    loader = told.get("loader_module")
    if loader is not None and not (isinstance(loader, str) and _LOADERS.fullmatch(loader)):
        yield "custom-code", f"it is loaded by the module {str(loader)[:_MOST]!r}, which is none of MLflow's"
    elif isinstance(loader, str) and _BY_NAMES.fullmatch(loader):
        yield (
            "custom-code",
            f"{loader} imports or starts what texts of the model name, and that is not judged",
        )
    model_class = told.get("model_class")
    # Spark's flavor calls none but pyspark's own.
    own = flavor == "spark" or model_class is None
    if not own and not (isinstance(model_class, str) and _CLASSES.fullmatch(model_class)):
        yield "custom-code", f"{flavor}.model_class is {str(model_class)[:_MOST]!r}: its loader would call it"
    fetched, copy = _FETCHED.get(flavor, ("", ""))
    if told.get(fetched) and not told.get(copy):
        shown = str(told[fetched])[:_MOST]
        yield "unscanned-file", f"{flavor}.{fetched} is {shown!r}, which is fetched when the model is loaded"
    module = told.get("keras_module")
    if module is not None and not (isinstance(module, str) and _KERAS.fullmatch(module)):
        yield "custom-code", f"{flavor}.keras_module is {str(module)[:_MOST]!r}, which is none of Keras'"
    if told.get("trust_remote_code"):
        yield "custom-code", f"{flavor}.trust_remote_code has its loader import code from elsewhere"
    yield from _runtime_problems(flavor, told)
    for key in _CODE:
        if told.get(key):
            yield "custom-code", f"{flavor}.{key} is {str(told[key])[:_MOST]!r}: code of its own is imported"


def _runtime_problems(flavor: str, told: Mapping[Any, Any]) -> Iterator[Problem]:
    """Yield options with which ONNX Runtime loads libraries and writes files, as TensorRT's plugins."""
    if flavor != "onnx":
        return
    for key, value in _settings({each: told.get(each) for each in _RUNTIME}):
        if _OPENS.search(key) and value.lower() not in _OFF:
            shown = f"{key}={value}"[:_MOST]
            yield "custom-code", f"ONNX Runtime would load, read or write what {flavor} tells it: {shown!r}"


def _settings(told: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and value of each setting, however deep."""
    if isinstance(told, dict):
        for key, value in told.items():
            if isinstance(value, (dict, list)):
                yield from _settings(value)
            else:
                yield str(key), str(value)
    elif isinstance(told, list):
        for value in told:
            yield from _settings(value)


def _absent(flavor: str, told: Mapping[Any, Any], names: Sequence[str]) -> Iterator[Problem]:
    for key in _PATHS:
        value = told.get(key)
        if not isinstance(value, str) or not value or leads_out(value) or _URL.match(value):
            continue
        path = value.removeprefix("./").rstrip("/")
        if path not in {"", "."} and not any(name == path or name.startswith(f"{path}/") for name in names):
            yield "file-absent", f"{flavor}.{key} names {value[:_MOST]!r}, and there is no such file"


def _texts(told: Any) -> Iterator[tuple[str, str]]:
    """Yield key and text of all texts in a flavor; of a list the key that it is under."""
    waiting: list[tuple[str, Any]] = [("", told)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(name), each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [(key, each) for each in value]
        elif isinstance(value, str):
            yield key, value
