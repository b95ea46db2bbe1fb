"""Putting seed objects into an S3 store, and making the buckets that a migration needs."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlencode

from heavylift.connections import Connection
from sandbox.examples.objects import SeedObject

_WORKERS = 8


def s3_client(connection: Connection) -> Any:
    """Return a boto3 client for the connection; path-style, as local servers need it."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=connection.text("endpoint_url"),
        region_name=connection.text("region_name") or "us-east-1",
        aws_access_key_id=connection.login,
        aws_secret_access_key=connection.password,
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=2 * _WORKERS),
    )


def ensure_s3_bucket(client: Any, bucket: str) -> None:
    """Create the bucket unless it is there."""
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket)


def ensure_gcs_bucket(connection: Connection, bucket: str) -> None:
    """Create the bucket unless it is there."""
    from google.api_core.exceptions import Conflict
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    anonymous = AnonymousCredentials() if connection.flag("anonymous") else None  # type: ignore[no-untyped-call]
    endpoint = connection.text("endpoint_url")
    client = Client(
        project=connection.text("project") or "heavylift-sandbox",
        credentials=anonymous,
        client_options={"api_endpoint": endpoint} if endpoint else None,
    )
    try:
        client.create_bucket(bucket)
    except Conflict:
        return
    finally:
        client.close()


def put_all(client: Any, bucket: str, objects: Iterable[SeedObject]) -> tuple[int, int]:
    """Put every object, several at once, and return their number and bytes.

    Putting the same objects again changes nothing but their modification times.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        sizes = list(pool.map(partial(_put, client, bucket), objects))
    return len(sizes), sum(sizes)


def _put(client: Any, bucket: str, item: SeedObject) -> int:
    body = item.body()
    extra = {
        "ContentType": item.content_type,
        "ContentEncoding": item.content_encoding,
        "CacheControl": item.cache_control,
        "ContentDisposition": item.content_disposition,
        "ContentLanguage": item.content_language,
        "Metadata": dict(item.metadata) or None,
        "Tagging": urlencode(item.tags) or None,
    }
    settings = {name: value for name, value in extra.items() if value is not None}
    if item.part_bytes and len(body) > item.part_bytes:
        _put_in_parts(client, bucket, item, body, settings)
    else:
        client.put_object(Bucket=bucket, Key=item.key, Body=body, **settings)
    return len(body)


def _put_in_parts(client: Any, bucket: str, item: SeedObject, body: bytes, settings: dict[str, Any]) -> None:
    place = {"Bucket": bucket, "Key": item.key}
    upload = client.create_multipart_upload(**place, **settings)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(body), item.part_bytes), 1):
        part = client.upload_part(
            **place, UploadId=upload, PartNumber=number, Body=body[start : start + item.part_bytes]
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
