"""Which fields of Kubernetes' objects name what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.evidence.inventory_records import How
from heavylift.inventory.vocabulary import BASIC_MODES, Link, Vocabulary, plain_relation
from heavylift.platforms.kubernetes.objects import selection

GLOBAL = "global"
_K = "Kubernetes::"
_RUNTIMES = f"{_K}ServingRuntime,{_K}ClusterServingRuntime"

NAMED: dict[str, tuple[str, str]] = {
    "secretKeyRef": ("name", "Secret"),
    "secretRef": ("name", "Secret"),
    "configMapKeyRef": ("name", "ConfigMap"),
    "configMapRef": ("name", "ConfigMap"),
    "configMap": ("name", "ConfigMap"),
    "persistentVolumeClaim": ("claimName", "PersistentVolumeClaim"),
    "imagePullSecrets": ("name", "Secret"),
    "secrets": ("name", "Secret"),
    "workflowTemplateRef": ("name", "WorkflowTemplate"),
    "service": ("name", "Service"),
}
"""A field that holds an object, or a list of them → (its field with the name, the kind of that)."""

TEXTS: dict[str, tuple[str, bool]] = {
    "serviceAccountName": ("ServiceAccount", True),
    "secretName": ("Secret", True),
    "claimName": ("PersistentVolumeClaim", True),
    "serviceName": ("Service", True),
    "storageClassName": ("StorageClass", False),
    "volumeName": ("PersistentVolume", False),
    "nodeName": ("Node", False),
}
"""A field that is a name → (the kind of what it names, whether that lies in the same namespace)."""

BY_KIND = frozenset(
    {"scaleTargetRef", "roleRef", "owners", "subjects", "backendRefs", "parentRefs", "runtimeRef"}
)
"""Fields whose objects tell the kind themselves."""

_DEFAULT_KIND = {"backendRefs": "Service", "parentRefs": "Gateway", "runtimeRef": "ClusterTrainingRuntime"}
_WITHOUT_NAMESPACE = frozenset(
    {
        "Node",
        "PersistentVolume",
        "StorageClass",
        "ClusterRole",
        "ClusterServingRuntime",
        "ClusterTrainingRuntime",
    }
    | {"ClusterWorkflowTemplate", "Namespace"}
)
_GOOGLE = "iam.gke.io/gcp-service-account"
_AZURE = "azure.workload.identity/client-id"
_INSIDE = re.compile(r"host:(?:[a-z0-9-]+\.)?([a-z0-9-]+\.[a-z0-9-]+)\.svc(?:\.cluster\.local)?(:\d+)?")
_BARE = re.compile(r"host:([a-z0-9-]+)(:\d+)?")
_OWN = re.compile(r"host:(?:localhost|127\.[0-9.]+|0\.0\.0\.0)(?::\d+)?$")
_RELATIONS = {
    "Secret": "reads_secret",
    "ConfigMap": "configured_by",
    "PersistentVolumeClaim": "mounts",
    "PersistentVolume": "mounts",
    "StorageClass": "uses",
    "ServiceAccount": "runs_as",
}


def _target(kind: str, namespace: str, name: str) -> str:
    where = GLOBAL if kind in _WITHOUT_NAMESPACE else namespace
    return f"{_K}{kind}|{where}|{name}"


def _links(_id: str, namespace: str, document: Mapping[str, Any]) -> Iterator[Link]:
    notes = document.get("annotations") or {}
    if notes.get(_GOOGLE):
        yield Link(f"annotations.{_GOOGLE}", f"gcp:serviceAccount:{notes[_GOOGLE]}", How.API_FIELD, "runs_as")
    if notes.get(_AZURE):
        yield Link(f"annotations.{_AZURE}", f"azure:client:{notes[_AZURE]}", How.API_FIELD, "runs_as")
    spec = document.get("spec")
    if isinstance(spec, Mapping):
        yield from _of_spec(spec, namespace, document)
    for key, value in document.items():
        if key not in ("status", "annotations", "labels", "environment") and not key.startswith("_"):
            yield from _below(value, namespace, key, key)


def _of_spec(spec: Mapping[str, Any], namespace: str, document: Mapping[str, Any]) -> Iterator[Link]:
    selector = spec.get("selector")
    # Of a Service alone it is a plain map of labels.
    if isinstance(selector, Mapping) and "ports" in spec and selector and "template" not in spec:
        yield Link("spec.selector", selection(namespace, selector), How.API_FIELD, "routes_to")
    claim = spec.get("claimRef")
    if isinstance(claim, Mapping) and claim.get("name"):
        home = str(claim.get("namespace") or "")
        target = _target("PersistentVolumeClaim", home, str(claim["name"]))
        yield Link("spec.claimRef", target, relation="belongs_to")
    handle = (spec.get("csi") or {}).get("volumeHandle") if isinstance(spec.get("csi"), Mapping) else None
    for pattern, types in ((r"vol-[0-9a-f]+", "AWS::EC2::Volume"), (r"fs-[0-9a-f]+", "AWS::EFS::FileSystem")):
        found = re.match(pattern, str(handle or ""))
        if found:
            yield Link("spec.csi.volumeHandle", f"{types}|*|{found[0]}", How.API_FIELD, "uses")
    if spec.get("externalName"):
        yield Link(
            "spec.externalName", f"host:{str(spec['externalName']).lower()}", How.API_FIELD, "routes_to"
        )
    runtime = _at(spec, "predictor", "model", "runtime")
    if isinstance(runtime, str) and runtime:
        yield _of_runtime(runtime, namespace)
    del document


def _of_runtime(name: str, namespace: str) -> Link:
    kinds = f"{_RUNTIMES}|{namespace}|{name}"
    return Link("spec.predictor.model.runtime", kinds, relation="uses")


def _below(value: Any, namespace: str, path: str, leaf: str) -> Iterator[Link]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _below(each, namespace, f"{path}[{index}]", leaf)
        return
    if isinstance(value, str):
        yield from _of_text(value, namespace, path, leaf)
        return
    if not isinstance(value, Mapping):
        return
    yield from _of_object(value, namespace, path, leaf)
    for key, each in value.items():
        yield from _below(each, namespace, f"{path}.{key}", str(key))


def _of_text(value: str, namespace: str, path: str, leaf: str) -> Iterator[Link]:
    if leaf in TEXTS and value:
        kind, _ = TEXTS[leaf]
        yield Link(path, _target(kind, namespace, value), relation=_RELATIONS.get(kind, "uses"))
    elif leaf == "image" and value and " " not in value:
        yield Link(path, f"image:{image_name(value)}", How.API_FIELD, "runs_image")


def _of_object(value: Mapping[str, Any], namespace: str, path: str, leaf: str) -> Iterator[Link]:
    if leaf in NAMED:
        field, kind = NAMED[leaf]
        if leaf == "workflowTemplateRef" and value.get("clusterScope"):
            kind = "ClusterWorkflowTemplate"
        name = value.get(field)
        if isinstance(name, str) and name and field != "claimName":
            yield Link(
                f"{path}.{field}", _target(kind, namespace, name), relation=_RELATIONS.get(kind, "uses")
            )
    elif leaf in BY_KIND and isinstance(value.get("name"), str):
        kind = str(value.get("kind") or _DEFAULT_KIND.get(leaf, ""))
        if kind in ("User", "Group", ""):
            return
        home = str(value.get("namespace") or namespace)
        relation = {"owners": "belongs_to", "subjects": "grants", "roleRef": "grants"}.get(leaf, "routes_to")
        yield Link(f"{path}.name", _target(kind, home, value["name"]), relation=relation)
    elif leaf == "secret" and isinstance(value.get("name"), str):
        yield Link(f"{path}.name", _target("Secret", namespace, value["name"]), relation="reads_secret")


def image_name(image: str) -> str:
    """Return an image with its registry, and without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first = name.partition("/")[0]
    if "/" not in name:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def _read_as(namespace: str, target: str) -> str:
    """Return a host inside the cluster by its full name; what means the pod itself names nothing."""
    if _OWN.match(target):
        return ""
    inside = _INSIDE.fullmatch(target)
    if inside:
        return f"host:{inside[1]}.svc.cluster.local{inside[2] or ''}"
    bare = _BARE.fullmatch(target)
    if bare and not bare[1].isdigit() and namespace != GLOBAL:
        return f"host:{bare[1]}.{namespace}.svc.cluster.local{bare[2] or ''}"
    return target


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


WORDS = Vocabulary(
    relation_of=plain_relation,
    modes={**BASIC_MODES, "annotations": How.API_FIELD, "labels": How.TEXT},
    links=_links,
    read_as=_read_as,
)
"""What the walk knows of Kubernetes."""
