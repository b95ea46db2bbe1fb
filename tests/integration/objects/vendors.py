"""Objects as the vendors' own clients write, list and read them; of a folder, as Python does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.objects.places import SCHEMES, Servers


def write(servers: Servers, server: str, container: str, key: str, body: bytes) -> None:
    """Write one object."""
    kind = SCHEMES.get(server)
    if kind == "s3":
        servers.s3(server).put_object(Bucket=container, Key=key, Body=body)
    elif kind == "gs":
        servers.gcs(server).bucket(container).blob(key).upload_from_string(body)
    elif kind == "az":
        servers.azure(server).get_container_client(container).upload_blob(key, body)
    else:
        if {"", ".", ".."} & set(key.split("/")):
            raise ValueError("no path")
        path = servers.folder / container / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(body)


def keys(servers: Servers, server: str, container: str) -> set[str]:
    """Return the keys of all objects."""
    kind = SCHEMES.get(server)
    if kind == "s3":
        pages = servers.s3(server).get_paginator("list_objects_v2").paginate(Bucket=container)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}
    if kind == "gs":
        return {blob.name for blob in servers.gcs(server).list_blobs(container)}
    if kind == "az":
        return {blob.name for blob in servers.azure(server).get_container_client(container).list_blobs()}
    root = servers.folder / container
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def read(servers: Servers, server: str, container: str, key: str) -> Any:
    """Return an object's bytes."""
    kind = SCHEMES.get(server)
    if kind == "s3":
        return servers.s3(server).get_object(Bucket=container, Key=key)["Body"].read()
    if kind == "gs":
        return servers.gcs(server).bucket(container).blob(key).download_as_bytes()
    if kind == "az":
        return servers.azure(server).get_container_client(container).download_blob(key).readall()
    return Path(servers.folder / container / key).read_bytes()
