"""Each rule about what a model needs has a case that it finds and one that it leaves alone."""

from __future__ import annotations

import pytest

from heavylift.evidence.records import Severity
from heavylift.models import cuda
from heavylift.models.layout import Layout
from heavylift.models.rules import RULES, accepting, finding
from heavylift.models.runtime import (
    Runtime,
    exact_versions,
    plain_requirements,
    requirement_findings,
    runtime_findings,
)

TARGET = Runtime(python="3.11", packages={"scikit-learn": "1.9.1"}, accelerator="cpu")
GPU = Runtime(accelerator="nvidia", compute_capability="8.0", driver="535.104.05")


def layout(*requirements: str, python: str = "3.11.7", **more: str) -> Layout:
    return Layout("mlflow", python=python, requirements=requirements, **more)  # type: ignore[arg-type]


def found(model: Layout, target: Runtime | None = TARGET, source: Runtime | None = None) -> set[str]:
    return {each.rule for each in runtime_findings(model, source, target)}


@pytest.mark.parametrize(
    ("model", "target", "rule", "sound"),
    [
        (layout(python="3.12.1"), TARGET, "python-differs", layout(python="3.11.9")),
        (
            layout(python="3.12.1", serialization="cloudpickle"),
            TARGET,
            "python-bytecode",
            layout(python="3.11.1", serialization="cloudpickle"),
        ),
        (layout("scikit-learn==1.10.0"), TARGET, "library-older", layout("scikit-learn==1.9.0")),
        (layout("scikit_learn==1.8.2"), TARGET, "library-newer", layout("scikit-learn==1.9.4")),
        (layout("scikit-learn==0.24.2"), TARGET, "library-major", layout("scikit-learn==1.9.1")),
        (layout("torch==2.4.0+cu121"), TARGET, "gpu-missing", layout("torch==2.4.0")),
        (layout("torch==2.9.0+cu130"), GPU, "cuda-driver-too-old", layout("torch==2.4.0+cu121")),
        (
            layout("nvidia-cublas-cu13==1.0"),
            Runtime(accelerator="nvidia", compute_capability="7.0", driver="580.1"),
            "cuda-gpu-too-old",
            layout("nvidia-cublas-cu12==1.0"),
        ),
    ],
)
def test_a_rule_finds_what_it_is_for_and_nothing_else(
    model: Layout, target: Runtime, rule: str, sound: Layout
) -> None:
    assert rule in found(model, target)
    assert rule not in found(sound, target)


def test_a_runtime_that_nobody_described_is_said_to_be_unknown() -> None:
    assert found(layout(), None) == {"no-runtime"}


def test_machine_code_runs_on_its_own_generation_only() -> None:
    model = layout("torch==2.4.0+cu121")
    for built_for, expected in (("8.0", False), ("7.5", True), ("8.6", True), ("9.0", True)):
        source = Runtime(accelerator="nvidia", compute_capability=built_for)
        assert ("gpu-generation" in found(model, GPU, source)) is expected
    assert cuda.machine_code_runs("8.0", "8.9")


def test_what_is_compiled_for_another_accelerator_is_refused() -> None:
    compiled = Layout("mlflow", flavors=("neuron", "python_function"))
    assert "accelerator-differs" in found(compiled, GPU)
    assert "accelerator-differs" not in found(compiled, Runtime(accelerator="inferentia"))


@pytest.mark.parametrize(
    ("name", "runs_on"),
    [("torch-neuronx", "inferentia"), ("tensorrt", "nvidia"), ("Torch_TensorRT", "nvidia")],
)
def test_packages_that_run_compiled_models_tell_their_accelerator(name: str, runs_on: str) -> None:
    model = layout(f"{name}==1.0")
    assert "accelerator-differs" in found(model, TARGET)
    assert "accelerator-differs" not in found(model, Runtime(accelerator=runs_on))


def test_the_solution_tells_the_cuda_that_a_plain_pin_brings() -> None:
    model, lock = layout("torch==2.13.0"), ("nvidia-cuda-runtime==13.0.96", "torch==2.13.0")

    def with_lock(target: Runtime, lines: tuple[str, ...] = lock) -> set[str]:
        return {each.rule for each in runtime_findings(model, None, target, lines)}

    assert "cuda-driver-too-old" in with_lock(GPU)
    assert "cuda-driver-too-old" not in with_lock(GPU, ("nvidia-cuda-runtime-cu12==12.4.127",))
    assert "gpu-missing" in with_lock(TARGET)
    # A library of XGBoost's: it says nothing of where the model runs.
    assert "gpu-missing" not in with_lock(TARGET, ("nvidia-nccl-cu12==2.29.7", "torch==2.13.0+cpu"))
    assert cuda.cuda_of_lock(("torch==2.4.0+cu121", "numpy==2.0")) == 12


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("pandas", "unpinned-requirement"),
        ("pandas>=2", "unpinned-requirement"),
        ("git+https://example.org/x.git", "unsafe-requirement"),
        ("x @ https://example.org/x.whl", "unsafe-requirement"),
        ("--index-url https://user:secret@example.org", "unsafe-requirement"),
        ("./code/mine.whl", "unsafe-requirement"),
        ("-e .", "unsafe-requirement"),
    ],
)
def test_requirements_that_do_not_name_a_version_are_named(line: str, rule: str) -> None:
    [one] = list(requirement_findings(layout(line)))
    assert one.rule == rule
    assert "secret" not in one.detail
    assert list(requirement_findings(layout("pandas==2.3.1", 'x[y]==1.0 ; python_version > "3"'))) == []
    assert [each.rule for each in requirement_findings(layout())] == ["no-requirements"]


def test_what_is_solved_is_packages_by_name_and_what_reads_the_model() -> None:
    model = layout("Scikit_Learn==1.9.1", "git+https://example.org/x", mlflow_version="3.17.2")
    assert plain_requirements(model) == ["Scikit_Learn==1.9.1", "mlflow==3.17.2", "pandas"]
    assert exact_versions(model.requirements) == {"scikit-learn": "1.9.1"}
    assert plain_requirements(Layout("onnx", requirements=("onnxruntime==1.20",)))[-1] == "pandas"


def test_accepting_makes_a_note_of_what_may_be_accepted_only() -> None:
    all_rules = frozenset(RULES)
    for rule in RULES.values():
        [each] = accepting([finding(rule.id, "x", "detail")], all_rules)
        assert (each.severity is Severity.NOTE) == (rule.acceptable or rule.severity is Severity.NOTE)
        assert each.remedy


def test_what_acts_or_arrived_wrong_is_never_accepted() -> None:
    never = {rule.id for rule in RULES.values() if not rule.acceptable}
    assert never == {
        "malicious-code", "scanner-issue", "damaged-pickle", "scanner-unavailable", "digest-differs",
        "file-missing", "golden-expectation", "path-outside", "pickled-code",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["xgboost-cpu==3.2.0", "xgboost==3.2.0"])
def test_a_package_under_another_name_is_not_asked_for_twice(line: str) -> None:
    assert plain_requirements(Layout("xgboost", requirements=(line,))) == [line, "pandas"]
