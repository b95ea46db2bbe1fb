"""An independent judge: reads stores by the vendors' own clients, not by Heavylift's code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError

from tests.integration.objects.places import Servers

GCS_PARTS = ".heavylift-parts/"
MIB = 2**20
_GCS_PART = re.compile(r"/\d{5}-[0-9a-f]{8}$")


def contents(servers: Servers, server: str, container: str) -> dict[str, str]:
    """Return key → SHA-256 of all that is visible in a container."""
    if server == "file":
        return _files(Path(servers.folder, container))
    if server == "gcp_target":
        blobs = servers.gcs(server).list_blobs(container)
        return {
            blob.name: _sha(blob.download_as_bytes()) for blob in blobs if not blob.name.startswith(GCS_PARTS)
        }
    if server == "azure_target":
        client = servers.azure(server).get_container_client(container)
        return {blob.name: _sha(client.download_blob(blob.name).readall()) for blob in client.list_blobs()}
    client, found = servers.s3_as_asked(server), {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=container):
        for item in page.get("Contents", []):
            body = client.get_object(Bucket=container, Key=item["Key"])["Body"].read()
            found[item["Key"]] = _sha(body)
    return found


def strays(servers: Servers, server: str, container: str) -> set[str]:
    """Return what uploads have left behind: ``key`` and id of each, or the names of their parts.

    Blocks that were sent to Azure and never made part of a blob go by themselves after a week; there is
    no act that drops them without touching the blob, so they are not counted.
    """
    if server == "azure_target":
        return set()
    if server == "file":
        return {str(path) for path in Path(servers.folder, container).rglob(".heavylift-*")}
    if server == "gcp_target":
        return {blob.name for blob in servers.gcs(server).list_blobs(container, prefix=GCS_PARTS)}
    client = servers.s3_as_asked(server)
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=container)
    return {f"{one['Key']} {one['UploadId']}" for page in pages for one in page.get("Uploads", [])}


def sha256_of(servers: Servers, server: str, container: str, key: str) -> str | None:
    """Return the SHA-256 of one large object, read in pieces; None where there is none."""
    digest = hashlib.sha256()
    for piece in _pieces(servers, server, container, key):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(servers: Servers, server: str, container: str, key: str) -> Iterator[bytes]:
    if server == "file":
        with Path(servers.folder, container, key).open("rb") as file:
            yield from iter(lambda: file.read(MIB), b"")
    elif server == "gcp_target":
        with servers.gcs(server).bucket(container).blob(key).open("rb") as blob:
            yield from iter(lambda: blob.read(8 * MIB), b"")
    elif server == "azure_target":
        yield from servers.azure(server).get_blob_client(container, key).download_blob().chunks()
    else:
        yield from servers.s3_as_asked(server).get_object(Bucket=container, Key=key)["Body"].iter_chunks(MIB)


def finished_parts(servers: Servers, server: str, container: str, key: str) -> int:
    """Return how many parts of the uploads in progress for ``key`` the store holds."""
    if server == "file":
        entries = Path(servers.folder, container).glob(".heavylift-*.upload/*-*-*-*")
        return sum(1 for _ in entries)
    if server == "gcp_target":
        blobs = servers.gcs(server).list_blobs(container, prefix=GCS_PARTS)
        return sum(1 for blob in blobs if _GCS_PART.search(blob.name))
    if server == "azure_target":
        blob = servers.azure(server).get_blob_client(container, key)
        try:
            return len(blob.get_block_list("uncommitted")[1])
        except ResourceNotFoundError:
            return 0
    client = servers.s3_as_asked(server)
    uploads = client.list_multipart_uploads(Bucket=container).get("Uploads", [])
    named = [{"Bucket": container, "Key": one["Key"], "UploadId": one["UploadId"]} for one in uploads]
    return sum(len(client.list_parts(**upload).get("Parts", [])) for upload in named)


def _files(root: Path) -> dict[str, str]:
    # What begins with .heavylift- is no object: a draft that nobody lists under a key.
    paths = [path for path in root.rglob("*") if path.is_file() and ".heavylift-" not in str(path)]
    return {path.relative_to(root).as_posix(): _sha(path.read_bytes()) for path in paths}


def _sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
