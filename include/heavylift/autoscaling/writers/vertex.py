"""Writes the dedicated resources of a model that is deployed to Vertex AI."""

from __future__ import annotations

import json
from dataclasses import replace

from heavylift.autoscaling.model import Kind, Loss, Metric, Pace, Policy, System
from heavylift.autoscaling.readers.vertex import DEFAULT, NAMES, PREFIX
from heavylift.autoscaling.writers.common import Losses, demand_bounds, lose_schedules, tracked

_NAMES = {kind: name for name, kind in NAMES.items()}


def made(policy: Policy, losses: Losses) -> Policy:
    """Return the policy as Vertex AI holds it, what it cannot hold told."""
    if policy.system is System.VERTEX:
        return policy
    policy = tracked(lose_schedules(policy, losses), losses)
    policy = demand_bounds(policy, losses, 1, "scaling to 0 is a preview with an interface of its own")
    if policy.out != Pace() or policy.back != Pace():
        losses.append(
            Loss(
                "pace",
                "cooldowns, windows and limits of steps cannot be set",
                "compare both by simulation: Vertex AI goes back after 5 minutes",
            )
        )
    if policy.back.select == "disabled":
        losses.append(
            Loss(
                "pace", "scaling back cannot be switched off", "make the minimum what must stay", blocks=True
            )
        )
    metrics = []
    for metric in policy.metrics:
        if metric.kind not in _NAMES:
            losses.append(
                Loss(
                    "metrics",
                    f"{metric.name or metric.kind} is no metric of Vertex AI's",
                    "track requests, processors or accelerators",
                    blocks=True,
                )
            )
            continue
        whole = max(1, int(metric.target))
        if metric.kind is not Kind.REQUESTS and whole > 100:
            losses.append(
                Loss(
                    "metrics",
                    f"{metric.target:g} per cent becomes 100",
                    "look what the source's metric counts",
                )
            )
            whole = 100
        if whole != metric.target:
            losses.append(
                Loss(
                    "metrics",
                    f"a target of {metric.target:g} becomes {whole}",
                    "nothing: it is the safe side",
                )
            )
        metrics.append(Metric(metric.kind, float(whole), _NAMES[metric.kind]))
    kept = {metric.kind for metric in metrics}
    if Kind.CPU not in kept:
        losses.append(
            Loss(
                "metrics",
                f"processors count, too, with {DEFAULT:g} per cent",
                "set them higher, if they are busy by nature",
            )
        )
        metrics.append(Metric(Kind.CPU, DEFAULT, f"{PREFIX}cpu/utilization"))
    return replace(
        policy, system=System.VERTEX, metrics=tuple(metrics), out=Pace(), back=Pace(), tolerance=0.0
    )


def write(policy: Policy, losses: Losses) -> str:
    """Return the part of a DeployedModel, as JSON."""
    if policy.system is System.VERTEX and not policy.resource.startswith("projects/"):
        losses.append(
            Loss(
                "machine",
                "machine and accelerators are set where the model is deployed",
                "add them to machineSpec",
            )
        )
    found = {
        "minReplicaCount": policy.minimum,
        "maxReplicaCount": policy.maximum,
        "autoscalingMetricSpecs": [
            {"metricName": each.name, "target": int(each.target)} for each in policy.metrics
        ],
    }
    return json.dumps({"displayName": policy.name, "dedicatedResources": found}, indent=2) + "\n"
