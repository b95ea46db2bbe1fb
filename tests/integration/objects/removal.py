"""Taking a container away again with all that is in it, so that hundreds of rounds need no room for all."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.objects.places import Servers


def remove(servers: Servers, server: str, container: str) -> None:
    """Delete a container, its objects and the uploads in progress in it."""
    if server == "file":
        shutil.rmtree(Path(servers.folder, container))
    elif server == "azure_target":
        servers.azure(server).delete_container(container)
    elif server == "gcp_target":
        bucket = servers.gcs(server).bucket(container)
        for blob in list(bucket.list_blobs()):
            blob.delete()
        bucket.delete()
    else:
        _remove_bucket(servers, server, container)


def _remove_bucket(servers: Servers, server: str, bucket: str) -> None:
    client = servers.s3_as_asked(server)
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=item["Key"])
    client.delete_bucket(Bucket=bucket)
