"""Makes a portable form of a model, and proves that it is the model.

The model is loaded only in its own environment, to which the converters are added; what comes out is
looked at like any other model. A form that can answer is run beside the model that it was made of; one of
weights is held against the model's tensors, and then put into the model in place of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.environments import Solver
from heavylift.errors import UnsupportedError
from heavylift.evidence.model_records import ModelComparisonRecord, ModelWeightsRecord
from heavylift.models.checking import Checked, look
from heavylift.models.fetching import FetchedModel
from heavylift.models.forms import ONNX, SAFETENSORS, Made, write_form
from heavylift.models.layout import Layout
from heavylift.models.requests import ModelRequest
from heavylift.models.revalidating import revalidate
from heavylift.models.runtime import exact_versions, minor_of, pin_of, plain_requirements
from heavylift.models.sessions import ModelProcess
from heavylift.models.sides import WEIGHTS_FILE, Prepared, demand_safe, prepare
from heavylift.models.tensors import compare_tensors, read_tensors
from heavylift.models.work import Work
from heavylift.scoring.golden import Golden

CONVERTERS = ("skl2onnx==1.20.0", "onnx==1.23.2", "onnxruntime==1.32.0")
BOOSTERS = ("onnxmltools==1.16.0",)
TORCH = ("onnxscript==0.7.2", "onnx==1.23.2", "onnxruntime==1.32.0")
WEIGHTS = ("safetensors==0.8.0",)
_ONNX_FILE = "model.onnx"
_TO_ONNX = frozenset({"mlflow", "skops", "pickle", "exported", "xgboost", "lightgbm"})
_OF_TORCH = frozenset({"exported", "torch"})
_SPARE = 64 * 2**20


@dataclass(frozen=True)
class Converted:
    """What a conversion came to.

    :param told: by the converter: ``missing``, ``of``, ``precision``, ``packages``.
    :param model: None where there is no converter for a part of it.
    :param weights: the proof tensor by tensor, of a form of weights.
    """

    told: Mapping[str, Any]
    model: FetchedModel | None = None
    parity: ModelComparisonRecord | None = None
    weights: ModelWeightsRecord | None = None

    @property
    def passed(self) -> bool:
        """There is a new form, and whatever can be proved of it is."""
        proofs = [each for each in (self.weights, self.parity) if each is not None]
        return self.model is not None and bool(proofs) and all(each.passed for each in proofs)


@dataclass(frozen=True)
class _Environment:
    interpreter: Path
    key: str


def is_torch(layout: Layout) -> bool:
    """Tell whether a model is one of PyTorch."""
    return layout.form in _OF_TORCH or "pytorch" in layout.flavors


def converters_of(layout: Layout, form: str) -> tuple[str, ...]:
    """Return the packages that convert a model."""
    if form == SAFETENSORS:
        return WEIGHTS
    if is_torch(layout):
        return TORCH
    names = {pin_of(line)[0] for line in layout.requirements} | {layout.form}
    return (*CONVERTERS, *(BOOSTERS if names & {"xgboost", "xgboost-cpu", "lightgbm"} else ()))


def identity_of(source: FetchedModel, form: str) -> str:
    """Return what is the same for conversions that come to the same: by source and converters."""
    pins = WEIGHTS if form == SAFETENSORS else (*CONVERTERS, *BOOSTERS, *TORCH[:1])
    return hashlib.sha256("\n".join((form, source.digest, *pins)).encode()).hexdigest()


def convert(
    request: ModelRequest,
    source: Checked,
    form: str,
    golden: tuple[Golden, str] | None,
    folder: Path,
    work: Work,
) -> Converted:
    """Convert a model into ``folder``, and prove that both forms are the same.

    :param golden: inputs, and their digest; None for weights alone.
    :raises ConflictError: the model's files, or the converted one's, are not safe; it was not run.
    :raises UnsupportedError: its form cannot be converted, or no environment can be built.
    """
    demand_safe(request, "source", source)
    layout = source.layout
    if not (is_torch(layout) if form == SAFETENSORS else layout.form in _TO_ONNX):
        raise _not_convertible(request, form, f"a model of the form {layout.form or 'unknown'!r}")
    limits = request.compare.limits
    most = max(limits.file_bytes, 2 * sum(each.size_bytes for each in source.fetched.files) + _SPARE)
    options = replace(request.compare, limits=replace(limits, file_bytes=most), latency=None)
    asked = replace(request, compare=options, check=replace(request.check, target_runtime=None))
    solver = Solver(request.check.solve_seconds, request.check.offline)
    environment = _environment(asked, source, form, solver, work)
    if form == SAFETENSORS:
        return _to_weights(asked, source, environment, golden, folder, work)
    if golden is None:
        raise TypeError("a form that answers, and no golden inputs")
    return _to_onnx(asked, source, environment, golden, folder, (solver, work))


def _to_onnx(
    request: ModelRequest,
    source: Checked,
    environment: _Environment,
    golden: tuple[Golden, str],
    folder: Path,
    by: tuple[Solver, Work],
) -> Converted:
    (solver, work), path = by, folder / _ONNX_FILE
    with _process(request, source, environment, work) as process:
        process.load(golden[0])
        told = process.convert(path)
    if told["missing"]:
        return Converted(told)
    work.tell(f"converted to {ONNX}, {path.stat().st_size:,} bytes")
    flavor = {"onnx_version": told["packages"].get("onnx", ""), "providers": ["CPUExecutionProvider"]}
    needed = ("onnx", "onnxruntime", "numpy", "pandas")
    model = write_form(source, Made(ONNX, _ONNX_FILE, told, flavor, needed), folder)
    looked = _looked(request, model, solver, work)
    pair = (prepare(request, "source", source, solver), prepare(request, "target", looked, solver))
    return Converted(told, model, revalidate(request, pair, *golden, work))


def _to_weights(
    request: ModelRequest,
    source: Checked,
    environment: _Environment,
    golden: tuple[Golden, str] | None,
    folder: Path,
    work: Work,
) -> Converted:
    with _process(request, source, environment, work) as process:
        process.load(None)
        told = process.convert(folder / WEIGHTS_FILE, "weights")
    if told["missing"]:
        return Converted(told)
    flavor = {"framework": "pytorch"}
    model = write_form(
        source, Made(SAFETENSORS, WEIGHTS_FILE, told, flavor, ("safetensors", "torch")), folder
    )
    solver = Solver(request.check.solve_seconds, request.check.offline)
    _looked(request, model, solver, work)
    # In a process of its own: what has written the file does not judge it as well.
    with _process(request, source, environment, work) as process:
        process.load(None)
        proof = _weights_record(request, source, process, model)
    if golden is None or not proof.passed:
        return Converted(told, model, None, proof)
    ours = Prepared("source", source, None, environment.interpreter, environment.key, "pytorch")
    pair = (ours, replace(ours, side="target", weights=model))
    return Converted(told, model, revalidate(request, pair, *golden, work), proof)


def _weights_record(
    request: ModelRequest, source: Checked, process: ModelProcess, model: FetchedModel
) -> ModelWeightsRecord:
    tensors = compare_tensors(process.tensors(), read_tensors(model.folder / WEIGHTS_FILE))
    differing = [each.name for each in tensors if not each.equal]
    named = ", ".join(differing[:5])
    return ModelWeightsRecord(
        run=request.run,
        model=request.model,
        version=request.version,
        source_url=source.fetched.url,
        source_digest=source.fetched.digest,
        sha256=next(each.sha256 for each in model.files if each.path == WEIGHTS_FILE),
        tensors=tuple(tensors),
        differing=len(differing),
        statement=f"{len(differing)} of {len(tensors)} tensors are not the model's: {named}"
        if differing
        else f"all {len(tensors)} tensors are the model's, bit by bit",
        passed=bool(tensors) and not differing,
    )


def _looked(request: ModelRequest, model: FetchedModel, solver: Solver, work: Work) -> Checked:
    """Look at what was made; the source's model may be trusted further than what its process has written.

    :raises ConflictError: it is not safe.
    """
    looked = look(model, replace(request.check, trusted=frozenset(), accept=frozenset()), solver, work)
    demand_safe(request, "target", looked)
    return looked


def _environment(
    request: ModelRequest, source: Checked, form: str, solver: Solver, work: Work
) -> _Environment:
    layout, runtime = source.layout, request.check.source_runtime
    python = minor_of((runtime.python if runtime else "") or layout.python or "3.11")
    needed = converters_of(layout, form)
    ours = {pin_of(line)[0] for line in needed}
    wanted = [line for line in plain_requirements(layout) if pin_of(line)[0] not in ours]
    constraints = runtime.constraints if runtime else ()
    solved = solver.solve([*wanted, *needed], python, constraints=constraints)
    if solved.problem:
        said = f"packages that do not fit with the converters: {solved.problem}"
        raise _not_convertible(request, form, said)
    interpreter = solver.build(solved, python)
    work.check()
    work.tell(f"converting to {form}")
    return _Environment(interpreter, f"{python} {solved.digest}")


def _process(request: ModelRequest, source: Checked, environment: _Environment, work: Work) -> ModelProcess:
    layout = source.layout
    path = source.fetched.folder / layout.path if layout.path else source.fetched.folder
    return ModelProcess(
        f"the converter of model {request.name!r}",
        environment.interpreter,
        layout.form,
        path,
        request.compare.limits,
        work.check,
        program="converter.py",
    )


def packages_of(pins: Sequence[str]) -> dict[str, str]:
    """Return the converters with their versions."""
    return exact_versions(pins)


def _not_convertible(request: ModelRequest, form: str, got: str) -> UnsupportedError:
    if form == SAFETENSORS:
        expected = "a model of PyTorch (MLflow's, an exported program, or weights alone)"
    else:
        expected = "a model of scikit-learn, XGBoost, LightGBM or PyTorch that answers inputs"
    by = WEIGHTS if form == SAFETENSORS else (*CONVERTERS, *BOOSTERS, *TORCH[:1])
    return UnsupportedError(
        f"converting model {request.name!r} to {form}",
        got=got,
        expected=expected,
        state="nothing was converted or changed",
        remedy=f"save it with packages that {', '.join(by)} run beside, or take the conversion out",
        code="7810",
    )
