"""The small migrations of this layer, beside the example's: one by device, one by night."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

OFFLINE, NIGHTLY, SWITCHED, MANAGED = "offline", "nightly", "switched", "managed"
_COMMON = {
    "apiVersion": "heavylift/v1",
    "owner": "e2e",
    "source": {"platform": "aws", "connection": "aws_source"},
    "target": {"platform": "gcp", "connection": "gcp_target"},
    "defaults": {"retries": 2, "retry_delay": "1s", "max_retry_delay": "2s"},
    # The approval of a gate is the example's to show.
    "gates": [
        {
            "name": "proved",
            "phase": "transfer",
            "checks": ["counts_equal", "checksums_equal"],
            "approval": {"required": False},
        }
    ],
}


def write_offline(folder: Path, mount: Path) -> Path:
    """Write a migration whose objects travel on devices of 100 kB, mounted below ``mount``."""
    appliance = {
        "device": {"model": "box", "capacity": "100kB"},
        "mount": mount.as_uri(),
        "require_mount_point": False,
        "ingest": "copy",
    }
    return _write(folder, OFFLINE, {**_dataset(OFFLINE, "images"), "appliance": appliance})


def write_nightly(folder: Path, opens: datetime) -> Path:
    """Write a migration that may copy for six hours from ``opens``, a full minute in UTC."""
    window = f"{opens:%H:%M}-{opens + timedelta(hours=6):%H:%M}"
    return _write(folder, NIGHTLY, {**_dataset(NIGHTLY, "papers"), "limits": {"windows": [window]}})


def write_switched(folder: Path) -> Path:
    """Write a migration of one database, which is switched without being watched for long."""
    route = {"adapter": "envoy", "connection": "traffic_writes"}
    return _write_whole(
        folder,
        SWITCHED,
        {
            "databases": [
                {
                    "name": "entries",
                    "source": {"engine": "postgresql", "connection": "features_source"},
                    "target": {"engine": "postgresql", "connection": "features_target"},
                    "tables": ["switched.*"],
                }
            ],
            "gates": [
                _gate("proved", "transfer", "tables_equal"),
                _gate("cutover-ready", "cutover", "cutover_ready"),
            ],
            "cutover": {
                "runbook_owner": "e2e",
                "traffic": {"adapter": "envoy", "connection": "traffic", "shadow": 0, "steps": [100]},
                "writers": route,
                "max_write_pause": "60s",
                "max_lag": "60s",
                "soak": "60s",
                "drills": {"max_rto": "1h", "max_rpo": "1h"},
                # No endpoint answers requests here: the route leads writers to databases.
                "capacity": None,
            },
        },
    )


def write_managed(folder: Path) -> Path:
    """Write a migration of two tracking servers whose databases nobody can reach."""
    sides = {side: {"connection": f"managed_{side}"} for side in ("source", "target")}
    registry = {"name": "runs", **sides, "path": "api", "accept_losses": True}
    return _write_whole(folder, MANAGED, {"registries": [registry], "gates": []})


def next_opening(now: datetime, ahead: timedelta) -> datetime:
    """Return the first full minute that is at least so far ahead."""
    soon = now + ahead
    return soon.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _dataset(migration: str, name: str) -> dict[str, Any]:
    return {"name": name, "source": f"s3://{migration}/{name}/", "target": f"gs://{migration}/{name}/"}


def _write(folder: Path, migration: str, dataset: dict[str, Any]) -> Path:
    return _write_whole(folder, migration, {"datasets": [dataset]})


def _gate(name: str, phase: str, check: str) -> dict[str, Any]:
    return {"name": name, "phase": phase, "checks": [check], "approval": {"required": False}}


def _write_whole(folder: Path, migration: str, sections: dict[str, Any]) -> Path:
    """Write a spec in one step, for Airflow may read it at any moment."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{migration}.yaml"
    draft = folder / f".{migration}.draft"
    draft.write_text(yaml.safe_dump({**_COMMON, "migration": migration, **sections}))
    return draft.replace(file)
