"""Workload identity: which cloud identity a service account acts as."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from heavylift.manifests.context import Subject
from heavylift.manifests.report import Path

_ABOUT = "identity"

ANNOTATION = {
    "eks": "eks.amazonaws.com/role-arn",
    "gke": "iam.gke.io/gcp-service-account",
    "aks": "azure.workload.identity/client-id",
}
"""Sources: EKS (IAM roles for service accounts), GKE and Azure (workload identity)."""

BESIDE = {
    "eks": (
        "eks.amazonaws.com/audience",
        "eks.amazonaws.com/sts-regional-endpoints",
        "eks.amazonaws.com/token-expiration",
    ),
    "gke": (),
    "aks": (
        "azure.workload.identity/tenant-id",
        "azure.workload.identity/service-account-token-expiration",
    ),
}
"""Annotations that mean nothing without the one above, and go with it."""

USE = "azure.workload.identity/use"


def mapped_identity(subject: Subject) -> str:
    """Return the platform whose identity the map gives a successor; empty where there is none."""
    if subject.kind != "ServiceAccount" or subject.target not in ANNOTATION:
        return ""
    for platform, key in ANNOTATION.items():
        value = subject.annotations.get(key)
        if subject.settings.moves(platform) and str(value) in subject.names.identities:
            return platform
    return ""


def acts_on_target(subject: Subject) -> bool:
    """Whether the object is a service account that acts as an identity of the target."""
    if subject.kind != "ServiceAccount" or subject.target not in ANNOTATION:
        return False
    return bool(mapped_identity(subject)) or ANNOTATION[subject.target] in subject.annotations


def translate_identity(subject: Subject) -> None:
    """Rewrite the annotations of service accounts, and the label that pods need or needed for it."""
    if subject.kind == "ServiceAccount":
        _account(subject)
    pods = {path for path, _ in subject.pods()}
    for path, mapping in list(subject.mappings()):
        name = mapping.get("serviceAccountName") or mapping.get("serviceAccount")
        name = "default" if name is None and path in pods else name
        if (subject.namespace, str(name)) not in subject.estate.accounts:
            continue
        if path[-2:-1] == ("template",) or (subject.kind == "Pod" and path == ("spec",)):
            _label(subject, path)
        elif subject.target == "aks" and USE not in (subject.metadata.get("labels") or {}):
            why = 'pods that are made of it need the label azure.workload.identity/use: "true"'
            remedy = "give the label where this kind passes labels on to its pods"
            subject.left((*path, "serviceAccountName"), str(name), _ABOUT, why, remedy)


def _account(subject: Subject) -> None:
    annotations, path = subject.annotations, ("metadata", "annotations")
    mapped = mapped_identity(subject)
    for platform, key in ANNOTATION.items():
        value = annotations.get(key)
        if value is None or platform == subject.target:
            continue
        if platform != mapped:
            if subject.settings.moves(platform):
                why = f"an identity of {platform}"
                remedy = "name its successor under identities in the map"
                if subject.target not in ANNOTATION:
                    remedy = "give the workload a Secret, or another identity of the target"
                subject.left((*path, key), value, _ABOUT, why, remedy)
            continue
        new = subject.names.identities[str(value)]
        subject.rename(annotations, key, ANNOTATION[subject.target], new, path, "identities of the map")
        for beside in BESIDE[platform]:
            if beside in annotations:
                subject.drop(annotations, beside, path, f"belongs to the identity of {platform}")
        subject.needs(
            (*path, ANNOTATION[subject.target]), new, _ABOUT,
            "the identity must trust this service account",
            f"federate it with {subject.namespace}/{subject.metadata.get('name')} of the target's cluster",
        )  # fmt: skip


def _label(subject: Subject, path: Path) -> None:
    """Give pods of an account the label that Azure's webhook looks for, or take it away."""
    owner: Any = subject.root
    for part in path[:-1]:
        owner = owner[part]
    metadata = owner.get("metadata") if isinstance(owner, MutableMapping) else None
    at = (*path[:-1], "metadata")
    if subject.target == "aks":
        if metadata is None and isinstance(owner, MutableMapping):
            metadata = owner["metadata"] = {}
        if not isinstance(metadata, MutableMapping):
            return
        labels = metadata.get("labels")
        if labels is None:
            labels = metadata["labels"] = {}
        subject.set(labels, USE, "true", (*at, "labels"), "Azure's webhook serves labelled pods only")
    elif isinstance(metadata, MutableMapping) and USE in (metadata.get("labels") or {}):
        subject.drop(metadata["labels"], USE, (*at, "labels"), "only Azure's webhook looks for it")
