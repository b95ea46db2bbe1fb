"""Clients of the servers, for filling, checking and making room; they take no part in a measurement."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from heavylift.connections import connection_from_env

Listed = dict[str, tuple[int, str | None]]
"""Size, and MD5 where the server tells it, of each key."""


def s3_client(env: Mapping[str, str], name: str) -> Any:
    """Return boto3's client of a connection."""
    import boto3

    found = connection_from_env(name, env)
    return boto3.client(
        "s3",
        endpoint_url=found.extra["endpoint_url"],
        aws_access_key_id=found.login,
        aws_secret_access_key=found.password,
        region_name="us-east-1",
    )


def azure_client(env: Mapping[str, str], name: str) -> Any:
    """Return the Azure SDK's client of a connection."""
    from azure.storage.blob import BlobServiceClient

    found = connection_from_env(name, env)
    return BlobServiceClient(
        str(found.host), credential={"account_name": str(found.login), "account_key": str(found.password)}
    )


def gcs_url(env: Mapping[str, str], name: str) -> str:
    """Return the root of a connection's JSON API."""
    return f"{connection_from_env(name, env).extra['endpoint_url']}/storage/v1"


def create(env: Mapping[str, str], name: str, bucket: str) -> None:
    """Make an empty bucket or container."""
    kind = connection_from_env(name, env).conn_type
    if kind == "aws":
        s3_client(env, name).create_bucket(Bucket=bucket)
    elif kind == "wasb":
        azure_client(env, name).create_container(bucket)
    else:
        _call(f"{gcs_url(env, name)}/b?project=heavylift-sandbox", json.dumps({"name": bucket}).encode())


def remove(env: Mapping[str, str], name: str, bucket: str) -> None:
    """Remove a target with what is in it, where the server can do that at once.

    SeaweedFS and Azurite can; of Cloud Storage's server the folder goes when the lane ends.
    """
    kind = connection_from_env(name, env).conn_type
    if kind == "aws":
        s3_client(env, name).delete_bucket(Bucket=bucket)
    elif kind == "wasb":
        azure_client(env, name).delete_container(bucket)


def listed(env: Mapping[str, str], name: str, bucket: str) -> Listed:
    """Return what a bucket holds."""
    kind = connection_from_env(name, env).conn_type
    if kind == "aws":
        return dict(_s3(s3_client(env, name), bucket))
    if kind == "wasb":
        return dict(_azure(azure_client(env, name), bucket))
    return dict(_gcs(gcs_url(env, name), bucket))


def _s3(client: Any, bucket: str) -> Iterator[tuple[str, tuple[int, str | None]]]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            etag = item["ETag"].strip('"')
            yield item["Key"], (item["Size"], None if "-" in etag else etag)


def _azure(client: Any, container: str) -> Iterator[tuple[str, tuple[int, str | None]]]:
    for blob in client.get_container_client(container).list_blobs():
        md5 = blob.content_settings.content_md5
        yield blob.name, (blob.size, bytes(md5).hex() if md5 else None)


def _gcs(url: str, bucket: str) -> Iterator[tuple[str, tuple[int, str | None]]]:
    import base64

    token: str | None = ""
    while token is not None:
        answer = json.loads(_call(f"{url}/b/{bucket}/o?maxResults=1000&pageToken={quote(token)}"))
        for item in answer.get("items", []):
            md5 = item.get("md5Hash")
            yield item["name"], (int(item["size"]), base64.b64decode(md5).hex() if md5 else None)
        token = answer.get("nextPageToken")


def _call(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        found: bytes = answer.read()
    return found
