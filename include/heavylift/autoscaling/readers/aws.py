"""Reads Application Auto Scaling: what its describe commands print, put into one document.

``ScalableTargets``, ``ScalingPolicies``, ``ScheduledActions``, and of step policies CloudWatch's
``MetricAlarms``.
"""

from __future__ import annotations

from typing import Any

from heavylift.autoscaling.documents import Reader, bad
from heavylift.autoscaling.model import Kind, Metric, Pace, Policy, Rule, System

DEFAULT_COOLDOWN = 300
PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": Kind.REQUESTS,
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": Kind.WAITING,
    "SageMakerInferenceComponentInvocationsPerCopy": Kind.REQUESTS,
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": Kind.WAITING,
    "ECSServiceAverageCPUUtilization": Kind.CPU,
}
CUSTOM = {"CPUUtilization": Kind.CPU, "GPUUtilization": Kind.GPU, "InvocationsPerInstance": Kind.REQUESTS}
_UNITS = {"ChangeInCapacity": "change", "PercentChangeInCapacity": "percent", "ExactCapacity": "exact"}


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document is Application Auto Scaling's."""
    return "ScalingPolicies" in document or "ScalableTargets" in document


def read(document: dict[str, Any], file: str) -> Policy:
    """Return the policy.

    :raises SpecError: a field is missing or of another type.
    """
    reader = Reader(file)
    targets = reader.items(document.get("ScalableTargets"), "ScalableTargets")
    if len(targets) != 1:
        raise bad(file, "ScalableTargets", f"{len(targets)} targets", "one, with its own policies")
    policies = reader.items(document.get("ScalingPolicies"), "ScalingPolicies")
    alarms = {
        str(alarm.get("AlarmName")): alarm
        for alarm in reader.items(document.get("MetricAlarms"), "MetricAlarms")
    }
    metrics, rules, paces = [], [], []
    for policy in policies:
        where = f"policy {policy.get('PolicyName')}"
        if tracking := policy.get("TargetTrackingScalingPolicyConfiguration"):
            metric, pace = _tracked(reader, reader.mapping(tracking, where), where)
            metrics.append(metric)
            paces.append(pace)
        elif steps := policy.get("StepScalingPolicyConfiguration"):
            rules += _steps(reader, policy, reader.mapping(steps, where), alarms, where)
        else:
            raise bad(file, where, str(policy.get("PolicyType")), "TargetTrackingScaling or StepScaling")
    actions = reader.items(document.get("ScheduledActions"), "ScheduledActions")
    if metrics and rules:
        raise bad(file, "ScalingPolicies", "target tracking and steps at once", "one of them")
    return reader.sound(
        Policy(
            name=str(policies[0].get("PolicyName", "policy")) if policies else "policy",
            system=System.AWS,
            minimum=reader.whole(targets[0].get("MinCapacity"), "MinCapacity"),
            maximum=reader.whole(targets[0].get("MaxCapacity"), "MaxCapacity"),
            metrics=tuple(metrics),
            rules=tuple(rules),
            out=Pace(cooldown_s=min((out for out, _, _ in paces), default=None)),
            back=Pace(
                cooldown_s=max((back for _, back, _ in paces), default=None),
                # All policies must agree to scale in: one that never does is enough to stop it.
                select="disabled" if any(off for _, _, off in paces) else "max",
            ),
            schedules=tuple(f"{a.get('ScheduledActionName')}: {a.get('Schedule')}" for a in actions),
            tolerance=0.0,
            resource=str(targets[0].get("ResourceId", "")),
        )
    )


def _tracked(reader: Reader, tracking: dict[str, Any], where: str) -> tuple[Metric, tuple[int, int, bool]]:
    target = reader.target(tracking.get("TargetValue"), f"{where}.TargetValue")
    predefined = reader.mapping(tracking.get("PredefinedMetricSpecification"), where)
    custom = reader.mapping(tracking.get("CustomizedMetricSpecification"), where)
    name = str(predefined.get("PredefinedMetricType") or custom.get("MetricName") or "")
    kind = PREDEFINED.get(name) or CUSTOM.get(name) or Kind.CUSTOM
    out = reader.whole(tracking.get("ScaleOutCooldown"), f"{where}.ScaleOutCooldown", DEFAULT_COOLDOWN)
    back = reader.whole(tracking.get("ScaleInCooldown"), f"{where}.ScaleInCooldown", DEFAULT_COOLDOWN)
    return Metric(kind, target, name), (out, back, bool(tracking.get("DisableScaleIn")))


def _steps(
    reader: Reader,
    policy: dict[str, Any],
    steps: dict[str, Any],
    alarms: dict[Any, dict[str, Any]],
    where: str,
) -> list[Rule]:
    named = [str(alarm.get("AlarmName")) for alarm in reader.items(policy.get("Alarms"), f"{where}.Alarms")]
    found = [alarms[name] for name in named if name in alarms]
    if len(found) != 1:
        raise bad(reader.file, where, f"{len(found)} of its alarms", "its one alarm among MetricAlarms")
    alarm = found[0]
    name = str(alarm.get("MetricName", ""))
    threshold = reader.number(alarm.get("Threshold"), f"{where} alarm threshold")
    above = "Greater" in str(alarm.get("ComparisonOperator", ""))
    period = reader.whole(alarm.get("Period"), f"{where} alarm period", 60, 1)
    window = period * reader.whole(alarm.get("EvaluationPeriods"), f"{where} alarm periods", 1, 1)
    unit = _UNITS.get(str(steps.get("AdjustmentType")))
    if unit is None:
        raise bad(reader.file, f"{where}.AdjustmentType", str(steps.get("AdjustmentType")), ", ".join(_UNITS))
    rules = []
    for step in reader.items(steps.get("StepAdjustments"), f"{where}.StepAdjustments"):
        edge = step.get("MetricIntervalLowerBound" if above else "MetricIntervalUpperBound")
        value = reader.number(step.get("ScalingAdjustment"), f"{where}.ScalingAdjustment", least=-1e6)
        if unit != "exact" and (value >= 0) != above:
            raise bad(
                reader.file, f"{where}.ScalingAdjustment", f"{value:g}", "a step in the alarm's direction"
            )
        at = threshold + reader.number(edge, f"{where} bound", 0.0, least=-1e9)
        kind = CUSTOM.get(name, Kind.CUSTOM)
        cooldown = reader.whole(steps.get("Cooldown"), f"{where}.Cooldown", DEFAULT_COOLDOWN)
        least = reader.whole(steps.get("MinAdjustmentMagnitude"), f"{where}.MinAdjustmentMagnitude", 0)
        rules.append(Rule(Metric(kind, at, name), above, at, window, unit, abs(value), cooldown, least))
    return rules
