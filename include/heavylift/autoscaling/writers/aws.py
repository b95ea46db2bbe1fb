"""Writes Application Auto Scaling's scalable target and policies, and the alarms of step policies."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from heavylift.autoscaling.model import Kind, Loss, Metric, Pace, Policy, Rule, System
from heavylift.autoscaling.writers.common import Losses, demand_bounds, lose_schedules

_PREDEFINED = {
    Kind.REQUESTS: "SageMakerVariantInvocationsPerInstance",
    Kind.WAITING: "SageMakerVariantConcurrentRequestsPerModelHighResolution",
}
_CUSTOM = {Kind.CPU: "CPUUtilization", Kind.GPU: "GPUUtilization", Kind.REQUESTS: "InvocationsPerInstance"}
_UNITS = {"change": "ChangeInCapacity", "percent": "PercentChangeInCapacity", "exact": "ExactCapacity"}
_DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def made(policy: Policy, losses: Losses) -> Policy:
    """Return the policy as AWS holds it, what it cannot hold told."""
    if policy.system is System.AWS:
        return policy
    policy = lose_schedules(policy, losses)
    policy = demand_bounds(
        policy, losses, 1, "an instance of a variant goes to 0 with inference components only"
    )
    if policy.rules:
        kinds = {rule.unit for rule in policy.rules}
        if len(kinds) > 1:
            losses.append(
                Loss("rules", f"units {', '.join(sorted(kinds))}", "each direction has one", blocks=False)
            )
        return replace(policy, system=System.AWS)
    if policy.tolerance:
        losses.append(
            Loss(
                "tolerance",
                f"steps below {policy.tolerance:.0%} of the target were let be",
                "AWS lets be down to 90 % of it",
            )
        )
    if policy.out.limits or policy.back.limits:
        losses.append(
            Loss(
                "pace",
                "limits to the size of a step are not in target tracking",
                "compare both by simulation",
            )
        )
    out = Pace(cooldown_s=max(60, policy.out.window_s or 0))
    back = Pace(cooldown_s=max(60, policy.back.window_s or 0), select=policy.back.select)
    return replace(policy, system=System.AWS, tolerance=0.0, out=out, back=back)


def write(policy: Policy, losses: Losses) -> str:
    """Return one document: requests to register a target, to put policies, and to put alarms."""
    resource = policy.resource if policy.resource.startswith("endpoint/") else "endpoint/NAME/variant/VARIANT"
    if resource != policy.resource:
        losses.append(
            Loss(
                "resource", "the endpoint's name on AWS is not known", f"write it in the place of {resource}"
            )
        )
    common = {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": _DIMENSION}
    document: dict[str, Any] = {
        "ScalableTargets": [{**common, "MinCapacity": policy.minimum, "MaxCapacity": policy.maximum}]
    }
    if policy.rules:
        document |= _steps(policy, common)
    else:
        document["ScalingPolicies"] = [_tracking(policy, each, common, losses) for each in policy.metrics]
    return json.dumps(document, indent=2) + "\n"


def _tracking(policy: Policy, metric: Metric, common: dict[str, Any], losses: Losses) -> dict[str, Any]:
    made: dict[str, Any] = {
        "TargetValue": metric.target,
        "ScaleOutCooldown": policy.out.cooldown_s if policy.out.cooldown_s is not None else 300,
        "ScaleInCooldown": policy.back.cooldown_s if policy.back.cooldown_s is not None else 300,
        "DisableScaleIn": policy.back.select == "disabled",
    }
    if metric.kind in _PREDEFINED:
        made["PredefinedMetricSpecification"] = {"PredefinedMetricType": _PREDEFINED[metric.kind]}
    else:
        made["CustomizedMetricSpecification"] = _custom(metric, losses)
    return {
        "PolicyName": f"{policy.name}-{metric.kind}"[:256],
        "PolicyType": "TargetTrackingScaling",
        **common,
        "TargetTrackingScalingPolicyConfiguration": made,
    }


def _custom(metric: Metric, losses: Losses) -> dict[str, Any]:
    name = _CUSTOM.get(metric.kind, metric.name or "Metric")
    if metric.kind in {Kind.CPU, Kind.GPU}:
        losses.append(
            Loss(
                "metrics",
                f"SageMaker's {name} adds up over cores or devices: 4 cores reach 400 %",
                "multiply the target by their number",
            )
        )
    else:
        losses.append(
            Loss("metrics", f"{name} must be published to CloudWatch", "publish it for each variant")
        )
    return {
        "MetricName": name,
        "Namespace": "/aws/sagemaker/Endpoints",
        "Statistic": "Average",
        "Dimensions": [
            {"Name": "EndpointName", "Value": "NAME"},
            {"Name": "VariantName", "Value": "VARIANT"},
        ],
    }


def _steps(policy: Policy, common: dict[str, Any]) -> dict[str, Any]:
    policies, alarms = [], []
    groups: dict[tuple[bool, str, str], list[Rule]] = {}
    for rule in policy.rules:
        groups.setdefault((rule.above, rule.metric.name, rule.unit), []).append(rule)
    for (above, name, unit), rules in groups.items():
        rules = sorted(rules, key=lambda rule: rule.threshold, reverse=not above)
        alarm = f"{policy.name}-{'out' if above else 'in'}-{name}-{unit}"[:256]
        edge = rules[0].threshold
        policies.append(
            {
                "PolicyName": alarm,
                "PolicyType": "StepScaling",
                **common,
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": _UNITS[unit],
                    "StepAdjustments": _adjustments(rules, edge, above),
                    "Cooldown": max(rule.cooldown_s for rule in rules),
                    "MetricAggregationType": "Average",
                    **(
                        {"MinAdjustmentMagnitude": max(1, *(r.least for r in rules))}
                        if unit == "percent"
                        else {}
                    ),
                },
                "Alarms": [{"AlarmName": alarm}],
            }
        )
        alarms.append(
            {
                "AlarmName": alarm,
                "MetricName": _CUSTOM.get(rules[0].metric.kind, name),
                "Namespace": "/aws/sagemaker/Endpoints",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": max(1, math.ceil(max(rule.window_s for rule in rules) / 60)),
                "Threshold": edge,
                "ComparisonOperator": "GreaterThanThreshold" if above else "LessThanThreshold",
            }
        )
    return {"ScalingPolicies": policies, "MetricAlarms": alarms}


def _adjustments(rules: list[Rule], edge: float, above: bool) -> list[dict[str, Any]]:
    made = []
    for rule, following in zip(rules, [*rules[1:], None], strict=True):
        near, far = rule.threshold - edge, following.threshold - edge if following else None
        names = ("MetricIntervalLowerBound", "MetricIntervalUpperBound")
        first, second = names if above else names[::-1]
        sign = 1 if above or rule.unit == "exact" else -1
        step: dict[str, Any] = {first: near, "ScalingAdjustment": int(sign * rule.value)}
        if far is not None:
            step[second] = far
        made.append(step)
    return made
