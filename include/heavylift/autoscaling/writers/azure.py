"""Writes autoscale settings of Azure Monitor for a deployment of an online endpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from heavylift.autoscaling.model import Kind, Loss, Metric, Pace, Policy, Rule, System
from heavylift.autoscaling.writers.common import Losses, demand_bounds, lose_schedules

_NAMES = {
    Kind.CPU: "CpuUtilizationPercentage",
    Kind.GPU: "GpuUtilizationPercentage",
    Kind.REQUESTS: "RequestsPerMinute",
}
_UNITS = {"change": "ChangeCount", "percent": "PercentChangeCount", "exact": "ExactCount"}
_LEAST_WINDOW = 300
TIERS = ((1.0, 25), (1.5, 50), (2.0, 100))
"""How far above the target how many per cent are added: rules know no proportion."""
BACK_SHARE, BACK_WINDOW = 0.7, 900


def made(policy: Policy, losses: Losses) -> Policy:
    """Return the policy as Azure holds it, what it cannot hold told."""
    if policy.system is System.AZURE:
        return policy
    policy = lose_schedules(policy, losses)
    policy = demand_bounds(policy, losses, 1, "a deployment has at least one instance")
    if policy.rules:
        rules = tuple(_slow(rule, losses) for rule in policy.rules)
        return replace(policy, system=System.AZURE, rules=rules, out=Pace(), back=Pace())
    losses.append(
        Loss(
            "metrics",
            "targets become rules: above 1, 1.5 and 2 times the target 25, 50, 100 per cent are added, below"
            f" {BACK_SHARE:g} of it one is taken away",
            "compare both by simulation",
        )
    )
    tiers: list[Rule] = []
    for metric in policy.metrics:
        name = _NAMES.get(metric.kind, "")
        if not name:
            losses.append(
                Loss(
                    "metrics",
                    f"{metric.name or metric.kind} is no metric of Azure ML's",
                    "track requests, processors or accelerators",
                    blocks=True,
                )
            )
            name = metric.name
        tiers += _rules(Metric(metric.kind, metric.target, name), policy)
    return replace(
        policy, system=System.AZURE, metrics=(), rules=tuple(tiers), out=Pace(), back=Pace(), tolerance=0.0
    )


def _rules(metric: Metric, policy: Policy) -> list[Rule]:
    found = [
        Rule(metric, True, metric.target * times, _LEAST_WINDOW, "percent", percent, 300)
        for times, percent in TIERS
        # Of per cent there are no more than 100.
        if times == 1.0 or metric.kind is Kind.REQUESTS or metric.target * times < 100
    ]
    if policy.back.select != "disabled":
        low = metric.target * BACK_SHARE
        cooldown = max(300, policy.back.cooldown_s or policy.back.window_s or 0)
        found.append(Rule(metric, False, low, BACK_WINDOW, "change", 1, cooldown))
    return found


def _slow(rule: Rule, losses: Losses) -> Rule:
    if rule.window_s >= _LEAST_WINDOW:
        return rule
    losses.append(
        Loss(
            "rules",
            f"a window of {rule.window_s} s becomes {_LEAST_WINDOW} s, Azure's least",
            "compare both by simulation",
        )
    )
    return replace(rule, window_s=_LEAST_WINDOW)


def write(policy: Policy, losses: Losses) -> str:
    """Return the resource Microsoft.Insights/autoscaleSettings, as JSON."""
    resource = policy.resource if policy.resource.startswith("/subscriptions/") else ""
    if not resource:
        losses.append(
            Loss(
                "resource",
                "the deployment's identifier on Azure is not known",
                "write it as targetResourceUri",
            )
        )
        resource = (
            "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.MachineLearningServices"
            "/workspaces/WORKSPACE/onlineEndpoints/ENDPOINT/deployments/DEPLOYMENT"
        )
    profile = {
        "name": "default",
        "capacity": {
            "minimum": str(policy.minimum),
            "maximum": str(policy.maximum),
            "default": str(policy.minimum),
        },
        "rules": [_rule(rule, resource) for rule in policy.rules],
    }
    properties = {"enabled": True, "targetResourceUri": resource, "profiles": [profile]}
    document = {"name": policy.name, "location": "LOCATION", "properties": properties}
    losses.append(Loss("resource", "the region is not known", "write it as location"))
    return json.dumps(document, indent=2) + "\n"


def _rule(rule: Rule, resource: str) -> dict[str, Any]:
    requests = rule.metric.kind is Kind.REQUESTS
    # Requests are counted for the endpoint, all else for the deployment.
    measured = resource.split("/deployments/")[0] if requests else resource
    return {
        "metricTrigger": {
            "metricName": _NAMES.get(rule.metric.kind, rule.metric.name),
            "metricResourceUri": measured,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": f"PT{max(1, rule.window_s // 60)}M",
            "timeAggregation": "Average",
            "operator": "GreaterThan" if rule.above else "LessThan",
            "threshold": rule.threshold,
            "dividePerInstance": requests,
        },
        "scaleAction": {
            "direction": "Increase" if rule.above else "Decrease",
            "type": _UNITS[rule.unit],
            "value": str(int(rule.value)),
            "cooldown": f"PT{max(1, rule.cooldown_s // 60)}M",
        },
    }
