"""Container images made of bytes, and pushed by a client that owes nothing to the one under test."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any, Protocol

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = {
    OCI: "application/vnd.oci.image.config.v1+json",
    DOCKER: "application/vnd.docker.container.image.v1+json",
}
LAYER = {
    OCI: "application/vnd.oci.image.layer.v1.tar+gzip",
    DOCKER: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
EMPTY = b"{}"


class Asks(Protocol):
    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]: ...


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Made:
    """A manifest, and everything that must be there before it."""

    media_type: str
    data: bytes
    blobs: tuple[bytes, ...] = ()
    children: tuple[Made, ...] = ()
    platform: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest(self.data)

    def descriptor(self) -> dict[str, Any]:
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}
        return {**found, "platform": self.platform} if self.platform else found


def layer(name: str, content: bytes) -> bytes:
    """Return a layer with one file: the same bytes at every call."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=1, mtime=0)


def image(
    layers: list[bytes],
    *,
    kind: str = OCI,
    architecture: str = "amd64",
    subject: Made | None = None,
    artifact: str = "",
    extra: list[dict[str, Any]] | None = None,
) -> Made:
    """Return an image of these layers; with ``subject`` it is something that refers to another one."""
    config = json.dumps(
        {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    )
    data = EMPTY if artifact else config.encode()
    config_type = "application/vnd.oci.empty.v1+json" if artifact else CONFIG[kind]
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": config_type, "digest": digest(data), "size": len(data)},
        "layers": [
            *({"mediaType": LAYER[kind], "digest": digest(each), "size": len(each)} for each in layers),
            *(extra or []),
        ],
    }
    if artifact:
        document["artifactType"] = artifact
    if subject is not None:
        document["subject"] = {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": len(subject.data),
        }
    platform = {} if artifact else {"architecture": architecture, "os": "linux"}
    # Indented, as many builders write it: whoever writes the JSON anew makes another digest.
    return Made(kind, json.dumps(document, indent=3).encode(), (data, *layers), platform=platform)


def index(children: list[Made], *, kind: str = INDEX) -> Made:
    """Return an index of several platforms."""
    rows = [each.descriptor() for each in children]
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": rows}
    return Made(kind, json.dumps(document, indent=3).encode(), children=tuple(children))


def push_blob(server: Asks, repository: str, data: bytes) -> None:
    status, headers, _ = server.ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
    assert status == 202, status
    joint = "&" if "?" in headers["location"] else "?"
    status, _, body = server.ask(
        "PUT",
        f"{headers['location']}{joint}digest={digest(data)}",
        data,
        {"Content-Type": "application/octet-stream"},
    )
    assert status == 201, (status, body)


def push(server: Asks, repository: str, made: Made, tag: str = "") -> str:
    """Push a manifest with all below it; return its digest."""
    for child in made.children:
        push(server, repository, child)
    for blob in made.blobs:
        push_blob(server, repository, blob)
    path = f"/v2/{repository}/manifests/{tag or made.digest}"
    status, headers, body = server.ask("PUT", path, made.data, {"Content-Type": made.media_type})
    assert status == 201, (status, body)
    assert headers["docker-content-digest"] == made.digest
    return made.digest


def pulled(server: Asks, repository: str, reference: str) -> tuple[str, bytes]:
    """Return a manifest's type and bytes."""
    accept = ", ".join((OCI, INDEX, DOCKER, DOCKER_LIST))
    status, headers, body = server.ask(
        "GET", f"/v2/{repository}/manifests/{reference}", None, {"Accept": accept}
    )
    assert status == 200, (status, repository, reference, body[:300])
    return headers["content-type"], body


def demand_whole(server: Asks, repository: str, made: Made, reference: str = "") -> None:
    """See that a registry has an image with everything below it, byte for byte."""
    assert pulled(server, repository, reference or made.digest) == (made.media_type, made.data)
    for child in made.children:
        demand_whole(server, repository, child)
    for blob in made.blobs:
        status, _, body = server.ask("GET", f"/v2/{repository}/blobs/{digest(blob)}")
        assert status == 200
        assert body == blob
