"""Writes HorizontalPodAutoscalers and ScaledObjects."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from heavylift.autoscaling.model import Kind, Limit, Loss, Metric, Pace, Policy, System
from heavylift.autoscaling.readers.kubernetes import BACK, OUT
from heavylift.autoscaling.writers.common import Losses, demand_bounds, dumped, lose_schedules, tracked

PODS_NAMES = {
    Kind.REQUESTS: "requests_per_minute",
    Kind.GPU: "DCGM_FI_DEV_GPU_UTIL",
    Kind.WAITING: "requests_in_flight",
}
_QUERIES = {
    Kind.REQUESTS: "sum(rate(http_requests_total[1m])) * 60",
    Kind.GPU: "sum(DCGM_FI_DEV_GPU_UTIL)",
    Kind.WAITING: "sum(http_requests_in_flight)",
}


def made(policy: Policy, system: System, losses: Losses) -> Policy:
    """Return the policy as Kubernetes holds it, what it cannot hold told."""
    policy = tracked(policy, losses)
    if system is System.HPA:
        policy = lose_schedules(policy, losses)
        policy = demand_bounds(policy, losses, 1, "a HorizontalPodAutoscaler does not go to 0; KEDA's does")
    elif policy.schedules:
        policy = lose_schedules(policy, losses)
    if policy.system in {System.HPA, System.KEDA}:
        return replace(policy, system=system)
    losses.append(
        Loss(
            "metrics",
            "metrics of pods come from the cluster's own monitoring",
            "serve them by an adapter, or by KEDA",
        )
    )
    out, back = OUT, BACK
    if policy.system is System.AWS:
        # The cooldown back is a pause after each step; the window is the nearest that Kubernetes has.
        window = max(900, policy.back.cooldown_s or 0)
        back = Pace(window_s=window, limits=BACK.limits)
        out = Pace(window_s=60, limits=(Limit("percent", 900, 60), Limit("pods", 10, 60)))
        losses.append(
            Loss(
                "cooldown",
                "cooldowns become windows of stabilisation: 15 low minutes and the cooldown back",
                "compare both by simulation",
            )
        )
        if policy.back.select == "disabled":
            back = replace(back, select="disabled")
    elif policy.system is System.AZURE:
        losses.append(
            Loss(
                "cooldown", "cooldowns of rules become Kubernetes' own windows", "compare both by simulation"
            )
        )
    return replace(policy, system=system, out=out, back=back, tolerance=0.1)


def write(policy: Policy, losses: Losses) -> str:
    """Return the object, as YAML."""
    return dumped(_hpa(policy, losses) if policy.system is System.HPA else _keda(policy, losses))


def _hpa(policy: Policy, losses: Losses) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": _name(policy.name)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": _name(policy.resource)},
            "minReplicas": policy.minimum,
            "maxReplicas": policy.maximum,
            "metrics": [_metric(each, losses) for each in policy.metrics],
            "behavior": _behaviour(policy),
        },
    }


def _metric(metric: Metric, losses: Losses) -> dict[str, Any]:
    if metric.kind is Kind.CPU:
        whole = max(1, int(metric.target))
        if whole != metric.target:
            losses.append(
                Loss(
                    "metrics",
                    f"a target of {metric.target:g} % becomes {whole} %",
                    "nothing: it is the safe side",
                )
            )
        target = {"type": "Utilization", "averageUtilization": whole}
        losses.append(
            Loss("metrics", "per cent are of what the pods request", "request what one replica had before")
        )
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    name = PODS_NAMES.get(metric.kind) or _name(metric.name).replace("-", "_")
    target = {"type": "AverageValue", "averageValue": _quantity(metric.target)}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": target}}


def _behaviour(policy: Policy) -> dict[str, Any]:
    return {"scaleUp": _pace(policy.out, OUT), "scaleDown": _pace(policy.back, BACK)}


def _pace(pace: Pace, default: Pace) -> dict[str, Any]:
    return {
        "stabilizationWindowSeconds": min(
            3600, pace.window_s if pace.window_s is not None else default.window_s or 0
        ),
        "selectPolicy": pace.select.title(),
        "policies": [
            {"type": limit.unit.title(), "value": limit.value, "periodSeconds": limit.period_s}
            for limit in pace.limits or default.limits
        ],
    }


def _keda(policy: Policy, losses: Losses) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "scaleTargetRef": {"name": _name(policy.resource)},
        "pollingInterval": 30,
        "cooldownPeriod": policy.back.cooldown_s or 300,
        "minReplicaCount": policy.minimum,
        "maxReplicaCount": policy.maximum,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behaviour(policy)}},
        "triggers": [_trigger(each, losses) for each in policy.metrics],
    }
    if policy.minimum == 0 and all(metric.kind is Kind.CPU for metric in policy.metrics):
        losses.append(
            Loss(
                "minimum",
                "with processors alone as metric KEDA does not go to 0",
                "track requests, too",
                blocks=True,
            )
        )
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": _name(policy.name)},
        "spec": spec,
    }


def _trigger(metric: Metric, losses: Losses) -> dict[str, Any]:
    if metric.kind is Kind.CPU:
        return {
            "type": "cpu",
            "metricType": "Utilization",
            "metadata": {"value": str(max(1, int(metric.target)))},
        }
    query = _QUERIES.get(metric.kind, f"sum({_name(metric.name).replace('-', '_')})")
    losses.append(
        Loss(
            "metrics",
            f"the query {query!r} is a guess at what the program serves",
            "correct it, and its labels",
        )
    )
    return {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": "http://prometheus.monitoring:9090",
            "metricName": PODS_NAMES.get(metric.kind, _name(metric.name).replace("-", "_")),
            "query": query,
            "threshold": f"{metric.target:g}",
        },
    }


def _quantity(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{int(value * 1000)}m"


def _name(text: str) -> str:
    # Of endpoint/NAME/variant/VARIANT and of an Azure or Google resource the name of the endpoint counts.
    parts = [part for part in text.split("/") if part]
    for word in ("endpoint", "onlineEndpoints", "models"):
        if word in parts[:-1]:
            text = parts[parts.index(word) + 1]
            break
    made = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-")
    return made or "endpoint"
