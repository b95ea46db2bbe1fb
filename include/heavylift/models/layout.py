"""Reads what a model says of itself: an MLflow folder's MLmodel and requirements, or a single file."""

from __future__ import annotations

import json
import mmap
import posixpath
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import SpecError
from heavylift.models.flavors import Problem, flavor_problems
from heavylift.models.torchscript import CONSTANTS, PROGRAM

_MLMODEL = "MLmodel"
_SAVED_MODEL = "saved_model.pb"
_MAX_TEXT = 4 * 2**20
_MOST_NODES = 1_000_000
"""Values of a YAML file, those counted again that are named again: a short file may stand for any number."""
_VERSION = re.compile(r"\d+(?:\.[\w+!-]+)*\Z", re.ASCII)
_FORMS = {
    ".onnx": "onnx", ".skops": "skops", ".pkl": "pickle", ".pickle": "pickle", ".joblib": "pickle",
    ".pt2": "exported", ".pt": "torch", ".pth": "torch", ".safetensors": "safetensors", ".ubj": "xgboost",
    ".cbm": "catboost", ".keras": "keras", ".h5": "keras", ".hdf5": "keras",
}  # fmt: skip
_WEIGHTS = re.compile(r"(?:model|pytorch_model|tf_model|flax_model)[^/]*\.(?:safetensors|bin|h5|msgpack)\Z")
_UNANSWERED = frozenset({"torch", "safetensors", "hdf5", "transformers", "sentence_transformers"})
"""Forms that are looked at and not run: weights alone, and those whose questions are none of numbers."""
_BEGINNINGS = (
    (re.compile(rb'\s*\{\s*"(?:learner|version|Config)"'), "xgboost"),
    (re.compile(rb"\{L[\x00-\xff]{8}(?:learner|version|Config)"), "xgboost"),
    (re.compile(rb"tree\r?\nversion=v"), "lightgbm"),
    (re.compile(rb"CBM1"), "catboost"),
)
"""How files begin whose names tell nothing: boosters in the formats of their own libraries."""
_PYTHON = re.compile(r"^\s*python\s*(?:==?|=)\s*([\d.]+)\s*$")


@dataclass(frozen=True)
class Layout:
    """A model as it lies in a folder.

    :param form: how it is loaded: ``mlflow``, ``onnx``, ``skops``, ``pickle``, ``exported`` (a program of
        PyTorch), ``torchscript``, ``torch``, ``hdf5`` and ``safetensors`` (weights alone), ``keras``,
        ``xgboost``, ``lightgbm``, ``catboost``, ``savedmodel`` (TensorFlow's), ``transformers`` and
        ``sentence_transformers`` (folders), or empty.
    :param path: what is loaded, relative to the folder; empty for the folder itself.
    :param flavors: MLflow's flavors, or the form.
    :param requirements: lines of packages, as the model gives them.
    :param signature: names and types of inputs and outputs, as JSON.
    :param example: the input example's file.
    :param problems: rule and detail of what MLmodel has its loaders do.
    :param environments: kind and file of what MLmodel says its environment is built from.
    """

    form: str
    path: str = ""
    flavors: tuple[str, ...] = ()
    python: str = ""
    mlflow_version: str = ""
    requirements: tuple[str, ...] = ()
    signature: Mapping[str, Any] = field(default_factory=dict)
    example: str = ""
    serialization: str = ""
    problems: tuple[Problem, ...] = ()
    environments: tuple[tuple[str, str], ...] = ()

    @property
    def answers(self) -> bool:
        """Tell whether a model answers inputs: weights alone do not."""
        return self.form not in _UNANSWERED


def read_layout(folder: Path, names: tuple[str, ...], requirements: tuple[str, ...] = ()) -> Layout:
    """Return how the model in ``folder`` is laid out; nothing of it is run.

    :param names: its files.
    :param requirements: of a model that is a file by itself, which cannot tell them.
    :raises SpecError: it is neither an MLflow model nor one file.
    """
    if _MLMODEL in names:
        return _mlflow(folder, names)
    if _SAVED_MODEL in names:
        return Layout("savedmodel", "", ("tensorflow",), requirements=requirements)
    hub = _hub(names)
    if hub:
        return Layout(hub, "", (hub,), requirements=requirements)
    alone = list(names) if len(names) == 1 else [each for each in names if each.endswith(".onnx")]
    if len(alone) == 1:
        # Beside a file of ONNX lie those that hold its tensors.
        form = _form_of(folder / alone[0])
        return Layout(form, alone[0], (form or "unknown",), requirements=requirements)
    shown = ", ".join(names[:3]) + ("…" if len(names) > 3 else "")
    found = f"{len(names)} files ({shown}) and no {_MLMODEL}" if names else "no file"
    raise SpecError(
        "reading a model",
        got=found,
        expected=f"a folder with a file {_MLMODEL} or {_SAVED_MODEL}, or one file",
        state="nothing was run or changed",
        remedy="name the folder that MLflow's save_model or log_model wrote, or the model's one file; keep"
        " models of transformers, sentence-transformers and others by MLflow's flavor for them",
        code="7510",
    )


def _hub(names: tuple[str, ...]) -> str:
    """Return the form of a folder as libraries of Hugging Face keep models; empty where it is none."""
    if "modules.json" in names and "config_sentence_transformers.json" in names:
        return "sentence_transformers"
    weights = any(_WEIGHTS.match(name) for name in names)
    return "transformers" if "config.json" in names and weights else ""


def _form_of(path: Path) -> str:
    form = _FORMS.get(path.suffix.lower(), "") or _beginning(path)
    if form == "keras" and path.suffix.lower() != ".keras" and not _has_config(path):
        return "hdf5"
    return "torchscript" if form == "torch" and _is_script(path) else form


def _has_config(path: Path) -> bool:
    """Tell whether a file of HDF5 names Keras' configuration, and so is more than weights."""
    with path.open("rb") as stream:
        if not stream.seek(0, 2):
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"model_config\0") >= 0


def _is_script(path: Path) -> bool:
    """Tell whether a file of PyTorch holds a program, and not weights alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        return False
    return any(CONSTANTS.match(each) for each in names) and any(PROGRAM.match(each) for each in names)


def _beginning(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(64)
    return next((form for pattern, form in _BEGINNINGS if pattern.match(head)), "")


def _mlflow(folder: Path, names: tuple[str, ...]) -> Layout:
    document = read_yaml(folder / _MLMODEL)
    flavors = document.get("flavors")
    if not isinstance(flavors, dict) or not flavors:
        raise _unreadable(_MLMODEL, "no flavors")
    function = flavors.get("python_function") or {}
    info = document.get("saved_input_example_info") or {}
    example = _plain_text(info.get("artifact_path")) if isinstance(info, dict) else ""
    own = [value for name, value in flavors.items() if name != "python_function" and isinstance(value, dict)]
    form, alone = _alone(flavors, names)
    return Layout(
        form=form,
        path=alone,
        flavors=tuple(sorted(map(str, flavors))),
        python=_python(folder, names, function),
        mlflow_version=_version(_MLMODEL, "mlflow_version", document.get("mlflow_version")),
        requirements=_requirements(folder, names),
        signature=_signature(document.get("signature")),
        example=example if example in names else "",
        serialization=next(
            (found for each in own if (found := _plain_text(each.get("serialization_format")))), ""
        ),
        problems=tuple(dict.fromkeys(flavor_problems(flavors, names))),
        environments=_environments(flavors, names),
    )


def _environments(flavors: Mapping[str, Any], names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return kind and file of what flavors have an environment built from."""
    told = [each.get("env") for each in flavors.values() if isinstance(each, dict)]
    pairs = [pair for each in told for pair in (each if isinstance(each, dict) else {"conda": each}).items()]
    found = {(str(kind), posixpath.normpath(path)) for kind, path in pairs if isinstance(path, str) and path}
    return tuple(sorted(each for each in found if each[1] in names))


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _alone(flavors: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, str]:
    """Return the form and the file of a model that is no function of Python, as converted ones are."""
    for form in ("onnx", "safetensors"):
        own = flavors.get(form)
        path = _plain_text(own.get("data")) if isinstance(own, dict) else ""
        if path in names and "python_function" not in flavors:
            return form, path
    return "mlflow", ""


def _requirements(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    if "requirements.txt" in names:
        return requirement_lines(_text(folder / "requirements.txt"))
    for name in ("conda.yaml", "python_env.yaml"):
        if name in names:
            dependencies = _dependencies(folder / name)
            inner = [each.get("pip") for each in dependencies if isinstance(each, dict)]
            listed = inner[0] if inner and isinstance(inner[0], list) else dependencies
            return tuple(each for each in listed if isinstance(each, str) and not _PYTHON.match(each))
    return ()


def requirement_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a file of requirements, joined as pip and uv do, without remarks and digests.

    A remark ends its line, whatever it ends with: what follows is no part of it for either.
    """
    lines, begun = [], ""
    for line in re.split(r"\r?\n", text.removeprefix("\ufeff")):
        bare = re.sub(r"(?:^|\s)#.*", "", line)
        if bare == line and line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        lines.append(re.sub(r"\s--hash=\S+", "", begun + bare).strip())
        begun = ""
    return tuple(line for line in (*lines, begun.strip()) if line)


def _dependencies(path: Path) -> list[Any]:
    found = read_yaml(path).get("dependencies")
    if found is None:
        return []
    if not isinstance(found, list):
        raise _unreadable(path.name, "dependencies that are no list")
    return found


def _python(folder: Path, names: tuple[str, ...], function: Any) -> str:
    told = function.get("python_version") if isinstance(function, dict) else None
    if told:
        return _version(_MLMODEL, "python_version", told)
    if "python_env.yaml" in names:
        return _version("python_env.yaml", "python", read_yaml(folder / "python_env.yaml").get("python"))
    if "conda.yaml" in names:
        lines = [str(each) for each in _dependencies(folder / "conda.yaml") if isinstance(each, str)]
        return next((found[1] for line in lines if (found := _PYTHON.match(line))), "")
    return ""


def _version(file: str, key: str, value: Any) -> str:
    """Return a version, which becomes part of what uv is told.

    :raises SpecError: it is none.
    """
    if value is None or value == "":
        return ""
    # YAML takes 3.10 without quotes for a number.
    text = "3.10" if value == 3.1 and isinstance(value, float) else str(value) if _is_scalar(value) else ""
    if not _VERSION.match(text):
        raise _unreadable(file, f"{key} {text[:60]!r}, which is no version")
    return text


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _signature(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    made: dict[str, Any] = {}
    for part in ("inputs", "outputs", "params"):
        text = value.get(part)
        try:
            made[part] = json.loads(text) if isinstance(text, str) else text
        except (ValueError, RecursionError) as error:
            raise _unreadable(_MLMODEL, f"a signature whose {part} are no JSON") from error
    return made


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a file of YAML: plain values, and not endlessly many.

    :raises SpecError: it is something else.
    """
    text = _text(path)
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise _unreadable(
            path.name, f"no YAML of plain values ({' '.join(str(error).split())[:200]})"
        ) from error
    if not isinstance(found, dict):
        raise _unreadable(path.name, "no mapping")
    waiting, seen = [found], 0
    while waiting:
        value: Any = waiting.pop()
        seen += 1
        if seen > _MOST_NODES:
            raise _unreadable(path.name, f"more than {_MOST_NODES} values")
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set)):
            waiting += value
    if not _is_the_same(text, found):
        raise _unreadable(path.name, "a text that libyaml, which MLflow reads by, takes for something else")
    return found


def _is_the_same(text: str, found: Any) -> bool:
    """Tell whether both readers of YAML agree: a mark of byte order within a text is a sign to one alone."""
    if "\ufeff" in text[1:]:
        return False
    if not yaml.__with_libyaml__:
        return True
    try:
        return repr(yaml.load(text, yaml.CSafeLoader)) == repr(found)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        return False


def _text(path: Path) -> str:
    if path.stat().st_size > _MAX_TEXT:
        raise _unreadable(path.name, f"more than {_MAX_TEXT} bytes")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path.name, "no UTF-8 text") from error


def _unreadable(name: str, got: str) -> SpecError:
    return SpecError(
        f"reading {name} of a model",
        got=got,
        expected="what MLflow writes",
        state="nothing was run or changed",
        remedy="save the model again with MLflow, or check the files by heavylift objects verify",
        code="7511",
    )
