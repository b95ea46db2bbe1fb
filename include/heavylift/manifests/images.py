"""Images, pull secrets, URIs and environment variables that name places of a cloud."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from functools import partial
from typing import Any

from heavylift.manifests.context import Subject
from heavylift.manifests.mapping import by_prefix, image_in, is_result
from heavylift.manifests.report import Path

REGISTRIES = {
    "eks": re.compile(r"^[\w.-]+\.dkr\.ecr[\w.-]*\.amazonaws\.com(?:\.cn)?/"),
    "gke": re.compile(
        r"^(?:[\w-]+-docker\.pkg\.dev|(?:us\.|eu\.|asia\.)?gcr\.io)/(?!distroless/|google-containers/|kaniko-project/"
        r"|google-samples/|deeplearning-platform-release/|google\.com)"
    ),
    "aks": re.compile(r"^[\w-]+\.azurecr\.io/"),
}
"""Registries that only their own cloud reaches without credentials; public ones are left alone."""

URIS = {
    "eks": re.compile(r"s3[an]?://[\w.-]+[^\s\"',;)]*"),
    "gke": re.compile(r"gs://[\w.-]+[^\s\"',;)]*"),
    "aks": re.compile(r"(?:abfss?|wasbs?|az)://[\w.@-]+[^\s\"',;)]*"),
}

ENV = {
    "eks": re.compile(r"^(?:AWS_|S3_ENDPOINT|FI_|EFA_|NCCL_TUNER_PLUGIN$|NCCL_OFI)|^SAGEMAKER_"),
    "gke": re.compile(
        r"^(?:GOOGLE_|GCP_|GCLOUD_|CLOUDSDK_|NCCL_FASTRAK_|NCCL_GPUDIRECTTCPX|NCCL_GIN|CLOUD_ML_)"
    ),
    "aks": re.compile(r"^(?:AZURE_|ARM_|NCCL_TOPO_FILE$)"),
}
"""Environment variables that only programs on one platform read, by the start of their name."""

FABRIC_ENV = re.compile(r"^(?:NCCL_NET|NCCL_NET_PLUGIN|NCCL_IB_|NCCL_SOCKET_IFNAME|GLOO_SOCKET_IFNAME|UCX_)")
"""Settings that depend on the network of the nodes."""

FABRIC = {
    "vpc.amazonaws.com/efa": "eks",
    "vpc.amazonaws.com/pod-eni": "eks",
    "aws.amazon.com/neuron": "eks",
    "aws.amazon.com/neuroncore": "eks",
    "aws.amazon.com/neurondevice": "eks",
    "google.com/tpu": "gke",
}


def translate_images(subject: Subject) -> None:
    """Rewrite what names registries, buckets, extended resources and settings of a cloud."""
    if subject.kind == "Secret":
        return
    for path, container in list(subject.containers()):
        if isinstance(container.get("image"), str):
            _image(subject, container, path)
        _environment(subject, container, path)
        _resources(subject, container, path)
    for path, mapping in subject.mappings():
        rows = mapping.get("imagePullSecrets")
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, MutableMapping) and row.get("name"):
                _pull_secret(subject, row, (*path, "imagePullSecrets", index))
    for path, holder, key, text in list(subject.strings()):
        if "://" in text:
            _uris(subject, holder, key, text, path)


def _image(subject: Subject, container: MutableMapping[str, Any], path: Path) -> None:
    image, names = container["image"], subject.names.registries
    copied = image_in(subject.names.images, image)
    if copied:
        subject.set(container, "image", copied, path, "images of the map: the copy, by its digest")
        return
    if image in subject.names.images.values():
        return
    found = None if is_result(names, image) else by_prefix(names, image)
    if found:
        subject.set(container, "image", found[1], path, "registries of the map; tag and digest are kept")
        return
    for platform, pattern in REGISTRIES.items():
        if pattern.match(image) and platform != subject.target and subject.settings.moves(platform):
            if is_result(names, image):
                continue
            why = f"a registry of {platform}"
            subject.left(
                (*path, "image"),
                image,
                "images",
                why,
                "copy it, and name its prefix under registries in the map",
            )


def _pull_secret(subject: Subject, row: MutableMapping[str, Any], path: Path) -> None:
    names, name = subject.names.pull_secrets, str(row["name"])
    if name in names and name not in names.values():
        subject.set(row, "name", names[name], path, "pull_secrets of the map")
    else:
        why = "the secret holds credentials of one registry"
        subject.needs(
            (*path, "name"), name, "images", why, "make it on the target, for the target's registry"
        )


def _uris(subject: Subject, holder: Any, key: Any, text: str, path: Path) -> None:
    new = text
    for platform, pattern in URIS.items():
        if platform == subject.target or not subject.settings.moves(platform):
            continue
        new = pattern.sub(partial(_uri, subject, platform, path, _variable(holder)), new)
    if new != text:
        holder[key] = new


def _uri(subject: Subject, platform: str, path: Path, variable: str, match: re.Match[str]) -> str:
    """Return what takes the place of a URI; only the URI is told, not the text around it."""
    uri = match[0]
    names = subject.names.uris
    if is_result(names, uri):
        return uri
    found = by_prefix(names, uri)
    if found:
        subject.change(path, uri, found[1], "uris of the map", variable)
        return found[1]
    subject.left(path, uri, "uris", f"a place of {platform}", "name its prefix under uris in the map")
    return uri


def _variable(holder: Any) -> str:
    return str(holder.get("name", "")) if isinstance(holder, MutableMapping) and "value" in holder else ""


def _environment(subject: Subject, container: MutableMapping[str, Any], path: Path) -> None:
    rows = container.get("env")
    if not isinstance(rows, list):
        return
    for index in reversed(range(len(rows))):
        row = rows[index]
        if isinstance(row, MutableMapping) and isinstance(row.get("name"), str):
            _variable_row(subject, rows, index, (*path, "env", index))


def _variable_row(subject: Subject, rows: list[Any], index: int, path: Path) -> None:
    row, names = rows[index], subject.names.env
    name = row["name"]
    if name in names:
        new = names[name]
        if new is None:
            del rows[index]
            subject.change(path, f"{name}", None, "env of the map takes it away")
        elif "value" in row:
            subject.set(row, "value", new, path, "env of the map", name)
        return
    at = (*path, "value")
    for platform, pattern in ENV.items():
        if pattern.match(name) and platform != subject.target and subject.settings.moves(platform):
            _left_variable(subject, row, name, at, f"{name} is read by programs of {platform}")
            return
    if FABRIC_ENV.match(name) and subject.settings.source != subject.target:
        _left_variable(subject, row, name, at, f"{name} depends on the network between the nodes")


def _left_variable(subject: Subject, row: MutableMapping[str, Any], name: str, at: Path, why: str) -> None:
    remedy = "give its value on the target, or null to take it away, under env in the map"
    subject.left(at, f"{name}={row.get('value', '(by reference)')}", "environment", why, remedy, name)


def _resources(subject: Subject, container: MutableMapping[str, Any], path: Path) -> None:
    resources = container.get("resources")
    for part in ("limits", "requests"):
        asked = resources.get(part) if isinstance(resources, MutableMapping) else None
        for key in list(asked) if isinstance(asked, MutableMapping) else ():
            at = (*path, "resources", part)
            if key in subject.names.resources and isinstance(asked, MutableMapping):
                subject.rename(
                    asked, key, subject.names.resources[key], asked[key], at, "resources of the map"
                )
                continue
            _extended(subject, str(key), at)


def _extended(subject: Subject, key: str, at: Path) -> None:
    platform = FABRIC.get(key, "gke" if key.startswith("networking.gke.io.networks/") else "")
    if platform and platform != subject.target and subject.settings.moves(platform):
        why = f"a device of {platform}; no node of the target has it, so the pod would wait for ever"
        subject.left((*at, key), key, "fabric", why, "name the target's resource under resources in the map")
    elif key.startswith("rdma/"):
        text = "install the RDMA device plugin, and compare the resource's name with its configuration"
        subject.needs((*at, key), key, "fabric", "whoever installs the device plugin chooses the name", text)
