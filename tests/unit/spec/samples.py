"""Specs for tests, as text and as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from heavylift.spec import MigrationSpec, Problem, SpecFileError, load_spec

HEAD = """\
apiVersion: heavylift/v1
migration: fraud-scoring
owner: payments-ml
source: {platform: aws, connection: aws_source}
target: {platform: gcp, connection: gcp_target}
"""

MINIMAL = (
    HEAD
    + """\
datasets:
  - name: training-data
    source: s3://fraud/training/
    target: gs://fraud/training/
"""
)


def write(directory: Path, text: str, name: str = "spec.yaml") -> Path:
    """Write a spec file and return its path."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def load(directory: Path, text: str) -> MigrationSpec:
    """Load a spec from text."""
    return load_spec(write(directory, text))


def problems_of(directory: Path, text: str) -> tuple[Problem, ...]:
    """Return the problems of a spec, or none where it is right."""
    try:
        load(directory, text)
    except SpecFileError as error:
        return error.problems
    return ()


def minimal() -> dict[str, Any]:
    """Return the smallest right spec as data."""
    data: dict[str, Any] = yaml.safe_load(MINIMAL)
    return data


def changed(**top: Any) -> str:
    """Return the smallest right spec with top-level keys set to other values."""
    return yaml.safe_dump({**minimal(), **top}, sort_keys=False)


def with_dataset(**fields: Any) -> str:
    """Return the smallest right spec with fields of its dataset set to other values."""
    data = minimal()
    data["datasets"][0] |= fields
    return yaml.safe_dump(data, sort_keys=False)
