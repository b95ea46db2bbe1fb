"""Makes a portable form of a model, and proves that it answers as the model does.

The model is loaded only in its own environment, to which the converters are added; what comes out is
looked at like any other model before it is run beside the one that it was made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from heavylift.environments import Solver
from heavylift.errors import UnsupportedError
from heavylift.evidence.model_records import ModelComparisonRecord
from heavylift.models.checking import Checked, look
from heavylift.models.fetching import FetchedFile, FetchedModel
from heavylift.models.golden import Golden
from heavylift.models.layout import Layout
from heavylift.models.requests import ModelRequest
from heavylift.models.revalidating import revalidate
from heavylift.models.runtime import exact_versions, minor_of, pin_of, plain_requirements
from heavylift.models.sessions import ModelProcess
from heavylift.models.sides import demand_safe, prepare
from heavylift.models.work import Work

FORM = "onnx"
CONVERTERS = ("skl2onnx==1.20.0", "onnx==1.23.2", "onnxruntime==1.32.0")
BOOSTERS = ("onnxmltools==1.16.0",)
_FILE = "model.onnx"
_CONVERTIBLE = frozenset({"mlflow", "skops", "pickle"})


@dataclass(frozen=True)
class Converted:
    """What a conversion came to.

    :param told: by the converter: ``missing``, ``of``, ``precision``, ``packages``.
    :param model: None where there is no converter for a part of it.
    """

    told: Mapping[str, Any]
    model: FetchedModel | None = None
    parity: ModelComparisonRecord | None = None


def converters_of(layout: Layout) -> tuple[str, ...]:
    """Return the packages that convert a model."""
    names = {pin_of(line)[0] for line in layout.requirements}
    return (*CONVERTERS, *(BOOSTERS if names & {"xgboost", "lightgbm"} else ()))


def identity_of(source: FetchedModel) -> str:
    """Return what is the same for conversions that come to the same: by source and converters."""
    text = "\n".join((FORM, source.digest, *CONVERTERS, *BOOSTERS))
    return hashlib.sha256(text.encode()).hexdigest()


def convert(
    request: ModelRequest, source: Checked, golden: Golden, golden_sha256: str, folder: Path, work: Work
) -> Converted:
    """Convert a model into ``folder``, and compare both forms on the golden inputs.

    :raises ConflictError: the model's files, or the converted one's, are not safe; it was not run.
    :raises UnsupportedError: its form cannot be converted, or no environment can be built.
    """
    demand_safe(request, "source", source)
    if source.layout.form not in _CONVERTIBLE:
        raise _not_convertible(request, f"a model of the form {source.layout.form or 'unknown'!r}")
    solver = Solver(request.check.solve_seconds, request.check.offline)
    told, content = _run_converter(request, source, golden, solver, work)
    if told["missing"]:
        return Converted(told)
    work.tell(f"converted to {FORM}, {len(content):,} bytes")
    model = _write(source, told, content, folder)
    # The model of the source may be trusted further than what its process has written.
    looked = look(model, replace(request.check, trusted=frozenset(), accept=frozenset()), solver, work)
    demand_safe(request, "target", looked)
    options = replace(request.compare, latency=None)
    asked = replace(request, compare=options, check=replace(request.check, target_runtime=None))
    pair = (prepare(asked, "source", source, solver), prepare(asked, "target", looked, solver))
    return Converted(told, model, revalidate(asked, pair, golden, golden_sha256, work))


def _run_converter(
    request: ModelRequest, source: Checked, golden: Golden, solver: Solver, work: Work
) -> tuple[Mapping[str, Any], bytes]:
    layout, runtime = source.layout, request.check.source_runtime
    python = minor_of((runtime.python if runtime else "") or layout.python or "3.11")
    needed = converters_of(layout)
    ours = {pin_of(line)[0] for line in needed}
    wanted = [line for line in plain_requirements(layout) if pin_of(line)[0] not in ours]
    constraints = runtime.constraints if runtime else ()
    solved = solver.solve([*wanted, *needed], python, constraints=constraints)
    if solved.problem:
        raise _not_convertible(request, f"packages that do not fit with the converters: {solved.problem}")
    interpreter = solver.build(solved, python)
    work.check()
    work.tell(f"converting to {FORM}")
    path = source.fetched.folder / layout.path if layout.path else source.fetched.folder
    name = f"the converter of model {request.name!r}"
    limits = request.compare.limits
    with ModelProcess(
        name, interpreter, layout.form, path, limits, work.check, program="converter.py"
    ) as process:
        process.load(golden)
        return process.convert(limits.file_bytes)


def _write(source: Checked, told: Mapping[str, Any], content: bytes, folder: Path) -> FetchedModel:
    """Write the new model as MLflow keeps one of ONNX; returns it as if it had been fetched."""
    packages: Mapping[str, str] = {str(name): str(version) for name, version in told["packages"].items()}
    python = source.layout.python or "3.11"
    needed = ("onnx", "onnxruntime", "numpy", "pandas")
    lines = [f"{name}=={packages[name]}" for name in needed if name in packages]
    flavor = {"onnx_version": packages.get("onnx", ""), "data": _FILE, "providers": ["CPUExecutionProvider"]}
    document: dict[str, Any] = {
        "flavors": {FORM: flavor},
        "mlflow_version": source.layout.mlflow_version or "3.0.0",
        "metadata": {
            "heavylift": {"source_digest": source.fetched.digest, "of": told["of"], "packages": {**packages}}
        },
    }
    signature = source.layout.signature
    if signature:
        document["signature"] = {
            part: json.dumps(found) for part, found in signature.items() if found is not None
        }
    environment = {"python": python, "dependencies": ["-r requirements.txt"]}
    files = {
        _FILE: content,
        "requirements.txt": "".join(f"{line}\n" for line in lines).encode(),
        "python_env.yaml": yaml.safe_dump(environment).encode(),
        "MLmodel": yaml.safe_dump(document, sort_keys=True).encode(),
    }
    for name, body in files.items():
        (folder / name).write_bytes(body)
    fetched = [FetchedFile(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in files.items()]
    return FetchedModel(f"the {FORM} of {source.fetched.url}", folder, tuple(sorted(fetched, key=_path)))


def _path(file: FetchedFile) -> str:
    return file.path


def packages_of(pins: Sequence[str]) -> dict[str, str]:
    """Return the converters with their versions."""
    return exact_versions(pins)


def _not_convertible(request: ModelRequest, got: str) -> UnsupportedError:
    return UnsupportedError(
        f"converting model {request.name!r} to {FORM}",
        got=got,
        expected="a model of scikit-learn, XGBoost or LightGBM, with packages that the converters run beside",
        state="nothing was converted or changed",
        remedy="save it with packages that "
        + ", ".join(CONVERTERS)
        + " run beside, or take the conversion out",
        code="7810",
    )
