"""Specs for the tests of the DAG files."""

from __future__ import annotations

from pathlib import Path

import yaml

GOOD = {
    "apiVersion": "heavylift/v1",
    "migration": "good",
    "owner": "team-a",
    "source": {"platform": "aws", "connection": "aws_source"},
    "target": {"platform": "gcp", "connection": "gcp_target"},
    "schedule": {"sync": "*/30 * * * *"},
    "defaults": {"retries": 3, "retry_delay": "7s", "max_retry_delay": "70s"},
    "datasets": [
        {"name": "data", "source": "s3://bucket/data/", "target": "gs://bucket/data/"},
        {"name": "more", "source": "s3://bucket/more/", "target": "gs://bucket/more/"},
    ],
}


def write(folder: Path, name: str, **changes: object) -> Path:
    """Write a spec called ``name`` with some keys changed and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**GOOD, "migration": name, **changes}))
    return file
