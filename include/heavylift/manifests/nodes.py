"""Which nodes a pod asks for: topology, instance types, accelerators, pools, spot capacity, taints."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from heavylift.facts.accelerators import Need, need_of
from heavylift.manifests import nodes_facts as facts
from heavylift.manifests.context import PLATFORMS, PROVIDER, Subject
from heavylift.manifests.report import Path

_ABOUT = "nodes"
_SETS = ("In", "NotIn")


@dataclass
class Ask:
    """One label that is asked for, in a selector or in an expression of an affinity."""

    holder: MutableMapping[str, Any]
    key: str
    values: list[str]
    path: Path
    siblings: list[str]
    """The values of the count labels beside it."""

    negated: bool = False

    @property
    def in_selector(self) -> bool:
        """Whether the label is a key of its own."""
        return self.key in self.holder

    @property
    def at(self) -> Path:
        """The path of the label."""
        return (*self.path, self.key) if self.in_selector else self.path


def translate_nodes(subject: Subject) -> None:
    """Rewrite what pods ask of nodes."""
    for path, mapping in subject.mappings():
        if isinstance(mapping.get("topologyKey"), str) and mapping["topologyKey"] in facts.RENAMED:
            new = facts.RENAMED[mapping["topologyKey"]]
            subject.set(mapping, "topologyKey", new, path, "Kubernetes gave the old label up")
        _toleration(subject, mapping, path)
    for pod_path, pod in list(subject.pods()):
        gpus = _gpus(pod)
        for ask in [*_selector(pod, pod_path), *_expressions(subject, pod_path)]:
            _translate(subject, ask, gpus)
    if subject.kind == "PersistentVolume":
        for ask in _expressions(subject, ("spec", "nodeAffinity")):
            _translate(subject, ask, 0)


def _selector(pod: MutableMapping[str, Any], path: Path) -> Iterator[Ask]:
    selector = pod.get("nodeSelector")
    if isinstance(selector, MutableMapping):
        counts = [str(value) for key, value in selector.items() if key in facts.COUNT_LABELS]
        for key in list(selector):
            if key in selector and isinstance(key, str):
                yield Ask(selector, key, [str(selector[key])], (*path, "nodeSelector"), counts)


def _expressions(subject: Subject, inside: Path) -> Iterator[Ask]:
    for path, mapping in list(subject.mappings()):
        rows = mapping.get("matchExpressions")
        if path[: len(inside)] != inside or "nodeAffinity" not in path or not isinstance(rows, list):
            continue
        rows = [row for row in rows if isinstance(row, MutableMapping)]
        counts = [
            str(value)
            for row in rows
            if row.get("key") in facts.COUNT_LABELS
            for value in row.get("values") or ()
        ]
        for index, row in enumerate(rows):
            values = row.get("values")
            texts = [str(value) for value in values] if isinstance(values, list) else []
            at = (*path, "matchExpressions", index)
            yield Ask(row, str(row.get("key")), texts, at, counts, row.get("operator") == "NotIn")


def _gpus(pod: MutableMapping[str, Any]) -> int:
    """Return the most devices that a container of the pod asks for."""
    most = 0
    for container in pod.get("containers") or ():
        resources = container.get("resources") if isinstance(container, MutableMapping) else None
        for part in ("limits", "requests"):
            asked = resources.get(part) if isinstance(resources, MutableMapping) else None
            count = str(asked.get("nvidia.com/gpu", 0)) if isinstance(asked, MutableMapping) else "0"
            most = max(most, int(count) if count.isdigit() else 0)
    return most


def _put(subject: Subject, ask: Ask, key: str, values: list[str], reason: str) -> None:
    """Put another label, or other values, in the place of what is asked for."""
    if ask.in_selector:
        if len(values) != 1:
            subject.left(ask.at, ask.values[0], _ABOUT, "several labels would take its place", "choose one")
            return
        if key == ask.key and ask.holder[key] == values[0]:
            return
        if key != ask.key and ask.holder.get(key, values[0]) != values[0]:
            why = f"{key} is asked for already, with another value"
            subject.left(ask.at, ask.values[0], _ABOUT, why, "choose one of the two")
            return
        subject.rename(ask.holder, ask.key, key, values[0], ask.path, reason)
        return
    old = f"{ask.key}: {', '.join(ask.values)}"
    new = f"{key}: {', '.join(values)}"
    if old != new:
        ask.holder["key"] = key
        if ask.values != values:
            ask.holder["values"][:] = values
        subject.change(ask.path, old, new, reason)


def _left(subject: Subject, ask: Ask, why: str, remedy: str) -> None:
    subject.left(ask.at, ", ".join(ask.values) or ask.key, _ABOUT, why, remedy)


def _translate(subject: Subject, ask: Ask, gpus: int) -> None:
    if ask.key in facts.RENAMED:
        new = facts.RENAMED[ask.key]
        _put(subject, ask, new, ask.values, "Kubernetes gave the old label up")
        ask = replace(ask, key=new)
    if ask.key in {facts.ZONE, facts.REGION}:
        _places(subject, ask)
    elif ask.key == facts.INSTANCE:
        _instances(subject, ask)
    elif ask.key in facts.DEVICE_LABELS:
        _devices(subject, ask, gpus)
    elif ask.key in facts.POOL_LABELS:
        _pools(subject, ask)
    elif len(ask.values) == 1 and (ask.key, ask.values[0]) in facts.SPOT_LABELS:
        platform = facts.SPOT_LABELS[ask.key, ask.values[0]]
        if subject.settings.moves(platform) and subject.target in facts.SPOT_FOR:
            key, value = facts.SPOT_FOR[subject.target]
            _put(subject, ask, key, [value], f"spot capacity of {subject.target}")
            at = (*ask.path, key) if ask.in_selector or key in ask.holder else ask.path
            text = f"let the pod tolerate {key}={value} where the target's spot nodes have that taint"
            subject.needs(at, value, _ABOUT, "spot nodes are often tainted, on AKS always", text)
    elif ask.key == facts.PRODUCT:
        text = "install NVIDIA GPU feature discovery (part of the GPU operator)"
        subject.needs(ask.at, ", ".join(ask.values), _ABOUT, "a label that no platform sets by itself", text)


def _places(subject: Subject, ask: Ask) -> None:
    section = "zones" if ask.key == facts.ZONE else "regions"
    names = getattr(subject.names, section)
    if not ask.values or all(value in names.values() and value not in names for value in ask.values):
        return
    if all(value in names for value in ask.values):
        _put(subject, ask, ask.key, [names[value] for value in ask.values], f"{section} of the map")
    elif subject.settings.source != subject.target:
        _left(subject, ask, "a place of the source", f"name it under {section} in the map")


def _instances(subject: Subject, ask: Ask) -> None:
    made: list[str] = []
    reasons: list[str] = []
    for value in ask.values:
        if value in subject.names.instance_types:
            made.append(subject.names.instance_types[value])
            reasons.append("instance_types of the map")
            continue
        if value in subject.names.instance_types.values() or _is_of_target(subject, value):
            made.append(value)
            continue
        new, why = _instance_for(subject, value)
        if not new:
            _left(subject, ask, f"{value}: {why}", "name the target's type under instance_types in the map")
            return
        made.append(new)
        reasons.append(why)
    unique = list(dict.fromkeys(made))
    _put(subject, ask, facts.INSTANCE, unique, "; ".join(dict.fromkeys(reasons)))


def _is_of_target(subject: Subject, name: str) -> bool:
    provider = PROVIDER.get(subject.target, "")
    return subject.settings.accelerators.find(provider, name) is not None


def _instance_for(subject: Subject, name: str) -> tuple[str, str]:
    accelerators = subject.settings.accelerators
    if subject.target not in PLATFORMS:
        return "", "a plain cluster has names of its own"
    for platform, provider in PROVIDER.items():
        found = accelerators.find(provider, name) if subject.settings.moves(platform) else None
        if found:
            match = accelerators.match(need_of(found), PROVIDER[subject.target])
            return (match.instance.name if match.instance else ""), match.reason
    return "", "a type that is not in the table of accelerators"


def _devices(subject: Subject, ask: Ask, gpus: int) -> None:
    platform = facts.DEVICE_LABELS[ask.key]
    if not subject.settings.moves(platform) or not ask.values:
        return
    known = [facts.DEVICES.get(value) for value in ask.values]
    counts = [int(count) for count in ask.siblings if count.isdigit()]
    count = max([*counts, gpus, 1])
    made: list[str] = []
    reason = ""
    for value, device in zip(ask.values, known, strict=True):
        key, new, reason = _label_for(subject, device, count)
        if not new:
            _left(subject, ask, f"{value}: {reason}", "set a label that the target's nodes have")
            return
        made.append(new)
    _put(subject, ask, key, list(dict.fromkeys(made)), reason)
    if key == facts.PRODUCT:
        text = "install NVIDIA GPU feature discovery (part of the GPU operator)"
        at = (*ask.path, key) if key in ask.holder else ask.path
        subject.needs(at, ", ".join(made), _ABOUT, "a label that no platform sets by itself", text)
    _drop_counts(subject, ask, key)


def _label_for(subject: Subject, device: tuple[str, float] | None, count: int) -> tuple[str, str, str]:
    """Return the label's key and value on the target, and why."""
    if device is None:
        return "", "", "a device whose memory the label does not tell, or that is not in the table"
    model, memory = device
    if subject.target == "gke":
        value = facts.GKE_VALUE.get(device, "")
        return facts.GKE_DEVICE, value, f"{model} with {memory:g} GiB" + ("" if value else " is not on GKE")
    if subject.target not in PLATFORMS:
        value = facts.PRODUCTS.get(model, "")
        return facts.PRODUCT, value, f"{model}" + ("" if value else " comes in several forms")
    need = Need(model=model, count=count, memory_gib_each=memory)
    match = subject.settings.accelerators.match(need, PROVIDER[subject.target])
    return facts.INSTANCE, (match.instance.name if match.instance else ""), match.reason


def _drop_counts(subject: Subject, ask: Ask, key: str) -> None:
    """Take the counts of a selector away where the new label tells them; GKE has a label for them."""
    if not ask.in_selector and key not in ask.holder:
        return
    for name in [each for each in ask.holder if each in facts.COUNT_LABELS]:
        if subject.target == "gke":
            new = "cloud.google.com/gke-accelerator-count"
            if name != new:
                subject.rename(ask.holder, name, new, ask.holder[name], ask.path, "devices of a GKE node")
        elif subject.target in PLATFORMS:
            subject.drop(ask.holder, name, ask.path, "the instance type tells how many devices there are")


def _pools(subject: Subject, ask: Ask) -> None:
    platform, pools = facts.POOL_LABELS[ask.key], subject.names.node_pools
    if not subject.settings.moves(platform):
        return
    if subject.target in facts.POOL_FOR and ask.values and all(value in pools for value in ask.values):
        made = [pools[value] for value in ask.values]
        _put(subject, ask, facts.POOL_FOR[subject.target], made, "node_pools of the map")
    else:
        _left(subject, ask, f"a pool of nodes of {platform}", "name it under node_pools in the map")


def _toleration(subject: Subject, mapping: MutableMapping[str, Any], path: Path) -> None:
    if "tolerations" not in path or not isinstance(mapping.get("key"), str):
        return
    pair = (mapping["key"], str(mapping.get("value", "")))
    platform = facts.GPU_TAINTS.get(pair)
    if platform and subject.settings.moves(platform):
        subject.set(mapping, "key", facts.GPU_TAINT, path, "the taint of nodes with GPUs")
        subject.set(mapping, "operator", "Exists", path, "whatever value the taint has on the target")
        subject.drop(mapping, "value", path, "whatever value the taint has on the target")
        return
    spot = facts.SPOT_LABELS.get(pair)
    if spot and subject.settings.moves(spot) and subject.target in facts.SPOT_FOR:
        key, value = facts.SPOT_FOR[subject.target]
        subject.set(mapping, "key", key, path, f"the taint of spot nodes of {subject.target}")
        subject.set(mapping, "value", value, path, f"the taint of spot nodes of {subject.target}")
