"""Versions of APIs that Kubernetes has removed: converted where the conversion is exact."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from heavylift.manifests.context import Subject

_ABOUT = "versions"


@dataclass(frozen=True)
class Removed:
    """A version of an API that is gone.

    :param removed: the first version of Kubernetes without it.
    :param new: what took its place.
    :param convert: makes the object fit and returns why it cannot; None where no exact way is known.
    """

    removed: tuple[int, int]
    new: str = ""
    convert: Callable[[Subject], str] | None = None


def translate_versions(subject: Subject) -> None:
    """Convert the object to a version of its API that the target has."""
    version = str(subject.root.get("apiVersion", ""))
    row = REMOVED.get((version, subject.kind)) or REMOVED.get((version, "*"))
    if row is None or subject.settings.version < row.removed:
        return
    gone = ".".join(map(str, row.removed))
    problem = row.convert(subject) if row.convert else "no exact conversion is known"
    if problem:
        why = f"removed in Kubernetes {gone}, and {problem}"
        remedy = f"convert it by hand{' to ' + row.new if row.new else ''}"
        subject.left(("apiVersion",), version, _ABOUT, why, remedy)
        return
    subject.set(subject.root, "apiVersion", row.new, (), f"{version} was removed in Kubernetes {gone}")


def _same(_subject: Subject) -> str:
    return ""


def _spec(subject: Subject) -> MutableMapping[str, Any]:
    spec = subject.root.get("spec")
    return spec if isinstance(spec, MutableMapping) else {}


def _workload(subject: Subject) -> str:
    spec = _spec(subject)
    if not spec.get("selector"):
        return "spec.selector, which has no default any more, is missing"
    if subject.kind != "Deployment":
        key = "updateStrategy"
        if subject.kind in {"DaemonSet", "StatefulSet"} and key not in spec:
            return "the default of spec.updateStrategy changed"
        return ""
    if "rollbackTo" in spec:
        return "spec.rollbackTo is gone"
    missing = [
        key for key in ("progressDeadlineSeconds", "revisionHistoryLimit", "strategy") if key not in spec
    ]
    if missing and str(subject.root.get("apiVersion")) != "apps/v1beta2":
        return f"the default of spec.{missing[0]} changed"
    return ""


def _budget(subject: Subject) -> str:
    selector = _spec(subject).get("selector")
    if not isinstance(selector, MutableMapping) or not any(selector.values()):
        return "an empty selector chose no pod then and chooses all pods now"
    return ""


def _autoscaler(subject: Subject) -> str:
    """Convert targets of ``autoscaling/v2beta1``; only those of resources have one exact meaning."""
    metrics = _spec(subject).get("metrics") or []
    plain = ("name", "targetAverageUtilization", "targetAverageValue")
    for metric in metrics:
        body = metric.get("resource") if isinstance(metric, MutableMapping) else None
        if not isinstance(body, MutableMapping) or set(body) - set(plain) or len(body) != 2:
            return "a metric is none of a resource"
    for index, metric in enumerate(metrics):
        body = metric["resource"]
        path = ("spec", "metrics", index, "resource")
        for key, kind, name in (
            ("targetAverageUtilization", "Utilization", "averageUtilization"),
            ("targetAverageValue", "AverageValue", "averageValue"),
        ):
            if key in body:
                subject.rename(body, key, "target", {"type": kind, name: body[key]}, path, "form of v2")
    return ""


def _ingress(subject: Subject) -> str:
    spec = _spec(subject)
    places: list[tuple[MutableMapping[str, Any], tuple[str | int, ...]]] = []
    for path, mapping in subject.mappings():
        if path[:1] == ("spec",) and isinstance(mapping.get("backend"), MutableMapping):
            places.append((mapping, path))
    for holder, _ in places:
        backend = holder["backend"]
        if set(backend) - {"serviceName", "servicePort", "resource", "service"}:
            return "a backend has fields of neither version"
    for holder, path in places:
        _backend(subject, holder["backend"], (*path, "backend"))
        if path[-2:-1] == ("paths",) and "pathType" not in holder:
            reason = "required now; this was its default"
            subject.set(holder, "pathType", "ImplementationSpecific", path, reason)
    if isinstance(spec.get("backend"), MutableMapping):
        subject.rename(spec, "backend", "defaultBackend", spec["backend"], ("spec",), "its name now")
    return ""


def _backend(subject: Subject, backend: MutableMapping[str, Any], at: tuple[str | int, ...]) -> None:
    if "serviceName" not in backend:
        return
    new: dict[str, Any] = {"name": backend["serviceName"]}
    if "servicePort" in backend:
        port = backend["servicePort"]
        numeric = str(port).isdigit()
        new["port"] = {"number": int(port)} if numeric else {"name": port}
        subject.drop(backend, "servicePort", at, "stands in service.port now")
    subject.rename(backend, "serviceName", "service", new, at, "form of networking.k8s.io/v1")


def _levels(subject: Subject) -> str:
    text = "assuredConcurrencyShares" if subject.kind == "PriorityLevelConfiguration" else ""
    if text and any(text in mapping for _, mapping in subject.mappings()):
        return f"{text} is called nominalConcurrencyShares, with another meaning"
    return ""


REMOVED: dict[tuple[str, str], Removed] = {
    ("extensions/v1beta1", "Deployment"): Removed((1, 16), "apps/v1", _workload),
    ("extensions/v1beta1", "DaemonSet"): Removed((1, 16), "apps/v1", _workload),
    ("extensions/v1beta1", "ReplicaSet"): Removed((1, 16), "apps/v1", _workload),
    ("extensions/v1beta1", "NetworkPolicy"): Removed((1, 16), "networking.k8s.io/v1", _same),
    ("extensions/v1beta1", "PodSecurityPolicy"): Removed((1, 16)),
    ("extensions/v1beta1", "Ingress"): Removed((1, 22), "networking.k8s.io/v1", _ingress),
    ("networking.k8s.io/v1beta1", "Ingress"): Removed((1, 22), "networking.k8s.io/v1", _ingress),
    ("networking.k8s.io/v1beta1", "IngressClass"): Removed((1, 22), "networking.k8s.io/v1", _same),
    ("apps/v1beta1", "Deployment"): Removed((1, 16), "apps/v1", _workload),
    ("apps/v1beta1", "StatefulSet"): Removed((1, 16), "apps/v1", _workload),
    ("apps/v1beta2", "*"): Removed((1, 16), "apps/v1", _workload),
    ("policy/v1beta1", "PodDisruptionBudget"): Removed((1, 25), "policy/v1", _budget),
    ("policy/v1beta1", "PodSecurityPolicy"): Removed((1, 25)),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): Removed((1, 25), "autoscaling/v2", _autoscaler),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): Removed((1, 26), "autoscaling/v2", _same),
    ("batch/v1beta1", "CronJob"): Removed((1, 25), "batch/v1", _same),
    ("batch/v2alpha1", "CronJob"): Removed((1, 21), "batch/v1", _same),
    ("rbac.authorization.k8s.io/v1alpha1", "*"): Removed((1, 22), "rbac.authorization.k8s.io/v1", _same),
    ("rbac.authorization.k8s.io/v1beta1", "*"): Removed((1, 22), "rbac.authorization.k8s.io/v1", _same),
    ("storage.k8s.io/v1beta1", "StorageClass"): Removed((1, 22), "storage.k8s.io/v1", _same),
    ("storage.k8s.io/v1beta1", "CSIDriver"): Removed((1, 22), "storage.k8s.io/v1", _same),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): Removed((1, 27), "storage.k8s.io/v1", _same),
    ("scheduling.k8s.io/v1beta1", "PriorityClass"): Removed((1, 22), "scheduling.k8s.io/v1", _same),
    ("coordination.k8s.io/v1beta1", "Lease"): Removed((1, 22), "coordination.k8s.io/v1", _same),
    ("node.k8s.io/v1beta1", "RuntimeClass"): Removed((1, 25), "node.k8s.io/v1", _same),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Removed((1, 25), "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event"): Removed((1, 25), "events.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): Removed((1, 22), "apiextensions.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"): Removed(
        (1, 22), "admissionregistration.k8s.io/v1"
    ),
    ("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration"): Removed(
        (1, 22), "admissionregistration.k8s.io/v1"
    ),
    ("apiregistration.k8s.io/v1beta1", "APIService"): Removed((1, 22), "apiregistration.k8s.io/v1", _same),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest"): Removed((1, 22), "certificates.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", "*"): Removed((1, 26), "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "*"): Removed(
        (1, 29), "flowcontrol.apiserver.k8s.io/v1", _levels
    ),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "*"): Removed(
        (1, 32), "flowcontrol.apiserver.k8s.io/v1", _levels
    ),
}
"""Source: Kubernetes' deprecated API migration guide, by version and kind; ``*`` stands for every kind."""
