"""Storage classes, what claims ask of them, and volumes that belong to one platform."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from heavylift.manifests import storage_facts as facts
from heavylift.manifests.context import PLATFORMS, Subject
from heavylift.manifests.report import Path

_ABOUT = "storage"
_SHARED = ("ReadWriteMany", "ReadOnlyMany")
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_BY_MAP = "name the class under storage_classes in the map"


def translate_storage(subject: Subject) -> None:
    """Rewrite storage classes, references to them, and note volumes that stay behind."""
    if subject.kind == "StorageClass":
        _storage_class(subject)
    if subject.kind == "VolumeSnapshotClass":
        _snapshot_class(subject)
    for path, mapping in subject.mappings():
        for key in ("storageClassName", "storageClass", _OLD_CLASS):
            if isinstance(mapping.get(key), str) and mapping[key]:
                _reference(subject, mapping, key, path)
        if isinstance(mapping.get("accessModes"), list):
            _access_modes(subject, mapping, path)
        _bound_volume(subject, mapping, path)


def _storage_class(subject: Subject) -> None:
    root = subject.root
    provisioner = str(root.get("provisioner", ""))
    platform, family = facts.PROVISIONERS.get(provisioner, ("", ""))
    path: Path = ("provisioner",)
    if not platform or platform == subject.target or not subject.settings.moves(platform):
        return
    new = facts.DRIVER.get((subject.target, family))
    if new is None:
        why = f"{subject.target} has no counterpart of {provisioner} in the table"
        subject.left(
            path, provisioner, _ABOUT, why, "make the class by hand for a driver that the target has"
        )
        return
    subject.set(root, "provisioner", new, (), f"{family} storage of {subject.target}")
    parameters = root.get("parameters")
    if isinstance(parameters, MutableMapping):
        _parameters(subject, parameters, platform, family)
    if family == "file":
        text = "give the parameters that it needs (tier, network, file system, SKU)"
        subject.needs(path, new, _ABOUT, "its own parameters are not known from the source", text)
    for at, mapping in subject.mappings():
        if at[:1] == ("allowedTopologies",) and mapping.get("key") == facts.TOPOLOGY_KEYS[platform]:
            key = facts.TOPOLOGY_KEYS[subject.target]
            subject.set(mapping, "key", key, at, f"topology key of {subject.target}")
            _zones(subject, mapping, at)


def _zones(subject: Subject, mapping: MutableMapping[str, Any], at: Path) -> None:
    names, values = subject.names.zones, mapping.get("values")
    if not isinstance(values, list):
        return
    texts = [str(value) for value in values]
    if all(text in names for text in texts):
        subject.set(mapping, "values", [names[text] for text in texts], at, "zones of the map")
    else:
        text = ", ".join(texts)
        subject.left((*at, "values"), text, _ABOUT, "zones of the source", "name them under zones in the map")


def _parameters(subject: Subject, parameters: MutableMapping[str, Any], platform: str, family: str) -> None:
    path: Path = ("parameters",)
    for key in list(parameters):
        value = parameters[key]
        if key in facts.TYPE_KEYS[platform] and family == "block":
            _volume_type(subject, parameters, key)
        elif key in facts.FILESYSTEM_KEYS:
            if key != facts.FILESYSTEM_KEYS[0]:
                new = facts.FILESYSTEM_KEYS[0]
                subject.rename(parameters, key, new, value, path, "the name that every CSI driver knows")
        elif key == "encrypted" and subject.target in facts.ALWAYS_ENCRYPTED:
            subject.drop(parameters, key, path, f"{subject.target} encrypts every volume")
        elif key.startswith("csi.storage.k8s.io/"):
            continue
        else:
            why = f"a parameter of {platform}'s driver; the target's refuses or overlooks it"
            subject.left((*path, key), value, _ABOUT, why, "set what means the same, or take it away")


def _volume_type(subject: Subject, parameters: MutableMapping[str, Any], key: str) -> None:
    value = str(parameters[key])
    tier = facts.TIERS.get(value.lower())
    if tier is None:
        why = f"the type {value} is not in the table"
        subject.left(("parameters", key), value, _ABOUT, why, "set the target's type by hand")
        return
    new = facts.TYPES[subject.target][tier]
    name = facts.TYPE_KEYS[subject.target][0]
    reason = f"{value} is the {tier} tier; measure operations a second before relying on it"
    subject.rename(parameters, key, name, new, ("parameters",), reason)
    if new == "io2" and not {"iops", "iopsPerGB"} & set(parameters):
        why = "EBS makes no io2 volume without a rate of operations"
        subject.left(("parameters", name), new, _ABOUT, why, "add the parameter iops, or set the type gp3")


def _snapshot_class(subject: Subject) -> None:
    driver = str(subject.root.get("driver", ""))
    platform, family = facts.PROVISIONERS.get(driver, ("", ""))
    new = facts.DRIVER.get((subject.target, family))
    if platform in PLATFORMS and subject.settings.moves(platform) and new:
        subject.set(subject.root, "driver", new, (), f"{family} storage of {subject.target}")


def _reference(subject: Subject, mapping: MutableMapping[str, Any], key: str, path: Path) -> None:
    name = mapping[key]
    if name in subject.names.storage_classes:
        subject.set(mapping, key, subject.names.storage_classes[name], path, "storage_classes of the map")
        return
    if name in subject.estate.storage_classes or name in subject.names.storage_classes.values():
        return
    platform, family, tier = facts.CLASSES.get(name, ("", "", ""))
    at = (*path, key)
    if platform == subject.target:
        if name in facts.MADE_BY_HAND:
            subject.needs(
                at, name, _ABOUT, "EKS does not make this class by itself", "make it, with its driver"
            )
        return
    if not platform or (name in facts.ANYBODYS and subject.settings.source != platform):
        why = "a class that neither these manifests nor the table of known classes have"
        subject.left(at, name, _ABOUT, why, _BY_MAP + ", or add the class to the manifests")
        return
    if not subject.settings.moves(platform):
        return
    new = facts.CLASS_FOR.get(subject.target, {}).get((family, tier))
    if new is None:
        subject.left(at, name, _ABOUT, f"a class of {platform}; {subject.target} has none by itself", _BY_MAP)
        return
    subject.set(mapping, key, new, path, f"{family} storage, {tier} tier, of {subject.target}")
    if new in facts.MADE_BY_HAND:
        subject.needs(at, new, _ABOUT, "EKS does not make this class by itself", "make it, with its driver")


def _access_modes(subject: Subject, mapping: MutableMapping[str, Any], path: Path) -> None:
    shared = [mode for mode in mapping["accessModes"] if mode in _SHARED]
    if not shared or subject.target not in PLATFORMS:
        return
    name = mapping.get("storageClassName")
    _, known, _ = facts.CLASSES.get(str(name), ("", "", ""))
    family = subject.estate.storage_classes.get(str(name), known)
    if name == "" or mapping.get("volumeMode") == "Block":
        return
    if name is None and not mapping.get("volumeName") and "resources" in mapping:
        family = "block"
    if family == "block":
        which = f"the class {name}" if name else "the default class"
        why = f"{which} is block storage on {subject.target}, which no two nodes mount for writing"
        subject.left(
            (*path, "accessModes"), ", ".join(shared), _ABOUT, why, "use a class of file storage: " + _BY_MAP
        )


def _bound_volume(subject: Subject, mapping: MutableMapping[str, Any], path: Path) -> None:
    for key, platform in facts.IN_TREE.items():
        if isinstance(mapping.get(key), MutableMapping) and platform != subject.target:
            why = f"a volume of {platform} by its id"
            remedy = "move its data, and mount a PersistentVolumeClaim in its place"
            subject.left((*path, key), mapping[key], _ABOUT, why, remedy)
    csi = mapping.get("csi")
    if not isinstance(csi, MutableMapping):
        return
    driver = str(csi.get("driver", ""))
    platform, _ = facts.PROVISIONERS.get(driver, ("", ""))
    if platform and platform != subject.target:
        why = f"a volume of {platform}'s driver; its handle and data belong to it"
        remedy = "move its data, and let a PersistentVolumeClaim make the volume on the target"
        subject.left((*path, "csi", "driver"), driver, _ABOUT, why, remedy)
