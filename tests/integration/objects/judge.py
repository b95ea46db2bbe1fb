"""An independent judge: reads stores by the vendors' own clients, not by Heavylift's code."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.integration.objects.places import Servers

GCS_PARTS = ".heavylift-parts/"


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


def _files(root: Path) -> dict[str, str]:
    # What begins with .heavylift- is no object: a draft that nobody lists under a key.
    paths = [path for path in root.rglob("*") if path.is_file() and ".heavylift-" not in str(path)]
    return {path.relative_to(root).as_posix(): _sha(path.read_bytes()) for path in paths}


def _sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
