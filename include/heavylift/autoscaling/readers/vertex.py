"""Reads the dedicated resources of a model that is deployed to Vertex AI."""

from __future__ import annotations

from typing import Any

from heavylift.autoscaling.documents import Reader, bad
from heavylift.autoscaling.model import Kind, Metric, Policy, System

PREFIX = "aiplatform.googleapis.com/prediction/online/"
NAMES = {
    f"{PREFIX}cpu/utilization": Kind.CPU,
    f"{PREFIX}accelerator/duty_cycle": Kind.GPU,
    f"{PREFIX}request_count": Kind.REQUESTS,
}
DEFAULT = 60.0


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document has dedicated resources."""
    return "dedicatedResources" in document or "minReplicaCount" in document


def read(document: dict[str, Any], file: str) -> Policy:
    """Return the policy.

    :raises SpecError: a field is missing or of another type.
    """
    reader = Reader(file)
    found = reader.mapping(document.get("dedicatedResources", document), "dedicatedResources")
    machine = reader.mapping(found.get("machineSpec"), "machineSpec")
    minimum = reader.whole(found.get("minReplicaCount"), "minReplicaCount")
    targets = {}
    for index, each in enumerate(reader.items(found.get("autoscalingMetricSpecs"), "autoscalingMetricSpecs")):
        name = str(each.get("metricName"))
        if name not in NAMES:
            raise bad(file, f"autoscalingMetricSpecs[{index}].metricName", name, ", ".join(NAMES))
        targets[name] = reader.target(each.get("target", DEFAULT), f"autoscalingMetricSpecs[{index}].target")
    # Where nothing is said, processors count, and accelerators where there are any, with 60 per cent each.
    defaults = ["cpu/utilization", *(["accelerator/duty_cycle"] if machine.get("acceleratorCount") else [])]
    for name in defaults:
        targets.setdefault(f"{PREFIX}{name}", DEFAULT)
    order = sorted(targets, key=lambda name: (NAMES[name] is Kind.CPU, name))
    return reader.sound(
        Policy(
            name=str(document.get("displayName", "deployed-model")),
            system=System.VERTEX,
            minimum=minimum,
            maximum=reader.whole(found.get("maxReplicaCount"), "maxReplicaCount", max(1, minimum)),
            metrics=tuple(Metric(NAMES[name], targets[name], name) for name in order),
            tolerance=0.0,
            resource=str(document.get("model", "")),
        )
    )
