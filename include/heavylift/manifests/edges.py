"""Ingress and load balancers: who may reach the cluster, and by which address and certificate.

Sources: AWS Load Balancer Controller (annotations of Ingress and Service), GKE Ingress and LoadBalancer
Services, Application Gateway Ingress Controller and AKS load balancers; read in November 2026.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from heavylift.manifests.context import PLATFORMS, Subject

_ABOUT = "ingress"
_AT = ("metadata", "annotations")
_OLD_CLASS = "kubernetes.io/ingress.class"
_CLASSES = {"alb": "eks", "gce": "gke", "gce-internal": "gke", "azure-application-gateway": "aks"}
_CLASSES["azure/application-gateway"] = "aks"

_ALB = "alb.ingress.kubernetes.io/"
_APPGW = "appgw.ingress.kubernetes.io/"
_AWS = "service.beta.kubernetes.io/aws-load-balancer-"

_ALB_SCHEME = _ALB + "scheme"
_APPGW_PRIVATE = _APPGW + "use-private-ip"

_CERTIFICATE = {
    "eks": _ALB + "certificate-arn",
    "gke": "ingress.gcp.kubernetes.io/pre-shared-cert",
    "aks": _APPGW + "appgw-ssl-certificate",
}

_REDIRECT = {"eks": (_ALB + "ssl-redirect", "443"), "aks": (_APPGW + "ssl-redirect", "true")}
_HEALTH = {"eks": _ALB + "healthcheck-path", "aks": _APPGW + "health-probe-path"}
_PROTOCOL = {"eks": _ALB + "backend-protocol", "aks": _APPGW + "backend-protocol"}

_INTERNAL = {
    "eks": (_AWS + "scheme", "internal"),
    "gke": ("networking.gke.io/load-balancer-type", "Internal"),
    "aks": ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
}

_MEANS_NOTHING = {
    _ALB + "target-type": "the target's controller chooses how it reaches pods",
    _AWS + "type": "the target's load balancers for Services forward connections, as this one did",
    _AWS + "nlb-target-type": "the target chooses how its load balancer reaches pods",
}


def translate_edges(subject: Subject) -> None:
    """Rewrite ingresses and Services of type LoadBalancer."""
    if subject.kind == "Ingress":
        _ingress(subject)
    if subject.kind == "Service" and _spec(subject).get("type") == "LoadBalancer":
        _service(subject)


def _spec(subject: Subject) -> MutableMapping[str, Any]:
    spec = subject.root.get("spec")
    return spec if isinstance(spec, MutableMapping) else {}


def _annotate(subject: Subject, key: str, value: str, reason: str) -> None:
    metadata = subject.metadata
    if not isinstance(metadata.get("annotations"), MutableMapping):
        metadata["annotations"] = {}
    subject.set(metadata["annotations"], key, value, _AT, reason)


def _ingress(subject: Subject) -> None:
    spec, annotations = _spec(subject), subject.annotations
    name = str(spec.get("ingressClassName") or annotations.get(_OLD_CLASS) or "")
    platform = _CLASSES.get(name, "")
    if not platform and not name and any(str(key).startswith(_ALB) for key in annotations):
        platform = "eks"
    if not platform or not subject.settings.moves(platform):
        return
    if subject.target not in PLATFORMS:
        text = "install an ingress controller and name its class"
        subject.left(("spec", "ingressClassName"), name, _ABOUT, f"a controller of {platform}", text)
        return
    internal = _is_internal(platform, name, annotations)
    _class(subject, spec, internal=internal)
    _exposure(subject, internal=internal)
    _certificate(subject, platform)
    _settings(subject, platform)


def _is_internal(platform: str, name: str, annotations: MutableMapping[str, Any]) -> bool:
    """Whether the ingress is reached from inside only, as its controller reads it.

    The controller of AWS makes an internal one where nothing is said; those of the others a public one.
    """
    if platform == "eks":
        return str(annotations.get(_ALB_SCHEME, "internal")) != "internet-facing"
    if platform == "gke":
        return name == "gce-internal"
    return str(annotations.get(_APPGW_PRIVATE, "false")).lower() == "true"


def _class(subject: Subject, spec: MutableMapping[str, Any], *, internal: bool) -> None:
    annotations, reason = subject.annotations, f"ingress controller of {subject.target}"
    if subject.target == "gke":
        # GKE's controller looks at the annotation and overlooks spec.ingressClassName.
        if "ingressClassName" in spec:
            subject.drop(spec, "ingressClassName", ("spec",), "GKE reads the annotation below instead")
        _annotate(subject, _OLD_CLASS, "gce-internal" if internal else "gce", reason)
        return
    if _OLD_CLASS in annotations:
        subject.drop(annotations, _OLD_CLASS, _AT, "given up for spec.ingressClassName")
    new = "alb" if subject.target == "eks" else "azure-application-gateway"
    subject.set(spec, "ingressClassName", new, ("spec",), reason)
    subject.needs(("spec", "ingressClassName"), new, _ABOUT, "its controller is an add-on", "install it")


def _exposure(subject: Subject, *, internal: bool) -> None:
    annotations = subject.annotations
    keys = {"eks": _ALB_SCHEME, "aks": _APPGW_PRIVATE}
    for platform, key in keys.items():
        if key in annotations and platform != subject.target:
            subject.drop(annotations, key, _AT, "told by what the target reads")
    if subject.target == "eks":
        value = "internal" if internal else "internet-facing"
        _annotate(subject, _ALB_SCHEME, value, "as reachable as on the source, and no more")
    elif subject.target == "aks" and internal:
        _annotate(subject, _APPGW_PRIVATE, "true", "as reachable as on the source, and no more")


def _certificate(subject: Subject, platform: str) -> None:
    annotations, key = subject.annotations, _CERTIFICATE[platform]
    if key not in annotations:
        return
    old, names = str(annotations[key]), subject.names.certificates
    new = [names.get(part.strip()) for part in old.split(",")]
    if all(new):
        text = ",".join(str(each) for each in new)
        subject.rename(annotations, key, _CERTIFICATE[subject.target], text, _AT, "certificates of the map")
    else:
        remedy = "get one for the target, and name it under certificates in the map"
        subject.left((*_AT, key), old, _ABOUT, f"a certificate of {platform}", remedy)


def _settings(subject: Subject, platform: str) -> None:
    annotations = subject.annotations
    for table in (_HEALTH, _PROTOCOL):
        key, new = table.get(platform, ""), table.get(subject.target, "")
        if key in annotations and new:
            value = str(annotations[key])
            if table is _PROTOCOL:
                value = value.lower() if subject.target == "aks" else value.upper()
            subject.rename(annotations, key, new, value, _AT, "the same setting there")
    key, value = _REDIRECT.get(platform, ("", ""))
    if key in annotations and str(annotations[key]) == value and subject.target in _REDIRECT:
        new, says = _REDIRECT[subject.target]
        subject.rename(annotations, key, new, says, _AT, "the same setting there")
    _drop_silent(subject)
    static = "kubernetes.io/ingress.global-static-ip-name"
    if platform == "gke" and static in annotations:
        remedy = "point DNS at the target's address after it is made"
        subject.left((*_AT, static), annotations[static], _ABOUT, "an address of GKE by its name", remedy)


def _drop_silent(subject: Subject) -> None:
    annotations = subject.annotations
    for key, reason in _MEANS_NOTHING.items():
        if key in annotations and subject.target != "eks":
            subject.drop(annotations, key, _AT, reason)


def _service(subject: Subject) -> None:
    annotations, spec = subject.annotations, _spec(subject)
    platform = _owner(subject, annotations)
    if platform and subject.settings.moves(platform) and subject.target in PLATFORMS:
        _balancer(subject, platform)
    address = spec.get("loadBalancerIP")
    if address:
        names = subject.names.static_ips
        if address in names:
            subject.set(spec, "loadBalancerIP", names[address], ("spec",), "static_ips of the map")
        elif address not in names.values() and subject.settings.source != subject.target:
            remedy = "reserve one on the target, and name it under static_ips in the map"
            subject.left(("spec", "loadBalancerIP"), address, _ABOUT, "an address of the source", remedy)
    if not platform and subject.settings.source == "eks" and subject.target in PLATFORMS:
        why = "the AWS Load Balancer Controller makes it internal by default; the target, public"
        subject.needs(("spec", "type"), "LoadBalancer", _ABOUT, why, "say which it is to be by an annotation")


def _owner(subject: Subject, annotations: MutableMapping[str, Any]) -> str:
    """Return the platform whose annotations the Service has; the target's own do not count."""
    for key in annotations:
        text = str(key)
        if text.startswith(_AWS) and subject.target != "eks":
            return "eks"
        if text.startswith("service.beta.kubernetes.io/azure-") and subject.target != "aks":
            return "aks"
        if text in {_INTERNAL["gke"][0], "cloud.google.com/load-balancer-type"} and subject.target != "gke":
            return "gke"
    return ""


def _balancer(subject: Subject, platform: str) -> None:
    annotations = subject.annotations
    internal = _service_is_internal(platform, annotations)
    told = {_AWS + "scheme", _AWS + "internal", "cloud.google.com/load-balancer-type"}
    told |= {key for name, (key, _) in _INTERNAL.items() if name == platform}
    for key in sorted(told & set(annotations)):
        if key != _INTERNAL[subject.target][0]:
            subject.drop(annotations, key, _AT, "told by what the target reads")
    _drop_silent(subject)
    if internal:
        key, value = _INTERNAL[subject.target]
        _annotate(subject, key, value, "as reachable as on the source, and no more")
    elif subject.target == "eks":
        _annotate(
            subject, _AWS + "scheme", "internet-facing", "public on the source; internal by default here"
        )


def _service_is_internal(platform: str, annotations: MutableMapping[str, Any]) -> bool:
    if platform == "gke":
        keys = (_INTERNAL["gke"][0], "cloud.google.com/load-balancer-type")
        return any(str(annotations.get(key, "")).lower() == "internal" for key in keys)
    if platform == "aks":
        return str(annotations.get(_INTERNAL["aks"][0], "")).lower() == "true"
    if _AWS + "scheme" in annotations:
        return str(annotations[_AWS + "scheme"]) != "internet-facing"
    if _AWS + "internal" in annotations:
        return str(annotations[_AWS + "internal"]).lower() not in {"false", ""}
    # The controller, which serves these types, makes an internal one where nothing is said.
    return str(annotations.get(_AWS + "type", "")) in {"external", "nlb-ip"}
