"""Reads autoscale settings of Azure Monitor, such as those of Azure ML's deployments."""

from __future__ import annotations

import re
from typing import Any

from heavylift.autoscaling.documents import Reader, bad
from heavylift.autoscaling.model import Kind, Metric, Policy, Rule, System

NAMES = {
    "CpuUtilizationPercentage": Kind.CPU,
    "CpuUtilization": Kind.CPU,
    "GpuUtilizationPercentage": Kind.GPU,
    "GpuUtilization": Kind.GPU,
    "RequestsPerMinute": Kind.REQUESTS,
}
_UNITS = {"ChangeCount": "change", "PercentChangeCount": "percent", "ExactCount": "exact"}
_DURATION = re.compile(r"P(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?|(\d+)D)\Z")


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document is an autoscale setting."""
    found = document.get("properties", document)
    return isinstance(found, dict) and "profiles" in found


def read(document: dict[str, Any], file: str) -> Policy:
    """Return the policy of the default profile; the others become schedules in words.

    :raises SpecError: a field is missing or of another type.
    """
    reader = Reader(file)
    found = reader.mapping(document.get("properties", document), "properties")
    profiles = reader.items(found.get("profiles"), "profiles")
    plain = [each for each in profiles if not each.get("recurrence") and not each.get("fixedDate")]
    if len(plain) != 1:
        raise bad(file, "profiles", f"{len(plain)} without a schedule", "one, which is the default")
    capacity = reader.mapping(plain[0].get("capacity"), "capacity")
    rules = [
        _rule(reader, each, f"rules[{i}]")
        for i, each in enumerate(reader.items(plain[0].get("rules"), "rules"))
    ]
    return reader.sound(
        Policy(
            name=str(document.get("name") or found.get("name") or "autoscale"),
            system=System.AZURE,
            minimum=reader.whole(capacity.get("minimum"), "capacity.minimum"),
            maximum=reader.whole(capacity.get("maximum"), "capacity.maximum"),
            rules=tuple(rules),
            schedules=tuple(str(each.get("name")) for each in profiles if each not in plain),
            tolerance=0.0,
            resource=str(found.get("targetResourceUri", "")),
        )
    )


def _rule(reader: Reader, found: dict[str, Any], where: str) -> Rule:
    trigger, action = (
        reader.mapping(found.get("metricTrigger"), where),
        reader.mapping(found.get("scaleAction"), where),
    )
    name, operator = str(trigger.get("metricName")), str(trigger.get("operator", ""))
    if not operator.startswith(("Greater", "Less")):
        raise bad(reader.file, f"{where}.operator", operator, "GreaterThan, GreaterThanOrEqual, LessThan, …")
    if (action.get("direction") == "Increase") != operator.startswith("Greater"):
        raise bad(
            reader.file,
            where,
            f"{operator} with {action.get('direction')}",
            "more replicas above, fewer below",
        )
    unit = _UNITS.get(str(action.get("type")))
    if unit is None:
        raise bad(reader.file, f"{where}.scaleAction.type", str(action.get("type")), ", ".join(_UNITS))
    threshold = reader.number(trigger.get("threshold"), f"{where}.threshold")
    return Rule(
        metric=Metric(NAMES.get(name, Kind.CUSTOM), threshold, name),
        above=operator.startswith("Greater"),
        threshold=threshold,
        window_s=_seconds(reader, trigger.get("timeWindow"), f"{where}.timeWindow", 600),
        unit=unit,
        value=reader.number(action.get("value"), f"{where}.scaleAction.value", 1.0),
        cooldown_s=_seconds(reader, action.get("cooldown"), f"{where}.cooldown", 300),
    )


def _seconds(reader: Reader, value: Any, where: str, default: int) -> int:
    if value is None:
        return default
    found = _DURATION.match(str(value))
    if not found:
        raise bad(reader.file, where, str(value), "a duration such as PT5M")
    hours, minutes, seconds, days = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
