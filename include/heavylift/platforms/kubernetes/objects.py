"""An object of Kubernetes as the inventory sees it: names on top, no secret's value, sums as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DROPPED = ("metadata", "stringData", "binaryData", "data")
_ACCELERATOR = re.compile(r"(?i)gpu|neuron|/tpu|habana|/mig-|/rdma")
_UNITS: dict[str, float] = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1,
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([A-Za-z]{0,2})")
_FEW_LABELS = 5
_RESTLESS = frozenset({"lastHeartbeatTime", "lastProbeTime", "lastUpdateTime", "images"})


def shown(item: Mapping[str, Any], *, secret: bool = False) -> dict[str, Any]:
    """Return an object without what tells secrets or is only bookkeeping.

    The annotation in which kubectl keeps what was applied holds a secret's values in clear. What a ConfigMap
    holds becomes its ``environment``: values that could be secrets are blotted out there.
    """
    meta = dict(item.get("metadata") or {})
    if "name" not in meta:
        return dict(item)
    kept = {key: value for key, value in item.items() if key not in _DROPPED}
    if not secret and isinstance(item.get("data"), Mapping):
        kept["environment"] = dict(item["data"])
    if isinstance(kept.get("status"), Mapping):
        kept["status"] = _quiet(kept["status"])
    notes = meta.get("annotations") or {}
    return {
        **kept,
        **_sums(item),
        "name": meta["name"],
        "namespace": meta.get("namespace") or "",
        "uid": meta.get("uid") or "",
        "created": meta.get("creationTimestamp") or "",
        "labels": meta.get("labels") or {},
        "annotations": {key: value for key, value in notes.items() if key != _APPLIED},
        "owners": meta.get("ownerReferences") or [],
        "_known_as": [*_hosts(item), *_selectors(item, str(meta.get("namespace") or ""))],
    }


def _hosts(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the address under which an endpoint is called."""
    status = item.get("status")
    url = status.get("url") if isinstance(status, Mapping) else None
    if isinstance(url, str) and urlsplit(url).hostname:
        yield f"host:{urlsplit(url).hostname}"


def _quiet(value: Any) -> Any:
    """Return a status without what moves by itself."""
    if isinstance(value, Mapping):
        return {key: _quiet(each) for key, each in value.items() if key not in _RESTLESS}
    return [_quiet(each) for each in value] if isinstance(value, list) else value


def _sums(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return accelerators that are asked for or there, and bytes of storage."""
    found: dict[str, Any] = {}
    capacity = (item.get("status") or {}).get("capacity")
    if isinstance(capacity, Mapping):
        gpus = {
            name: int(number_of(amount)) for name, amount in capacity.items() if _ACCELERATOR.search(name)
        }
    else:
        gpus = _requested(item.get("spec"))
    if gpus:
        found["accelerators"] = gpus
    spec = item.get("spec") if isinstance(item.get("spec"), Mapping) else {}
    storage = _storage(spec or {})
    if storage:
        found["storage_bytes"] = int(number_of(storage))
    return found


def _storage(spec: Mapping[str, Any]) -> Any:
    for part in (spec.get("capacity"), (spec.get("resources") or {}).get("requests")):
        if isinstance(part, Mapping) and part.get("storage"):
            return part["storage"]
    return None


def _requested(value: Any) -> dict[str, int]:
    """Return what all containers of one replica ask for; a limit counts as a request."""
    sums: dict[str, int] = {}
    for resources in _found(value, "resources"):
        asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
        for name, amount in asked.items():
            if _ACCELERATOR.search(str(name)):
                sums[name] = sums.get(name, 0) + int(number_of(amount))
    return sums


def _found(value: Any, name: str) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == name and isinstance(each, Mapping):
                yield each
            else:
                yield from _found(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _found(each, name)


def number_of(quantity: Any) -> float:
    """Return a quantity such as ``100Gi`` or ``250m`` as a number; 0 where it is none."""
    found = _QUANTITY.fullmatch(str(quantity))
    return float(found[1]) * _UNITS[found[2]] if found and found[2] in _UNITS else 0.0


def selection(namespace: str, labels: Mapping[str, Any]) -> str:
    """Return the target that means everything in ``namespace`` that has these labels."""
    return f"pods:{namespace}/" + ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def _selectors(item: Mapping[str, Any], namespace: str) -> Iterator[str]:
    """Yield the selectors that mean the pods of an object: by any of its labels where they are few."""
    spec = item.get("spec")
    if not isinstance(spec, Mapping):
        return
    template = spec.get("template")
    pods = template if isinstance(template, Mapping) else item
    if not isinstance((pods.get("spec") or {}).get("containers"), list):
        return
    labels = (pods.get("metadata") or {}).get("labels") or {}
    names = sorted(labels)
    sizes = range(1, len(names) + 1) if len(names) <= _FEW_LABELS else (1, 2, len(names))
    for size in sizes:
        for chosen in combinations(names, size):
            yield selection(namespace, {name: labels[name] for name in chosen})
