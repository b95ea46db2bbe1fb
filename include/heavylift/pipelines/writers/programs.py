"""What every writer says of a step in the same way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from heavylift.pipelines.model import Execution, Expression, Literal, Pipeline, Step
from heavylift.pipelines.notes import Notes

_FAIL = 'printf "%s\\n" "$1" >&2; exit 1'
_WAIT = 'exec sleep "$1"'
_DATA = "/opt/ml/input/data/"


_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SafeDumper):  # type: ignore[misc]
    """Writes what occurs twice in full: aliases are hard to read, and are read by nobody here."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def plain_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML that a person can read."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000)


def tell_choices(pipeline: Pipeline, notes: Notes) -> None:
    """Note which parameters take any value on the target."""
    for parameter in pipeline.parameters:
        if parameter.choices:
            what = f"parameter {parameter.name} takes any value, not only its choices"
            notes.loss("pipeline", what, "check it in the first step")


def unused(base: str, separator: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, and take it."""
    made, number = base, 2
    while made in taken:
        made, number = f"{base}{separator}{number}", number + 1
    taken.add(made)
    return made


def failing(step: Step) -> tuple[Expression, ...]:
    """Return the program of a step that runs no container of its own; nothing for one that does."""
    if step.kind in {"fail", "stub"}:
        message = step.message if step.message is not None else Literal(f"{step.name} failed")
        return (Literal("sh"), Literal("-c"), Literal(_FAIL), Literal("fail"), message)
    if step.kind == "wait":
        return (
            Literal("sh"),
            Literal("-c"),
            Literal(_WAIT),
            Literal("wait"),
            step.wait_seconds or Literal(0),
        )
    return (Literal("true"),) if step.kind == "pass" else ()


def sagemaker_files(step: Step) -> list[tuple[str, str]]:
    """Return the files that SageMaker's training toolkits expect beside the hyperparameters."""
    channels = [port.name for port in step.inputs if port.path.startswith(_DATA)]
    if not step.hyperparameters and not channels:
        return []
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    data = {name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"} for name in channels}
    config = "/opt/ml/input/config"
    return [
        (f"{config}/resourceconfig.json", json.dumps(hosts)),
        (f"{config}/inputdataconfig.json", json.dumps(data)),
    ]


def unlike(expression: Execution, known: Mapping[str, str], step: Step, notes: Notes) -> str:
    """Return what stands for something of the run, and note that it looks different."""
    found = known.get(expression.name)
    if found is None:
        notes.loss(step.name, f"the run's {expression.name} is empty", "pass it as a parameter")
        return ""
    return found
