"""Reads Kubernetes' HorizontalPodAutoscaler and KEDA's ScaledObject."""

from __future__ import annotations

import re
from typing import Any

from heavylift.autoscaling.documents import Reader, bad
from heavylift.autoscaling.model import Kind, Limit, Metric, Pace, Policy, System

OUT = Pace(window_s=0, limits=(Limit("pods", 4, 15), Limit("percent", 100, 15)))
BACK = Pace(window_s=300, limits=(Limit("percent", 100, 15),))
"""What Kubernetes does where nothing is said (autoscaling/v2)."""
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|Ki|Mi)?\Z")
_TIMES = {None: 1.0, "m": 0.001, "k": 1e3, "M": 1e6, "Ki": 1024.0, "Mi": 1048576.0}


def is_hpa(document: dict[str, Any]) -> bool:
    """Return whether a document is a HorizontalPodAutoscaler."""
    return document.get("kind") == "HorizontalPodAutoscaler"


def is_keda(document: dict[str, Any]) -> bool:
    """Return whether a document is a ScaledObject."""
    return document.get("kind") == "ScaledObject"


def read_hpa(document: dict[str, Any], file: str) -> Policy:
    """Return the policy.

    :raises SpecError: a field is missing or of another type, or it is of an old version of the API.
    """
    reader = Reader(file)
    if document.get("apiVersion") != "autoscaling/v2":
        raise bad(file, "apiVersion", str(document.get("apiVersion")), "autoscaling/v2")
    spec = reader.mapping(document.get("spec"), "spec")
    out, back, tolerance = _behaviour(reader, reader.mapping(spec.get("behavior"), "spec.behavior"))
    metrics = [
        _metric(reader, each, f"spec.metrics[{i}]")
        for i, each in enumerate(reader.items(spec.get("metrics"), "spec.metrics"))
    ]
    return reader.sound(
        Policy(
            name=_name(document),
            system=System.HPA,
            minimum=reader.whole(spec.get("minReplicas"), "spec.minReplicas", 1),
            maximum=reader.whole(spec.get("maxReplicas"), "spec.maxReplicas", least=1),
            metrics=tuple(metrics),
            out=out,
            back=back,
            tolerance=tolerance,
            resource=str(reader.mapping(spec.get("scaleTargetRef"), "spec.scaleTargetRef").get("name", "")),
        )
    )


def read_keda(document: dict[str, Any], file: str) -> Policy:
    """Return the policy.

    :raises SpecError: a field is missing or of another type.
    """
    reader = Reader(file)
    spec = reader.mapping(document.get("spec"), "spec")
    advanced = reader.mapping(spec.get("advanced"), "spec.advanced")
    config = reader.mapping(advanced.get("horizontalPodAutoscalerConfig"), "spec.advanced")
    out, back, tolerance = _behaviour(reader, reader.mapping(config.get("behavior"), "behavior"))
    triggers = reader.items(spec.get("triggers"), "spec.triggers")
    metrics = [
        _trigger(reader, each, f"spec.triggers[{i}]")
        for i, each in enumerate(triggers)
        if each.get("type") != "cron"
    ]
    back = Pace(
        back.window_s,
        reader.whole(spec.get("cooldownPeriod"), "spec.cooldownPeriod", 300),
        back.limits,
        back.select,
    )
    return reader.sound(
        Policy(
            name=_name(document),
            system=System.KEDA,
            minimum=reader.whole(spec.get("minReplicaCount"), "spec.minReplicaCount", 0),
            maximum=reader.whole(spec.get("maxReplicaCount"), "spec.maxReplicaCount", 100, 1),
            metrics=tuple(metrics),
            out=out,
            back=back,
            schedules=tuple(str(each.get("metadata")) for each in triggers if each.get("type") == "cron"),
            tolerance=tolerance,
            resource=str(reader.mapping(spec.get("scaleTargetRef"), "spec.scaleTargetRef").get("name", "")),
        )
    )


def _name(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "policy")) if isinstance(metadata, dict) else "policy"


def _behaviour(reader: Reader, found: dict[str, Any]) -> tuple[Pace, Pace, float]:
    up = reader.mapping(found.get("scaleUp"), "behavior.scaleUp")
    down = reader.mapping(found.get("scaleDown"), "behavior.scaleDown")
    # One tolerance for both ways: the larger, so that what is simulated is not quicker than the real.
    tolerance = max(reader.number(each.get("tolerance"), "behavior tolerance", 0.1) for each in (up, down))
    return (
        _pace(reader, up, OUT, "behavior.scaleUp"),
        _pace(reader, down, BACK, "behavior.scaleDown"),
        tolerance,
    )


def _pace(reader: Reader, found: dict[str, Any], default: Pace, where: str) -> Pace:
    limits = tuple(
        Limit(
            str(each.get("type", "")).lower(),
            reader.whole(each.get("value"), f"{where}.value", least=1),
            reader.whole(each.get("periodSeconds"), f"{where}.periodSeconds", least=1),
        )
        for each in reader.items(found.get("policies"), f"{where}.policies")
    )
    if any(limit.unit not in {"pods", "percent"} for limit in limits):
        raise bad(reader.file, f"{where}.policies", "another type", "Pods or Percent")
    select = str(found.get("selectPolicy", "Max")).lower()
    if select not in {"max", "min", "disabled"}:
        raise bad(reader.file, f"{where}.selectPolicy", select, "Max, Min or Disabled")
    window = reader.whole(
        found.get("stabilizationWindowSeconds"), f"{where}.stabilizationWindowSeconds", default.window_s
    )
    return Pace(window, None, limits or default.limits, select)


def kind_of(name: str) -> Kind:
    """Return what a metric counts, as far as its name tells."""
    low = name.lower()
    if "gpu" in low or "dcgm" in low:
        return Kind.GPU
    if "request" in low and ("rate" in low or "per" in low):
        return Kind.REQUESTS
    if any(
        word in low
        for word in ("queue", "waiting", "inflight", "in_flight", "concurren", "pending", "running")
    ):
        return Kind.WAITING
    return Kind.CUSTOM


def _metric(reader: Reader, found: dict[str, Any], where: str) -> Metric:
    kind = str(found.get("type"))
    if kind in {"Resource", "ContainerResource"}:
        resource = reader.mapping(found.get("resource") or found.get("containerResource"), where)
        name, target = str(resource.get("name")), reader.mapping(resource.get("target"), where)
        if name == "cpu" and target.get("averageUtilization"):
            return Metric(Kind.CPU, reader.target(target["averageUtilization"], where), "cpu")
        value = target.get("averageUtilization") or quantity(reader, target.get("averageValue"), where)
        return Metric(Kind.CUSTOM, reader.target(value, where), name)
    key = {"Pods": "pods", "Object": "object", "External": "external"}.get(kind)
    if key is None:
        raise bad(reader.file, f"{where}.type", kind, "Resource, ContainerResource, Pods, Object or External")
    found = reader.mapping(found.get(key), where)
    target = reader.mapping(found.get("target"), where)
    name = str(reader.mapping(found.get("metric"), where).get("name", ""))
    if target.get("averageValue") is None:
        raise bad(
            reader.file, f"{where}.target", str(target.get("type")), "AverageValue: a value for each replica"
        )
    per_minute = 60.0 if kind_of(name) is Kind.REQUESTS and "second" in name else 1.0
    return Metric(kind_of(name), quantity(reader, target["averageValue"], where) * per_minute, name)


def _trigger(reader: Reader, found: dict[str, Any], where: str) -> Metric:
    metadata = reader.mapping(found.get("metadata"), f"{where}.metadata")
    kind = str(found.get("type"))
    if kind == "cpu":
        return Metric(Kind.CPU, reader.target(metadata.get("value"), where), "cpu")
    if kind != "prometheus":
        raise bad(reader.file, f"{where}.type", kind, "cpu, prometheus or cron")
    if str(found.get("metricType", "AverageValue")) != "AverageValue":
        raise bad(reader.file, f"{where}.metricType", str(found.get("metricType")), "AverageValue")
    name = str(metadata.get("metricName") or metadata.get("query", ""))
    return Metric(kind_of(name), reader.target(metadata.get("threshold"), f"{where}.threshold"), name)


def quantity(reader: Reader, value: Any, where: str) -> float:
    """Return what a quantity of Kubernetes means, such as ``500m``."""
    found = _QUANTITY.match(str(value))
    made = float(found[1]) * _TIMES[found[2]] if found else 0.0
    if made <= 0:
        raise bad(reader.file, where, str(value), "a quantity above 0, such as 500m")
    return made
