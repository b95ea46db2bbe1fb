"""Amazon S3, played by SeaweedFS."""

from __future__ import annotations

import json
import secrets
import sysconfig
from pathlib import Path

from sandbox.http import NotReadyError, request
from sandbox.model import Connection, Launch, Place, Server
from sandbox.state import write_private

# Every port is set: the defaults are fixed numbers on which two instances would clash.
_PORTS = (
    "s3",
    "s3_grpc",
    "filer",
    "filer_grpc",
    "master",
    "master_grpc",
    "volume",
    "volume_grpc",
    "admin",
    "admin_grpc",
)
_FLAGS = {
    "s3": "-s3.port",
    "s3_grpc": "-s3.port.grpc",
    "filer": "-filer.port",
    "filer_grpc": "-filer.port.grpc",
    "master": "-master.port",
    "master_grpc": "-master.port.grpc",
    "volume": "-volume.port",
    "volume_grpc": "-volume.port.grpc",
    "admin": "-admin.port",
    "admin_grpc": "-admin.port.grpc",
}
_PROBE_BUCKET = "heavylift-probe"
REGION = "us-east-1"


def server(name: str, title: str) -> Server:
    """Return one S3 server; two instances share nothing."""
    return Server(
        name=name,
        title=f"{title} (SeaweedFS)",
        ports=_PORTS,
        launch=_launch,
        probe=_probe,
        connection=connection,
        secrets=new_keys,
        prepare=_prepare,
    )


def new_keys() -> dict[str, str]:
    """Return a random key pair in Amazon's shape."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    access = "AKIA" + "".join(secrets.choice(alphabet) for _ in range(16))
    return {"access_key": access, "secret_key": secrets.token_urlsafe(30)}


def connection(place: Place) -> Connection:
    """Return the Airflow connection of an S3-like server."""
    return {
        "conn_type": "aws",
        "login": place.secrets["access_key"],
        "password": place.secrets["secret_key"],
        "extra": {"endpoint_url": place.url, "region_name": REGION},
    }


def _prepare(place: Place) -> None:
    (place.home / "data").mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "sandbox",
        "credentials": [{"accessKey": place.secrets["access_key"], "secretKey": place.secrets["secret_key"]}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    write_private(place.home / "s3.json", json.dumps({"identities": [identity]}))


def _launch(place: Place) -> Launch:
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    argv = [
        str(weed),
        "-v=0",
        "mini",
        f"-dir={place.home / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-webdav=false",
        "-admin.ui=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        # Each bucket takes a volume of its own, of which there are as many as fit into the free disk space.
        "-master.volumeSizeLimitMB=128",
        f"-s3.config={place.home / 's3.json'}",
        *(f"{flag}={place.ports[role]}" for role, flag in _FLAGS.items()),
    ]
    return Launch(place.name, argv, str(place.log), str(place.home))


def _probe(place: Place) -> None:
    """Write, read and delete one object: it answers before it accepts writes."""
    bucket = f"{place.url}/{_PROBE_BUCKET}"
    _call(place, "PUT", bucket, b"", (200, 409))
    _call(place, "PUT", f"{bucket}/probe", b"ready", (200,))
    _call(place, "DELETE", f"{bucket}/probe", None, (200, 204))
    _call(place, "DELETE", bucket, None, (200, 204))


def make_bucket(place: Place, bucket: str) -> None:
    """Make a bucket on a server that serves; one that is there stays as it is."""
    _call(place, "PUT", f"{place.url}/{bucket}", b"", (200, 409))


def _call(place: Place, method: str, url: str, body: bytes | None, allowed: tuple[int, ...]) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    message = AWSRequest(method=method, url=url, data=body)
    keys = Credentials(place.secrets["access_key"], place.secrets["secret_key"])
    S3SigV4Auth(keys, "s3", REGION).add_auth(message)
    answer = request(url, method=method, headers=dict(message.headers), body=body)
    if answer.status not in allowed:
        raise NotReadyError(f"{method} {url} answered {answer.status}")
