"""Judges what a model needs against what the target's runtime has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from heavylift.evidence.records import Finding
from heavylift.models import cuda
from heavylift.models.layout import Layout
from heavylift.models.rules import finding

_PIN = re.compile(r"\s*([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(.*?)\s*(?:;.*)?$")
_EXACT = re.compile(r"===?\s*([\w.!+]+)$")
_BOUND = r"(?:===?|[<>!~]=|[<>])[ \t]*[\w.*+!-]+"
_NAMED = re.compile(
    r"[A-Za-z0-9][\w.-]*[ \t]*(?:\[[\w,. \t-]*\])?[ \t]*"
    rf"\(?(?:{_BOUND}(?:[ \t]*,[ \t]*{_BOUND})*)?\)?[ \t]*(?:;[\w \t.<>=!~'\"()-]*)?",
    re.ASCII,
)
_LONGEST = 1000
_FILE = re.compile(r"\.(?:whl|zip|egg|tar|tar\.\w+|tgz)(?:$|[\s;])", re.IGNORECASE)
_FRAMEWORKS = (
    "scikit-learn", "xgboost", "lightgbm", "catboost", "torch", "tensorflow", "keras", "onnxruntime", "numpy",
    "skops", "transformers", "statsmodels", "prophet", "spacy", "pyspark",
)  # fmt: skip
_COMPILED_PACKAGES = {
    "torch-neuron": "inferentia", "torch-neuronx": "inferentia", "tensorflow-neuron": "inferentia",
    "tensorflow-neuronx": "inferentia", "neuronx-distributed": "inferentia", "neuronx-cc": "inferentia",
    "transformers-neuronx": "inferentia", "optimum-neuron": "inferentia", "torch-tensorrt": "nvidia",
    "tensorrt": "nvidia",
}  # fmt: skip
"""Packages that run what was compiled for one accelerator."""
_COMPILED_FLAVORS = {"neuron": "inferentia", "tensorrt": "nvidia"}


@dataclass(frozen=True)
class Runtime:
    """What the target gives a model, or the source gave it.

    :param packages: name → version that is installed there.
    :param accelerator: ``cpu``, ``nvidia``, ``inferentia``, ``tpu``, …
    :param platform: as uv names it; empty for this machine's.
    """

    name: str = ""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    accelerator: str = ""
    compute_capability: str = ""
    driver: str = ""
    platform: str = ""

    @property
    def constraints(self) -> list[str]:
        """The packages as lines that bound a solution."""
        return [f"{name}=={version}" for name, version in self.packages.items()]


def requirement_findings(layout: Layout) -> Iterator[Finding]:
    """Yield what is wrong with how a model names its packages."""
    if not layout.requirements:
        yield finding("no-requirements", "requirements.txt", "the model does not say which packages it needs")
    for line in layout.requirements:
        if not is_named(line):
            yield finding(
                "unsafe-requirement", "requirements.txt", f"{_shown(line)} is not a package by its name"
            )
        elif not _EXACT.search(pin_of(line)[1]):
            yield finding(
                "unpinned-requirement", "requirements.txt", f"{_shown(line)} has no version of its own"
            )


def is_named(line: str) -> bool:
    """Tell whether a requirement is a package by its name, and nothing that uv would take for an option."""
    return len(line) <= _LONGEST and bool(_NAMED.fullmatch(line)) and not _FILE.search(line)


def plain_requirements(layout: Layout) -> list[str]:
    """Return the requirements that name a package, with what reads MLflow's models added."""
    lines = [line for line in layout.requirements if is_named(line)]
    names = {pin_of(line)[0] for line in lines}
    if layout.form == "mlflow" and not names & {"mlflow", "mlflow-skinny"}:
        lines.append(f"mlflow=={layout.mlflow_version}" if layout.mlflow_version else "mlflow")
    # Packages of the same modules under another name, such as xgboost-cpu.
    names |= {name.removesuffix("-cpu").removesuffix("-gpu") for name in names}
    return [*lines, *(package for package in _NEEDED.get(layout.form, ()) if package not in names)]


_NEEDED = {"onnx": ("onnxruntime", "pandas"), "skops": ("skops", "pandas"), "pickle": ("joblib", "pandas"),
           "mlflow": ("pandas",), "exported": ("torch", "numpy", "pandas"), "torch": ("torch", "numpy"),
           "xgboost": ("xgboost", "pandas"), "lightgbm": ("lightgbm", "pandas"),
           "catboost": ("catboost", "pandas"), "torchscript": ("torch", "numpy", "pandas"),
           "savedmodel": ("tensorflow", "pandas"), "keras": ("keras", "pandas")}  # fmt: skip


def pin_of(line: str) -> tuple[str, str]:
    """Return a requirement's normalised name and its version part."""
    match = _PIN.match(line)
    if match is None:
        return "", ""
    return re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]


def exact_versions(lines: Sequence[str]) -> dict[str, str]:
    """Return name → version of the requirements that give one."""
    pins = [pin_of(line) for line in lines]
    return {name: found[1] for name, version in pins if (found := _EXACT.search(version))}


def runtime_findings(
    layout: Layout, source: Runtime | None, target: Runtime | None, lock: Sequence[str] = ()
) -> Iterator[Finding]:
    """Yield where the target's runtime does not fit the model.

    :param lock: what its requirements come to for the target.
    """
    if target is None:
        yield finding(
            "no-runtime", "target", "the target's runtime is not described, so nothing was held against it"
        )
        return
    yield from _python(layout, target)
    yield from _libraries(layout, target)
    yield from _gpu(layout, source, target, lock)


def _python(layout: Layout, target: Runtime) -> Iterator[Finding]:
    if not (layout.python and target.python):
        return
    if minor_of(layout.python) == minor_of(target.python):
        return
    said = f"saved with Python {layout.python}, and the target has {target.python}"
    rule = "python-bytecode" if layout.serialization == "cloudpickle" else "python-differs"
    yield finding(rule, "python", said)


def minor_of(version: str) -> str:
    """Return the first two numbers of a version."""
    return ".".join(version.split(".")[:2])


def _libraries(layout: Layout, target: Runtime) -> Iterator[Finding]:
    saved = exact_versions(layout.requirements)
    for name, there in target.packages.items():
        normal = pin_of(name)[0]
        if normal not in _FRAMEWORKS or normal not in saved:
            continue
        ours, theirs = _numbers(saved[normal]), _numbers(there)
        said = f"saved with {normal} {saved[normal]}, and the target has {there}"
        if ours[:1] != theirs[:1] and normal != "onnxruntime":
            yield finding("library-major", normal, said)
        elif theirs[:2] < ours[:2]:
            yield finding("library-older", normal, said)
        elif theirs[:2] > ours[:2]:
            yield finding("library-newer", normal, said)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _gpu(layout: Layout, source: Runtime | None, target: Runtime, lock: Sequence[str]) -> Iterator[Finding]:
    compiled = {_COMPILED_FLAVORS[each] for each in layout.flavors if each in _COMPILED_FLAVORS}
    names = {pin_of(line)[0] for line in layout.requirements}
    compiled |= {_COMPILED_PACKAGES[name] for name in names if name in _COMPILED_PACKAGES}
    before = (source.accelerator if source else "") or next(iter(compiled), "")
    if compiled and target.accelerator and target.accelerator not in compiled:
        yield finding("accelerator-differs", "accelerator", f"compiled for {before}, the target has"
                      f" {target.accelerator}")  # fmt: skip
    asked = cuda.cuda_major(layout.requirements)
    # 0 says: of some version; the solution may tell which.
    major = asked or cuda.cuda_of_lock(lock)
    major = asked if major is None else major
    if major is None:
        return
    if target.accelerator != "nvidia":
        has = target.accelerator or "no accelerator named"
        built = f"its packages are built for CUDA {major or 'of some version'}, and the target has {has}"
        yield finding("gpu-missing", "accelerator", built)
        return
    yield from _driver(major, target)
    built_for, there = source.compute_capability if source else "", target.compute_capability
    if built_for and there and not cuda.machine_code_runs(built_for, there):
        detail = f"machine code for compute capability {built_for} does not run on {there}"
        yield finding("gpu-generation", "accelerator", detail)


def _driver(major: int, target: Runtime) -> Iterator[Finding]:
    lowest = cuda.LOWEST_DRIVER.get(major)
    if lowest and target.driver and cuda.driver_major(target.driver) < lowest:
        detail = f"CUDA {major} needs driver {lowest} or newer, and the target has {target.driver}"
        yield finding("cuda-driver-too-old", "driver", detail)
    least, there = cuda.LOWEST_CAPABILITY.get(major), target.compute_capability
    if least and there and cuda.capability(there) < least:
        needed = f"{least[0]}.{least[1]}"
        detail = f"CUDA {major} needs compute capability {needed}, and the target has {there}"
        yield finding("cuda-gpu-too-old", "accelerator", detail)


def _shown(line: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//***@", line)[:200]
