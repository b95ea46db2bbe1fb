"""The last look: everything that still names another platform is listed, whatever it is."""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from heavylift.manifests.context import Subject
from heavylift.manifests.images import URIS
from heavylift.manifests.reading import CHART
from heavylift.manifests.report import Path

_ABOUT = "leftover"

_KEYS = {
    "eks": re.compile(
        r"^(?:[\w.-]+\.)?(?:eks\.amazonaws\.com|k8s\.amazonaws\.com|vpc\.amazonaws\.com|k8s\.aws|eksctl\.io|aws\.amazon\.com)/"
        r"|^karpenter\.(?:sh|k8s\.aws)/|^alb\.ingress\.kubernetes\.io/|aws-load-balancer-|^iam\.amazonaws\.com/"
        r"|^topology\.ebs\.csi\.aws\.com/|^topology\.k8s\.aws/"
    ),
    "gke": re.compile(
        r"^(?:[\w.-]+\.)?(?:cloud\.google\.com|gke\.io|google\.com|gcp\.kubernetes\.io|gke-[\w.]+)/"
        r"|^kubernetes\.io/ingress\.global-static-ip-name|^kubernetes\.io/ingress\.regional-static-ip-name"
        r"|^topology\.gke\.io/|^networking\.gke\.io\.networks/|^gke-gcsfuse/"
    ),
    "aks": re.compile(
        r"^(?:[\w.-]+\.)?(?:kubernetes\.azure\.com|azure\.com|azure\.workload\.identity)/"
        r"|^azure\.workload\.identity/|azure-(?:load-balancer|dns-label|pip|allowed)|^appgw\.ingress\.kubernetes\.io/"
        r"|^aadpodidbinding$|^agentpool$|^topology\.disk\.csi\.azure\.com/"
    ),
}
"""Names of labels, annotations and resources that only one platform reads."""

_TEXTS = {
    "eks": re.compile(
        r"\barn:aws[\w-]*:[^\s\"',]+|[\w.-]+\.amazonaws\.com(?:\.cn)?\b|[\w.-]+\.csi\.aws\.com\b"
        r"|\bingress\.k8s\.aws/\w+|\b169\.254\.170\.\d+"
        r"|^aws-(?:sqs-queue|cloudwatch|kinesis-stream|dynamodb[\w-]*)$"
    ),
    "gke": re.compile(
        r"[\w-]+@[\w-]+\.iam\.gserviceaccount\.com|[\w.-]+\.googleapis\.com\b|[\w-]+-docker\.pkg\.dev/\S+"
        r"|[\w.-]+\.csi\.storage\.gke\.io\b|metadata\.google\.internal"
        r"|\b169\.254\.169\.252\b|^gcp-(?:pubsub|storage|stackdriver|cloudtasks)$"
    ),
    "aks": re.compile(
        r"[\w-]+\.azurecr\.io\b|[\w.-]+\.(?:core\.windows\.net|vault\.azure\.net|database\.azure\.com"
        r"|azureml\.net|servicebus\.windows\.net|database\.windows\.net)\b|/subscriptions/[\w-]+/\S*"
        r"|\bazure/application-gateway\b|^azure-(?:servicebus|eventhub|queue|blob|monitor|pipelines|[\w-]+)$"
    ),
}

_AWS_PLACE = (
    r"\b(?:us|eu|ap|ca|sa|me|af|il|mx|cn)(?:-gov)?-(?:north|south)?"
    r"(?:east|west|central|north|south)-[1-9][a-z]?\b"
)
_GOOGLE_PLACE = (
    r"\b(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-(?:north|south)?"
    r"(?:east|west|central|north|south)[1-9]\d?(?:-[a-f])?\b"
)
_AZURE_PLACE = (
    r"\b(?:(?:north|south|west)?central|east|west)us[23]?\b|\b(?:west|north)europe\b|\buk(?:south|west)\b"
    r"|\b(?:france|sweden|poland|italy)central\b|\bgermanywestcentral\b|\b(?:east|southeast)asia\b"
)
_PLACES = {
    "eks": re.compile(_AWS_PLACE),
    "gke": re.compile(_GOOGLE_PLACE),
    "aks": re.compile(_AZURE_PLACE),
}
"""Names of regions and zones, wherever a text has one."""

_PROVIDERS = {
    "eks": {"aws", "secretsmanager", "parameterstore"},
    "gke": {"gcp", "gcpsm"},
    "aks": {"azure", "azurekv"},
}
"""What operators that fetch secrets call the platforms."""

_GROUPS = {
    "eks": re.compile(r"(?:^|\.)(?:k8s\.aws|amazonaws\.com|karpenter\.sh|services\.k8s\.aws|eksctl\.io)$"),
    "gke": re.compile(r"(?:^|\.)(?:cloud\.google\.com|gke\.io|monitoring\.googleapis\.com)$"),
    "aks": re.compile(r"(?:^|\.)(?:azure\.com|aadpodidentity\.k8s\.io)$"),
}

_OWNED = {
    "eks.amazonaws.com/role-arn",
    "iam.gke.io/gcp-service-account",
    "azure.workload.identity/client-id",
}
_STALE = "kubectl.kubernetes.io/last-applied-configuration"


def list_leftovers(subject: Subject) -> None:
    """List what still names a platform that is not the target; whole kinds of one platform as one."""
    for platform, pattern in _GROUPS.items():
        if platform != subject.target and pattern.search(subject.group):
            why = f"a kind that only {platform} has"
            remedy = "write what takes its place on the target, or leave the object out"
            subject.left(("kind",), subject.kind, _ABOUT, why, remedy)
            return
    if subject.kind == "Secret":
        for path, mapping in subject.mappings():
            if path in {("metadata", "annotations"), ("metadata", "labels")}:
                _keys(subject, path, mapping)
        return
    if subject.kind in {"SecretProviderClass", "SecretStore", "ClusterSecretStore"}:
        _provider(subject)
    if subject.kind == "HorizontalPodAutoscaler":
        _metrics(subject)
    for path, mapping in subject.mappings():
        _keys(subject, path, mapping)
    for path, holder, key, text in subject.strings():
        named = holder.get("name", "") if isinstance(holder, MutableMapping) and key == "value" else ""
        _text(subject, path, text, str(named))


def _provider(subject: Subject) -> None:
    """List where secrets are fetched from."""
    spec = subject.root.get("spec")
    provider = spec.get("provider") if isinstance(spec, MutableMapping) else None
    named = set(provider) if isinstance(provider, MutableMapping) else {str(provider).lower()}
    for platform, words in _PROVIDERS.items():
        if platform != subject.target and named & words:
            text = ", ".join(sorted(named & words))
            remedy = "move the secrets, and name the target's store"
            subject.left(("spec", "provider"), text, _ABOUT, f"secrets of {platform}", remedy)


def _metrics(subject: Subject) -> None:
    """List metrics that no cluster has by itself: something serves them on the source."""
    spec = subject.root.get("spec")
    metrics = spec.get("metrics") if isinstance(spec, MutableMapping) else None
    for index, each in enumerate(metrics if isinstance(metrics, list) else ()):
        kind = each.get("type") if isinstance(each, MutableMapping) else None
        if kind not in ("External", "Object", "Pods"):
            continue
        asked = each.get(str(kind).lower())
        metric = asked.get("metric") if isinstance(asked, MutableMapping) else None
        name = str(metric.get("name", "")) if isinstance(metric, MutableMapping) else ""
        why = f"a metric of type {kind}, which an adapter in the cluster serves"
        remedy = "have an adapter serve it under this name on the target, or scale by another one"
        subject.needs(("spec", "metrics", index), name, "controller", why, remedy)


def _keys(subject: Subject, path: Path, mapping: MutableMapping[str, object]) -> None:
    for key in mapping:
        _name(subject, (*path, key), str(key), mapping[key])
    for field in ("key", "topologyKey"):
        value = mapping.get(field)
        if isinstance(value, str):
            _name(subject, (*path, field), value, mapping.get("values", value))


def _name(subject: Subject, path: Path, name: str, value: object) -> None:
    for platform, pattern in _KEYS.items():
        if platform == subject.target or not pattern.search(name) or _told(subject, path):
            continue
        if name in _OWNED and subject.settings.moves(platform):
            continue
        text = name if isinstance(value, (MutableMapping, list)) else f"{name}: {value}"
        remedy = "set what means the same on the target, or take it away"
        subject.left(path, text, _ABOUT, f"only {platform} reads it", remedy)


def _text(subject: Subject, path: Path, text: str, variable: str) -> None:
    if _told(subject, path) or _STALE in path:
        return
    for platform, pattern in _TEXTS.items():
        found = pattern.search(text) if platform != subject.target else None
        if found is None and platform != subject.target and not subject.settings.moves(platform):
            found = URIS[platform].search(text)
        if found is None and platform != subject.target:
            found = _PLACES[platform].search(text)
        if found:
            remedy = "put what the target has in its place"
            subject.left(path, found[0], _ABOUT, f"it names something of {platform}", remedy, variable)
            return
    found = CHART.search(text)
    if found:
        remedy = "run helm template first and translate what it prints"
        subject.left(path, found[0], "template", "a template's text, not a finished manifest", remedy)


def _told(subject: Subject, path: Path) -> bool:
    return any(path[: len(told)] == told for told in subject.about)
